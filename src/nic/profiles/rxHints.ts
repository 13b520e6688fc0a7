import { ENODATA, EOPNOTSUPP } from '../../base/index.js';
import {
  HINT_HASH, HINT_TIMESTAMP, HINT_VLAN_PROTO, HINT_VLAN_TCI, XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP, XDP_RSS_TYPE_NONE,
} from '../../vm/index.js';
import type { RxHints } from '../../vm/index.js';
import { DESC_RSS, DESC_TIMESTAMP, DESC_VLAN, PACKET_IPV4, PACKET_IPV6, PACKET_TCP, PACKET_UDP } from '../device/batch.js';
import type { DescriptorBatch } from '../device/batch.js';
import { ParsedFrame, parseFrame } from '../device/parseFrame.js';
import type { NicProfile } from './profile.js';

const ETH_P_8021Q = 0x8100;

/** A driver without xdp_metadata_ops: the kernel's own functions give -EOPNOTSUPP. */
export const noRxHints: NicProfile['readRxHints'] = (hints) => {
  hints.writtenOnError = 0;
  hints.timestampError = -EOPNOTSUPP;
  hints.hashError = -EOPNOTSUPP;
  hints.vlanError = -EOPNOTSUPP;
};

/**
 * The teaching NIC: what stands in the descriptor; -ENODATA, and nothing written, where nothing does. It leaves VLAN tags in the packet, so there is
 * never one.
 */
export const plainRxHints: NicProfile['readRxHints'] = (hints, batch, index, _u8, _address, { hasRxHash }) => {
  hints.writtenOnError = 0;
  readTimestamp(hints, batch, index);
  hints.hashError = !hasRxHash || (batch.flags[index] & DESC_RSS) === 0 ? -ENODATA : 0;
  hints.hash = batch.rssHash[index];
  hints.hashType = batch.rssType[index];
  hints.vlanError = -ENODATA;
};

/**
 * mlx5e_xdp_metadata_ops (en/xdp.c, 6.18): -ENODATA for time stamps unless the driver was told to take them, and for hashes without NETIF_F_RXHASH. A
 * packet that was not hashed has hash 0 of type 0, and that is no error.
 */
export const mlx5RxHints: NicProfile['readRxHints'] = (hints, batch, index, _u8, _address, { hasRxHash }) => {
  hints.writtenOnError = 0;
  readTimestamp(hints, batch, index);
  readHashOrZero(hints, batch, index, hasRxHash);
  hints.vlanError = (batch.flags[index] & DESC_VLAN) === 0 ? -ENODATA : 0;
  hints.vlanProto = ETH_P_8021Q;
  hints.vlanTci = batch.vlanTci[index];
};

const parsed = new ParsedFrame();

/**
 * mlx4_en_xdp_rx_timestamp and _rx_hash (en_rx.c, 6.18): as in mlx5, but the type tells what the packet is, not what of it was hashed, and XDP_RSS_L4
 * is never set. The device has that in its CQE; the descriptors that stand in for it have no room, so the frame is looked at.
 */
export const mlx4RxHints: NicProfile['readRxHints'] = (hints, batch, index, u8, address, { hasRxHash }) => {
  hints.writtenOnError = 0;
  readTimestamp(hints, batch, index);
  readHashOrZero(hints, batch, index, hasRxHash);
  parseFrame(u8, address, batch.lenBytes[index], parsed);
  const packet = parsed.packetType;
  const l4 = (packet & PACKET_TCP) !== 0 ? XDP_RSS_L4_TCP : (packet & PACKET_UDP) !== 0 ? XDP_RSS_L4_UDP : XDP_RSS_TYPE_NONE;
  hints.hashType = l4 | ((packet & PACKET_IPV4) !== 0 ? XDP_RSS_L3_IPV4 : 0) | ((packet & PACKET_IPV6) !== 0 ? XDP_RSS_L3_IPV6 : 0);
  hints.vlanError = -EOPNOTSUPP;
};

/** igc_xdp_rx_timestamp and _rx_hash (igc_main.c, 6.18): a time stamp where the descriptor says so (TSIP); hashes as in mlx5. */
export const igcRxHints: NicProfile['readRxHints'] = (hints, batch, index, _u8, _address, { hasRxHash }) => {
  hints.writtenOnError = 0;
  readTimestamp(hints, batch, index);
  readHashOrZero(hints, batch, index, hasRxHash);
  hints.vlanError = -EOPNOTSUPP;
};

/**
 * ice_xdp_md_ops (ice_txrx_lib.c, 6.18). It writes what it finds in the descriptor before it judges that: -ENODATA is a time stamp, hash or tag of 0,
 * and then 0 has been written; the hash's type is the packet's. Without rx-vlan-offload the protocol is 0, and the tag isn't looked at.
 */
export const iceRxHints: NicProfile['readRxHints'] = (hints, batch, index, _u8, _address, { hasRxHash, hasVlanStrip }) => {
  const flags = batch.flags[index];
  hints.timestampNs = (flags & DESC_TIMESTAMP) === 0 ? 0 : batch.timestampNs[index];
  hints.timestampError = hints.timestampNs === 0 ? -ENODATA : 0;
  hints.hash = hasRxHash && (flags & DESC_RSS) !== 0 ? batch.rssHash[index] : 0;
  hints.hashType = batch.rssType[index];
  hints.hashError = hints.hash === 0 ? -ENODATA : 0;
  hints.vlanProto = hasVlanStrip ? ETH_P_8021Q : 0;
  hints.vlanTci = (flags & DESC_VLAN) === 0 ? 0 : batch.vlanTci[index];
  hints.vlanError = hints.vlanTci === 0 ? -ENODATA : 0;
  hints.writtenOnError = HINT_TIMESTAMP | HINT_HASH | HINT_VLAN_PROTO | (hasVlanStrip ? HINT_VLAN_TCI : 0);
};

/** Descriptors of several devices always have a field for the time stamp: 0 stands for a device that isn't stamping. */
function readTimestamp(hints: RxHints, batch: DescriptorBatch, index: number): void {
  hints.timestampError = (batch.flags[index] & DESC_TIMESTAMP) === 0 || batch.timestampNs[index] === 0 ? -ENODATA : 0;
  hints.timestampNs = batch.timestampNs[index];
}

function readHashOrZero(hints: RxHints, batch: DescriptorBatch, index: number, hasRxHash: boolean): void {
  const isHashed = (batch.flags[index] & DESC_RSS) !== 0;
  hints.hashError = hasRxHash ? 0 : -ENODATA;
  hints.hash = isHashed ? batch.rssHash[index] : 0;
  hints.hashType = isHashed ? batch.rssType[index] : XDP_RSS_TYPE_NONE;
}
