import { describe, expect, it } from 'vitest';
import { skbEndBytes, skbFragments } from '../../src/xdp/index.js';
import { fc, prop } from '../support/property.js';
import { returning } from '../support/xdpProgram.js';
import { frameOf, GenericHost } from './genericSupport.js';

// Numbers of this file are those of Linux 6.18 on a veth, by fixtures/programs/buffer_room. test/replay/generic.test.ts asks the running kernel.

/** What a packet socket gives to a veth: 2 bytes of headroom, 14 behind that nobody needs. */
const PACKET_SOCKET = { headroomBytes: 2, spareBytes: 14, allocation: 'kmalloc' } as const;

describe('room of a new head', () => {
  it.each([
    [76, 'kmalloc', 256], [256, 'kmalloc', 256], [257, 'kmalloc', 704], [704, 'kmalloc', 704], [705, 'kmalloc', 1728], [1728, 'kmalloc', 1728], [1729, 'kmalloc', 3776],
    [3777, 'kmalloc', 7872], [7873, 'kmalloc', 16064],
    // A piece of a page, no longer than needs be.
    [124, 'napi', 256], [257, 'napi', 320], [1578, 'napi', 1600], [3776, 'napi', 3776], [3777, 'napi', 7872],
  ] as const)('%i bytes by %s have %i', (bytes, allocation, endBytes) => {
    expect(skbEndBytes(bytes, allocation)).toBe(endBytes);
  });
});

describe('room around a packet that a program gets', () => {
  it.each([
    [60, 386], [61, 385], [240, 206], [241, 1229], [305, 1165], [500, 970], [600, 870], [1000, 2518], [1514, 2004], [2000, 5614], [3520, 4094], [4000, 11806],
  ])('%i bytes of a packet socket: headroom 258, tailroom %i', (lenBytes, tailroomBytes) => {
    const host = new GenericHost(returning(2));
    const skb = host.skb({ bytes: frameOf(lenBytes), ...PACKET_SOCKET });
    expect(host.core.generic.skbs.expandForXdp(skb)).toBe(true);
    expect(skb).toMatchObject({ headroomBytes: 258, tailroomBytes, linearBytes: lenBytes });
    host.core.generic.skbs.free(skb);
    expect(host.isClean).toBe(true);
  });

  it.each([
    [4080, 3534], [4096, 3518], [4097, 3517], [5000, 2614], [7615, 8191], [7856, 7950], [8000, 7806], [9000, 6806], [9014, 6792],
  ])('%i bytes of a packet socket, all but the Ethernet header in fragments: linear, headroom 258, tailroom %i', (lenBytes, tailroomBytes) => {
    const host = new GenericHost(returning(2));
    const skb = host.skb({ bytes: frameOf(lenBytes), ...PACKET_SOCKET, linearBytes: 14 });
    expect(host.core.generic.skbs.expandForXdp(skb)).toBe(true);
    expect(skb).toMatchObject({ headroomBytes: 258, tailroomBytes, linearBytes: lenBytes, fragmentBytes: 0 });
    host.core.generic.skbs.free(skb);
    expect(host.isClean).toBe(true);
  });

  it('r8169, which copies all packets: 64 bytes of headroom become 256', () => {
    const host = new GenericHost(returning(2));
    const roomOf = (lenBytes: number): number[] => {
      const skb = host.skb({ bytes: frameOf(lenBytes) });
      host.core.generic.skbs.expandForXdp(skb);
      const { headroomBytes, tailroomBytes } = skb;
      host.core.generic.skbs.free(skb);
      return [headroomBytes, tailroomBytes];
    };
    expect(roomOf(60)).toEqual([256, 388]);
    expect(roomOf(1514)).toEqual([256, 2006]);
  });

  it('multi-buffer programs: pieces of pages, one after the other', () => {
    const host = new GenericHost(returning(2, { frags: true }));
    const { skbs } = host.core.generic;
    const lengths = [60, 61, 64, 100, 200, 239, 240, 241, 300, 304, 305, 500, 600, 1000, 1472, 1473, 1514, 1600, 3520];
    const tailrooms = lengths.map((lenBytes) => {
      const skb = host.skb({ bytes: frameOf(lenBytes), ...PACKET_SOCKET });
      expect(skbs.copyToPages(skb)).toBe(true);
      expect(skb.headroomBytes).toBe(256);
      const { tailroomBytes } = skb;
      skbs.free(skb);
      return tailroomBytes;
    });
    expect(tailrooms).toEqual([4, 3, 0, 28, 696, 17, 16, 15, 724, 16, 15, 12, 40, 24, 448, 2047, 2006, 1920, 0]);
    expect(host.isClean).toBe(true);
  });

  it.each([[3521, 1], [7616, 1], [7617, 2], [3520 + 17 * 4096, 17]])('multi-buffer programs: %i bytes are 3520 and %i pages', (lenBytes, pages) => {
    const host = new GenericHost(returning(2, { frags: true }));
    const { skbs } = host.core.generic;
    const skb = host.skb({ bytes: frameOf(lenBytes), linearBytes: Math.min(lenBytes, 7000), fragmentBytes: 3968, allocation: 'kmalloc' });
    expect(skbs.copyToPages(skb)).toBe(true);
    expect(skb).toMatchObject({ linearBytes: 3520, fragmentBytes: lenBytes - 3520 });
    expect(skbFragments(host.memory.u32, skb)).toBe(pages);
    skbs.free(skb);
    expect(host.isClean).toBe(true);
  });
});

describe.each([4096, 2048])('memory of skbs, ledger units of %i', (unitBytes) => {
  const host = new GenericHost(returning(2), { unitBytes });
  const { skbs } = host.core.generic;
  const drawn = fc.record({ lenBytes: fc.integer({ min: 14, max: 20_000 }), headroomBytes: fc.nat(300), cut: fc.nat(3000), fragmentBytes: fc.integer({ min: 1200, max: 2900 }) });

  prop([fc.array(drawn, { maxLength: 6 }), fc.boolean(), fc.boolean()])('whatever is done to an skb, its bytes stay, and all memory comes back', (all, copies, expands) => {
    for (const { lenBytes, headroomBytes, cut, fragmentBytes } of all) {
      const bytes = frameOf(lenBytes);
      const skb = host.skb({ bytes, headroomBytes, linearBytes: Math.min(lenBytes, 14 + cut), fragmentBytes });
      const expectBytes = (which: typeof skb): void => {
        const address = skbs.linearAddress(which);
        expect(Buffer.compare(host.memory.u8.subarray(address, address + which.lenBytes), bytes)).toBe(0);
      };
      expectBytes(skb);
      if (copies) expect(skbs.copyToPages(skb)).toBe(true);
      if (expands) expect(skbs.expandForXdp(skb)).toBe(true);
      expectBytes(skb);
      if (skb.fragmentBytes === 0) {
        const twin = skbs.copy(skb)!;
        expectBytes(twin);
        skbs.free(twin);
      }
      skbs.free(skb);
    }
    expect(host.isClean).toBe(true);
  });

  prop([drawn, fc.boolean(), fc.nat(8)])('without memory nothing has changed', ({ lenBytes, headroomBytes, cut, fragmentBytes }, copies, allowed) => {
    const bytes = frameOf(lenBytes);
    const skb = host.skb({ bytes, headroomBytes, linearBytes: Math.min(lenBytes, 14 + cut), fragmentBytes });
    let left = allowed;
    host.allocator.shouldFail = () => left-- === 0;
    if (copies) skbs.copyToPages(skb);
    else skbs.expandForXdp(skb);
    host.allocator.shouldFail = undefined;
    const address = skbs.linearAddress(skb);
    expect(Buffer.compare(host.memory.u8.subarray(address, address + skb.lenBytes), bytes)).toBe(0);
    skbs.free(skb);
    expect(host.isClean).toBe(true);
  });
});
