import { describe, expect, it } from 'vitest';
import { EAGAIN, EBADF, EBUSY, ENOBUFS, unwrap } from '../../src/base/index.js';
import {
  POLLIN, POLLOUT, XDP_COPY, XDP_PKT_CONTD, XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_ZEROCOPY,
} from '../../src/umem/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';
import type { XskResult, XskUmemConfig } from '../../src/xsk/index.js';
import { XskBench } from './support.js';

const packet = (lenBytes: number, first = 1): Uint8Array => Uint8Array.from({ length: lenBytes }, (_, i) => first + i);

it('memory without an address, and a UMEM that is still in its result, are refused at once', () => {
  const bench = new XskBench();
  expect(() => XskUmem.create(bench.kernel, new Uint8Array(65536) as never, 65536)).toThrow('XskUmem.create: the memory has no address; give what syscalls.mmapAnonymous(bytes) gave');
  const result = XskUmem.create(bench.kernel, bench.kernel.mmapAnonymous(65536), 65536);
  expect(() => XskSocket.create(result as never, 2, 0)).toThrow('XskSocket.create: this is no UMEM; XskUmem.create gives a result, and unwrap takes the UMEM out of it');
});

it('what a config has that there is not is named, and so is what was meant: it was left out in silence', () => {
  const bench = new XskBench();
  const make = (config: object) => () => XskUmem.create(bench.kernel, bench.kernel.mmapAnonymous(65536), 65536, config);
  expect(make({ framesize: 2048 })).toThrow('XskUmem.create, config: there is no option framesize; did you mean frameSize? use some of: fillSize, compSize, frameSize, ');
  expect(make(2048 as unknown as object)).toThrow("XskUmem.create, config: it can't be 2048; give an object with some of: fillSize, ");
  expect(() => XskUmem.create(undefined as never, bench.kernel.mmapAnonymous(65536), 65536)).toThrow('XskUmem.create: these are no system calls; give nic.syscalls of a test NIC');
  const umem = bench.umem();
  const bind = (config: object) => () => XskSocket.create(umem, 2, 0, config);
  expect(bind({ flags: XDP_COPY })).toThrow('XskSocket.create, config: there is no option flags; use some of: rxSize, txSize, bindFlags');
  expect(bind({ bindflags: XDP_COPY })).toThrow('did you mean bindFlags?');
  unwrap(XskSocket.create(umem, 2, 0, { rxSize: 8, txSize: 8, bindFlags: XDP_COPY }));
  expect(() => XskSocket.createShared(umem, 2, 1, { bindFlags: XDP_COPY } as object)).toThrow('XskSocket.createShared, config: there is no option bindFlags; use some of: rxSize, txSize, fillSize, compSize');
  expect(() => XskSocket.createShared(undefined as never, 2, 1)).toThrow('XskSocket.createShared: this is no UMEM');
  // Nothing is left over: the next descriptor is the one after UMEM and socket.
  expect(bench.kernel.socket(3, 0)).toBe(4);
});

describe('XskUmem.create', () => {
  const failure = (config: XskUmemConfig, sizeBytes?: number): string => {
    const bench = new XskBench();
    const area = bench.kernel.mmapAnonymous(65536);
    const result = XskUmem.create(bench.kernel, area, sizeBytes ?? 65536, { fillSize: 8, compSize: 8, ...config });
    if (result.ok) return 'ok';
    // Nothing is left over: the descriptor is free again.
    expect(bench.kernel.socket(3, 0)).toBe(3);
    expect(result.problem.hint).not.toBe('');
    return result.problem.message;
  };

  it('takes what the kernel takes', () => {
    expect(failure({})).toBe('ok');
    expect(failure({ frameSize: 2048, frameHeadroom: 1344 })).toBe('ok');
    expect(failure({ frameSize: 3000, flags: XDP_UMEM_UNALIGNED_CHUNK_FLAG })).toBe('ok');
    expect(failure({ flags: XDP_UMEM_TX_METADATA_LEN, txMetadataLen: 24 })).toBe('ok');
    expect(failure({}, 8192)).toBe('ok');
  });

  it.each<[XskUmemConfig, number | undefined, RegExp]>([
    [{ frameSize: 1024 }, undefined, /^setsockopt\(XDP_UMEM_REG\): EINVAL, frameSize 1024 is out of range/],
    [{ frameSize: 8192 }, undefined, /frameSize 8192 is out of range/],
    [{ frameSize: 3000 }, undefined, /frameSize 3000 is no power of two/],
    [{ flags: 8 }, undefined, /flags 0x8 have a bit that means nothing/],
    [{}, 0, /0 bytes hold no chunk of 4096/],
    [{}, 4096 + 2048, /6144 bytes are no whole number of chunks of 4096/],
    [{ frameHeadroom: 3393 }, undefined, /frameHeadroom 3393 leaves too little/],
    [{ flags: XDP_UMEM_TX_METADATA_LEN, txMetadataLen: 20 }, undefined, /txMetadataLen 20 is not allowed/],
    [{}, 2 ** 20, /EFAULT, not all of its memory is mapped/],
    [{ fillSize: 3 }, undefined, /^setsockopt\(XDP_UMEM_FILL_RING\): EINVAL, 3 entries are not allowed/],
    [{ compSize: 0 }, undefined, /^setsockopt\(XDP_UMEM_COMPLETION_RING\): EINVAL, 0 entries are not allowed/],
    [{ fillSize: 2 ** 31 }, undefined, /ENOMEM, there is no memory for 2147483648 entries/],
    [{ fillSize: 2 ** 32 + 8 }, undefined, /^setsockopt\(XDP_UMEM_FILL_RING\): EINVAL, FILL ring size 4294967304 is no whole number of 32 bits/],
    [{ frameHeadroom: 2 ** 32 }, undefined, /^setsockopt\(XDP_UMEM_REG\): EINVAL, frameHeadroom 4294967296 is no whole number of 32 bits/],
    [{ frameSize: 2048.5, flags: XDP_UMEM_UNALIGNED_CHUNK_FLAG }, undefined, /frameSize 2048.5 is no whole number/],
    [{ txMetadataLen: NaN }, undefined, /txMetadataLen NaN is no whole number/],
    [{}, -1, /sizeBytes -1 is no whole number of 53 bits/],
    [{}, 1.5, /sizeBytes 1.5 is no whole number/],
  ])('%o of %s bytes: says which argument it was', (config, sizeBytes, message) => {
    expect(failure(config, sizeBytes)).toMatch(message);
  });

  it('memory that does not begin at a page', () => {
    const bench = new XskBench();
    const area = bench.kernel.mmapAnonymous(65536);
    const result = XskUmem.create(bench.kernel, { ...area, address: area.address + 1n }, 4096);
    expect(!result.ok && result.problem).toMatchObject({ code: 'xsk-umem-reg', call: 'setsockopt(XDP_UMEM_REG)', errno: 22, message: expect.stringContaining('does not begin at a page') });
  });

  it('metadata of packets on a kernel that has none', () => {
    const bench = new XskBench({ kernel: '6.1' });
    const result = XskUmem.create(bench.kernel, bench.kernel.mmapAnonymous(4096), 4096, { flags: XDP_UMEM_TX_METADATA_LEN, txMetadataLen: 24 });
    expect(!result.ok && result.problem).toMatchObject({ message: expect.stringContaining('too old'), hint: expect.stringContaining('Linux 6.8') });
  });
});

describe('XskSocket.create', () => {
  it('receives: FILL to RX', () => {
    const bench = new XskBench();
    const umem = bench.umem();
    const socket = unwrap(XskSocket.create(umem, 2, 1, { rxSize: 8, txSize: 0 }));
    const { fill, rx } = socket;
    expect(socket.poll()).toBe(0);
    expect(fill.reserve(8)).toBe(8);
    for (let i = 0; i < 8; i++) fill.setAddr(fill.index + i, i * 4096);
    fill.submit(8);
    for (let i = 0; i < 3; i++) expect(bench.receive(socket.fd, packet(60 + i, i))).toBe(0);
    expect(socket.poll()).toBe(POLLIN);
    expect(rx.peek(64)).toBe(3);
    for (let i = 0; i < 3; i++) {
      expect([rx.addr(rx.index + i), rx.len(rx.index + i), rx.options(rx.index + i)]).toEqual([i * 4096 + 256, 60 + i, 0]);
      const at = umem.getData(rx.dataAddr(rx.index + i));
      expect(umem.u8.slice(at, at + 60 + i)).toEqual(packet(60 + i, i));
    }
    rx.release(3);
    expect(socket.statistics).toMatchObject({ rx_dropped: 0, rx_ring_full: 0 });
    expect(fill.nbFree(8)).toBe(3);
  });

  it('sends: TX to COMPLETION', () => {
    const bench = new XskBench();
    const umem = bench.umem({ frameSize: 2048 });
    const socket = unwrap(XskSocket.create(umem, 2, 0, { rxSize: 0, txSize: 64 }));
    const { tx, completion } = socket;
    expect([socket.hasRx, socket.hasTx]).toEqual([false, true]);
    expect(tx.reserve(2)).toBe(2);
    for (let i = 0; i < 2; i++) {
      umem.u8.set(packet(100, 10 * i), umem.getData(2048 * i));
      tx.setDesc(tx.index + i, 2048 * i, 100);
    }
    tx.submit(2);
    expect(tx.needsWakeup).toBe(true);
    expect(socket.sendto()).toBe(0);
    expect(bench.sent).toEqual([packet(100, 0), packet(100, 10)]);
    expect(completion.peek(64)).toBe(2);
    expect([completion.addr(completion.index), completion.addr(completion.index + 1)]).toEqual([0, 2048]);
    completion.release(2);
    expect(socket.poll()).toBe(POLLOUT);
    expect(socket.recvfrom()).toBe(-ENOBUFS);
  });

  it('unaligned chunks: base and offset apart, packets of several descriptors', () => {
    const bench = new XskBench();
    const umem = bench.umem({ frameSize: 3000, flags: XDP_UMEM_UNALIGNED_CHUNK_FLAG, frameHeadroom: 44 });
    const socket = unwrap(XskSocket.create(umem, 2, 0, { rxSize: 8, txSize: 32, bindFlags: XDP_COPY | XDP_USE_SG }));
    const { fill, rx, tx, completion } = socket;
    fill.reserve(3);
    for (let i = 0; i < 3; i++) fill.setAddr(fill.index + i, 100 + 3000 * i);
    fill.submit(3);
    expect(bench.receive(socket.fd, packet(6000))).toBe(0);
    expect(rx.peek(8)).toBe(3);
    const parts = [0, 1, 2].map((i) => [rx.addr(rx.index + i), rx.offset(rx.index + i), rx.len(rx.index + i), rx.options(rx.index + i)]);
    expect(parts).toEqual([[100, 300, 2700, XDP_PKT_CONTD], [3100, 300, 2700, XDP_PKT_CONTD], [6100, 300, 600, 0]]);
    // Back as it came.
    expect(tx.reserve(3)).toBe(3);
    for (let i = 0; i < 3; i++) tx.setDesc(tx.index + i, parts[i][0], parts[i][2], parts[i][3], parts[i][1]);
    rx.release(3);
    tx.submit(3);
    expect(socket.sendto()).toBe(0);
    expect(bench.sent).toEqual([packet(6000)]);
    expect(completion.peek(8)).toBe(3);
    expect([0, 1, 2].map((i) => [completion.addr(completion.index + i), completion.offset(completion.index + i)])).toEqual([[100, 300], [3100, 300], [6100, 300]]);
  });

  it('sends a budget at a time', () => {
    const bench = new XskBench();
    const socket = unwrap(XskSocket.create(bench.umem({ compSize: 64 }), 2, 0, { rxSize: 0, txSize: 64 }));
    const send = (): void => {
      expect(socket.tx.reserve(40)).toBe(40);
      for (let i = 0; i < 40; i++) socket.tx.setDesc(socket.tx.index + i, 4096 * (i % 16), 60);
      socket.tx.submit(40);
    };
    send();
    expect([socket.sendto(), bench.sent.length]).toEqual([-EAGAIN, 32]);
    expect([socket.sendto(), bench.sent.length]).toEqual([0, 40]);
    expect(socket.setMaxTxBudget(64)).toBe(0);
    expect(socket.completion.peek(64)).toBe(40);
    socket.completion.release(40);
    send();
    expect([socket.sendto(), bench.sent.length]).toEqual([0, 80]);
  });

  it('takes the driver\'s zero copy when it has one', () => {
    const zeroCopy = { maxSegments: 1, setupPool: () => 0, wakeup: () => 0 };
    for (const [bindFlags, expected] of [[0, true], [XDP_ZEROCOPY | XDP_USE_NEED_WAKEUP, true], [XDP_COPY, false], [XDP_USE_SG, false]] as const) {
      const bench = new XskBench({ device: { zeroCopy } });
      expect(unwrap(XskSocket.create(bench.umem(), 2, 0, { bindFlags })).isZeroCopy).toBe(expected);
    }
  });

  it('sets busy polling', () => {
    const rounds: unknown[] = [];
    const bench = new XskBench({ device: { busyPoll: (...round) => void rounds.push(round) } });
    const socket = unwrap(XskSocket.create(bench.umem(), 2, 0));
    expect(socket.setBusyPoll(20, 64, true)).toBe(0);
    bench.receive(socket.fd, packet(60));
    socket.recvfrom();
    expect(rounds).toEqual([[0, 64, true]]);
    expect(socket.setBusyPoll(20, 65536, true)).toBe(-22);
  });

  const failure = (result: XskResult<XskSocket>): string => (result.ok ? 'ok' : `${result.problem.where}: ${result.problem.message}`);

  it('says why a bind is refused', () => {
    const bench = new XskBench();
    const create = (ifindex: number, queueId: number, bindFlags = 0, rings = {}): string => failure(XskSocket.create(bench.umem(), ifindex, queueId, { bindFlags, ...rings }));
    expect(create(2, 0)).toBe('ok');
    expect(create(2, 0)).toBe('AF_XDP socket on interface 2, queue 0: bind(): EBUSY, queue 0 of interface 2 has a socket already, or had one a moment ago');
    expect(create(2, 2)).toContain('bind(): EINVAL, interface 2 has no queue 2');
    expect(create(7, 0)).toContain('bind(): ENODEV, there is no interface 7');
    expect(create(2, 1, XDP_ZEROCOPY)).toContain('bind(): EOPNOTSUPP, XDP_ZEROCOPY was asked for');
    expect(create(2, 1, XDP_ZEROCOPY | XDP_COPY)).toContain('exclude each other');
    expect(create(2, 1, 0x40)).toContain('bindFlags 0x40 have a bit that means nothing');
    expect(create(2, 1, 0, { rxSize: 0, txSize: 0 })).toContain('neither an RX nor a TX ring');
    expect(create(2, 1, 0, { rxSize: 5 })).toContain('setsockopt(XDP_RX_RING): EINVAL, 5 entries are not allowed');
    const old = new XskBench({ kernel: '6.1' });
    expect(failure(XskSocket.create(old.umem(), 2, 0, { bindFlags: XDP_USE_SG }))).toContain('the kernel is too old for XDP_USE_SG');
  });

  it('can be tried again with the same UMEM, as the kernel gives a queue back late', () => {
    const bench = new XskBench();
    const before = bench.umem();
    const old = unwrap(XskSocket.create(before, 2, 0));
    old.delete();
    expect(before.delete()).toBe(0);
    const umem = bench.umem();
    expect(failure(XskSocket.create(umem, 2, 0, { rxSize: 8 }))).toContain('EBUSY');
    expect(failure(XskSocket.create(umem, 2, 0, { rxSize: 16 }))).toContain('the RX ring was made by an attempt before, with another size');
    bench.clock.advance(100_000_000);
    const socket = unwrap(XskSocket.create(umem, 2, 0, { rxSize: 8 }));
    expect(socket.rx.size).toBe(8);
  });

  it('is made once for a UMEM', () => {
    const bench = new XskBench();
    const umem = bench.umem();
    const socket = unwrap(XskSocket.create(umem, 2, 0, { rxSize: 8, txSize: 0 }));
    expect(failure(XskSocket.create(umem, 2, 1, { rxSize: 8, txSize: 8 }))).toContain('setsockopt(XDP_TX_RING): EBUSY, the socket is bound already');
    expect(() => socket.tx).toThrow('it was made with txSize 0');
    expect(umem.delete()).toBe(-EBUSY);
    socket.delete();
    expect(() => socket.delete()).toThrow('deleted already');
    expect(umem.delete()).toBe(0);
    expect(() => socket.statistics).toThrow('EBADF');
  });

  it('is not another one that has its descriptor by now', () => {
    const bench = new XskBench();
    const umem = bench.umem();
    const old = unwrap(XskSocket.create(umem, 2, 0));
    old.delete();
    expect(umem.delete()).toBe(0);
    const other = bench.umem();
    const socket = unwrap(XskSocket.create(other, 2, 1));
    expect([old.sendto(), old.recvfrom(), old.setBusyPoll(1, 1, true)]).toEqual([-EBADF, -EBADF, -EBADF]);
    expect(() => umem.delete()).toThrow('XskUmem.delete: it is deleted already');
    expect(failure(XskSocket.create(umem, 2, 1))).toContain('EBADF, the UMEM is deleted');
    expect(failure(XskSocket.createShared(umem, 2, 1))).toContain('bind(): ENOTSOCK, the UMEM is deleted');
    expect(socket.statistics.rx_dropped).toBe(0);
  });

  it.each([
    [2 ** 32 + 2, 0, 0, 'ifindex 4294967298'], [2, 2 ** 32, 0, 'queueId 4294967296'], [2, -1, 0, 'queueId -1'], [NaN, 0, 0, 'ifindex NaN'], [2, 0, 0x10002, 'bindFlags 65538'],
  ])('of interface %s, queue %s, flags %s is not one of smaller numbers', (ifindex, queueId, bindFlags, words) => {
    expect(failure(XskSocket.create(new XskBench().umem(), ifindex, queueId, { bindFlags }))).toContain(`bind(): EINVAL, ${words} is no whole number`);
  });
});

describe('XskSocket.createShared', () => {
  it('on the same queue shares FILL and COMPLETION', () => {
    const bench = new XskBench();
    const umem = bench.umem();
    const first = unwrap(XskSocket.create(umem, 2, 0));
    const second = unwrap(XskSocket.createShared(umem, 2, 0));
    expect(second.fill === first.fill).toBe(true);
    expect(second.completion === umem.rings.completion).toBe(true);
    expect(second.fd).not.toBe(first.fd);
    first.fill.reserve(2);
    for (let i = 0; i < 2; i++) first.fill.setAddr(first.fill.index + i, 4096 * i);
    first.fill.submit(2);
    expect(bench.receive(second.fd, packet(60))).toBe(0);
    expect(bench.receive(first.fd, packet(60))).toBe(0);
    expect([first.rx.peek(8), second.rx.peek(8)]).toEqual([1, 1]);
    expect([first.rx.addr(0), second.rx.addr(0)]).toEqual([4096 + 256, 256]);
  });

  it('on another queue has its own, until its last socket goes', () => {
    const bench = new XskBench();
    const umem = bench.umem();
    unwrap(XskSocket.create(umem, 2, 0));
    const second = unwrap(XskSocket.createShared(umem, 2, 1, { fillSize: 16, rxSize: 4, txSize: 0 }));
    expect(second.fill === umem.rings.fill).toBe(false);
    expect([second.fill.size, second.completion.size, second.rx.size]).toEqual([16, 8, 4]);
    const third = unwrap(XskSocket.createShared(umem, 2, 1));
    expect(third.fill === second.fill).toBe(true);
    second.delete();
    third.fill.reserve(1);
    third.fill.setAddr(third.fill.index, 4096);
    third.fill.submit(1);
    expect(bench.receive(third.fd, packet(60))).toBe(0);
    third.delete();
    expect(umem.queueUse(2, 1)).toBeUndefined();
  });

  it('wants a first socket that is bound', () => {
    const bench = new XskBench();
    const umem = bench.umem();
    const shared = XskSocket.createShared(umem, 2, 0);
    expect(!shared.ok && shared.problem).toMatchObject({ errno: 9, message: expect.stringContaining('EBADF, the socket whose UMEM is to be shared is not bound') });
    unwrap(XskSocket.create(umem, 2, 0));
    const beyond = XskSocket.createShared(umem, 2, 5);
    expect(!beyond.ok && beyond.problem.message).toContain('does not go with this queue');
    // Neither left a descriptor behind.
    expect(bench.kernel.socket(3, 0)).toBe(umem.fd + 1);
  });
});
