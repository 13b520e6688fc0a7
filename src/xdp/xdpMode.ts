/**
 * Where a program of a device runs (bpf_xdp_mode, net/core/dev.c, 6.18): in the driver before there is an skb, in the stack on the skb, or in the
 * device itself. `ip link` calls them xdp (xdpdrv), xdpgeneric and xdpoffload, the kernel XDP_MODE_DRV, _SKB and _HW.
 */
export type XdpMode = 'native' | 'generic' | 'offload';

export const XDP_MODES: readonly XdpMode[] = ['native', 'generic', 'offload'];
