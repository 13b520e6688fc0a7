import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import { PROFILES } from '../../src/nic/index.js';
import type { NicProfile } from '../../src/nic/index.js';
import { fencedBlocks, replaceBetween } from '../support/documents.js';

const DOCUMENT = 'docs/xdp.md';

/** What an skb of a driver is made of. */
function describeSkb({ skb, name }: NicProfile): string {
  const { how, copyBytes } = skb;
  if (name === 'veth') return "its peer's: a packet socket copies up to 4079 bytes, and has all but the Ethernet header of longer ones in fragments";
  if (copyBytes === Infinity) return 'a copy';
  const copied = copyBytes === 0 ? '' : `a copy up to ${copyBytes} bytes, else `;
  return copied + (how === 'buffer' ? 'the receive buffer' : 'fragments, with the Ethernet header in a head of its own');
}

describe(DOCUMENT, () => {
  it('has the skbs of the drivers (UPDATE_DOCS=1 writes them)', () => {
    const rows = PROFILES.map((profile) => {
      const { skb } = profile;
      const headroom = skb.how === 'buffer' ? `${skb.bufferHeadroomBytes}${skb.copyBytes > 0 ? `, ${skb.headroomBytes} of a copy` : ''}` : String(skb.headroomBytes);
      return `| ${profile.name} | ${describeSkb(profile)} | ${headroom} | ${skb.recordsRxQueue ? 'yes' : 'no'} |`;
    });
    replaceBetween(DOCUMENT, 'table of the skbs', `\n| NIC | the skb is | headroom | queue recorded |\n| --- | --- | --- | --- |\n${rows.join('\n')}\n\n`);
  });

  it('its example prints what it says', async () => {
    const blocks = fencedBlocks(readFileSync(DOCUMENT, 'utf8'));
    const at = blocks.findIndex(({ text }) => text.includes('--mode generic'));
    let out = '';
    const terminal = { out: { write: (text: string) => (out += text) }, err: { write: () => true }, env: {}, nowMs: () => 0 };
    expect(await runCommandLine(blocks[at]!.text.trim().split(' ').slice(2), terminal)).toBe(0);
    for (const line of blocks[at + 1]!.text.trim().split('\n')) expect(out).toContain(line.trim());
  });
});
