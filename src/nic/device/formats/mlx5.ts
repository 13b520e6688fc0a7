import type { DescriptorFormat } from './descriptorFormat.js';
import { mlx5Receive } from './mlx5Rx.js';
import { mlx5Transmit } from './mlx5Tx.js';

/** ConnectX-4 and later: work queues, completion queues and doorbell records in host memory, all big endian. */
export const mlx5Format: DescriptorFormat = {
  name: 'mlx5',
  description: 'NVIDIA ConnectX-4 and later: work queue elements and 64-byte completion queue entries with owner bits, big endian (include/linux/mlx5, Linux 6.18)',
  ...mlx5Receive,
  ...mlx5Transmit,
};
