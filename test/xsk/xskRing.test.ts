import { describe, expect, it } from 'vitest';
import { XDP_PKT_CONTD } from '../../src/umem/index.js';
import { CompletionRing, FillRing, RxRing, TxRing } from '../../src/xsk/index.js';
import { BareRing } from './support.js';

describe('a ring that the application fills', () => {
  it('looks at the kernel\'s index only when it remembers too little room', () => {
    const bare = new BareRing(4, 8, 0);
    const fill = new FillRing(bare.mapped);
    expect(fill.reserve(4)).toBe(4);
    fill.submit(4);
    bare.consume();
    expect(fill.nbFree(0)).toBe(0);
    expect(fill.nbFree(1)).toBe(1);
    bare.consume();
    expect(fill.nbFree(1)).toBe(1);
    expect(fill.nbFree(2)).toBe(2);
  });

  it('shows nothing before it is submitted', () => {
    const bare = new BareRing(8, 8, 2 ** 32 - 1);
    const fill = new FillRing(bare.mapped);
    expect(fill.reserve(3)).toBe(3);
    for (let i = 0; i < 3; i++) fill.setAddr(fill.index + i, 4096 * i);
    expect(bare.used).toBe(0);
    fill.submit(2);
    expect([bare.used, bare.producer]).toEqual([2, 1]);
    expect([bare.consume(), bare.consume()]).toEqual([0n, 4096n]);
  });

  it('needs a wake-up when the kernel says so', () => {
    const bare = new BareRing(8, 8, 0);
    const fill = new FillRing(bare.mapped);
    expect(fill.needsWakeup).toBe(false);
    bare.flags = 1;
    expect(fill.needsWakeup).toBe(true);
    bare.flags = 2;
    expect(fill.needsWakeup).toBe(false);
  });

  it('a TX entry is address with the offset in its upper bits, length and options', () => {
    const bare = new BareRing(2, 16, 1);
    const tx = new TxRing(bare.mapped);
    expect(tx.reserve(1)).toBe(1);
    tx.setDesc(tx.index, 0x1234_5678_9abc, 60, XDP_PKT_CONTD, 0xfedc);
    const { mapping, offsets } = bare.mapped;
    expect(Array.from(mapping.u32.subarray((mapping.offBytes + offsets.desc + 16) / 4))).toEqual([0x5678_9abc, 0xfedc_1234, 60, 1]);
    tx.setDesc(tx.index, 4096, 61);
    expect(Array.from(mapping.u32.subarray((mapping.offBytes + offsets.desc + 16) / 4))).toEqual([4096, 0, 61, 0]);
  });
});

describe('a ring that the kernel fills', () => {
  it('looks at the kernel\'s index only when it remembers nothing', () => {
    const bare = new BareRing(4, 8, 2 ** 32 - 2);
    const completion = new CompletionRing(bare.mapped);
    bare.produce(0n);
    expect(completion.nbAvail(4)).toBe(1);
    bare.produce(4096n);
    expect(completion.peek(4)).toBe(1);
    expect(completion.peek(4)).toBe(1);
    expect(completion.addr(completion.index)).toBe(4096);
    expect(completion.peek(4)).toBe(0);
    expect(bare.used).toBe(2);
    completion.release(2);
    expect([bare.used, bare.consumer]).toEqual([0, 0]);
  });

  it('an RX entry is address, length and options', () => {
    const bare = new BareRing(2, 16, 0);
    const rx = new RxRing(bare.mapped);
    const { mapping, offsets } = bare.mapped;
    mapping.u32.set([8192 + 256, 256 << 16, 1514, 1], (mapping.offBytes + offsets.desc) / 4);
    bare.producer = 1;
    expect(rx.peek(64)).toBe(1);
    expect([rx.addr(rx.index), rx.offset(rx.index), rx.dataAddr(rx.index), rx.len(rx.index), rx.options(rx.index)]).toEqual([8448, 256, 8704, 1514, XDP_PKT_CONTD]);
  });
});
