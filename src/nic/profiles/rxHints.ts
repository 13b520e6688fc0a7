import { ENODATA, EOPNOTSUPP } from '../../base/index.js';
import { DESC_RSS, DESC_TIMESTAMP, DESC_VLAN } from '../device/batch.js';
import type { NicProfile } from './profile.js';

const ETH_P_8021Q = 0x8100;

/** A driver without xdp_metadata_ops: the kernel's own functions give -EOPNOTSUPP. */
export const noRxHints: NicProfile['readRxHints'] = (hints) => {
  hints.timestampError = -EOPNOTSUPP;
  hints.hashError = -EOPNOTSUPP;
  hints.vlanError = -EOPNOTSUPP;
};

/**
 * Time stamp and hash as the descriptor has them, -ENODATA where it has none; no function for VLAN tags (mlx4, igc). Completions of mlx4 and
 * mlx5 always have a field for the time stamp: 0 stands for a device that isn't stamping.
 */
export const timestampAndHash: NicProfile['readRxHints'] = (hints, batch, index) => {
  const flags = batch.flags[index];
  hints.timestampError = (flags & DESC_TIMESTAMP) === 0 || batch.timestampNs[index] === 0 ? -ENODATA : 0;
  hints.timestampNs = batch.timestampNs[index];
  hints.hashError = (flags & DESC_RSS) === 0 ? -ENODATA : 0;
  hints.hash = batch.rssHash[index];
  hints.hashType = batch.rssType[index];
  hints.vlanError = -EOPNOTSUPP;
};

/** The same, and the VLAN tag that the device took out of the packet (mlx5, ice). */
export const timestampHashAndVlan: NicProfile['readRxHints'] = (hints, batch, index, u8, address) => {
  timestampAndHash(hints, batch, index, u8, address);
  hints.vlanError = (batch.flags[index] & DESC_VLAN) === 0 ? -ENODATA : 0;
  hints.vlanProto = ETH_P_8021Q;
  hints.vlanTci = batch.vlanTci[index];
};
