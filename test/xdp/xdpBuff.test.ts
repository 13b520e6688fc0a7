import { describe, expect, it } from 'vitest';
import { HostMemory, PAGE_BYTES } from '../../src/memory/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, packetBytes, XDP_BUFF_BYTES } from '../../src/vm/index.js';
import { addFragment, gatherPacket, prepareXdpBuff, sharedInfoAddress, startFragments } from '../../src/xdp/index.js';

const RXQ = { ifindex: 5, queueIndex: 3, fragSizeBytes: 2048 };

/** A context block and `pages` pages; the packet of 100 bytes lies at headroom 256 of the first. */
function setup(pages = 20) {
  const memory = new HostMemory(2);
  const context = memory.reserve('xdp_md', XDP_BUFF_BYTES);
  const page = memory.reserve('pages', pages * PAGE_BYTES, PAGE_BYTES);
  const target = memory.reserve('gathered', pages * PAGE_BYTES);
  memory.u8.fill(0xff, context, context + XDP_BUFF_BYTES);
  prepareXdpBuff(memory.u32, context, RXQ, page, PAGE_BYTES, 256, 100);
  return { memory, u32: memory.u32, context, page, target };
}

describe('prepareXdpBuff', () => {
  it('fills every field', () => {
    const { u32, context, page } = setup();
    const data = page + 256;
    // data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; hard_start, frame_sz, flags, frag_size
    expect([...u32.subarray(context / 4, context / 4 + 10)]).toEqual([data, data + 100, data, 5, 3, 0, page, 4096, 0, 2048]);
  });

  it('makes a packet without fragments, whatever lies where skb_shared_info will be', () => {
    const { u32, context, page } = setup();
    u32.fill(0xffffffff, (page + PAGE_BYTES - 320) / 4, (page + PAGE_BYTES) / 4);
    expect([fragmentCount(u32, context), packetBytes(u32, context)]).toEqual([0, 100]);
  });
});

describe('fragments', () => {
  it('lie in skb_shared_info, 320 bytes before the end of the frame', () => {
    const { u32, context, page } = setup();
    const sharedInfo = sharedInfoAddress(page, PAGE_BYTES);
    expect([sharedInfo, contextSharedInfo(u32, context)]).toEqual([page + 3776, page + 3776]);
    startFragments(u32, context, sharedInfo);
    addFragment(u32, sharedInfo, page + PAGE_BYTES + 256, 3520);
    addFragment(u32, sharedInfo, page + 2 * PAGE_BYTES + 256, 17);
    expect([fragmentCount(u32, context), packetBytes(u32, context)]).toEqual([2, 100 + 3520 + 17]);
    expect([fragmentAddress(u32, sharedInfo, 1), fragmentLen(u32, sharedInfo, 1)]).toEqual([page + 2 * PAGE_BYTES + 256, 17]);
  });

  it('17 fit, the 18th is refused and changes nothing', () => {
    const { u32, context, page } = setup();
    const sharedInfo = sharedInfoAddress(page, PAGE_BYTES);
    startFragments(u32, context, sharedInfo);
    for (let i = 1; i <= 17; i++) expect(addFragment(u32, sharedInfo, page + i * PAGE_BYTES, 10)).toBe(true);
    expect(addFragment(u32, sharedInfo, page + 18 * PAGE_BYTES, 10)).toBe(false);
    expect([fragmentCount(u32, context), packetBytes(u32, context)]).toEqual([17, 270]);
  });

  it('startFragments forgets those of an earlier packet', () => {
    const { u32, context, page } = setup();
    const sharedInfo = sharedInfoAddress(page, PAGE_BYTES);
    for (let round = 0; round < 2; round++) {
      startFragments(u32, context, sharedInfo);
      addFragment(u32, sharedInfo, page + PAGE_BYTES, 10);
    }
    expect([fragmentCount(u32, context), packetBytes(u32, context)]).toEqual([1, 110]);
  });
});

describe('gatherPacket', () => {
  it('puts metadata, linear part and fragments side by side', () => {
    const { memory, u32, context, page, target } = setup();
    memory.u8.fill(1, page + 248, page + 256);
    memory.u8.fill(2, page + 256, page + 356);
    memory.u8.fill(3, page + PAGE_BYTES, page + PAGE_BYTES + 50);
    memory.u8.fill(4, page + 2 * PAGE_BYTES, page + 2 * PAGE_BYTES + 7);
    u32[context / 4 + 2] = page + 248;
    const sharedInfo = sharedInfoAddress(page, PAGE_BYTES);
    startFragments(u32, context, sharedInfo);
    addFragment(u32, sharedInfo, page + PAGE_BYTES, 50);
    addFragment(u32, sharedInfo, page + 2 * PAGE_BYTES, 7);
    expect(gatherPacket(memory, context, target)).toBe(target);
    const expected = [...Array(8).fill(1), ...Array(100).fill(2), ...Array(50).fill(3), ...Array(7).fill(4), 0];
    expect([...memory.u8.subarray(target, target + expected.length)]).toEqual(expected);
  });
});
