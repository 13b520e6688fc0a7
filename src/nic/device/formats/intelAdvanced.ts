import type { DescriptorFormat } from './descriptorFormat.js';
import { advancedRx } from './intelAdvancedRx.js';
import { advancedTx } from './intelAdvancedTx.js';
import {
  IXGBE_RXDADV_ERR_CE, IXGBE_RXDADV_ERR_FRAME_ERR_MASK, IXGBE_RXDADV_ERR_IPE, IXGBE_RXDADV_ERR_TCPE, RXD_STAT_IXSM, RXD_STAT_UDPCS,
  RXDEXT_ERR_FRAME_ERR_MASK, RXDEXT_STATERR_IPE, RXDEXT_STATERR_L4E, RXDEXT_STATERR_RXE,
} from './intelBits.js';

const GIGABIT_RX_BITS = {
  ipError: RXDEXT_STATERR_IPE,
  l4Error: RXDEXT_STATERR_L4E,
  frameError: RXDEXT_STATERR_RXE,
  frameErrorMask: RXDEXT_ERR_FRAME_ERR_MASK,
  ignoreChecksum: RXD_STAT_IXSM,
  udpChecked: RXD_STAT_UDPCS,
};

/** Most bytes that a TX descriptor may name: IGB_MAX_DATA_PER_TXD, IGC_MAX_DATA_PER_TXD, IXGBE_MAX_DATA_PER_TXD. */
const GIGABIT_BUFFER_BYTES = 1 << 15;
const IXGBE_BUFFER_BYTES = 1 << 14;

/**
 * Descriptors of igb. Receive time stamps are not part of the model: the 82576 has them in a register, for one frame at a time, later chips
 * before the packet as igc does (TSIP), and no XDP program can ask the driver for them.
 */
export const igbFormat: DescriptorFormat = {
  name: 'igb',
  description: 'Intel 82576, I350, I210: advanced descriptors, tail registers (82576 data sheet, 7.1.5 and 7.2.2)',
  ...advancedRx({ ...GIGABIT_RX_BITS, hasTimestampHeader: false }),
  ...advancedTx(GIGABIT_BUFFER_BYTES),
};

/** Descriptors of igc: those of igb, with the receive time stamp in 16 bytes before the packet (TSIP), and with launch times. */
export const igcFormat: DescriptorFormat = {
  name: 'igc',
  description: 'Intel I225, I226: advanced descriptors, tail registers, time stamp before the packet (igc_base.h, igc_defines.h)',
  ...advancedRx({ ...GIGABIT_RX_BITS, hasTimestampHeader: true }),
  ...advancedTx(GIGABIT_BUFFER_BYTES, true),
};

/** Descriptors of ixgbe: the error bits of receiving lie elsewhere, and there is no IXSM. */
export const ixgbeFormat: DescriptorFormat = {
  name: 'ixgbe',
  description: 'Intel 82599, X540, X550: advanced descriptors, tail registers (82599 data sheet, 7.1.6 and 7.2.3)',
  ...advancedRx({
    ipError: IXGBE_RXDADV_ERR_IPE,
    l4Error: IXGBE_RXDADV_ERR_TCPE,
    frameError: IXGBE_RXDADV_ERR_CE,
    frameErrorMask: IXGBE_RXDADV_ERR_FRAME_ERR_MASK,
    ignoreChecksum: 0,
    udpChecked: 0,
    hasTimestampHeader: false,
  }),
  ...advancedTx(IXGBE_BUFFER_BYTES),
};
