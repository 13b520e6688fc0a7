import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { CASE_CPU } from '../../src/cases/index.js';
import { repairChecksums } from '../../src/packet/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { KernelXskWorld } from '../../src/replay/xsk/kernelXskWorld.js';
import type { XskEnd, XskWorld } from '../../src/replay/xsk/xskWorld.js';
import { echo, l2fwd, rxdrop, txonly } from '../../src/sim/index.js';
import type { XskApplication, XskApplicationFactory } from '../../src/sim/index.js';
import { XDP_COPY, XDP_PKT_CONTD, XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG } from '../../src/umem/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';
import type { XskSocketConfig, XskUmemConfig } from '../../src/xsk/index.js';
import { kernelOracle } from '../support/kernelOracle.js';
import { redirectToSocket, udpFrame } from '../support/simulate.js';
import { withKernelSockets } from '../support/xskSides.js';
import { XskVeth } from '../support/xskVeth.js';

// The library, and applications over it, on sockets of the running kernel: the same calls, the same packets, the same counters as on the simulator.

interface Setting {
  readonly umem?: XskUmemConfig;
  readonly socket?: XskSocketConfig;
  readonly chunkCount?: number;
  readonly mtu?: number;
}

function openSocket({ calls, ifindex, attach }: XskEnd, { umem = {}, socket = {}, chunkCount = 64 }: Setting): XskSocket {
  const sizeBytes = chunkCount * (umem.frameSize ?? 4096);
  const created = unwrap(XskUmem.create(calls, calls.mmapAnonymous(sizeBytes), sizeBytes, { fillSize: 64, compSize: 64, ...umem }));
  const opened = unwrap(XskSocket.create(created, ifindex, 0, { rxSize: 64, txSize: 64, ...socket, bindFlags: XDP_COPY | (socket.bindFlags ?? 0) }));
  attach(opened.fd);
  return opened;
}

const HOST = { nowNs: 0, wakeAt: () => {} };

/** Sends packets from one end, lets an application run on the other one, and writes down what comes back. */
function converse(world: XskWorld, setting: Setting, application: XskApplicationFactory, packets: readonly Uint8Array[]): unknown {
  const [near, far] = world.ends.map((end) => openSocket(end, setting));
  const { fill, rx, tx, completion, umem } = near;
  const chunkBytes = umem.config.frameSize;
  const answers: Uint8Array[] = [];
  const completed: [number, number][] = [];
  const server: XskApplication = application(far, HOST);
  server.start();
  // The upper half of the chunks receives.
  const half = umem.sizeBytes / chunkBytes / 2;
  expect(fill.reserve(half)).toBe(half);
  for (let i = 0; i < half; i++) fill.setAddr(fill.index + i, (half + i) * chunkBytes);
  fill.submit(half);
  const drain = (): void => {
    let parts: number[] = [];
    for (let count = rx.peek(64); count > 0; count = rx.peek(64)) {
      for (let i = rx.index; i < rx.index + count; i++) {
        const at = umem.getData(rx.dataAddr(i));
        parts.push(...umem.u8.subarray(at, at + rx.len(i)));
        if ((rx.options(i) & XDP_PKT_CONTD) === 0) {
          answers.push(Uint8Array.from(parts));
          parts = [];
        }
        expect(fill.reserve(1)).toBe(1);
        fill.setAddr(fill.index, rx.addr(i) - (umem.config.flags === 0 ? rx.addr(i) % chunkBytes : 0));
        fill.submit(1);
      }
      rx.release(count);
    }
  };
  for (const packet of packets) {
    const count = Math.ceil(packet.length / chunkBytes);
    expect(tx.reserve(count)).toBe(count);
    for (let i = 0; i < count; i++) {
      const part = packet.subarray(i * chunkBytes, (i + 1) * chunkBytes);
      umem.u8.set(part, umem.getData(i * chunkBytes));
      tx.setDesc(tx.index + i, i * chunkBytes, part.length, i < count - 1 ? XDP_PKT_CONTD : 0);
    }
    tx.submit(count);
    expect(near.sendto()).toBe(0);
    for (let round = 0; round < 3; round++) {
      world.wait();
      server.run();
    }
    drain();
    const done = completion.peek(64);
    for (let i = 0; i < done; i++) completed.push([completion.addr(completion.index + i), completion.offset(completion.index + i)]);
    completion.release(done);
  }
  const rings = [near, far].map((socket) => [socket.fill, socket.rx, socket.tx, socket.completion].map(({ producer, consumer }) => [producer, consumer]));
  const result = { answers, completed, rings, statistics: [near.statistics, far.statistics], isZeroCopy: near.isZeroCopy, poll: [near.poll(), far.poll()] };
  for (const socket of [near, far]) {
    socket.delete();
    expect(socket.umem.delete()).toBe(0);
  }
  return result;
}

const valid = (frame: Uint8Array): Uint8Array => {
  frame[40] = 1;
  repairChecksums(frame, 0, frame.length);
  return frame;
};
const short = Array.from({ length: 40 }, (_, i) => valid(udpFrame(60 + i * 7, i)));
const long = [60, 2047, 2048, 2049, 4096, 4097, 8000, 60].map((lenBytes, i) => valid(udpFrame(lenBytes, i)));

const CASES: readonly (readonly [string, Setting, XskApplicationFactory, readonly Uint8Array[]])[] = [
  ['l2fwd', {}, l2fwd, short],
  ['echo', {}, echo, [...short, udpFrame(60).subarray(0, 14), udpFrame(60).fill(7, 0, 60)]],
  ['l2fwd with chunks of 2048 and headroom', { umem: { frameSize: 2048, frameHeadroom: 333 } }, l2fwd, short],
  ['l2fwd of packets in several descriptors', { umem: { frameSize: 2048 }, socket: { bindFlags: XDP_USE_SG }, mtu: 9000 }, l2fwd, long],
  ['l2fwd with unaligned chunks', { umem: { frameSize: 3000, flags: XDP_UMEM_UNALIGNED_CHUNK_FLAG }, socket: { bindFlags: XDP_USE_SG | XDP_USE_NEED_WAKEUP }, mtu: 9000 }, l2fwd, long],
  ['l2fwd with rings of one', { umem: { compSize: 1 }, socket: { rxSize: 1, txSize: 1 } }, l2fwd, short],
  ['rxdrop with few chunks', { chunkCount: 4 }, rxdrop, short],
];

await withKernelSockets('the library on the kernel', (net) => {
  const onBoth = (mtu: number, run: (world: XskWorld) => unknown): [unknown, unknown] => {
    const kernel = unwrap(KernelXskWorld.create(net, kernelOracle!, redirectToSocket({ frags: true }), mtu));
    try {
      return [run(new XskVeth(mtu, new Uint8Array(0))), unwrap(new CpuBinding(kernelOracle!.syscalls, CASE_CPU).run(() => run(kernel)))];
    } finally {
      kernel.close();
    }
  };

  it.each(CASES)('%s', (_, setting, application, packets) => {
    const [simulated, real] = onBoth(setting.mtu ?? 1500, (world) => converse(world, setting, application, packets));
    expect(real).toEqual(simulated);
  });

  it.each([
    ['64 bytes', {}, { sizeBytes: 64 }],
    ['1000 bytes, checksums by the CPU', { umem: { frameSize: 2048, txMetadataLen: 24, flags: XDP_UMEM_TX_METADATA_LEN | XDP_UMEM_TX_SW_CSUM }, mtu: 9000 }, { sizeBytes: 1000, wantsChecksum: true }],
    ['8000 bytes in unaligned chunks', { umem: { frameSize: 2500, flags: XDP_UMEM_UNALIGNED_CHUNK_FLAG }, mtu: 9000 }, { sizeBytes: 8000, count: 40 }],
  ] as const)('txonly, %s', (_, setting: Setting, options) => {
    const run = (world: XskWorld): unknown => {
      const sender = openSocket(world.ends[0], setting);
      const receiver = openSocket(world.ends[1], { socket: { bindFlags: XDP_USE_SG, rxSize: 2048 }, umem: { fillSize: 2048 }, chunkCount: 1024 });
      const sink: Uint8Array[] = [];
      const { fill, rx, umem } = receiver;
      fill.reserve(1024);
      for (let i = 0; i < 1024; i++) fill.setAddr(fill.index + i, i * 4096);
      fill.submit(1024);
      const application = txonly({ count: 200, ratePps: 0, wantsChecksum: false, wantsTimestamp: false, ...options })(sender, HOST);
      application.start();
      for (let round = 0; round < 50; round++) {
        application.run();
        world.wait();
        const count = rx.peek(64);
        for (let i = rx.index; i < rx.index + count; i++) sink.push(umem.u8.slice(umem.getData(rx.addr(i)), umem.getData(rx.addr(i)) + rx.len(i)));
        rx.release(count);
      }
      const result = { sink, statistics: [sender.statistics, receiver.statistics], left: [sender.tx.producer, sender.tx.consumer, sender.completion.producer, sender.completion.consumer] };
      for (const socket of [sender, receiver]) {
        socket.delete();
        socket.umem.delete();
      }
      return result;
    };
    const [simulated, real] = onBoth(setting.mtu ?? 1500, run);
    expect((simulated as { sink: unknown[] }).sink.length).toBeGreaterThanOrEqual(120);
    expect(real).toEqual(simulated);
  });

  it('says why the kernel refuses, with the same words', () => {
    const [simulated, real] = onBoth(1500, ({ ends: [{ calls, ifindex }] }) => {
      const words: string[] = [];
      const umem = (config: XskUmemConfig, sizeBytes = 65536): XskUmem | undefined => {
        const made = XskUmem.create(calls, calls.mmapAnonymous(65536), sizeBytes, { fillSize: 8, compSize: 8, ...config });
        if (made.ok) return made.value;
        words.push(made.problem.message);
        return undefined;
      };
      for (const config of [{ frameSize: 1024 }, { frameSize: 3000 }, { frameHeadroom: 3393 }, { flags: 64 }, { flags: XDP_UMEM_TX_METADATA_LEN, txMetadataLen: 12 }, { fillSize: 3 }, { compSize: 0 }]) umem(config);
      umem({}, 6000);
      umem({}, 0);
      for (const [queue, flags, device] of [[0, XDP_COPY | 4, ifindex], [9, XDP_COPY, ifindex], [0, 4, ifindex], [0, 64, ifindex], [0, 0, 9999]] as const) {
        const made = umem({})!;
        const socket = XskSocket.create(made, device, queue, { rxSize: 8, txSize: 8, bindFlags: flags });
        words.push(socket.ok ? 'bound' : socket.problem.message);
        made.delete();
      }
      return words.map((text) => text.replaceAll(`interface ${ifindex}`, 'interface'));
    });
    expect(real).toEqual(simulated);
    expect((real as string[]).filter((text) => text === 'bound' || text.includes('do not show'))).toEqual([]);
  });
});
