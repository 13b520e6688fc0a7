import { describe, expect, it, vi } from 'vitest';
import { NETDEV_XDP_ACT_REDIRECT, PROFILES } from '../../../src/nic/index.js';
import type { LoadedObject, ProgramEntryMap } from '../../../src/vm/index.js';
import { CpumapThread } from '../../../src/xdp/cpumapThread.js';
import { TRACE_CPUMAP_ENQUEUE, TRACE_CPUMAP_KTHREAD, TRACEPOINTS } from '../../../src/xdp/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { burst, simulate, xdpProgram } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';

// Packets behind a CPUMAP, in runs with the drivers of all NICs.

const CPUMAP = 16;
const FRAMES = 100;
const PASS = 'r0 = 2\nexit';

const maps = [map('cpus', CPUMAP, 4, 8, 1)];
const object = (second: string) => {
  const main = xdpProgram('r1 = map cpus\nr2 = 0\nr3 = 0\ncall 51\nexit', { maps });
  const entry = { ...xdpProgram(second, { maps }).programs[0], name: 'second', section: 'xdp/cpumap', attachType: 'cpumap' as const };
  return { ...main, programs: [...main.programs, entry] };
};

/** Puts the only entry, that of CPU 0, which is also the CPU of the only queue. */
const entryOf = (queueSize: number) => (loaded: LoadedObject): undefined => {
  expect((loaded.maps.get('cpus') as ProgramEntryMap).updateEntry(new Uint8Array(4), queueSize, loaded.program('second'), 0)).toBe(0);
};

/** Values of a field in all records of a tracepoint. */
function values({ result }: Simulated, tracepoint: number, name: string): number[] {
  const index = TRACEPOINTS[tracepoint]!.fields.indexOf(name);
  return result.traces.filter((record) => record.tracepoint === tracepoint).map(({ fields }) => fields[index]!);
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, value) => total + value, 0);

describe.each(PROFILES)('$name', (profile) => {
  // Of the drivers with native XDP some have no redirect.
  const modes = (profile.xdp.features & NETDEV_XDP_ACT_REDIRECT) === 0 ? (['generic'] as const) : (['native', 'generic'] as const);

  it.each(modes)('%s: what the ring takes goes up, the rest is dropped, and all buffers come back', (xdpMode) => {
    const run = simulate({
      object: object(PASS), program: 'main', frames: burst(FRAMES, 300), prepare: entryOf(10),
      nic: { profile, xdpMode, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, interruptDelayNs: 1000 },
    });
    const { outcomes, result } = run;
    const { cpumap = 0, cpumap_full: full = 0 } = outcomes;
    expect(outcomes).toEqual({ cpumap, cpumap_full: full });
    expect(cpumap + full).toBe(FRAMES);
    expect(full).toBeGreaterThan(0);
    expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);

    const processed = values(run, TRACE_CPUMAP_ENQUEUE, 'processed');
    const drops = values(run, TRACE_CPUMAP_ENQUEUE, 'drops');
    expect(Math.max(...processed)).toBe(xdpMode === 'native' ? 8 : 1);
    expect(sum(drops)).toBe(full);
    expect(sum(processed)).toBe(xdpMode === 'native' ? FRAMES : cpumap);
    expect(sum(values(run, TRACE_CPUMAP_KTHREAD, 'processed'))).toBe(cpumap);
    expect(sum(values(run, TRACE_CPUMAP_KTHREAD, 'xdp_pass'))).toBe(cpumap);
  });
});

it('the audit finds packets that no thread takes off a ring', () => {
  const wake = vi.spyOn(CpumapThread.prototype, 'wake').mockImplementation(() => {});
  try {
    const { result, outcomes } = simulate({ object: object(PASS), program: 'main', frames: burst(5), prepare: entryOf(64), nic: { interruptDelayNs: 1000 } });
    expect(outcomes).toEqual({});
    expect(result.audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => [name, /cpumapRing \d/.exec(detail)?.[0]])).toEqual([
      ['packets', undefined], ['pages', 'cpumapRing 5'], ['pages after shutdown', 'cpumapRing 5'],
    ]);
  } finally {
    wake.mockRestore();
  }
});
