import { beforeAll, describe, expect, it } from 'vitest';
import { formatProblem, unwrap } from '../../src/base/index.js';
import { probeKernel, replayOverVeth, thisHost } from '../../src/replay/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { NetSyscalls } from '../../src/replay/net/netSyscalls.js';
import { loadObjectFile } from '../../src/vm/index.js';
import { replaceBetween } from '../support/documents.js';
import { captureOf, burst } from '../support/simulate.js';
import { returning } from '../support/xdpProgram.js';
import { burstCases, verdictCases, withoutIngress } from './support/verdictCases.js';
import type { VerdictCase, VerdictOutcome } from './support/verdictCases.js';
import { simulateVerdicts } from './support/verdictHost.js';
import { VerdictNet } from './support/verdictNet.js';
import { verdictTable } from './support/verdictTable.js';

const MODES = ['native', 'generic'] as const;
type Mode = (typeof MODES)[number];

/** A program without multi-buffer support can be attached up to an MTU of 3506 less what the model keeps for VLAN tags. */
const MTU = 3000;
const LARGE_MTU = 9000;
/** Differences that a failure shows. */
const SHOWN = 20;

const tried = await replayOverVeth({ object: returning(2), pcap: captureOf(burst(1)) });
if (!tried.ok) console.warn(`SKIPPED, verdicts not compared with the kernel: ${formatProblem(tried.problem)}`);

function objectOf(isMultiBuffer: boolean): ReturnType<typeof loadObjectFile> {
  return loadObjectFile(`test/replay/objects/verdicts${isMultiBuffer ? '_frags' : ''}.o`);
}

function simulated(cases: readonly VerdictCase[], isMultiBuffer: boolean): VerdictOutcome[] {
  return simulateVerdicts(unwrap(objectOf(isMultiBuffer)), cases, isMultiBuffer ? LARGE_MTU : MTU);
}

async function onKernel(cases: readonly VerdictCase[], isMultiBuffer: boolean): Promise<VerdictOutcome[]> {
  const kernel = unwrap(await probeKernel(thisHost));
  const calls = new NetSyscalls(await thisHost.importKoffi(), thisHost.arch);
  // Softirqs run on the CPU that raised them.
  return unwrap(new CpuBinding(kernel.syscalls, 0).run(() => {
    const net = new VerdictNet(kernel, calls, isMultiBuffer ? LARGE_MTU : MTU);
    try {
      return net.attach(unwrap(objectOf(isMultiBuffer)), cases[0]!.mode, (run) => cases.map(run));
    } finally {
      net.close();
    }
  }));
}

/** One line for each part of an outcome that differs. */
function differences(cases: readonly VerdictCase[], simulator: readonly VerdictOutcome[], kernel: readonly VerdictOutcome[]): string[] {
  return cases.flatMap(({ name }, i) => {
    const [ours, theirs] = [simulator[i]!, kernel[i]!];
    return (Object.keys(theirs) as (keyof VerdictOutcome)[]).flatMap((part) => {
      const [own, real] = [JSON.stringify(ours[part]), JSON.stringify(theirs[part])];
      return own === real ? [] : [`${name}: ${part}: ${own}, kernel ${real}`];
    });
  });
}

const outcomes = new Map<string, { readonly cases: readonly VerdictCase[]; readonly simulator: readonly VerdictOutcome[] }>();
const key = (mode: Mode, isMultiBuffer: boolean): string => `${mode} ${isMultiBuffer}`;

beforeAll(() => {
  for (const mode of MODES) {
    for (const isMultiBuffer of [false, true]) {
      const cases = verdictCases(mode, isMultiBuffer);
      outcomes.set(key(mode, isMultiBuffer), { cases, simulator: simulated(cases, isMultiBuffer) });
    }
  }
});

describe.each(MODES)('verdicts in %s mode', (mode) => {
  it.skipIf(!tried.ok).each([false, true])('end as on the kernel, counted and traced alike (multi-buffer: %s)', async (isMultiBuffer) => {
    const { cases, simulator } = outcomes.get(key(mode, isMultiBuffer))!;
    const found = differences(cases, simulator, await onKernel(cases, isMultiBuffer));
    expect(found.slice(0, SHOWN), `${found.length} differences`).toEqual([]);
  }, 60_000);
});

describe('bursts', () => {
  it('are sent 16 at a time, the rest with the end of the poll', () => {
    const cases = burstCases().filter(({ name }) => name.startsWith('bpf_redirect, 60 bytes'));
    const sent = simulated(cases, false).map(({ traces }) => traces.flatMap((line) => /xdp_devmap_xmit.* sent=(\d+)/.exec(line)?.[1] ?? []).join(' '));
    expect(cases.map(({ count }, i) => `${count}: ${sent[i]}`)).toEqual([
      '1: 1', '15: 15', '16: 16', '17: 16 1', '33: 16 16 1', '64: 16 16 16 16', '65: 16 16 16 16 1', '100: 16 16 16 16 16 16 4',
    ]);
  });

  it.skipIf(!tried.ok)('wait for a flush, and go in bulks of 16, as on the kernel', async () => {
    const cases = burstCases();
    const found = differences(cases, simulated(cases, false).map(withoutIngress), (await onKernel(cases, false)).map(withoutIngress));
    expect(found.slice(0, SHOWN), `${found.length} differences`).toEqual([]);
  }, 60_000);
});

describe('docs/xdp.md', () => {
  it('has the table of verdicts and what becomes of them (UPDATE_DOCS=1 writes it)', () => {
    const [native, generic] = MODES.map((mode) => outcomes.get(key(mode, false))!);
    replaceBetween('docs/xdp.md', 'table of the verdicts', verdictTable(native!.cases, native!.simulator, generic!.simulator));
  });
});
