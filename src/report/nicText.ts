import type { NicProfile } from '../nic/index.js';
import { xdpFeatureNames } from './nicReport.js';
import { textTable } from './textTable.js';

/** `sim nic list`: a line a profile. */
export function nicListText(profiles: readonly NicProfile[]): string {
  return `${textTable(profiles.map(({ name, description }) => [name, description])).join('\n')}\n`;
}

/** `sim nic show NAME`: driver, rings and channels in the shapes of `ethtool -i`, `-g`, `-l` and `-c`, and what XDP finds. */
export function nicText(profile: NicProfile, heading: (text: string) => string): string {
  const { name, driver, bus, chips, rxRing, txRing, queues, moderation, xdp, headroom, frameSizeBytes, mtu, notes, formatNote } = profile;
  const features = xdpFeatureNames(xdp.features);
  const lines = [
    `driver: ${driver}`, `bus-info: ${bus}`, `chips: ${chips}`, '',
    heading(`Ring parameters for ${name}:`),
    'Pre-set maximums:', `RX:\t\t${rxRing.max}`, `TX:\t\t${txRing.max}`,
    'Current hardware settings:', `RX:\t\t${rxRing.default}`, `TX:\t\t${txRing.default}`, '',
    heading(`Channel parameters for ${name}:`),
    'Pre-set maximums:', `Combined:\t${queues.max}`, 'Current hardware settings:', `Combined:\t${queues.default}`, '',
    heading(`Coalesce parameters for ${name}:`),
    `rx-usecs:\t${moderation.rxUsecs}`, `rx-frames:\t${moderation.rxFrames}`, `tx-usecs:\t${moderation.txUsecs}`, `tx-frames:\t${moderation.txFrames}`, '',
    heading('XDP:'),
    ...textTable([
      ['native since', xdp.since ?? 'never'],
      ['features', features.length === 0 ? 'none' : features.join(' ')],
      ['headroom', `${headroom.default} bytes`],
      ['frame size', `${frameSizeBytes} bytes`],
      ['MTU', `${mtu.min} to ${mtu.max}`],
      ...(features.length === 0 ? [] : [['MTU, one buffer', `${xdp.mtuMaxLinear}: ${xdp.mtuReason}`], ['metadata', xdp.hasMetadata ? 'yes' : 'no']]),
      ...(xdp.queueRule === '' ? [] : [['queues', xdp.queueRule]]),
    ]),
    ...(formatNote === '' ? [] : ['', formatNote]),
    ...(notes.length === 0 ? [] : ['', ...notes]),
  ];
  return `${lines.join('\n')}\n`;
}
