import { freshStatistics, NETDEV_XDP_ACT_BASIC } from '../nic/index.js';
import type { NicProfile } from '../nic/index.js';

// What the tools of Linux would print about a NIC as it comes up, with a program attached: ethtool 6.1, iproute2 6.1, bpftool 7.

/** ifindex and program ID in the views. */
const IFINDEX = 1;
const PROGRAM_ID = 1;

/** `sim nic show --view`: names of the views, as options of ethtool where it is ethtool's. */
export const NIC_VIEWS: Readonly<Record<string, (profile: NicProfile) => string[]>> = {
  i: driverView, g: ringView, l: channelView, c: coalesceView, k: featureView, S: statisticsView, link: linkView, bpftool: bpftoolView,
};

function driverView({ driver, bus, statistics }: NicProfile): string[] {
  return [
    `driver: ${driver}`, 'version: model', 'firmware-version: ', 'expansion-rom-version: ', `bus-info: ${bus}`, `supports-statistics: ${statistics.length > 0 ? 'yes' : 'no'}`, 'supports-test: no',
    'supports-eeprom-access: no', 'supports-register-dump: no', 'supports-priv-flags: no',
  ];
}

function ringView({ name, rxRing, txRing }: NicProfile): string[] {
  const sizes = (rx: number, tx: number): string[] => [`RX:\t\t${rx}`, 'RX Mini:\tn/a', 'RX Jumbo:\tn/a', `TX:\t\t${tx}`];
  return [
    `Ring parameters for ${name}:`, 'Pre-set maximums:', ...sizes(rxRing.max, txRing.max), 'Current hardware settings:', ...sizes(rxRing.default, txRing.default),
    'RX Buf Len:\t\tn/a', 'CQE Size:\t\tn/a', 'TX Push:\toff', 'TCP data split:\tn/a',
  ];
}

function channelView({ name, queues, hasSeparateChannels }: NicProfile): string[] {
  const counts = (count: number): string[] =>
    hasSeparateChannels === true
      ? [`RX:\t\t${count}`, `TX:\t\t${count}`, 'Other:\t\tn/a', 'Combined:\tn/a']
      : ['RX:\t\tn/a', 'TX:\t\tn/a', 'Other:\t\tn/a', `Combined:\t${count}`];
  return [`Channel parameters for ${name}:`, 'Pre-set maximums:', ...counts(queues.max), 'Current hardware settings:', ...counts(queues.default)];
}

function coalesceView({ name, moderation: { adaptive, rxUsecs, rxFrames, txUsecs, txFrames } }: NicProfile): string[] {
  const isAdaptive = adaptive === 'none' ? 'n/a' : 'on';
  return [
    `Coalesce parameters for ${name}:`, `Adaptive RX: ${isAdaptive}  TX: ${isAdaptive}`, 'stats-block-usecs: n/a', 'sample-interval: n/a', 'pkt-rate-low: n/a', 'pkt-rate-high: n/a', '',
    `rx-usecs: ${rxUsecs}`, `rx-frames: ${rxFrames}`, 'rx-usecs-irq: n/a', 'rx-frames-irq: n/a', '',
    `tx-usecs: ${txUsecs}`, `tx-frames: ${txFrames}`, 'tx-usecs-irq: n/a', 'tx-frames-irq: n/a', '',
    'rx-usecs-low: n/a', 'rx-frame-low: n/a', 'tx-usecs-low: n/a', 'tx-frame-low: n/a', '',
    'rx-usecs-high: n/a', 'rx-frame-high: n/a', 'tx-usecs-high: n/a', 'tx-frame-high: n/a', '',
    'CQE mode RX: n/a  TX: n/a',
  ];
}

/** Those features that the model knows something about. */
function featureView({ name, offloads, rss }: NicProfile): string[] {
  const state = (has: boolean): string => (has ? 'on' : 'off [fixed]');
  return [
    `Features for ${name}:`, `rx-checksumming: ${state(offloads.rxChecksum)}`, `tx-checksumming: ${state(offloads.txChecksum)}`, `tcp-segmentation-offload: ${state(offloads.tso)}`,
    `large-receive-offload: ${state(offloads.lro)}`, `rx-vlan-offload: ${state(offloads.rxVlanStrip)}`, `tx-vlan-offload: ${state(offloads.txVlanInsert)}`,
    `ntuple-filters: ${state((rss?.flowRules ?? 0) > 0)}`, `receive-hashing: ${state(rss !== undefined)}`,
  ];
}

function statisticsView(profile: NicProfile): string[] {
  if (profile.statistics.length === 0) return ['no stats available'];
  return ['NIC statistics:', ...[...freshStatistics(profile)].map(([name, value]) => `     ${name}: ${value}`)];
}

function isNative({ xdp }: NicProfile): boolean {
  return (xdp.features & NETDEV_XDP_ACT_BASIC) !== 0;
}

/** `ip link show`: the core falls back to generic mode where the driver has no XDP. */
function linkView(profile: NicProfile): string[] {
  const mode = isNative(profile) ? 'xdp' : 'xdpgeneric';
  return [
    `${IFINDEX}: ${profile.name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu ${profile.mtu.default} ${mode} qdisc mq state UP mode DEFAULT group default qlen 1000`,
    '    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff',
    `    prog/${mode} id ${PROGRAM_ID}`,
  ];
}

/** `bpftool net list`. */
function bpftoolView(profile: NicProfile): string[] {
  return ['xdp:', `${profile.name}(${IFINDEX}) ${isNative(profile) ? 'driver' : 'generic'} id ${PROGRAM_ID}`, '', 'tc:', '', 'flow_dissector:', ''];
}
