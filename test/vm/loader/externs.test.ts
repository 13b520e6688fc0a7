import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import { loadIntoKernel, testRun } from '../../../src/replay/index.js';
import { formatValue } from '../../../src/vm/btf/btfFormat.js';
import { loadKernelConfig, parseKernelConfig } from '../../../src/vm/loader/kernelConfig.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { LoadObjectOptions } from '../../../src/vm/loader/loadObject.js';
import type { ObjectSpec } from '../../../src/vm/spec.js';
import { kernelOracle, withKernel } from '../../support/kernelOracle.js';
import { TestMachine } from '../support/differential.js';
import { loadOwn, programNamed } from './support.js';

// What the kernel is to provide: .kconfig variables, kernel functions, kernel symbols.

const frame = new Uint8Array(64);
const externs = (options: LoadObjectOptions = {}): ObjectSpec => unwrap(loadObjectBytes(readFileSync('test/vm/loader/objects/externs.o'), 'externs.o', options));

/** The variable `seen` after a run in the simulator. */
function seenHere(object: ObjectSpec): unknown {
  const machine = new TestMachine(object);
  expect(machine.run({ data: frame }, 'read_config')).toMatchObject({ fault: undefined, retval: 2 });
  return unwrap(machine.loaded.readVariable('seen'));
}

const DEFAULTS = {
  page_shift: 12, version: 0x61200, hz: 250, max_frags: 17, has_cookie: 1, has_nothing: 0, bpf_syscall: 1, jit: 1, smp: 121, missing: 0, text: '',
};

const GIVEN = parseKernelConfig(`
# CONFIG_BPF_JIT is not set
CONFIG_HZ=0x3e8
CONFIG_HZ=100
CONFIG_BPF_JIT=n
CONFIG_BPF_SYSCALL=m
CONFIG_SMP=7
CONFIG_PAGE_SHIFT=18446744073709551615
CONFIG_MAX_SKB_FRAGS=-17
CONFIG_CC_VERSION_TEXT="a compiler"
`);
const SEEN_GIVEN = {
  ...DEFAULTS, page_shift: '18446744073709551615', hz: 1000, max_frags: 4294967279, bpf_syscall: 2, jit: 0, smp: 7, text: 'a compi',
};

describe('.kconfig', () => {
  test('is a read-only map, laid out as libbpf does: strictest alignment, then smallest, then by name', () => {
    const object = externs();
    expect(object.maps.find(({ name }) => name === '.kconfig')).toMatchObject({ type: 2, keySize: 4, valueSize: 38, maxEntries: 1, flags: 0x480, dataSection: '.kconfig' });
    expect(object.variables.filter(({ map }) => map === '.kconfig').map(({ name, offBytes, sizeBytes }) => [name, offBytes, sizeBytes])).toEqual([
      ['CONFIG_PAGE_SHIFT', 0, 8],
      ['CONFIG_BPF_SYSCALL', 8, 4],
      ['CONFIG_HZ', 12, 4],
      ['CONFIG_NO_SUCH_OPTION', 16, 4],
      ['LINUX_KERNEL_VERSION', 20, 4],
      ['CONFIG_MAX_SKB_FRAGS', 24, 2],
      ['CONFIG_BPF_JIT', 26, 1],
      ['CONFIG_SMP', 27, 1],
      ['LINUX_HAS_BPF_COOKIE', 28, 1],
      ['LINUX_HAS_NOTHING', 29, 1],
      ['CONFIG_CC_VERSION_TEXT', 30, 8],
    ]);
  });

  test('has built-in values', () => expect(seenHere(externs())).toEqual(DEFAULTS));

  test('has the values of a configuration', () => expect(seenHere(externs({ kconfig: GIVEN }))).toEqual(SEEN_GIVEN));

  test('can be set like other variables', () => {
    const machine = new TestMachine(externs());
    unwrap(machine.loaded.setVariable('CONFIG_HZ', '300'));
    unwrap(machine.loaded.setVariable('CONFIG_BPF_SYSCALL', 'TRI_MODULE'));
    machine.run({ data: frame }, 'read_config');
    expect(unwrap(machine.loaded.readVariable('seen'))).toEqual({ ...DEFAULTS, hz: 300, bpf_syscall: 2 });
  });

  test.each([
    ['CONFIG_HZ=4294967296', /kconfig-bad-value: .*'read_config' reads CONFIG_HZ of the kernel's configuration as unsigned int, but its value is 4294967296/],
    ['CONFIG_HZ=y', /kconfig-bad-value: .*its value is y/],
    ['CONFIG_BPF_JIT=m', /kconfig-bad-value: .*CONFIG_BPF_JIT .*its value is m/],
    ['CONFIG_SMP="y"', /kconfig-bad-value: .*CONFIG_SMP/],
    ['CONFIG_MAX_SKB_FRAGS=32768', /kconfig-bad-value: .*CONFIG_MAX_SKB_FRAGS/],
    ['CONFIG_CC_VERSION_TEXT="open', /kconfig-bad-value: .*CONFIG_CC_VERSION_TEXT/],
    ['CONFIG_PAGE_SHIFT=0x10000000000000000', /kconfig-bad-value: .*CONFIG_PAGE_SHIFT/],
    ['CONFIG_PAGE_SHIFT=12 pages', /kconfig-bad-value: .*CONFIG_PAGE_SHIFT/],
  ])('%s doesn\'t go with the type', (line, expected) => {
    const good = 'CONFIG_HZ=1\nCONFIG_BPF_JIT=y\nCONFIG_SMP=y\nCONFIG_BPF_SYSCALL=y\nCONFIG_PAGE_SHIFT=12\n';
    const { problem } = programNamed(externs({ kconfig: parseKernelConfig(`${line}\n${good}`) }), 'read_config');
    expect(`${problem!.code}: ${formatProblem(problem!)}`).toMatch(expected);
  });

  test('files may be gzipped; those that are none are refused', () => {
    expect(loadKernelConfig('package.json')).toMatchObject({ ok: false, problem: { code: 'kconfig-empty' } });
    // Reading it went on for ever.
    expect(loadKernelConfig('/dev/zero')).toMatchObject({ ok: false, problem: { code: 'file-not-regular', message: 'this is no regular file' } });
    expect(loadKernelConfig('no/such/file')).toMatchObject({ ok: false, problem: { code: 'file-unreadable' } });
  });
});

describe('what nobody provides', () => {
  const object = loadOwn('externs_bad');

  test.each([
    ['strong_config', /^unknown-kconfig: .*externs_bad\.c:25.*'strong_config' reads CONFIG_NO_SUCH_OPTION of the kernel's configuration, which is not known or not set; give the kernel's configuration: --kconfig/],
    ['strong_virtual', /^unknown-kconfig: .*LINUX_HAS_NOTHING .*; the virtual externs are LINUX_KERNEL_VERSION/],
    ['wrong_value', /^kconfig-bad-value: .*CONFIG_HZ .* as _Bool, but its value is 250/],
    ['wrong_type', /^kconfig-bad-type: .*CONFIG_NR_CPUS .* as double/],
    ['strong_symbol', /^unsupported-ksym: .*'strong_symbol' refers to the kernel symbol runqueues/],
  ])('%s', (name, expected) => {
    const { problem } = programNamed(object, name);
    expect(`${problem!.code}: ${formatProblem(problem!)}`).toMatch(expected);
  });

  test.each([['fine', 2], ['weak_symbol', 2], ['weak_kfunc', 3], ['known_kfunc', 2]])('%s runs and returns %i', (name, retval) => {
    expect(new TestMachine({ ...object, programs: [programNamed(object, name)] }).run({ data: frame }, name)).toMatchObject({ fault: undefined, retval });
  });

  test('addresses of kernel functions are listed by name', () => {
    expect(programNamed(object, 'weak_kfunc')).toMatchObject({
      kfuncs: [{ insnIndex: 4, name: 'bpf_no_such_kfunc', isWeak: true }],
      kfuncAddresses: [{ insnIndex: 1, name: 'bpf_no_such_kfunc', isWeak: true }],
    });
  });

  test('a call that must not be reached says which function is missing', () => {
    const program = programNamed(object, 'weak_kfunc');
    const insns = program.insns.slice();
    insns.fill(0, 1 * 8 + 4, 1 * 8 + 8);
    insns[1 * 8 + 4] = 1; // as if the function existed
    const machine = new TestMachine({ ...object, programs: [{ ...program, insns }] });
    expect(machine.run({ data: frame }, 'weak_kfunc').fault?.message).toMatch(/externs_bad\.c:\d+: kernel function bpf_no_such_kfunc is not there: ask bpf_ksym_exists\(bpf_no_such_kfunc\) before the call/);
  });
});

const CONFIG = '/proc/config.gz';
const hasLibbpf = kernelOracle !== undefined && existsSync(CONFIG) && spawnSync('bpftool', ['version']).status === 0;
if (!hasLibbpf) console.warn('SKIPPED, .kconfig not compared with libbpf: needs root, bpftool and /proc/config.gz');

test.skipIf(!hasLibbpf)('.kconfig has the bytes that libbpf gives it for the running kernel', () => {
  const pin = `/sys/fs/bpf/xdp-sim-kconfig-test-${process.pid}`;
  try {
    expect(spawnSync('bpftool', ['prog', 'loadall', 'test/vm/loader/objects/externs.o', pin, 'pinmaps', `${pin}/maps`]).status).toBe(0);
    const dump = spawnSync('bpftool', ['-j', 'map', 'dump', 'pinned', `${pin}/maps/externs_kconfig`], { encoding: 'utf8' });
    const theirs = (JSON.parse(dump.stdout) as { value: string[] }[])[0]!.value.map(Number);
    const ours = [...externs({ kconfig: unwrap(loadKernelConfig(CONFIG)) }).maps.find(({ name }) => name === '.kconfig')!.initialValue!];
    // LINUX_KERNEL_VERSION: the simulated kernel has one of its own.
    theirs.splice(20, 4);
    ours.splice(20, 4);
    expect(ours).toEqual(theirs);
  } finally {
    rmSync(pin, { recursive: true, force: true });
  }
});

withKernel('in the running kernel', (kernel) => {
  test.each([['built-in values', {}, DEFAULTS], ['given values', { kconfig: GIVEN }, SEEN_GIVEN]])('.kconfig: %s', (_what, options: LoadObjectOptions, expected) => {
    const object = externs(options);
    using program = unwrap(loadIntoKernel(kernel, object, 'read_config'));
    expect(testRun(program, { data: frame }).retval).toBe(2);
    const variable = object.variables.find(({ name }) => name === 'seen')!;
    expect(formatValue(object.btf, variable.typeId, unwrap(program.object.readVariable('seen')))).toEqual(expected);
    expect(program.object.btf!.problem).toBeUndefined();
  });

  test.each([['fine', 2], ['weak_symbol', 2], ['weak_kfunc', 3], ['known_kfunc', 2]])('%s returns %i', (name, retval) => {
    using program = unwrap(loadIntoKernel(kernel, loadOwn('externs_bad'), name));
    expect(testRun(program, { data: frame }).retval).toBe(retval);
  });

  test('a kernel function that the kernel has not', () => {
    const { programs, ...object } = loadOwn('externs_bad');
    const missing = { insnIndex: 4, name: 'bpf_no_such_kfunc', isWeak: false };
    const strong = programs.map((program) => (program.name === 'weak_kfunc' ? { ...program, kfuncs: [missing] } : program));
    expect(loadIntoKernel(kernel, { ...object, programs: strong }, 'weak_kfunc')).toMatchObject({
      ok: false, problem: { code: 'kernel-kfunc-missing', message: 'the running kernel has no function bpf_no_such_kfunc' },
    });
  });
});
