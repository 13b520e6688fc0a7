/** XDP_FLAGS_* (include/uapi/linux/if_link.h): what a request to attach says besides the program. */

/** Attach only if the mode has no program yet: `ip link set` without `-force`. */
export const XDP_FLAGS_UPDATE_IF_NOEXIST = 1 << 0;
export const XDP_FLAGS_SKB_MODE = 1 << 1;
export const XDP_FLAGS_DRV_MODE = 1 << 2;
export const XDP_FLAGS_HW_MODE = 1 << 3;
/** Only if the expected program is the one that is attached. */
export const XDP_FLAGS_REPLACE = 1 << 4;

export const XDP_FLAGS_MODES = XDP_FLAGS_SKB_MODE | XDP_FLAGS_DRV_MODE | XDP_FLAGS_HW_MODE;
export const XDP_FLAGS_MASK = XDP_FLAGS_UPDATE_IF_NOEXIST | XDP_FLAGS_MODES | XDP_FLAGS_REPLACE;
