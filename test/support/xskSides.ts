import { closeSync, openSync } from 'node:fs';
import { describe, it } from 'vitest';
import { errnoName, fail, formatProblem, ok, unwrap } from '../../src/base/index.js';
import type { Result } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { probeKernel, thisHost } from '../../src/replay/index.js';
import { NetSyscalls } from '../../src/replay/net/netSyscalls.js';
import { removeLink, setLinkUp, VethPair } from '../../src/replay/net/vethPair.js';
import { KernelXsk } from '../../src/replay/xsk/kernelXsk.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import { AfXdp, KERNEL_QUIRKS, SOCK_RAW } from '../../src/umem/index.js';
import type { XskDevice, XskSyscalls } from '../../src/umem/index.js';

const AF_INET = 2;
const SOCK_DGRAM = 2;
/** Longer than the kernel takes to give a queue back after a close. */
const RELEASE_MS = 60;
/** The loopback device of every namespace. */
export const LO = 1;

/** A host with a veth of several queues and a loopback device, real or simulated. */
export interface XskSide {
  readonly calls: XskSyscalls;
  /** The veth. */
  readonly ifindex: number;
  /** A UDP socket. */
  openSocket(): number;
  openFile(): number;
  setUp(isUp: boolean): void;
  removeDevice(): void;
  /** Waits until the queues of closed sockets are free. */
  settle(): void;
  close(): void;
}

export function kernelSide(net: NetSyscalls, queues: number): XskSide {
  const pair = unwrap(VethPair.create(net, 1500, queues));
  const end = pair.receiver;
  const others: number[] = [];
  const note = (fd: number): number => {
    others.push(fd);
    return fd;
  };
  return {
    calls: new KernelXsk(net, end.namespace),
    ifindex: end.ifindex,
    openSocket: () => note(net.call('socket', AF_INET, SOCK_DGRAM, 0)),
    openFile: () => note(openSync('/dev/null', 'r')),
    setUp: (isUp) => {
      const errno = setLinkUp(end, isUp);
      if (errno < 0) throw new Error(`ip link set: ${errno}`);
    },
    removeDevice: () => {
      const errno = removeLink(end);
      if (errno < 0) throw new Error(`ip link delete: ${errno}`);
    },
    settle: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RELEASE_MS),
    close: () => {
      others.forEach((fd) => closeSync(fd));
      pair.close();
    },
  };
}

/** A `describe` whose tests open AF_XDP sockets of the running kernel. Where that is impossible they are skipped, with one loud line that says why. */
export async function withKernelSockets(name: string, body: (net: NetSyscalls) => void): Promise<void> {
  const opened = await openNet();
  if (opened.ok) {
    describe(name, () => body(opened.value));
    return;
  }
  console.warn(`SKIPPED, not compared with the kernel's AF_XDP: ${name}: ${formatProblem(opened.problem)}`);
  describe(name, () => {
    it.skip('needs root and a kernel with AF_XDP and veth', () => {});
  });
}

async function openNet(): Promise<Result<NetSyscalls>> {
  const probed = await probeKernel();
  if (!probed.ok) return probed;
  const net = new NetSyscalls(await thisHost.importKoffi(), thisHost.arch);
  const pair = VethPair.create(net, 1500);
  if (!pair.ok) return pair;
  const calls = new KernelXsk(net, pair.value.receiver.namespace);
  const fd = calls.socket(SOCK_RAW, 0);
  if (fd >= 0) calls.close(fd);
  pair.value.close();
  return fd >= 0 ? ok(net) : fail({ code: 'kernel-no-af-xdp', message: `the kernel gives no AF_XDP socket: ${errnoName(fd)}` });
}

const SIMULATED_IFINDEX = 2;

/** A host of AF_XDP alone, whose devices send nothing, with the quirks of the running kernel. */
export function simulatedSide(queues: number): XskSide {
  const scheduler = new EventQueue(0);
  const afXdp = new AfXdp({ memory: new HostMemory(64), scheduler, quirks: KERNEL_QUIRKS });
  let isUp = true;
  const device = (ifindex: number, count: number, isUpNow: () => boolean): XskDevice => ({
    ifindex, rxQueues: count, txQueues: count, mtu: 1500, xskTransmit: () => 0, kick: () => {},
    get isUp() {
      return isUpNow();
    },
  });
  afXdp.addDevice(device(LO, 1, () => false));
  afXdp.addDevice(device(SIMULATED_IFINDEX, queues, () => isUp));
  return {
    calls: afXdp,
    ifindex: SIMULATED_IFINDEX,
    openSocket: () => afXdp.openOther('socket'),
    openFile: () => afXdp.openOther('other'),
    setUp: (now) => void (isUp = now),
    removeDevice: () => afXdp.removeDevice(SIMULATED_IFINDEX),
    settle: () => {
      const end = scheduler.nowNs + RELEASE_MS * 1e6;
      while (scheduler.nextNs <= end) scheduler.step();
      scheduler.nowNs = end;
    },
    close: () => {},
  };
}
