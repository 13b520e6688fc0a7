import { describe, expect, it } from 'vitest';
import { r8169Xdp } from '../../../src/nic/index.js';
import type { ProgramEntryMap } from '../../../src/vm/index.js';
import { traceLine } from '../../../src/xdp/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { simulate, xdpProgram } from '../../support/simulate.js';
import type { SimulateOptions, TimedFrame } from '../../support/simulate.js';
import { frameFor, MIXED_VERDICTS, r8169Settings, runDriver } from './support.js';

/** What a driver of one's own hits, and what the model's driver hits with the same packets. */
function linesOfBoth(frames: readonly TimedFrame[], object: SimulateOptions['object'], prepare?: SimulateOptions['prepare']): { readonly own: readonly string[]; readonly model: readonly string[] } {
  const lines = ({ traces }: ReturnType<typeof simulate>['result']): string[] => traces.map(({ tracepoint, packetId, fields }) => `packet ${packetId} ${traceLine(tracepoint, fields)}`);
  return { own: lines(runDriver(r8169Xdp, frames, {}, object, { prepare }).result), model: lines(simulate({ object, frames, nic: r8169Settings(), prepare }).result) };
}

/** One at a time, far apart. */
const apart = (frames: readonly Uint8Array[]): TimedFrame[] => frames.map((bytes, i) => ({ bytes, tNs: i * 1e6 }));

describe('tracepoints of a driver of one\'s own', () => {
  it('are those of the model\'s driver: failed verdicts, redirects, what was sent', () => {
    const { own, model } = linesOfBoth(apart([0, 1, 2, 3, 4, 200].map((verdict) => frameFor(verdict, 100))), MIXED_VERDICTS);
    expect(own).toEqual(model);
    expect(own).toEqual([
      'packet 1 xdp_exception: prog_id=1 action=ABORTED ifindex=1',
      'packet 5 xdp_redirect: prog_id=1 action=REDIRECT ifindex=1 to_ifindex=1 err=0 map_id=2147483647 map_index=0',
      'packet 0 xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=1 to_ifindex=1 action=REDIRECT sent=1 drops=0 err=0',
      'packet 6 xdp_exception: prog_id=1 action=0xc8 ifindex=1',
    ]);
  });

  it.each([
    ['to an interface that is not there', 'r1 = 9999\nr2 = 0\ncall 23\nexit'],
    ['without a call of a helper', 'r0 = 4\nexit'],
  ])('are those of the model\'s driver for a redirect %s', (_, text) => {
    const { own, model } = linesOfBoth(apart([frameFor(0, 64), frameFor(0, 64)]), xdpProgram(text));
    expect(own).toEqual(model);
    expect(own.map((line) => line.split(' ')[2])).toEqual(['xdp_redirect_err:', 'xdp_exception:', 'xdp_redirect_err:', 'xdp_exception:']);
  });

  it('tell of the queue to a CPU, and of what its thread did', () => {
    const object = xdpProgram('r1 = map cpus\nr2 = 0\nr3 = 0\ncall 51\nexit', { maps: [map('cpus', 16, 4, 8, 1)] });
    const { own, model } = linesOfBoth(Array.from({ length: 20 }, () => ({ bytes: frameFor(4, 64), tNs: 0 })), object, (loaded) => {
      expect((loaded.maps.get('cpus') as ProgramEntryMap).updateEntry(new Uint8Array(4), 10, undefined, 0)).toBe(0);
      return undefined;
    });
    expect(own).toEqual(model);
    expect(own.flatMap((line) => /(enqueue|kthread) .*(processed=.*) (?:to_cpu|xdp_pass)/.exec(line)?.slice(1).join(' ') ?? [])).toEqual([
      'enqueue processed=8 drops=0', 'enqueue processed=8 drops=6', 'enqueue processed=4 drops=4', 'kthread processed=8 drops=0 sched=1', 'kthread processed=2 drops=0 sched=0',
    ]);
  });

  it('tell of bulks of 16', () => {
    const { own, model } = linesOfBoth(Array.from({ length: 40 }, () => ({ bytes: frameFor(4, 64), tNs: 0 })), MIXED_VERDICTS);
    expect(own).toEqual(model);
    expect(own.filter((line) => line.includes('xdp_devmap_xmit')).map((line) => /sent=(\d+)/.exec(line)![1])).toEqual(['16', '16', '8']);
  });
});
