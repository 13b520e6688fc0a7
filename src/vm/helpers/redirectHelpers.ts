import { RETURN_INT } from '../layout.js';
import { BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS } from '../maps/devmap.js';
import { MAP_OP_REDIRECT } from '../maps/map.js';
import type { RedirectMap } from '../maps/map.js';
import { REDIRECT_IFINDEX, REDIRECT_MAP } from '../redirect.js';
import type { HelperSupport } from './helper.js';

const XDP_ABORTED = 0;
const XDP_REDIRECT = 4;

/** Flag bits that hold the action for a look-up that misses: ABORTED to TX. */
const FALLBACK_MASK = 3;

/** bpf_redirect(ifindex, flags) (bpf_xdp_redirect, net/core/filter.c, 6.18): no flag is valid, the ifindex isn't checked yet. */
export const redirect: HelperSupport = {
  args: ['anything', 'anything'],
  returns: RETURN_INT,
  make: ({ args, redirect: info }) => (ifindex, flags) => {
    if (flags !== 0 || args.upperHalf(2) !== 0) return XDP_ABORTED;
    info.kind = REDIRECT_IFINDEX;
    info.targetIndex = ifindex >>> 0;
    return XDP_REDIRECT;
  },
};

/**
 * bpf_redirect_map(map, key, flags) (__bpf_xdp_redirect_map, include/linux/filter.h, 6.18).
 *
 * A miss gives the fallback action and forgets an earlier redirect to a map, but not its key: were XDP_REDIRECT returned all the same,
 * the packet would go to the device with that number. A broadcast finds its targets when it is carried out, and its key may miss.
 */
export const redirectMap: HelperSupport = {
  args: ['const_map_ptr', 'anything', 'anything'],
  returns: RETURN_INT,
  make: ({ args, redirect: info }) => (_map, key, flags) => {
    const map = args.map(1, MAP_OP_REDIRECT) as RedirectMap | undefined;
    if (map === undefined) return 0;
    if ((flags & ~(FALLBACK_MASK | map.redirectFlagMask)) !== 0 || args.upperHalf(3) !== 0) return XDP_ABORTED;
    const target = map.redirectTarget(key >>> 0);
    const isBroadcast = (flags & BPF_F_BROADCAST) !== 0;
    if (target === 0 && !isBroadcast) {
      info.kind = REDIRECT_IFINDEX;
      return flags & FALLBACK_MASK;
    }
    info.kind = REDIRECT_MAP;
    info.targetIndex = key >>> 0;
    info.target = target;
    info.mapId = map.id;
    info.mapType = map.spec.type;
    info.flags = isBroadcast ? flags & (BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS) : 0;
    return XDP_REDIRECT;
  },
};
