import type { DescriptorFormat } from './descriptorFormat.js';
import { virtioSplitReceive } from './virtioSplitRx.js';
import { virtioSplitTransmit } from './virtioSplitTx.js';

/** virtio-net with split virtqueues, mergeable receive buffers and checksum offload in both directions. */
export const virtioSplitFormat: DescriptorFormat = {
  name: 'virtio-split',
  description: 'virtio-net 1.x: split virtqueues, each frame behind a 12-byte virtio_net_hdr (virtio 1.2 sections 2.7 and 5.1.6)',
  ...virtioSplitReceive,
  ...virtioSplitTransmit,
};
