import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory, PAGE_BYTES } from '../../src/memory/index.js';
import { readBtf } from '../../src/vm/btf/readBtf.js';
import { XDP_FRAME_BYTES } from '../../src/vm/index.js';
import { convertBuffToFrame, MEM_TYPE_PAGE_POOL } from '../../src/xdp/index.js';

const VMLINUX_BTF = '/sys/kernel/btf/vmlinux';

/** Converts a packet at `headroomBytes` with `metaBytes` of metadata; gives the result and the page. */
function convert(headroomBytes: number, metaBytes: number, lenBytes: number, flags = 0) {
  const memory = new HostMemory(1);
  const page = memory.reserve('page', PAGE_BYTES, PAGE_BYTES);
  memory.u8.fill(0xaa, page, page + PAGE_BYTES);
  const data = page + headroomBytes;
  const isConverted = convertBuffToFrame(memory.u32, page, PAGE_BYTES, data - metaBytes, data, data + lenBytes, flags);
  return { isConverted, memory, page };
}

describe('convertBuffToFrame', () => {
  it('writes struct xdp_frame over the first 40 bytes of the page, and nothing behind them', () => {
    const { isConverted, memory, page } = convert(256, 8, 1000, 1);
    expect(isConverted).toBe(true);
    const { view } = memory;
    expect(view.getBigUint64(page, true)).toBe(BigInt(page + 256));
    expect([8, 12, 16, 20, 32, 36].map((off) => view.getUint32(page + off, true))).toEqual([1000, 216, 8, MEM_TYPE_PAGE_POOL, 4096, 1]);
    expect(memory.u8.subarray(page + 40, page + PAGE_BYTES).every((byte) => byte === 0xaa)).toBe(true);
  });

  it.each([
    [40, 0, true], [39, 0, false], [256, 216, true], [256, 217, false], [256, 220, false], [0, 0, false], [44, 4, true], [44, 8, false],
  ])('headroom %i with %i bytes of metadata: %s', (headroom, meta, isConverted) => {
    expect(convert(headroom, meta, 60).isConverted).toBe(isConverted);
  });

  it.each([[3520, true], [3521, false]])('a packet of %i bytes at headroom 256 leaves room for skb_shared_info: %s', (len, isConverted) => {
    expect(convert(256, 0, len).isConverted).toBe(isConverted);
  });

  it('a refused packet leaves the headroom as it was', () => {
    const { memory, page } = convert(39, 0, 60);
    expect(memory.u8[page]).toBe(0xaa);
  });
});

describe('struct xdp_frame of the running kernel', () => {
  const isReadable = existsSync(VMLINUX_BTF);
  if (!isReadable) console.warn(`SKIPPED, layout of struct xdp_frame not compared with the kernel: no ${VMLINUX_BTF}`);

  it.skipIf(!isReadable)('has the size and the fields that we write', () => {
    const btf = unwrap(readBtf(readFileSync(VMLINUX_BTF), 'vmlinux'));
    const frame = btf.type(btf.find('struct', 'xdp_frame') ?? 0);
    if (frame.kind !== 'struct') throw new Error('vmlinux has no struct xdp_frame');
    expect(frame.sizeBytes).toBe(XDP_FRAME_BYTES);
    const offsets = Object.fromEntries(frame.members.map(({ name, bitOffset }) => [name, bitOffset / 8]));
    expect(offsets).toEqual({ data: 0, len: 8, headroom: 12, metasize: 16, mem_type: 20, dev_rx: 24, frame_sz: 32, flags: 36 });
    const memType = btf.type(btf.find('enum', 'xdp_mem_type') ?? 0);
    if (memType.kind !== 'enum') throw new Error('vmlinux has no enum xdp_mem_type');
    expect(memType.values.find(({ name }) => name === 'MEM_TYPE_PAGE_POOL')?.value).toBe(BigInt(MEM_TYPE_PAGE_POOL));
  });
});
