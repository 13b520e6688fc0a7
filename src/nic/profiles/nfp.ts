import { EINVAL } from '../../base/index.js';
import { NFP_RULES } from '../attach/driverRules.js';
import { NFP_FIRMWARE } from '../attach/offloadFirmware.js';
import { plainFormat } from '../device/formats/plain.js';
import { headroomOfDriver, mtuUpTo, queuePairs, ring } from './limits.js';
import {
  NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_HW_OFFLOAD, NETDEV_XDP_ACT_XSK_ZEROCOPY,
} from './profile.js';
import type { NicProfile } from './profile.js';
import { noRxHints } from './rxHints.js';
import { buildsSkb } from './skbShape.js';
import { ofDevice, ofDriver } from './statistics.js';

/** Netronome Agilio: XDP in the driver and, with BPF firmware, in the NIC. */
export const nfpProfile: NicProfile = {
  name: 'nfp',
  description: 'Netronome Agilio: XDP in the driver and, with BPF firmware, in the NIC',
  driver: 'nfp',
  bus: 'pci',
  chips: 'Agilio CX, LX',
  linkMbps: 40000,
  format: plainFormat,
  formatNote: 'the plain descriptors stand in for the NFD3 descriptors of the device, which are not modelled',
  queues: queuePairs(64, 4),
  rxRing: ring(4096, 256, 8192, { isPowerOfTwo: true, roundsUp: true }),
  txRing: ring(4096, 256, 8192, { isPowerOfTwo: true, roundsUp: true }),
  mtu: mtuUpTo(9000),
  headroom: headroomOfDriver(256),
  frameSizeBytes: 4096,
  bufferModel: 'page_pool',
  poolRingSize: 1024,
  refillThreshold: 16,
  skb: buildsSkb(64),
  xdp: {
    features: NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_XSK_ZEROCOPY | NETDEV_XDP_ACT_HW_OFFLOAD,
    since: '4.10',
    mtuMaxLinear: 3498,
    mtuErrno: EINVAL,
    mtuReason: 'a free list buffer must fit into a page: 4096 - 256 (headroom) - 22 (Ethernet header and two VLAN tags) - 320 (skb_shared_info)',
    hasMetadata: true,
    queueRule: 'a TX ring an RX ring',
    attachRules: NFP_RULES,
    offload: NFP_FIRMWARE,
  },
  rss: { indirectionSize: 128, keyBytes: 40, spread: 'interleaved', hashesUdpPorts: false, flowRules: 0 },
  offloads: { rxChecksum: true, txChecksum: true, rxVlanStrip: false, txVlanInsert: false, rxTimestamp: false, rxScatter: false, tso: false, lro: false },
  moderation: { rxUsecs: 0, rxFrames: 1, txUsecs: 0, txFrames: 1, adaptive: 'none' },
  quirks: { redirectIsInvalid: true },
  notes: ['The real driver has buffers of its own; a page_pool stands in for them.', 'XDP_REDIRECT is an invalid action (NFD3).', 'A program that runs in the NIC sees packets before hash, checksum check and queue; the firmware of the model has 512 bytes of stack, and entries of maps up to 64 bytes.', 'The driver has no XDP counters.'],
  readRxHints: noRxHints,
  statistics: [
    { perQueue: [['rvec_N_rx_pkts', 'rxPackets'], ['rvec_N_tx_pkts', 'txPackets']] },
    ...ofDriver({ hw_rx_csum_ok: 'rxCsumGood', hw_rx_csum_err: 'rxCsumErrors', rx_replace_buf_alloc_fail: 'rxAllocFailed' }),
    ...ofDevice({
      dev_rx_discards: 'rxMissed', dev_rx_errors: 'rxCrcErrors', dev_rx_bytes: 'rxBytes', dev_rx_pkts: 'rxPackets', dev_rx_mc_pkts: 'rxMulticast', dev_rx_bc_pkts: 'rxBroadcast', dev_tx_errors: 'txDmaErrors', dev_tx_bytes: 'txBytes',
      dev_tx_pkts: 'txPackets',
      // Programs that run in the NIC: dropped, sent back, anything else.
      bpf_pass_pkts: 'offloadPassPackets', bpf_pass_bytes: 'offloadPassBytes', bpf_app1_pkts: 'offloadDropPackets', bpf_app1_bytes: 'offloadDropBytes', bpf_app2_pkts: 'offloadTxPackets', bpf_app2_bytes: 'offloadTxBytes',
      bpf_app3_pkts: 'offloadAbortedPackets', bpf_app3_bytes: 'offloadAbortedBytes',
    }),
    { perQueue: [['txq_N_pkts', 'txPackets'], ['txq_N_bytes', 'txBytes'], ['rxq_N_pkts', 'rxPackets'], ['rxq_N_bytes', 'rxBytes']] },
  ],
};
