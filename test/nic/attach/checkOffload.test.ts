import { describe, expect, it } from 'vitest';
import { checkAttach, checkOffload, findProfile, NFP_FIRMWARE, OFFLOAD_RULES } from '../../../src/nic/index.js';
import type { MapSpec } from '../../../src/vm/index.js';
import { fixtureObjects } from '../../support/fixtures.js';
import { fixture, nicSettings, simulationOf } from '../../support/simulate.js';
import { xdpProgram } from '../../support/xdpProgram.js';

const array: MapSpec = { name: 'm', type: 2, keySize: 4, valueSize: 8, maxEntries: 16, flags: 0, keyTypeId: 0, valueTypeId: 0, dataSection: undefined, initialValue: undefined, initialPrograms: [] };

/** Looks up key 0 and leaves the address of its value in r0, behind a check for NULL. */
const LOOK_UP = `
  *(u32 *)(r10 - 4) = 0
  r1 = map m
  r2 = r10
  r2 += -4
  call 1
  if r0 != 0 goto pc+2
  r0 = 2
  exit`;

/** Code of the first rule that refuses; `undefined` when the device takes the program. */
function refusalOf(text: string, map: Partial<MapSpec> = {}, mtu = 1500) {
  const spec = xdpProgram(text, { maps: [{ ...array, ...map }] });
  return checkOffload(spec.programs[0]!, spec.maps, NFP_FIRMWARE, mtu, 'program main on NIC nfp');
}

const { globals, mapType, mapFlags, entries, element, insn, helper, atomic, mapWrite, mapOffset, stackOffset, context, reach, length } = OFFLOAD_RULES;
const NOTHING = 'r0 = 2\nexit';
const USES_MAP = `r1 = map m\n${NOTHING}`;

describe('what the device takes and refuses', () => {
  const cases: readonly [string, string, Partial<MapSpec>, { code: string; errno: number } | undefined][] = [
    ['a program that does nothing', NOTHING, {}, undefined],
    ['an array', USES_MAP, {}, undefined],
    ['a hash', USES_MAP, { type: 1 }, undefined],
    ['a map that the program does not use', NOTHING, { type: 9 }, undefined],
    ['an array that stays with the host', USES_MAP, { type: 4, valueSize: 4 }, undefined],
    ['an LRU_HASH', USES_MAP, { type: 9 }, mapType],
    ['a PERCPU_ARRAY', USES_MAP, { type: 6 }, mapType],
    ['an XSKMAP', USES_MAP, { type: 17, valueSize: 4 }, mapType],
    ['a PROG_ARRAY', USES_MAP, { type: 3, valueSize: 4 }, mapType],
    ['flags', USES_MAP, { type: 1, flags: 1 }, mapFlags],
    ['global variables', USES_MAP, { dataSection: '.bss', flags: 1024 }, globals],
    ['entries that fit', USES_MAP, { keySize: 8, valueSize: 56 }, undefined],
    ['entries that don\'t', USES_MAP, { keySize: 8, valueSize: 57 }, element],
    ['as many entries as there may be', USES_MAP, { maxEntries: 3_072_000 }, undefined],
    ['one more', USES_MAP, { maxEntries: 3_072_001 }, entries],
    ['bpf_get_prandom_u32', `call 7\n${NOTHING}`, {}, undefined],
    ['bpf_ktime_get_ns', `call 5\n${NOTHING}`, {}, helper],
    ['bpf_redirect', 'r1 = 1\nr2 = 0\ncall 23\nexit', {}, helper],
    ['bpf_xdp_adjust_meta', `r2 = -4\ncall 54\n${NOTHING}`, {}, helper],
    ['a remainder', `r0 = 7\nr0 %= 3\n${NOTHING}`, {}, insn],
    ['a quotient by a constant', `r0 = 7\nr0 /= 3\n${NOTHING}`, {}, undefined],
    ['a quotient by a variable', `r0 = 7\nr1 = 3\nr0 /= r1\n${NOTHING}`, {}, insn],
    ['a sign-extending move', `r1 = 7\nr0 = (s8)r1\n${NOTHING}`, {}, insn],
    ['a read of a map value', `${LOOK_UP}\nr1 = *(u64 *)(r0 + 0)\n${NOTHING}`, {}, undefined],
    ['a write to it', `${LOOK_UP}\n*(u64 *)(r0 + 0) = 1\n${NOTHING}`, {}, mapWrite],
    ['an addition to it', `${LOOK_UP}\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\n${NOTHING}`, {}, undefined],
    ['an addition that fetches', `${LOOK_UP}\nr1 = 1\nr1 = atomic64_fetch_add((u64 *)(r0 + 0), r1)\n${NOTHING}`, {}, atomic],
    ['another atomic operation', `${LOOK_UP}\nr1 = 1\nlock *(u64 *)(r0 + 0) |= r1\n${NOTHING}`, {}, atomic],
    ['an addition on the stack', `*(u64 *)(r10 - 8) = 0\nr1 = 1\nlock *(u64 *)(r10 - 8) += r1\n${NOTHING}`, {}, atomic],
    ['an offset in a map value that varies', `r6 = r1\n${LOOK_UP}\nr7 = r0\ncall 7\nr0 &= 7\nr7 += r0\nr1 = *(u8 *)(r7 + 0)\n${NOTHING}`, { valueSize: 32 }, mapOffset],
    ['an offset on the stack that varies', `*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\ncall 7\nr0 &= 15\nr1 = r10\nr1 += -16\nr1 += r0\nr2 = *(u8 *)(r1 + 0)\n${NOTHING}`, {}, stackOffset],
    ['data and data_end', `r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\n${NOTHING}`, {}, undefined],
    ['data_meta', `r2 = *(u32 *)(r1 + 8)\n${NOTHING}`, {}, context],
    ['rx_queue_index', `r2 = *(u32 *)(r1 + 16)\n${NOTHING}`, {}, context],
    ['a long program', `${'r0 = 1\n'.repeat(8191)}exit`, {}, undefined],
    ['a longer one', `${'r0 = 1\n'.repeat(8192)}exit`, {}, length],
  ];
  it.each(cases)('%s', (_, text, map, rule) => {
    const problem = refusalOf(text, map);
    expect(problem && { code: problem.code, errno: problem.errno }).toEqual(rule && { code: rule.code, errno: rule.errno });
  });

  it('a packet beyond what the core holds, where the MTU lets such in', () => {
    const text = (off: number) => `r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += ${off + 1}\nif r4 > r3 goto pc+1\nr5 = *(u8 *)(r2 + ${off})\n${NOTHING}`;
    expect(refusalOf(text(2015), {}, 9000)).toBeUndefined();
    expect(refusalOf(text(2016), {}, 2016)).toBeUndefined();
    expect(refusalOf(text(2016), {}, 9000)?.code).toBe(reach.code);
  });

  it('names the instruction and its line', () => {
    const spec = fixture('rx_hints');
    const problem = checkOffload(spec.programs[0]!, spec.maps, NFP_FIRMWARE, 1500, 'program rx_hints on NIC nfp');
    expect(problem).toMatchObject({ code: 'offload-map-write', where: expect.stringMatching(/^program rx_hints on NIC nfp, insn \d+ \(.*rx_hints\.c:\d+\)$/) });
  });
});

describe('the objects of this repository', () => {
  it('come out as they would', () => {
    const outcomes = fixtureObjects().flatMap(({ spec }) => spec.programs.filter(({ type, problem }) => type === 'xdp' && problem === undefined).map((program) => [
      program.name, checkOffload(program, spec.maps, NFP_FIRMWARE, 1500, '')?.code,
    ] as const));
    const taken = outcomes.filter(([, code]) => code === undefined).map(([name]) => name);
    expect(taken).toEqual(expect.arrayContaining(['aborter', 'adjust_tail', 'count_hash', 'drop_udp', 'reflector', 'return_77', 'subprogs']));
    expect(Object.fromEntries(outcomes)).toMatchObject({
      redirect_self: 'offload-helper', xsk_redirect: 'offload-map-type', switch_drop: 'offload-globals', iter_num: 'offload-map-write', timers: 'offload-map-flags', atomics: 'offload-element',
      egress: 'offload-context', loops: 'offload-callback', kfunc_guards: 'offload-kfunc',
    });
  });

  it('a stack larger than the device\'s', () => {
    const spec = fixture('subprogs');
    const firmware = { ...NFP_FIRMWARE, stackBytes: 64 };
    expect(checkOffload(spec.programs[0]!, spec.maps, firmware, 1500, '')).toMatchObject({ code: 'offload-stack', message: expect.stringMatching(/^\d+ bytes, 64 at most: /) });
  });
});

it('programs with hints and with frags are refused before the driver sees them', () => {
  const settings = nicSettings({ profile: findProfile('nfp')!, rxRingSize: 512, txRingSize: 512, xdpMode: 'offload' });
  const hints = simulationOf({ object: fixture('rx_hints') }).program;
  const frags = simulationOf({ object: xdpProgram(NOTHING, { frags: true }) }).program;
  expect(checkAttach(settings, hints)).toMatchObject({ code: 'bind-hints-offloaded', errno: 22 });
  expect(checkAttach(settings, frags)).toMatchObject({ code: 'bind-offload-frags', errno: 22 });
});
