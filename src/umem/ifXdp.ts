// Numbers of include/uapi/linux/if_xdp.h and of what is called with them (6.18). The layouts of structures stand where they are read.

export const AF_XDP = 44;
export const SOL_XDP = 283;
export const SOL_SOCKET = 1;
export const SOCK_RAW = 3;

// setsockopt and getsockopt at SOL_XDP.
export const XDP_MMAP_OFFSETS = 1;
export const XDP_RX_RING = 2;
export const XDP_TX_RING = 3;
export const XDP_UMEM_REG = 4;
export const XDP_UMEM_FILL_RING = 5;
export const XDP_UMEM_COMPLETION_RING = 6;
export const XDP_STATISTICS = 7;
export const XDP_OPTIONS = 8;
export const XDP_MAX_TX_SKB_BUDGET = 9;

// At SOL_SOCKET, those that AF_XDP has something to do with.
export const SO_ERROR = 4;
export const SO_BUSY_POLL = 46;
export const SO_PREFER_BUSY_POLL = 69;
export const SO_BUSY_POLL_BUDGET = 70;

/** XDP_OPTIONS: the socket is in zero-copy mode. */
export const XDP_OPTIONS_ZEROCOPY = 1;

// sxdp_flags of bind().
export const XDP_SHARED_UMEM = 1;
export const XDP_COPY = 2;
export const XDP_ZEROCOPY = 4;
export const XDP_USE_NEED_WAKEUP = 8;
export const XDP_USE_SG = 16;

// Flags of XDP_UMEM_REG.
export const XDP_UMEM_UNALIGNED_CHUNK_FLAG = 1;
export const XDP_UMEM_TX_SW_CSUM = 2;
export const XDP_UMEM_TX_METADATA_LEN = 4;

// Offsets of mmap(), bytes.
export const XDP_PGOFF_RX_RING = 0;
export const XDP_PGOFF_TX_RING = 0x80000000;
export const XDP_UMEM_PGOFF_FILL_RING = 0x100000000;
export const XDP_UMEM_PGOFF_COMPLETION_RING = 0x180000000;

/** Unaligned chunks: bits of an address below the offset in it. */
export const XSK_UNALIGNED_BUF_OFFSET_SHIFT = 48;

export const MSG_DONTWAIT = 0x40;

export const POLLIN = 0x1;
export const POLLOUT = 0x4;
export const POLLNVAL = 0x20;
export const POLLRDNORM = 0x40;
export const POLLWRNORM = 0x100;

// Why a driver is woken (ndo_xsk_wakeup).
export const XDP_WAKEUP_RX = 1;
export const XDP_WAKEUP_TX = 2;
