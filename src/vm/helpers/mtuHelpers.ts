import { EINVAL, ENODEV } from '../../base/index.js';
import { ETH_HLEN, RETURN_INT, XDP_MD_INGRESS_IFINDEX } from '../layout.js';
import { linearBytes } from '../xdpBuffer.js';
import type { HelperSupport } from './helper.js';

const BPF_MTU_CHK_RET_SUCCESS = 0;
const BPF_MTU_CHK_RET_FRAG_NEEDED = 1;

/**
 * bpf_check_mtu(ctx, ifindex, mtu_len, len_diff, flags) (bpf_xdp_check_mtu, net/core/filter.c, 6.18): whether the packet, or one of
 * `*mtu_len` bytes behind its link-layer header, would fit into an interface (0: the packet's own) after growing by `len_diff`. `*mtu_len`
 * becomes the MTU, with either answer but not with an errno.
 *
 * Only the first buffer of a packet counts. No flag is taken, not even BPF_MTU_CHK_SEGS. The sum wraps at 32 bits, as the kernel's does.
 */
export const checkMtu: HelperSupport = {
  args: ['ptr_to_ctx', 'anything', 'ptr_to_mem', 'anything', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, network, contextAddress }) => (_ctx, ifindex, mtuLen, lenDiff, flags) => {
    if (!args.isContext(1) || !args.isMemory(3, 4, true)) return 0;
    network.asked.add('bpf_check_mtu');
    const { u32, view } = memory;
    if (flags !== 0 || args.upperHalf(5) !== 0) return -EINVAL;
    const device = network.device(ifindex === 0 ? u32[(contextAddress + XDP_MD_INGRESS_IFINDEX) >>> 2] : ifindex >>> 0);
    if (device === undefined) return -ENODEV;
    const { mtu, hardHeaderBytes = ETH_HLEN } = device;
    const asked = view.getUint32(mtuLen >>> 0, true);
    const lenBytes = asked === 0 ? linearBytes(u32, contextAddress) : asked + hardHeaderBytes;
    view.setUint32(mtuLen >>> 0, mtu, true);
    return ((lenBytes + lenDiff) | 0) > mtu + hardHeaderBytes ? BPF_MTU_CHK_RET_FRAG_NEEDED : BPF_MTU_CHK_RET_SUCCESS;
  },
};
