import { EINVAL, ENOMEM, ENOSPC, EOPNOTSUPP } from '../../base/index.js';
import { refusesFeature } from './driverRule.js';
import type { DriverRule } from './driverRule.js';

/** IXGBE_MAX_XDP_QS: XDP TX rings, which two CPUs may share. */
const IXGBE_MAX_XDP_QS = 64;
/** TX rings of an nfp vNIC. */
const NFP_MAX_TX_RINGS = 64;
/** Largest MTU of mlx5 with one buffer a packet. */
const MLX5_LINEAR_MTU = 3498;

const LRO_OFF = 'ethtool -K DEV lro off';

/** mlx5e_xdp_allowed (drivers/net/ethernet/mellanox/mlx5/core/en_main.c). */
export const MLX5_RULES: readonly DriverRule[] = [
  refusesFeature('lro', EINVAL, '', "the device joins packets (LRO), and a program would see several as one: can't set XDP while HW-GRO/LRO is on", LRO_OFF),
  refusesFeature('gro-hw', EINVAL, '', "the device joins packets (HW-GRO), and a program would see several as one: can't set XDP while HW-GRO/LRO is on", 'ethtool -K DEV rx-gro-hw off'),
  refusesFeature(
    'striding-rq', EINVAL, '', `a packet beyond MTU ${MLX5_LINEAR_MTU} takes several buffers, which striding receive queues can not give to XDP`, 'ethtool --set-priv-flags DEV rx_striding_rq off',
    ({ mtu }) => mtu > MLX5_LINEAR_MTU,
  ),
];

/** ixgbe_xdp_setup (drivers/net/ethernet/intel/ixgbe/ixgbe_main.c). */
export const IXGBE_RULES: readonly DriverRule[] = [
  refusesFeature('sr-iov', EINVAL, '', 'with virtual functions the queues are spoken for', 'echo 0 > /sys/class/net/DEV/device/sriov_numvfs'),
  refusesFeature('dcb', EINVAL, '', 'with data center bridging the queues are spoken for', 'switch DCB off'),
  refusesFeature('lro', EINVAL, '', 'the device joins packets (RSC), and a program would see several as one', LRO_OFF),
  {
    code: 'attach-cpus', errno: ENOMEM, kernelSays: '', message: `there are more than ${2 * IXGBE_MAX_XDP_QS} CPUs, two for each of the ${IXGBE_MAX_XDP_QS} XDP TX rings`, hint: 'boot with fewer possible CPUs (nr_cpus=), or use generic mode',
    refuses: ({ cpus }) => cpus > 2 * IXGBE_MAX_XDP_QS,
  },
];

/** bnxt_xdp_set (drivers/net/ethernet/broadcom/bnxt/bnxt_xdp.c). */
export const BNXT_RULES: readonly DriverRule[] = [
  refusesFeature('separate-channels', EOPNOTSUPP, '', 'receive and transmit channels are apart: ethtool rx/tx channels must be combined to support XDP', 'ethtool -L DEV rx 0 tx 0 combined N'),
];

/** nfp_net_check_config (drivers/net/ethernet/netronome/nfp/nfp_net_common.c). */
export const NFP_RULES: readonly DriverRule[] = [
  {
    code: 'attach-tx-rings', errno: EINVAL, kernelSays: 'nfp: Insufficient number of TX rings w/ XDP enabled', message: `XDP needs a TX ring for each RX ring besides those of the stack, and the device has ${NFP_MAX_TX_RINGS}`,
    hint: `use ${NFP_MAX_TX_RINGS / 2} queues or fewer (ethtool -L DEV combined ${NFP_MAX_TX_RINGS / 2})`,
    refuses: ({ queues }) => 2 * queues > NFP_MAX_TX_RINGS,
  },
];

/** mvneta_xdp_setup (drivers/net/ethernet/marvell/mvneta.c). */
export const MVNETA_RULES: readonly DriverRule[] = [
  refusesFeature('hardware-buffers', EOPNOTSUPP, 'mvneta: Hardware Buffer Management not supported on XDP', 'the buffer manager of the SoC gives out receive buffers, not the driver', 'take the property buffer-manager out of the device tree'),
];

/** mvpp2_xdp_setup (drivers/net/ethernet/marvell/mvpp2/mvpp2_main.c). */
export const MVPP2_RULES: readonly DriverRule[] = [
  refusesFeature('shared-pools', EOPNOTSUPP, '', 'XDP needs a buffer pool for each CPU, and CPUs share them', 'use no more receive queues than there are CPUs'),
];

/** mtk_xdp_setup (drivers/net/ethernet/mediatek/mtk_eth_soc.c). */
export const MTK_ETH_SOC_RULES: readonly DriverRule[] = [
  refusesFeature('lro', EOPNOTSUPP, '', 'the device joins packets (hwlro), and a program would see several as one', 'take mediatek,hwlro out of the device tree'),
];

/** ena_xdp_set (drivers/net/ethernet/amazon/ena/ena_xdp.c). */
export const ENA_RULES: readonly DriverRule[] = [
  refusesFeature('no-spare-queues', EINVAL, '', 'XDP needs a second queue for each one in use, and the device has not that many: there is no enough space for allocating XDP queues', 'halve the queues: ethtool -L DEV combined N, N at most half of what ethtool -l says'),
];

/** virtnet_xdp_set (drivers/net/virtio_net.c). */
export const VIRTIO_NET_RULES: readonly DriverRule[] = [
  refusesFeature(
    'host-offloads', EOPNOTSUPP, "virtio_net: Can't set XDP while host is implementing GRO_HW/CSUM, disable GRO_HW/CSUM first",
    'the host hands over joined packets or such without checksums, and has no way to ask it not to', 'start the machine with guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off,guest_csum=off, or with ctrl_guest_offloads=on',
  ),
];

/** veth_xdp_set (drivers/net/veth.c); measured. */
export const VETH_RULES: readonly DriverRule[] = [
  refusesFeature(
    'many-peer-queues', ENOSPC, 'veth: XDP expects number of rx queues not less than peer tx queues', 'the peer has more transmit queues than this end has receive queues, and each needs one', 'ip link add ... numrxqueues N peer ... numtxqueues N, or ethtool -L',
  ),
];
