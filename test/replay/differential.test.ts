import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toHex, unwrap } from '../../src/base/index.js';
import { openCaseFiles, runCaseFiles, SimulatorBackend } from '../../src/cases/index.js';
import { drawCases } from '../../src/replay/differential/cases.js';
import { differentialCommand } from '../../src/replay/differential/commandLine.js';
import { readPackets } from '../../src/replay/differential/corpus.js';
import { isEqual, runDifferential } from '../../src/replay/differential/differential.js';
import type { DifferentialOptions } from '../../src/replay/differential/differential.js';
import { Draw, makeNoise } from '../../src/replay/differential/draw.js';
import { reportText } from '../../src/replay/differential/reportText.js';
import { shrink } from '../../src/replay/differential/shrink.js';
import { KernelBackend } from '../../src/replay/index.js';
import type { KernelBpf } from '../../src/replay/index.js';
import { BPF_EXIST, HELPERS, isDeviceBound } from '../../src/vm/index.js';
import type { HelperContext, HelperFunction } from '../../src/vm/index.js';
import { fixtureObjects } from '../support/fixtures.js';
import { withKernel } from '../support/kernelOracle.js';

// Another seed, more cases: DIFFERENTIAL_SEED=7 DIFFERENTIAL_CASES=200000 npx vitest run test/replay/differential.test.ts
const SEED = Number(process.env.DIFFERENTIAL_SEED ?? 1);
const CASES = Number(process.env.DIFFERENTIAL_CASES ?? 20_000);

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'xdp-sim-differential-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(directory, { recursive: true });
});

function optionsFor(kernel: KernelBpf, overrides: Partial<DifferentialOptions> = {}): DifferentialOptions {
  return {
    kernel,
    objects: 'fixtures/programs',
    captures: 'fixtures/pcaps',
    seed: SEED,
    cases: CASES,
    out: join(directory, 'out'),
    shouldStop: () => false,
    onProgress: () => {},
    ...overrides,
  };
}

/** A folder with this fixture object alone. */
function folderWith(object: string): string {
  copyFileSync(join('fixtures/programs', object, `${object}.o`), join(directory, `${object}.o`));
  return directory;
}

/** Breaks a helper of the simulator until the test is over. */
function breakHelper(name: string, broken: (helper: HelperFunction, context: HelperContext) => HelperFunction): void {
  const support = HELPERS.find((row) => row?.name === name)!.support!;
  const { make } = support;
  vi.spyOn(support, 'make').mockImplementation((context) => broken(make(context), context));
}

withKernel('the differential run', (kernel) => {
  it('finds no difference in any fixture program', async () => {
    const startMs = performance.now();
    const report = unwrap(await runDifferential(optionsFor(kernel)));
    const text = reportText(report, performance.now() - startMs);
    expect(report.cases).toBe(CASES);
    expect(report.notCompared).toMatchObject(['rx_hint_memory', 'rx_hints'].map((name) => ({ object: `${name}/${name}.o`, status: 'refused by the kernel', reason: expect.stringContaining('for a device only') })));
    const everyProgram = fixtureObjects().flatMap(({ file, spec }) => spec.programs.filter((program) => !isDeviceBound(program)).map(({ name }) => `${file} ${name}`));
    expect(report.programs.map(({ object, program }) => `${object} ${program}`)).toEqual(everyProgram);
    expect(report.programs.every(({ cases }) => cases >= 100)).toBe(true);
    expect(isEqual(report), text).toBe(true);
    console.info(text.trimEnd().split('\n').at(-1));
  });

  it('finds no difference in a program that does with each packet what the packet says', async () => {
    for (const name of ['commands', 'user_sized']) copyFileSync(`test/replay/objects/${name}.o`, join(directory, `${name}.o`));
    const report = unwrap(await runDifferential(optionsFor(kernel, { objects: directory, cases: 6000 })));
    expect(report.programs.map(({ program }) => program)).toEqual(['commands', 'commands_frags', 'user_sized']);
    expect(isEqual(report), reportText(report, 0)).toBe(true);
  });

  it('gives the same report for the same seed', async () => {
    const options = optionsFor(kernel, { objects: folderWith('tail_calls'), cases: 3000 });
    const [first, second] = [await runDifferential(options), await runDifferential(options)];
    expect(first).toEqual(second);
  });

  it.each<[string, string, string, (helper: HelperFunction, context: HelperContext) => HelperFunction]>([
    ['bpf_xdp_adjust_tail shrinks by one byte too many', 'adjust_tail', 'bpf_xdp_adjust_tail', (helper) => (ctx, delta, ...rest) => helper(ctx, delta < 0 ? delta - 1 : delta, ...rest)],
    ['bpf_xdp_adjust_tail leaves garbage behind the end', 'adjust_tail', 'bpf_xdp_adjust_tail', (helper, { memory, contextAddress }) => (ctx, delta, ...rest) => {
      const end = memory.u32[(contextAddress + 4) >>> 2];
      const result = helper(ctx, delta, ...rest);
      if (result === 0 && delta > 0) memory.u8[end] = 1;
      return result;
    }],
    ['bpf_xdp_adjust_head refuses', 'vlan_push', 'bpf_xdp_adjust_head', () => () => -22],
    ['bpf_xdp_adjust_meta gives no room', 'meta_writer', 'bpf_xdp_adjust_meta', () => () => 0],
    ['bpf_redirect gives another verdict', 'redirect_self', 'bpf_redirect', () => () => 3],
    ['bpf_csum_diff is off by one', 'csum_diff', 'bpf_csum_diff', (helper) => (from, fromSize, to, toSize, seed) => helper(from, fromSize, to, toSize, (seed + 1) | 0)],
    ['bpf_map_update_elem changes only what exists', 'count_hash', 'bpf_map_update_elem', (helper) => (map, key, value) => helper(map, key, value, BPF_EXIST, 0)],
    ['bpf_xdp_get_buff_len forgets the fragments', 'frags_pass', 'bpf_xdp_get_buff_len', (helper) => (...args) => Math.min(helper(...args), 3520)],
  ])('catches it when %s, and writes a case that shows it', async (_, object, helper, broken) => {
    breakHelper(helper, broken);
    const report = unwrap(await runDifferential(optionsFor(kernel, { objects: folderWith(object), cases: 1000 })));
    expect(isEqual(report)).toBe(false);

    const found = report.programs.flatMap(({ differences }) => differences);
    expect(found.length).toBeGreaterThan(0);
    for (const { signature, reproducer } of found) {
      expect(signature).not.toBe('');
      expect(reproducer.shows, reproducer.path).toBe(true);
      const files = unwrap(openCaseFiles([reproducer.path]));
      expect(unwrap(runCaseFiles(files, new SimulatorBackend()))).toMatchObject({ passed: 0, failed: 1 });
      expect(unwrap(runCaseFiles(files, new KernelBackend(kernel)))).toMatchObject({ passed: 1, failed: 0 });
    }
    // The helper in order again, the same cases pass in the simulator too.
    vi.restoreAllMocks();
    const files = unwrap(openCaseFiles(found.map(({ reproducer }) => reproducer.path)));
    expect(unwrap(runCaseFiles(files, new SimulatorBackend()))).toMatchObject({ passed: found.length, failed: 0 });
  });

  it('finds the case that made a map wrong, and makes it small', async () => {
    // A wrong value in the map alone: the verdict is right, and only the comparison of the maps after a batch can tell.
    breakHelper('bpf_map_update_elem', (helper, { memory }) => (map, key, value, ...rest) => {
      if (memory.u8[key + 3] === 2) memory.u8[value] ^= 0x80;
      return helper(map, key, value, ...rest);
    });
    const report = unwrap(await runDifferential(optionsFor(kernel, { objects: folderWith('count_hash'), cases: 1000 })));
    const [difference] = report.programs[0].differences;
    expect(difference.signature).toBe('maps.packets_by_source');
    expect(difference.parts).toHaveLength(1);
    expect(difference.parts[0].part).toMatch(/^maps\.packets_by_source\[[0-9a-f]{6}02\]$/);
    const [testCase] = unwrap(openCaseFiles([difference.reproducer.path]))[0].file.cases;
    // Ethernet and IPv4 header, and nothing set but the EtherType, version and length, and the last byte of the source address.
    expect(testCase.data_in).toMatch(/^(00){12}080045(00){14}02(00){4}$/);
    expect(testCase.maps).toBeUndefined();
  });

  it('gives maps a size that the object leaves to its user space, and the case file the same', async () => {
    breakHelper('bpf_redirect_map', () => () => 3);
    copyFileSync('test/replay/objects/user_sized.o', join(directory, 'user_sized.o'));
    const report = unwrap(await runDifferential(optionsFor(kernel, { objects: directory, cases: 100 })));
    const [{ reproducer }] = report.programs[0].differences;
    expect(reproducer.shows).toBe(true);
    const files = unwrap(openCaseFiles([reproducer.path]));
    expect(files[0].file.map_sizes).toEqual({ packets_by_queue: 16, cpus: 16 });
    expect(unwrap(runCaseFiles(files, new KernelBackend(kernel)))).toMatchObject({ passed: 1, failed: 0 });
    expect(reportText(report, 0)).toContain('user_sized.o cpus: max_entries: the object leaves it to its user space; both sides get 16');
  });

  it('takes a folder of foreign objects as it is', async () => {
    const report = unwrap(await runDifferential(optionsFor(kernel, { objects: 'test/vm/loader/objects', cases: 2000 })));
    expect(isEqual(report), reportText(report, 0)).toBe(true);
    const statusOf = (program: string) => report.notCompared.find((each) => each.program === program);
    expect(statusOf('kfunc')).toMatchObject({ status: 'refused by the kernel', reason: expect.stringContaining('bpf_xdp_metadata_rx_*') });
    expect(statusOf('recursive')).toMatchObject({ status: 'refused by the kernel', reason: expect.stringContaining('call stack') });
    expect(report.programs.length).toBeGreaterThan(10);

    const bad = unwrap(await runDifferential(optionsFor(kernel, { objects: 'fixtures/bad', cases: 100 })));
    expect(bad.programs).toEqual([]);
    expect(bad.notCompared.map(({ object, status }) => `${object}: ${status}`)).toEqual([
      'big_endian.o: unreadable',
      'no_xdp.o: no XDP program',
      'x86_64.o: unreadable',
      'unsupported_helper.o: refused by the kernel',
      'unsupported_map.o: refused by the kernel',
    ]);
  });

  it('ends when it is told to', async () => {
    let turns = 0;
    const report = unwrap(await runDifferential(optionsFor(kernel, { cases: Infinity, shouldStop: () => turns++ === 3 })));
    expect(report.programs).toHaveLength(3);
  });
});

withKernel('npm run differential', () => {
  async function command(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    let [out, err, now] = ['', '', 0];
    const code = await differentialCommand(args, {
      out: { write: (text) => (out += text) },
      err: { write: (text) => (err += text) },
      nowMs: () => (now += 5_000),
      onInterrupt: () => {},
    });
    return { code, out, err };
  }

  it('ends with 0 and a report when both agree', async () => {
    const { code, out, err } = await command('--objects', folderWith('reflector'), '--cases', '1000', '--seed', '5');
    expect(code).toBe(0);
    expect(out).toMatch(/^differential run: seed 5/);
    expect(out).toMatch(/^reflector\.o +reflector +1000 +equal$/m);
    expect(out).toMatch(/1 programs, 1000 cases, seed 5, .*: no difference\n$/);
    expect(err).toMatch(/^\d+ cases, 1 programs, 0 differences/);
  });

  it('ends with 1 and names the case file when they differ', async () => {
    breakHelper('bpf_redirect', () => () => 3);
    const out = join(directory, 'found');
    const result = await command('--objects', folderWith('redirect_self'), '--cases', '50', '--out', out);
    expect(result.code).toBe(1);
    expect(result.out).toContain('retval: kernel 4, simulator 3');
    expect(readdirSync(out)).toEqual(['redirect_self-redirect_self-retval.json']);
    expect(result.out).toContain(`reproducer: ${join(out, 'redirect_self-redirect_self-retval.json')}\n`);
  });

  it('stops after the minutes that it was given', async () => {
    const { code, out } = await command('--objects', folderWith('reflector'), '--minutes', '1');
    expect(code).toBe(0);
    expect(out).toMatch(/no difference\n$/);
  });

  it.each([
    [['--cases', 'many'], '--cases many is no number of cases'],
    [['--cases', ''], '--cases  is no number of cases'],
    [['--minutes', '0'], '--minutes 0 is no time'],
    [['--seed', '-1'], "'--seed"],
    [['--seed', '4294967296'], '--seed 4294967296 is not from 0 to 2^32 - 1'],
    [['--object', 'x'], "Unknown option '--object'"],
    [['--objects', '/nonexistent'], "/nonexistent: can't be searched"],
    [['--captures', 'fixtures/programs/dnat'], 'there is no packet in this folder'],
    [['--objects', 'fixtures/programs/dnat', '--captures', 'fixtures/bad'], 'fixtures/bad'],
  ])('refuses %j with 2 and one line', async (args, message) => {
    const { code, err } = await command(...args);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });
});

describe('cases', () => {
  const packets = unwrap(readPackets('fixtures/pcaps'));

  it('are the same for the same seed, and others for another', () => {
    const cases = (seed: number) => drawCases(packets, 0, 200, new Draw(seed, makeNoise(1))).map(({ input, mutations }) => ({ ...input, data: toHex(input.data), mutations }));
    expect(cases(1)).toEqual(cases(1));
    expect(cases(1)).not.toEqual(cases(2));
  });

  it('hold every packet as it is, and mutations of every length and every kind', () => {
    const cases = drawCases(packets, 0, 40_000, new Draw(1, makeNoise(1)));
    const untouched = new Set(cases.filter(({ mutations }) => mutations.length === 0).map(({ input }) => input.data));
    expect(packets.every(({ data }) => untouched.has(data))).toBe(true);

    const lengths = cases.map(({ input }) => input.data.length - (input.metaBytes ?? 0));
    expect(Math.min(...lengths)).toBe(0);
    expect(Math.max(...lengths)).toBeGreaterThanOrEqual(9000);
    for (const edge of [13, 14, 60, 1514, 3520, 3521]) expect(lengths).toContain(edge);
    const metadata = new Set(cases.map(({ input }) => input.metaBytes ?? 0));
    for (let bytes = 0; bytes <= 216; bytes += 4) expect(metadata).toContain(bytes);
    for (const isRefused of [(bytes: number) => bytes % 4 !== 0, (bytes: number) => bytes > 216]) expect([...metadata].some(isRefused)).toBe(true);
    expect(Math.max(...metadata)).toBeLessThanOrEqual(252);
    expect(new Set(cases.map(({ input }) => input.repeat))).toEqual(new Set([undefined, 0, 1, 2, 3]));
    expect(cases.some(({ input: { dataSizeOut, data } }) => dataSizeOut !== undefined && dataSizeOut < data.length)).toBe(true);
    expect(cases.some(({ input: { dataEnd, data } }) => dataEnd !== undefined && dataEnd < data.length)).toBe(true);
    expect(cases.some(({ input: { dataEnd, data } }) => dataEnd !== undefined && dataEnd > data.length)).toBe(true);
  });

  it('do not change the packets that they are made from', () => {
    const before = packets.map(({ data }) => toHex(data));
    drawCases(packets, 0, 5000, new Draw(3, makeNoise(3)));
    expect(packets.map(({ data }) => toHex(data))).toEqual(before);
  });
});

describe('shrink', () => {
  it('leaves what the difference needs, and nothing else', () => {
    const state = {
      maps: { needed: [1, 2, 3, 4, 5].map((i) => ({ key: `0${i}`, value: 'ff' })), other: [{ key: '00', value: '00' }] },
      globals: { on: true, off: false },
    };
    const data = Uint8Array.from({ length: 200 }, (_, i) => i + 1);
    const small = shrink(state, { data, metaBytes: 8, dataEnd: 100, repeat: 3, ingressIfindex: 1, dataSizeOut: 50 }, (candidate, input) => {
      const hasState = candidate.globals.on === true && (candidate.maps.needed ?? []).some(({ key }) => key === '04');
      return hasState && input.metaBytes === 8 && input.data[28] === 29;
    });
    expect(small.state).toEqual({ maps: { needed: [{ key: '04', value: 'ff' }] }, globals: { on: true } });
    expect(toHex(small.input.data)).toBe(`${'00'.repeat(28)}1d`);
    expect(small.input).toEqual({ data: small.input.data, metaBytes: 8 });
  });
});
