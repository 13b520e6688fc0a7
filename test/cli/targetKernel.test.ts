import { existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import type { InspectReport } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

// The kernel that an object is loaded for, as people name it: --btf and --kconfig (docs/core.md).

const folder = temporaryFolder();
const OBJECTS = 'test/vm/loader/objects';
const VMLINUX = '/sys/kernel/btf/vmlinux';
const PCAP = 'fixtures/pcaps/dns.pcap';

async function sim(...argv: readonly string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  const exitCode = await runCommandLine(argv, terminal);
  return { exitCode, out, err };
}

async function inspect(...argv: readonly string[]): Promise<InspectReport> {
  return JSON.parse((await sim('inspect', ...argv, '--json')).out) as InspectReport;
}

const problemOf = (report: InspectReport, name: string): string | undefined => report.programs.find((program) => program.name === name)!.problem?.code;

describe('--kconfig', () => {
  const config = folder.write('config', 'CONFIG_NO_SUCH_OPTION=2\nCONFIG_HZ=1\n');

  it('gives values to variables', async () => {
    const without = await inspect(`${OBJECTS}/externs_bad.o`);
    const given = await inspect(`${OBJECTS}/externs_bad.o`, '--kconfig', config);
    expect([problemOf(without, 'strong_config'), problemOf(given, 'strong_config')]).toEqual(['unknown-kconfig', undefined]);
    expect([problemOf(without, 'wrong_value'), problemOf(given, 'wrong_value')]).toEqual(['kconfig-bad-value', undefined]);
    expect(given.globals).toContainEqual({ name: 'CONFIG_NO_SUCH_OPTION', section: '.kconfig', offset: expect.any(Number), size: 4, type: 'int', value: 2, value_omitted: false });
  });

  it('may be gzipped', async () => {
    const zipped = folder.write('config.gz', gzipSync('CONFIG_NO_SUCH_OPTION=2\n'));
    expect(problemOf(await inspect(`${OBJECTS}/externs_bad.o`, '--kconfig', zipped), 'strong_config')).toBeUndefined();
  });

  it.each([
    ['no file', () => folder.at('none'), /none: can't be read: there is no such file or directory; give a kernel configuration/],
    ['no configuration', () => 'package.json', /package\.json: it sets no option of a kernel; give a kernel configuration/],
    ['damaged gzip', () => folder.write('bad.gz', gzipSync('CONFIG_HZ=1\n').subarray(0, 20)), /bad\.gz: can't be read/],
  ])('%s', async (_what, path, says) => {
    const { exitCode, err } = await sim('inspect', `${OBJECTS}/externs.o`, '--kconfig', path());
    expect({ exitCode, err }).toEqual({ exitCode: 2, err: expect.stringMatching(says) });
  });
});

describe('--btf', () => {
  it.each([
    ['no file', () => folder.at('none'), /none: can't be read: there is no such file or directory; give BTF such as/],
    ['no BTF', () => 'package.json', /package\.json, byte 0: the BTF magic 0xeb9f is missing/],
    ['a directory', () => 'src', /src: this is no regular file/],
  ])('%s', async (_what, path, says) => {
    const { exitCode, err } = await sim('run', 'fixtures/programs/core_fields/core_fields.o', '--pcap', PCAP, '--btf', path());
    expect({ exitCode, err }).toEqual({ exitCode: 2, err: expect.stringMatching(says) });
  });

  it('reads the section .BTF of an ELF file', async () => {
    // The object's own types as the kernel's: what it asks for is there, and where it says.
    const report = await inspect(`${OBJECTS}/core.o`, '--btf', `${OBJECTS}/core.o`);
    expect(report.programs.map(({ problem }) => problem)).toEqual(report.programs.map(() => null));
  });

  it.skipIf(!existsSync(VMLINUX))('answers what the built-in types can not', async () => {
    expect(problemOf(await inspect(`${OBJECTS}/core.o`), 'fields')).toBe('unsupported-core-type');
    const report = await inspect(`${OBJECTS}/core.o`, '--btf', VMLINUX);
    expect(report.programs.map(({ name, problem }) => [name, problem])).toEqual(report.programs.map(({ name }) => [name, null]));
    const { poisoned } = report.programs.find(({ name }) => name === 'accesses')!;
    expect(poisoned.map(({ message }) => message)).toEqual([
      `CO-RE: field struct sk_buff___gone.no_such_field does not exist in ${VMLINUX}`,
      `CO-RE: the field has a width of 4 instead of 8 bytes in ${VMLINUX}, and only pointers and unsigned integers can follow`,
      `CO-RE: the field has a width of 1 instead of 4 bytes in ${VMLINUX}, and only pointers and unsigned integers can follow`,
    ]);
  });
});

describe('sim inspect names', () => {
  it('instructions that must not be reached, and no helper for them', async () => {
    const { out } = await sim('inspect', 'fixtures/programs/core_exists/core_exists.o');
    expect(out).toContain('must not reach  insn 28 (CO-RE: field struct iphdr___never.no_such_field does not exist in the built-in kernel types)');
    expect(out).toContain('helpers         bpf_map_lookup_elem (10 calls)\n');
  });

  it('kernel functions', async () => {
    expect((await sim('inspect', `${OBJECTS}/externs_bad.o`)).out).toMatch(/ {2}kernel functions {2}bpf_rcu_read_lock.*, bpf_rcu_read_unlock/);
  });

  it('pointers in data', async () => {
    const { out } = await sim('inspect', `${OBJECTS}/constants.o`);
    expect(out).toMatch(/Warnings\n {2}.*constants\.o, section \.data\.rel\.ro, byte \d+: the data holds \d+ pointers.* which nobody relocates.*; keep an array and an index instead of a pointer\n/);
  });

  it('an extension, and why it can not run alone', async () => {
    const { out } = await sim('inspect', `${OBJECTS}/freplace.o`);
    expect(out).toContain("freplace.o, program replacement: section freplace/prog0 holds an extension (BPF_PROG_TYPE_EXT): it takes the place of a function of a program that is loaded already, and can't run alone");
  });
});
