import { featuresOf } from '../nic/index.js';
import type { NicProfile } from '../nic/index.js';
import { rxHintNames, xdpFeatureNames, xskFeatureNames } from './nicReport.js';
import { NIC_VIEWS } from './nicViews.js';
import { textTable } from './textTable.js';

/** `sim nic list`: a line a profile. */
export function nicListText(profiles: readonly NicProfile[]): string {
  return `${textTable(profiles.map(({ name, description }) => [name, description])).join('\n')}\n`;
}

/** `sim nic show NAME --view VIEW`: what the tool prints. */
export function nicViewText(profile: NicProfile, view: string): string {
  return `${NIC_VIEWS[view](profile).join('\n')}\n`;
}

/** `sim nic show NAME`: what XDP finds, then all views. */
export function nicText(profile: NicProfile, heading: (text: string) => string): string {
  const { name, chips, xdp, headroom, frameSizeBytes, bufferModel, mtu, notes, formatNote, format, quirks } = profile;
  const features = xdpFeatureNames(xdp.features);
  const lines = [
    heading(`XDP on ${name} (${chips})`),
    ...textTable([
      ['native since', xdp.since ?? 'never'],
      ['features', features.length === 0 ? 'none' : features.join(' ')],
      ['hints', rxHintNames(profile).join(' ') || 'none'],
      ...(xdp.zeroCopy === undefined ? [] : [['xsk-features', xskFeatureNames(profile).join(' ') || 'none']]),
      ['headroom', `${headroom.default} bytes`],
      ['frame size', `${frameSizeBytes} bytes, ${bufferModel}`],
      ['descriptors', formatNote === '' ? format.name : formatNote],
      ['MTU', `${mtu.min} to ${mtu.max}`],
      ...(features.length === 0 ? [] : [['MTU, one buffer', `${xdp.mtuMaxLinear}: ${xdp.mtuReason}`], ['metadata', xdp.hasMetadata ? 'yes' : 'no']]),
      ...(xdp.queueRule === '' ? [] : [['to attach', xdp.queueRule]]),
      ...(featuresOf(profile).length === 0 ? [] : [['refuses with', `${featuresOf(profile).join(', ')} (--feature)`]]),
      ...Object.keys(quirks).map((quirk) => ['quirk', quirk]),
    ]),
    ...notes.map((note) => `  ${note}`), '',
    ...Object.entries(NIC_VIEWS).flatMap(([view, print]) => [heading(commandOf(view, name)), ...print(profile), '']),
  ];
  return `${lines.join('\n').trimEnd()}\n`;
}

function commandOf(view: string, name: string): string {
  if (view === 'link') return `# ip link show ${name}`;
  return view === 'bpftool' ? '# bpftool net list' : `# ethtool -${view} ${name}`;
}
