// What r8169_main.c defines about the hardware, as far as this driver needs it. Layout v2: RTL8168c to h, RTL8125.

/** Bytes of a descriptor, and where its fields are. */
export const DESCRIPTOR_BYTES = 16;
export const OPTS1 = 0;
export const OPTS2 = 4;
export const ADDR = 8;

// enum rtl_desc_bit: opts1 in both directions.
export const DescOwn = 0x80000000;
export const RingEnd = 0x40000000;
export const FirstFrag = 0x20000000;
export const LastFrag = 0x10000000;

// enum rtl_rx_desc_bit: opts1 as the device writes it back.
export const RxRES = 1 << 21;
export const RX_LENGTH = 0x3fff;
/** The device counts the frame check sequence in. */
export const ETH_FCS_LEN = 4;

// enum rtl_tx_desc_bit_1: opts2 of layout v2. TCPHO (where layer 4 begins) is 10 bits wide.
export const TD1_UDP_CS = 0x80000000;
export const TD1_TCP_CS = 0x40000000;
export const TD1_IPv4_CS = 0x20000000;
export const TD1_IPv6_CS = 0x10000000;
export const TCPHO_SHIFT = 18;
export const TCPHO_MAX = 0x3ff;

/** Shortest frame for which the chip computes checksums: it pads shorter ones wrongly before it sums. */
export const ETH_ZLEN = 60;

/** Interrupts that this driver wants. */
export const IRQ_MASK = 0x0001 | 0x0002 | 0x0004 | 0x0008 | 0x0010;
