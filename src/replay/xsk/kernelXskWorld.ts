import { ENETDOWN, ENOBUFS, errnoName, fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { ObjectSpec } from '../../vm/index.js';
import type { KernelBpf } from '../kernelBpf.js';
import { loadIntoKernel } from '../kernelObject.js';
import type { KernelMap } from '../kernelMap.js';
import type { NetSyscalls } from '../net/netSyscalls.js';
import { setLinkUp, VethPair } from '../net/vethPair.js';
import type { VethEnd } from '../net/vethPair.js';
import { XdpLink } from '../net/xdpLink.js';
import type { XdpMode } from '../net/xdpLink.js';
import { KernelXsk } from './kernelXsk.js';
import type { XskEnd, XskWorld } from './xskWorld.js';

/** Between two looks at something that isn't done yet, ms. */
const PAUSE_MS = 0.1;
const PAUSE = new Int32Array(new SharedArrayBuffer(4));

/** What a packet socket says when its own link or that of the peer is down. */
const LINK_IS_DOWN: readonly number[] = [-ENETDOWN, -ENOBUFS];

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
  static create(net: NetSyscalls, kernel: KernelBpf, program: ObjectSpec, mtu: number, mode: XdpMode = 'native'): Result<KernelXskWorld> {
    const parts: Closing[] = [];
    const built = build(net, kernel, program, mtu, mode, parts);
    if (built.ok) return ok(new KernelXskWorld(built.value, parts));
    closeAll(parts);
    return built;
  }

  wait(): void {
    Atomics.wait(PAUSE, 0, 0, PAUSE_MS);
  }

  close(): void {
    closeAll(this.#parts);
  }
}

function closeAll(parts: readonly Closing[]): void {
  for (const part of parts.toReversed()) part.close();
}

function build(net: NetSyscalls, kernel: KernelBpf, spec: ObjectSpec, mtu: number, mode: XdpMode, parts: Closing[]): Result<[XskEnd, XskEnd]> {
  const pair = VethPair.create(net, mtu);
  if (!pair.ok) return pair;
  parts.push(pair.value);
  const ends: XskEnd[] = [];
  for (const end of [pair.value.sender, pair.value.receiver]) {
    const program = loadIntoKernel(kernel, spec, spec.programs[0].name);
    if (!program.ok) return program;
    parts.push(program.value);
    const link = XdpLink.attach(kernel, end, program.value.fd, mode);
    if (!link.ok) return link;
    parts.push(link.value);
    const map = program.value.object.maps.get(spec.maps[0].name);
    if (map === undefined) return fail({ code: 'no-such-map', message: `the program does not use ${spec.maps[0].name}` });
    ends.push(endOf(net, end, map));
  }
  return ok([ends[0], ends[1]]);
}

function endOf(net: NetSyscalls, end: VethEnd, map: KernelMap): XskEnd {
  const check = (what: string, result: number): void => {
    if (result < 0) throw new Error(`KernelXskWorld: ${what}: ${errnoName(result)}`);
  };
  check('PACKET_QDISC_BYPASS', end.socket.bypassQdisc());
  return {
    calls: new KernelXsk(net, end.namespace),
    ifindex: end.ifindex,
    attach: (fd) => check('XSKMAP', map.updateBytes(new Uint8Array(4), new Uint8Array(Int32Array.of(fd).buffer), 0)),
    send: (frame) => {
      let result = end.socket.send(frame);
      // That the link was down is said once, even when it is up again.
      if (result === -ENETDOWN) result = end.socket.send(frame);
      if (!LINK_IS_DOWN.includes(result)) check(`a frame of ${frame.length} bytes`, result);
    },
    setUp: (isUp) => check('link', setLinkUp(end, isUp)),
  };
}
