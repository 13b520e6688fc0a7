import { EFAULT, EINVAL } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { RETURN_INT, RETURN_U32, XDP_MD_DATA } from '../layout.js';
import type { HelperSupport } from './helper.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, fragmentLen, linearBytes, packetBytes } from '../xdpBuffer.js';

/** bpf_xdp_get_buff_len(ctx) (net/core/filter.c, 6.18): length of the packet in all its buffers. */
export const xdpGetBuffLen: HelperSupport = {
  args: ['ptr_to_ctx'],
  returns: RETURN_U32,
  make: ({ args, memory, contextAddress }) => () => (args.isContext(1) ? packetBytes(memory.u32, contextAddress) : 0),
};

/** bpf_xdp_load_bytes(ctx, offset, buf, len) (net/core/filter.c, 6.18): copies out of the packet, across its buffers. */
export const xdpLoadBytes: HelperSupport = {
  args: ['ptr_to_ctx', 'anything', 'ptr_to_uninit_mem', 'const_size'],
  returns: RETURN_INT,
  make: ({ args, memory, contextAddress }) => (_ctx, offset, buf, len) => {
    if (!args.isContext(1) || !args.isSize(4, false) || !args.isMemory(3, len, true)) return 0;
    const error = checkPacketRange(memory, contextAddress, offset >>> 0, len);
    if (error === 0) copyPacketBytes(memory, contextAddress, offset, buf >>> 0, len, false);
    return error;
  },
};

/** bpf_xdp_store_bytes(ctx, offset, buf, len) (net/core/filter.c, 6.18): copies into the packet, across its buffers. */
export const xdpStoreBytes: HelperSupport = {
  args: ['ptr_to_ctx', 'anything', 'ptr_to_uninit_mem', 'const_size'],
  returns: RETURN_INT,
  make: ({ args, memory, contextAddress }) => (_ctx, offset, buf, len) => {
    if (!args.isContext(1) || !args.isSize(4, false) || !args.isMemory(3, len, false)) return 0;
    const error = checkPacketRange(memory, contextAddress, offset >>> 0, len);
    if (error === 0) copyPacketBytes(memory, contextAddress, offset, buf >>> 0, len, true);
    return error;
  },
};

/** bpf_xdp_pointer: 16 bits for offset and length, whatever the packet's length is. */
export function checkPacketRange(memory: HostMemory, context: number, offset: number, len: number): number {
  if (offset > 0xffff || len > 0xffff) return -EFAULT;
  return offset + len > packetBytes(memory.u32, context) ? -EINVAL : 0;
}

/** bpf_xdp_copy_buf: `buf` to or from the packet at `offset`; what lies beyond its end is left out. */
export function copyPacketBytes(memory: HostMemory, context: number, offset: number, buf: number, len: number, isStore: boolean): void {
  const { u32 } = memory;
  let at = u32[(context + XDP_MD_DATA) >>> 2];
  let size = linearBytes(u32, context);
  let nextFrag = 0;
  let skip = offset;
  let done = 0;
  const sharedInfo = contextSharedInfo(u32, context);
  const frags = fragmentCount(u32, context);
  for (;;) {
    if (skip < size) {
      const part = Math.min(size - skip, len - done);
      if (isStore) memory.u8.copyWithin(at + skip, buf + done, buf + done + part);
      else memory.u8.copyWithin(buf + done, at + skip, at + skip + part);
      done += part;
      skip += part;
    }
    if (done === len || nextFrag === frags) return;
    skip -= size;
    at = fragmentAddress(u32, sharedInfo, nextFrag);
    size = fragmentLen(u32, sharedInfo, nextFrag++);
  }
}
