import { EINVAL } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { HelperSupport } from '../helpers/helper.js';
import {
  RETURN_INT, SHINFO_FRAGS_SIZE, SHINFO_NR_FRAGS, XDP_BUFF_FLAGS, XDP_BUFF_HARD_START, XDP_FLAGS_HAS_FRAGS, XDP_FRAME_BYTES, XDP_MD_DATA,
  XDP_MD_DATA_END, XDP_MD_DATA_META,
} from '../layout.js';
import { contextSharedInfo, fragmentCount, fragmentWord, linearBytes, packetBytes } from '../xdpBuffer.js';

/**
 * bpf_xdp_pull_data(ctx, len) (net/core/filter.c, 6.18): makes the first `len` bytes of the packet lie in its linear part. They go into the
 * tailroom; when that is too short, metadata and packet move down into the headroom first, just as far as needed.
 */
export const xdpPullData: HelperSupport = {
  args: ['ptr_to_ctx', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, contextAddress }) => {
    const { u32 } = memory;
    return (_ctx, len) => {
      if (!args.isContext(1)) return 0;
      const wanted = len >>> 0;
      const pull = wanted - linearBytes(u32, contextAddress);
      if (pull <= 0) return 0;
      if (wanted > packetBytes(u32, contextAddress)) return -EINVAL;
      const start = Math.min(u32[(contextAddress + XDP_MD_DATA) >>> 2]!, u32[(contextAddress + XDP_MD_DATA_META) >>> 2]!);
      const headroom = start - u32[(contextAddress + XDP_BUFF_HARD_START) >>> 2]! - XDP_FRAME_BYTES;
      const tailroom = contextSharedInfo(u32, contextAddress) - u32[(contextAddress + XDP_MD_DATA_END) >>> 2]!;
      if (pull > tailroom + headroom) return -EINVAL;
      if (pull > tailroom) moveDown(memory, contextAddress, start, pull - tailroom);
      pullFragments(memory, contextAddress, pull);
      return 0;
    };
  },
};

/** Moves metadata and linear part, which begin at `start`, towards the start of the buffer. */
function moveDown({ u8, u32 }: HostMemory, context: number, start: number, bytes: number): void {
  u8.copyWithin(start - bytes, start, u32[(context + XDP_MD_DATA_END) >>> 2]);
  for (const field of [XDP_MD_DATA_META, XDP_MD_DATA, XDP_MD_DATA_END]) u32[(context + field) >>> 2]! -= bytes;
}

/**
 * Copies the first bytes of the fragments behind the linear part. A fragment that becomes empty leaves the list, another begins later in its
 * buffer: by that the driver sees after the run which ones it gets back.
 */
function pullFragments({ u8, u32 }: HostMemory, context: number, bytes: number): void {
  const sharedInfo = contextSharedInfo(u32, context);
  const count = fragmentCount(u32, context);
  let end = u32[(context + XDP_MD_DATA_END) >>> 2]!;
  let left = bytes;
  let emptied = 0;
  while (left > 0) {
    const word = fragmentWord(sharedInfo, emptied);
    const part = Math.min(left, u32[word + 1]!);
    u8.copyWithin(end, u32[word]!, u32[word]! + part);
    end += part;
    left -= part;
    if (part === u32[word + 1]) {
      emptied++;
    } else {
      u32[word]! += part;
      u32[word + 1]! -= part;
    }
  }
  u32[(context + XDP_MD_DATA_END) >>> 2] = end;
  u32[(sharedInfo + SHINFO_FRAGS_SIZE) >>> 2]! -= bytes;
  u32[(sharedInfo + SHINFO_NR_FRAGS) >>> 2] = count - emptied;
  u32.copyWithin(fragmentWord(sharedInfo, 0), fragmentWord(sharedInfo, emptied), fragmentWord(sharedInfo, count));
  if (emptied === count) u32[(context + XDP_BUFF_FLAGS) >>> 2]! &= ~XDP_FLAGS_HAS_FRAGS;
}
