import { unwrap } from '../../src/base/index.js';
import { KernelObject } from '../../src/replay/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import type { NetSyscalls } from '../../src/replay/net/netSyscalls.js';
import { VethPair } from '../../src/replay/net/vethPair.js';
import type { VethEnd } from '../../src/replay/net/vethPair.js';
import { XdpLink } from '../../src/replay/net/xdpLink.js';
import { KernelXsk } from '../../src/replay/xsk/kernelXsk.js';
import { fixture } from '../support/simulate.js';
import type { Bed, BedEnd, BedKind, BedWishes, Mode, Program } from './bed.js';

const MAX_PASS_MS = 50;
const IDLE_MS = 1;

/** Beds in the running kernel: a veth pair between two network namespaces. Its interrupts are not put off when applications poll. */
export function kernelKind(kernel: KernelBpf, net: NetSyscalls): BedKind {
  return {
    name: 'veth of the running kernel',
    kernel: '6.18',
    hasMetadata: true,
    receivesFragments: true,
    growsFragments: false,
    nicRings: undefined,
    zeroCopySegments: 0,
    zeroCopyPrefixBytes: 0,
    open: (mode, wishes) => openBed(kernel, net, mode, wishes),
  };
}

function openBed(kernel: KernelBpf, net: NetSyscalls, mode: Mode, { mtu = 1500, program = 'to_socket', nicRings }: BedWishes): Bed {
  if (nicRings !== undefined) throw new Error('a veth has no rings whose sizes could be changed');
  const pair = unwrap(VethPair.create(net, mtu));
  const ends = [openEnd(kernel, net, pair.sender, mode, 'to_socket'), openEnd(kernel, net, pair.receiver, mode, program)] as const;
  return {
    ends,
    settle: (isIdle) => {
      if (isIdle) sleep(IDLE_MS);
    },
    patience: 20,
    pass: (ms) => sleep(Math.min(ms, MAX_PASS_MS)),
    close: () => {
      for (const end of ends) end.close();
      pair.close();
      return { wrong: [], findings: undefined };
    },
  };
}

function openEnd(kernel: KernelBpf, net: NetSyscalls, end: VethEnd, mode: Mode, program: Program): BedEnd & { close(): void } {
  const object = new KernelObject(kernel, fixture('xsk_steer'));
  const loaded = unwrap(object.loadProgram(program));
  const link = unwrap(XdpLink.attach(kernel, end, loaded.fd, mode === 'SKB' ? 'generic' : 'native'));
  const sockets = unwrap(object.map('xsks'));
  return {
    calls: new KernelXsk(net, end.namespace),
    ifindex: end.ifindex,
    putSocket: (slot, fd) => sockets.updateBytes(bytes(slot), bytes(fd), 0),
    setTailChange: (by) => unwrap(object.writeVariable('tail_change', bytes(by))),
    get tailError() {
      return new Int32Array(unwrap(object.readVariable('tail_error')).slice().buffer)[0];
    },
    close: () => {
      link.close();
      object.close();
    },
  };
}

const bytes = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
