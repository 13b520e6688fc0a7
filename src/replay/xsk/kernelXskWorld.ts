import { errnoName, fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { ObjectSpec } from '../../vm/index.js';
import type { KernelBpf } from '../kernelBpf.js';
import { loadIntoKernel } from '../kernelObject.js';
import type { KernelMap } from '../kernelMap.js';
import type { NetSyscalls } from '../net/netSyscalls.js';
import { hasQdisc, setLinkUp, VethPair } from '../net/vethPair.js';
import type { VethEnd } from '../net/vethPair.js';
import { XdpLink } from '../net/xdpLink.js';
import { KernelXsk } from './kernelXsk.js';
import type { XskEnd, XskWorld } from './xskWorld.js';

/** Between two looks at something that isn't done yet, ms. */
const PAUSE_MS = 0.1;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));
/** Longest that a link may take to come up, ms. */
const CARRIER_MS = 5000;

interface Closing {
  close(): void;
}

/** A veth pair in namespaces of its own, with a program on both ends. */
export class KernelXskWorld implements XskWorld {
  readonly ends: readonly [XskEnd, XskEnd];
  readonly #parts: readonly Closing[];

  private constructor(ends: readonly [XskEnd, XskEnd], parts: readonly Closing[]) {
    this.ends = ends;
    this.#parts = parts;
  }

  /**
   * @param program whose only program redirects every packet to slot 0 of its only XSKMAP
   *
   * Problems: those of `VethPair.create` and `loadIntoKernel`, and `net-attach`.
   */
  static create(net: NetSyscalls, kernel: KernelBpf, program: ObjectSpec, mtu: number): Result<KernelXskWorld> {
    const parts: Closing[] = [];
    const built = build(net, kernel, program, mtu, parts);
    if (built.ok) return ok(new KernelXskWorld(built.value, parts));
    closeAll(parts);
    return built;
  }

  wait(): void {
    pause();
  }

  close(): void {
    closeAll(this.#parts);
  }
}

function closeAll(parts: readonly Closing[]): void {
  for (const part of parts.toReversed()) part.close();
}

function build(net: NetSyscalls, kernel: KernelBpf, spec: ObjectSpec, mtu: number, parts: Closing[]): Result<[XskEnd, XskEnd]> {
  const pair = VethPair.create(net, mtu);
  if (!pair.ok) return pair;
  parts.push(pair.value);
  const ends: XskEnd[] = [];
  awaitQdiscs(pair.value);
  for (const end of [pair.value.sender, pair.value.receiver]) {
    const program = loadIntoKernel(kernel, spec, spec.programs[0].name);
    if (!program.ok) return program;
    parts.push(program.value);
    const link = XdpLink.attach(kernel, end, program.value.fd, 'native');
    if (!link.ok) return link;
    parts.push(link.value);
    const map = program.value.object.maps.get(spec.maps[0].name);
    if (map === undefined) return fail({ code: 'no-such-map', message: `the program does not use ${spec.maps[0].name}` });
    ends.push(endOf(net, pair.value, end, map));
  }
  return ok([ends[0], ends[1]]);
}

/** The kernel learns in a worker that a link has a carrier. Till then packet sockets send into the void. */
function awaitQdiscs({ sender, receiver }: VethPair): void {
  const end = performance.now() + CARRIER_MS;
  while (![sender, receiver].every(hasQdisc)) {
    if (performance.now() > end) throw new Error('KernelXskWorld: the wire has no carrier');
    pause();
  }
}

function pause(): void {
  Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
}

function endOf(net: NetSyscalls, pair: VethPair, end: VethEnd, map: KernelMap): XskEnd {
  const check = (what: string, result: number): void => {
    if (result < 0) throw new Error(`KernelXskWorld: ${what}: ${errnoName(result)}`);
  };
  return {
    calls: new KernelXsk(net, end.namespace),
    ifindex: end.ifindex,
    attach: (fd) => check('XSKMAP', map.updateBytes(new Uint8Array(4), new Uint8Array(Int32Array.of(fd).buffer), 0)),
    send: (frame) => check(`a frame of ${frame.length} bytes`, end.socket.send(frame)),
    setUp: (isUp) => {
      check('link', setLinkUp(end, isUp));
      if (isUp) awaitQdiscs(pair);
    },
  };
}
