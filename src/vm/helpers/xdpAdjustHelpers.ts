import { EACCES, EINVAL, ENOTSUPP, EOPNOTSUPP } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { HostMemory } from '../../memory/index.js';
import {
  ETH_HLEN, RETURN_INT, SHINFO_FRAGS_SIZE, SHINFO_NR_FRAGS, XDP_BUFF_FLAGS, XDP_BUFF_FRAME_SZ, XDP_BUFF_HARD_START,
  XDP_BUFF_RXQ_FRAG_SIZE, XDP_FLAGS_HAS_FRAGS, XDP_FRAME_BYTES, XDP_MD_DATA, XDP_MD_DATA_END, XDP_MD_DATA_META,
} from '../layout.js';
import type { HelperSupport } from './helper.js';
import { contextSharedInfo, fragmentCount, fragmentWord, hasFragments, isMetaUnsupported, metadataBytes, metaMaxBytes, packetBytes } from '../xdpBuffer.js';

//     hard_start ─ xdp_frame (40) ─ headroom ─ data_meta ─ data ─ data_end ─ tailroom ─ hard_end = hard_start + frame_sz - 320

/** bpf_xdp_adjust_head(ctx, delta) (net/core/filter.c, 6.18): moves the start of the packet, metadata along with it. */
export const xdpAdjustHead: HelperSupport = {
  args: ['ptr_to_ctx', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, contextAddress }) => {
    const { u8, u32 } = memory;
    const context = contextAddress >>> 2;
    return (_ctx, delta) => {
      if (!args.isContext(1)) return 0;
      const oldData = u32[context + (XDP_MD_DATA >> 2)];
      const oldMeta = u32[context + (XDP_MD_DATA_META >> 2)];
      const metaBytes = metadataBytes(u32, contextAddress);
      const data = oldData + delta;
      const lowest = u32[context + (XDP_BUFF_HARD_START >> 2)] + XDP_FRAME_BYTES + metaBytes;
      if (data < lowest || data > u32[context + (XDP_MD_DATA_END >> 2)] - ETH_HLEN) return -EINVAL;
      if (metaBytes > 0) u8.copyWithin(oldMeta + delta, oldMeta, oldData);
      u32[context + (XDP_MD_DATA_META >> 2)] = oldMeta + delta;
      u32[context + (XDP_MD_DATA >> 2)] = data;
      return 0;
    };
  },
};

/** bpf_xdp_adjust_meta(ctx, delta) (net/core/filter.c, 6.18): moves the start of the metadata. */
export const xdpAdjustMeta: HelperSupport = {
  args: ['ptr_to_ctx', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, environment, contextAddress }) => {
    const { u32 } = memory;
    const context = contextAddress >>> 2;
    const metaMax = metaMaxBytes(environment.kernel);
    return (_ctx, delta) => {
      if (!args.isContext(1)) return 0;
      if (isMetaUnsupported(u32, contextAddress)) return -ENOTSUPP;
      const data = u32[context + (XDP_MD_DATA >> 2)];
      const meta = u32[context + (XDP_MD_DATA_META >> 2)] + delta;
      if (meta < u32[context + (XDP_BUFF_HARD_START >> 2)] + XDP_FRAME_BYTES || meta > data) return -EINVAL;
      const metaBytes = data - meta;
      if ((metaBytes & 3) !== 0 || metaBytes > metaMax) return -EACCES;
      u32[context + (XDP_MD_DATA_META >> 2)] = meta;
      return 0;
    };
  },
};

/** bpf_xdp_adjust_tail(ctx, delta) (net/core/filter.c, 6.18): moves the end of the packet; what it grows by is zeroed. */
export const xdpAdjustTail: HelperSupport = {
  args: ['ptr_to_ctx', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, contextAddress }) => {
    const { u8, u32 } = memory;
    const context = contextAddress >>> 2;
    return (_ctx, delta) => {
      if (!args.isContext(1)) return 0;
      if (hasFragments(u32, contextAddress)) {
        return delta < 0 ? shrinkFrags(memory, contextAddress, -delta | 0) : growLastFrag(memory, contextAddress, delta);
      }
      const oldEnd = u32[context + (XDP_MD_DATA_END >> 2)];
      const end = oldEnd + delta;
      if (end > contextSharedInfo(u32, contextAddress) || end < u32[context + (XDP_MD_DATA >> 2)] + ETH_HLEN) return -EINVAL;
      if (delta > 0) u8.fill(0, oldEnd, end);
      u32[context + (XDP_MD_DATA_END >> 2)] = end;
      return 0;
    };
  },
};

/**
 * bpf_xdp_frags_shrink_tail: takes fragments away from the last one on, then goes on in the first buffer. The driver sees by the
 * number of fragments after the run which ones it gets back.
 */
function shrinkFrags(memory: HostMemory, contextAddress: number, shrinkBytes: number): number {
  const { u32 } = memory;
  if (shrinkBytes > packetBytes(u32, contextAddress) - ETH_HLEN) return -EINVAL;
  const sharedInfo = contextSharedInfo(u32, contextAddress);
  let left = shrinkBytes;
  let frags = fragmentCount(u32, contextAddress);
  while (frags > 0 && left > 0) {
    const frag = fragmentWord(contextSharedInfo(u32, contextAddress), frags - 1);
    const length = u32[frag + 1];
    const cut = Math.min(left, length);
    left -= cut;
    u32[(sharedInfo + SHINFO_FRAGS_SIZE) >>> 2] -= cut;
    if (cut < length) {
      u32[frag + 1] = length - cut;
      break;
    }
    frags--;
  }
  u32[(sharedInfo + SHINFO_NR_FRAGS) >>> 2] = frags;
  if (frags === 0) {
    u32[(contextAddress + XDP_BUFF_FLAGS) >>> 2] &= ~XDP_FLAGS_HAS_FRAGS;
    u32[(contextAddress + XDP_MD_DATA_END) >>> 2] -= left;
  }
  return 0;
}

/**
 * bpf_xdp_frags_increase_tail: only as far as the buffer of the last fragment reaches. The place of a fragment in its buffer is counted
 * modulo the queue's frag_size; 6.18 counts from the start of the page, which is wrong for the second half of a shared page.
 */
function growLastFrag(memory: HostMemory, contextAddress: number, growBytes: number): number {
  const { u8, u32 } = memory;
  const fragSize = u32[(contextAddress + XDP_BUFF_RXQ_FRAG_SIZE) >>> 2];
  if (fragSize === 0 || fragSize > u32[(contextAddress + XDP_BUFF_FRAME_SZ) >>> 2]) return -EOPNOTSUPP;
  const frag = fragmentWord(contextSharedInfo(u32, contextAddress), fragmentCount(u32, contextAddress) - 1);
  const address = u32[frag];
  const length = u32[frag + 1];
  if (growBytes > fragSize - length - ((address % PAGE_BYTES) % fragSize)) return -EINVAL;
  u8.fill(0, address + length, address + length + growBytes);
  u32[frag + 1] = length + growBytes;
  u32[(contextSharedInfo(u32, contextAddress) + SHINFO_FRAGS_SIZE) >>> 2] += growBytes;
  return 0;
}
