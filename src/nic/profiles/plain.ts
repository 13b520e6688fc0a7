import { ENODATA } from '../../base/index.js';
import { DESC_RSS } from '../device/batch.js';
import { plainFormat } from '../device/formats/plain.js';
import type { NicProfile } from './profile.js';

/** The NIC of the textbook: every feature that XDP can use, no quirks, a descriptor that fits on a blackboard. */
export const plainProfile: NicProfile = {
  name: 'plain',
  description: 'teaching NIC: 16-byte descriptors, page_pool, headroom 256, RSS over up to 64 queues, multi-buffer',
  format: plainFormat,
  queuesMax: 64,
  ringMin: 64,
  ringMax: 8192,
  ringDefault: 512,
  mtuMin: 68,
  mtuMax: 9000,
  headroomBytes: 256,
  frameSizeBytes: 4096,
  hasMultiBuffer: true,
  poolRingSize: 1024,
  // Time of arrival and RSS hash stand in the descriptor; VLAN tags stay in the packet.
  readRxHints(hints, batch, index) {
    hints.timestampError = 0;
    hints.timestampNs = batch.timestampNs[index];
    hints.hashError = (batch.flags[index] & DESC_RSS) === 0 ? -ENODATA : 0;
    hints.hash = batch.rssHash[index];
    hints.hashType = batch.rssType[index];
    hints.vlanError = -ENODATA;
  },
};
