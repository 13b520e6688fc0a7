import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { r8169Xdp } from '../../../src/nic/index.js';
import { BROKEN_DRIVERS } from '../../../src/nic/kit/examples/broken/brokenDrivers.js';
import type { BrokenDriver } from '../../../src/nic/kit/examples/broken/brokenDrivers.js';
import type { TimedFrame } from '../../support/simulate.js';
import { EVERY_VERDICT, mixedFrames, runDriver } from './support.js';

/** What a person must be able to read out of each message. */
const SAYS: Readonly<Record<string, RegExp>> = {
  'forgotten recycle': /^\d+ pages never came back to page_pool 1: page \d+ \(packet \d+, .*XDP_DROP\), now with driver, before with program/,
  'direct recycle in the wrong context': /^page \d+ \(packet \d+\) was recycled directly from the interrupt handler; page_pool_recycle_direct is only legal in the NAPI poll/,
  'missing sync for the device': /device is to read page \d+ \(packet \d+\) at offset \d+ while the CPU owns it: dma_sync_single_for_device is missing/,
  'missing sync for the CPU': /^bpf_prog_run_xdp: CPU reads page \d+ \(packet 1\) at offset 256 while the device owns it: dma_sync_single_for_cpu is missing/,
  'OWN written first': /^RX descriptor 0: opts2 is written after OWN was given to the device/,
  'unmap of a pool page': /^dma_unmap_single\(\) of page \d+ \(packet \d+, XDP_TX\).*: the mapping belongs to page_pool 1/,
  'headroom not reserved': /^packet 1 begins 0 bytes behind the start of its page: .* need XDP_PACKET_HEADROOM, 256 bytes/,
  'headroom promised, but not in the address': /^xdp->data of packet 1 is 256 bytes behind the start of its page, but the device wrote the packet 0 bytes behind it/,
  'metadata read without a length check': /^CPU reads 8 bytes before the data of packet \d+, which has 0 bytes of metadata/,
  'checksum bits of the other layout': /^TX descriptor \d+ of packet \d+: opts1 bits 18..16 are the checksum bits of the v1 layout; this chip takes v2/,
  'transport offset counted from the IP header': /csum_start 34 \+ csum_offset 6, but the descriptor asks for one with the transport header at 20: the frame leaves with a wrong one/,
  'no flush': /^missing xdp_do_flush\(\) after NAPI poll: \d+ redirected frames still wait in the bulk queue/,
  'no doorbell': /^poll gave \d+ TX descriptors to the device without writing NPQ to TxPoll/,
  'early return from the poll loop': /^poll returned 1 of a budget of 64 and left 49 of the 50 packets on the ring/,
};

/** What each twin is put through, and the correct driver as well. */
function scenario({ code }: BrokenDriver): TimedFrame[] {
  // A redirect rings the doorbell for XDP_TX, too.
  return mixedFrames(360, code === 'doorbell-missing' ? [1, 2, 8] : EVERY_VERDICT);
}

/** The sentence itself: DMA reports add buffer and mapping to it. */
const sentence = (message: string): string => message.split('. Buffer: ')[0];

describe.each([['coherent', true], ['non-coherent', false]])('on a %s machine', (_, isDmaCoherent) => {
  it.each(BROKEN_DRIVERS.map((each) => [each.mistake, each] as const))('%s is caught and named', (mistake, broken) => {
    const run = runDriver(broken.factory, scenario(broken), { isDmaCoherent });
    const caught = run.judgement.find(({ code }) => code === broken.code);
    expect(caught?.message).toMatch(SAYS[mistake]);
    expect(caught?.hint.length).toBeGreaterThan(20);
    // The first thing that the judge says is the mistake itself, not what follows from it.
    expect(run.judgement[0].code).toBe(broken.code);
    expect(run.result.audit.ok).toBe(false);
    expect(run.result.audit.checks.filter(({ ok }) => !ok).some(({ detail }) => detail.includes(caught!.message.slice(0, 40)))).toBe(true);

    const correct = runDriver(r8169Xdp, scenario(broken), { isDmaCoherent });
    expect(correct.judgement).toEqual([]);
    expect(correct.result.audit.ok).toBe(true);
  });
});

describe('what the mistakes do', () => {
  const byMistake = (mistake: string): BrokenDriver => BROKEN_DRIVERS.find((each) => each.mistake === mistake)!;

  it('without the sync for the device, a non-coherent machine sends the old MAC addresses, and a coherent one the new', () => {
    const frames = mixedFrames(60, [8]);
    const firstBytes = (isDmaCoherent: boolean): number[] => [...new Set(runDriver(byMistake('missing sync for the device').factory, frames, { isDmaCoherent }).ends.map(({ bytes }) => bytes[0]))];
    expect(firstBytes(true)).toEqual([0x42]);
    expect(firstBytes(false)).toEqual([0x02]);
  });

  it('without the sync for the CPU, a non-coherent machine judges bytes that are not the packet', () => {
    const frames = mixedFrames(60, [1]);
    const outcomes = (isDmaCoherent: boolean): unknown => runDriver(byMistake('missing sync for the CPU').factory, frames, { isDmaCoherent }).outcomes;
    expect(outcomes(true)).toEqual({ xdp_drop: 60 });
    expect(outcomes(false)).not.toEqual({ xdp_drop: 60 });
  });

  it('without headroom, nothing can be sent', () => {
    const run = runDriver(byMistake('headroom not reserved').factory, mixedFrames(60, [3, 4]));
    expect(run.outcomes).toEqual({ tx_no_headroom: 60 });
  });

  it('with v1 bits, the chip sends no frame that asks for a checksum', () => {
    const run = runDriver(byMistake('checksum bits of the other layout').factory, mixedFrames(60, [5, 3]).map((frame) => frame));
    expect(run.simulation.nic.device.counters.txMalformed).toBeGreaterThan(20);
    expect(run.outcomes.tx_dma_error).toBe(run.simulation.nic.device.counters.txMalformed);
  });

  it('with an early return, the ring runs full', () => {
    expect(runDriver(byMistake('early return from the poll loop').factory, mixedFrames(2000, [1])).outcomes.rx_missed).toBeGreaterThan(1000);
  });

  it('with forgotten pages, the pool grows by every dropped packet', () => {
    const pages = (count: number): number => runDriver(byMistake('forgotten recycle').factory, mixedFrames(count, [1])).driver.bufferUse(0).inflight;
    expect(pages(300)).toBe(300);
    expect(pages(600)).toBe(600);
  });
});

it('covers the ten mistakes', () => {
  expect([...new Set(BROKEN_DRIVERS.map(({ number }) => number))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  expect(BROKEN_DRIVERS.map(({ mistake }) => mistake)).toEqual(Object.keys(SAYS));
});

it('docs/write-a-driver.md tells for each what the judge says', () => {
  const rows = BROKEN_DRIVERS.map((broken) => {
    const { message } = runDriver(broken.factory, scenario(broken)).judgement[0];
    return `| ${broken.number} | [${broken.mistake}](../src/nic/kit/examples/broken/${broken.file}) | \`${broken.code}\` | ${sentence(message).replaceAll('|', '\\|')} |`;
  });
  const text = readFileSync('docs/write-a-driver.md', 'utf8');
  expect(text.split('\n').filter((line) => line.startsWith('| ') && line.includes('examples/broken/'))).toEqual(rows);
});
