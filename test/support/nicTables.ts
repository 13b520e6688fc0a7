import { errnoName } from '../../src/base/index.js';
import type { Limit, NicProfile } from '../../src/nic/index.js';
import { rxHintNames, xdpFeatureNames } from '../../src/report/index.js';

/** The tables of docs/nic.md, from the profiles. */
export function nicTables(profiles: readonly NicProfile[]): string {
  return [
    '### Rings and buffers', '',
    ...table(
      ['NIC', 'chips', 'descriptors', 'RX ring', 'TX ring', 'queues', 'headroom', 'frame size', 'buffers'],
      profiles.map(({ name, chips, format, formatNote, rxRing, txRing, queues, headroom, frameSizeBytes, bufferModel }) => [
        name, chips, formatNote === '' ? format.name : `${format.name} (stand-in)`, limit(rxRing), limit(txRing), limit(queues), limit(headroom), String(frameSizeBytes), bufferModel,
      ]),
    ),
    '', '### XDP', '',
    ...table(
      ['NIC', 'since', 'features', 'MTU', 'MTU, one buffer', 'beyond it', 'metadata', 'hints'],
      profiles.map((profile) => {
        const { name, mtu, xdp } = profile;
        const features = xdpFeatureNames(xdp.features);
        const isNative = features.length > 0;
        return [
          name, xdp.since ?? 'never', features.join(' ') || 'none', limit(mtu), isNative ? String(xdp.mtuMaxLinear) : '–', isNative ? errnoName(xdp.mtuErrno) : '–',
          isNative ? (xdp.hasMetadata ? 'yes' : 'no') : '–', rxHintNames(profile).join(' ') || 'none',
        ];
      }),
    ),
    '', '### AF_XDP, zero copy', '',
    ...table(
      ['NIC', 'descriptors a packet', 'takes TX descriptors', 'TX descriptors a poll', 'flag on the TX ring', 'full RX ring', 'XDP_TX', 'without a program', 'struct xsk_tx_metadata'],
      profiles.flatMap(({ name, xdp: { zeroCopy, features } }) => {
        if (zeroCopy === undefined || !xdpFeatureNames(features).includes('redirect')) return [];
        const { maxSegments, takesBatches, txBudget, clearsTxNeedWakeup, stopsAtFullRxRing, sendsChunks, wakeupErrno, txMetadata = {} } = zeroCopy;
        return [[
          name, String(maxSegments), takesBatches ? 'in batches' : 'one by one', txBudget === 'quarter' ? 'a quarter of its ring' : txBudget === Infinity ? 'as many as its ring takes' : String(txBudget),
          clearsTxNeedWakeup ? 'while nothing is in flight' : 'always', stopsAtFullRxRing ? 'stops' : 'goes on', sendsChunks === true ? 'sends the chunk' : 'sends a copy',
          wakeupErrno === 0 ? 'woken in vain' : errnoName(wakeupErrno), Object.entries(txMetadata).flatMap(([what, isThere]) => (isThere ? what : [])).join(' ') || 'none',
        ]];
      }),
    ),
    '', '### What attaching needs', '',
    ...profiles.filter(({ xdp }) => xdp.queueRule !== '').map(({ name, xdp }) => `- **${name}**: ${xdp.queueRule}.`),
    '', '### Quirks and notes', '',
    ...profiles.flatMap(({ name, quirks, notes }) => {
      const switches = Object.keys(quirks).map((quirk) => `\`${quirk}\``);
      if (switches.length + notes.length === 0) return [];
      return [`- **${name}**: ${[...(switches.length === 0 ? [] : [`${switches.join(', ')}.`]), ...notes].join(' ')}`];
    }),
    '',
  ].join('\n');
}

function limit({ min, max, default: byDefault, multipleOf = 1, isPowerOfTwo = false, roundsUp = false }: Limit): string {
  if (min === max) return `${min}, fixed`;
  const unit = isPowerOfTwo ? ' powers of 2' : multipleOf > 1 ? ` × ${multipleOf}` : '';
  return `${byDefault} (${min}–${max}${unit}${roundsUp ? ', rounded up' : ''})`;
}

function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [heading, heading.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
