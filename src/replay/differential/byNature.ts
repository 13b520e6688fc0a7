import { BPF_CALL, BPF_F_WRONLY, BPF_JMP, BPF_PSEUDO_HELPER, decode, encode, HELPERS, INSN_BYTES, mapTypeName } from '../../vm/index.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../../vm/index.js';
import type { Draw } from './draw.js';

/** A helper whose result can't be equal on two machines. */
interface HelperByNature {
  readonly name: string;
  readonly reason: string;
}

/**
 * Helpers that give every machine another answer. For a differential run each call of them is replaced by a constant, the same on both
 * sides, so that everything which a program makes of the answer is still compared.
 */
const HELPERS_BY_NATURE: readonly HelperByNature[] = [
  { name: 'bpf_ktime_get_ns', reason: 'each machine has its own clock' },
  { name: 'bpf_ktime_get_boot_ns', reason: 'each machine has its own clock' },
  { name: 'bpf_ktime_get_coarse_ns', reason: 'each machine has its own clock' },
  { name: 'bpf_ktime_get_tai_ns', reason: 'each machine has its own clock' },
  { name: 'bpf_jiffies64', reason: 'each machine has its own clock' },
  { name: 'bpf_get_current_pid_tgid', reason: 'each machine has its own tasks' },
  { name: 'bpf_get_current_uid_gid', reason: 'each machine has its own tasks' },
  { name: 'bpf_get_current_cgroup_id', reason: 'each machine has its own tasks' },
  { name: 'bpf_get_current_ancestor_cgroup_id', reason: 'each machine has its own tasks' },
  { name: 'bpf_get_cgroup_classid', reason: 'each machine has its own tasks' },
  { name: 'bpf_timer_init', reason: 'it allocates, which a busy kernel may refuse (ENOMEM)' },
  { name: 'bpf_tcp_gen_syncookie', reason: 'the kernel draws the secrets of its cookies at boot' },
  { name: 'bpf_tcp_raw_gen_syncookie_ipv4', reason: 'the kernel draws the secrets of its cookies at boot' },
  { name: 'bpf_tcp_raw_gen_syncookie_ipv6', reason: 'the kernel draws the secrets of its cookies at boot' },
  { name: 'bpf_get_prandom_u32', reason: 'the kernel has no seed that could be set' },
];

/** How maps are compared whose bytes are numbers of one boot. */
const MAP_TYPES_BY_NATURE: readonly { readonly type: string; readonly compared: 'keys' | 'nothing'; readonly reason: string }[] = [
  { type: 'PROG_ARRAY', compared: 'keys', reason: 'a value is the id of a program, a number of one boot' },
  { type: 'ARRAY_OF_MAPS', compared: 'keys', reason: 'a value is the id of a map, a number of one boot; the maps themselves are compared' },
  { type: 'HASH_OF_MAPS', compared: 'keys', reason: 'a value is the id of a map, a number of one boot; the maps themselves are compared' },
  { type: 'QUEUE', compared: 'nothing', reason: 'the kernel lets user space see only the next value, and lists none (EINVAL); what programs take out is compared' },
  { type: 'STACK', compared: 'nothing', reason: 'the kernel lets user space see only the next value, and lists none (EINVAL); what programs take out is compared' },
  { type: 'DEVMAP', compared: 'keys', reason: 'a value has the id of a program, a number of one boot; no program can change it' },
  { type: 'DEVMAP_HASH', compared: 'keys', reason: 'a value has the id of a program, a number of one boot; no program can change it' },
  { type: 'CPUMAP', compared: 'keys', reason: 'a value has the id of a program, a number of one boot; no program can change it' },
  { type: 'RINGBUF', compared: 'nothing', reason: 'it has no entries, and nobody reads on either side; what programs learn of its positions is compared' },
  { type: 'USER_RINGBUF', compared: 'nothing', reason: 'it has no entries, and nobody produces on either side' },
  { type: 'PERF_EVENT_ARRAY', compared: 'nothing', reason: 'it has no entries; no event is open on either side' },
  { type: 'XSKMAP', compared: 'nothing', reason: 'the kernel lets nobody read it (EOPNOTSUPP), and no program can change it' },
];

const WRITE_ONLY = { compared: 'nothing', reason: 'BPF_F_WRONLY: user space may not read it' } as const;

/** What BPF_PROG_TEST_RUN tells that has no counterpart, and what is made equal instead of being compared. */
const NOT_COMPARED: readonly { readonly part: string; readonly reason: string }[] = [
  { part: 'duration', reason: 'wall-clock time' },
  { part: 'lines of bpf_trace_printk', reason: 'BPF_PROG_TEST_RUN does not hand them out; the whole machine shares one trace buffer' },
  { part: 'bpf_get_smp_processor_id, per-CPU values', reason: 'compared; this process stays on CPU 0, as the simulated one does' },
];

/** What is not compared of one program or map, and why. */
export interface Exclusion {
  readonly object: string;
  /** A program or a map. */
  readonly subject: string;
  readonly part: string;
  readonly reason: string;
}

/** The rule for a map that isn't compared byte by byte. */
function ruleFor({ type, flags }: MapSpec): { readonly compared: 'keys' | 'nothing'; readonly reason: string } | undefined {
  return (flags & BPF_F_WRONLY) !== 0 ? WRITE_ONLY : MAP_TYPES_BY_NATURE.find((row) => row.type === mapTypeName(type));
}

export function mapCompared(map: MapSpec): 'bytes' | 'keys' | 'nothing' {
  return ruleFor(map)?.compared ?? 'bytes';
}

/** Exclusions that hold for every object. */
export function generalExclusions(): Exclusion[] {
  return NOT_COMPARED.map(({ part, reason }) => ({ object: '*', subject: '*', part, reason }));
}

/** What is not compared of this object's maps, and what both sides get in the place of its user space. */
export function mapExclusions(object: string, { maps }: ObjectSpec, mapSizes: Readonly<Record<string, number>>): Exclusion[] {
  const sized = Object.entries(mapSizes).map(([subject, entries]) => ({
    object, subject, part: 'max_entries', reason: `the object leaves it to its user space; both sides get ${entries}`,
  }));
  const compared = maps.flatMap((map) => {
    const rule = ruleFor(map);
    if (rule === undefined) return [];
    const part = `${rule.compared === 'keys' ? 'values' : 'contents'} of ${mapTypeName(map.type)}`;
    return [{ object, subject: map.name, part, reason: rule.reason }];
  });
  return [...sized, ...compared];
}

/** Calls of helpers by nature in a program, as exclusions. */
export function helperExclusions(object: string, program: ProgramSpec): Exclusion[] {
  const names = new Set(callsByNature(program).map(({ helper }) => helper.name));
  return [...names].map((name) => ({
    object,
    subject: program.name,
    part: `result of ${name}`,
    reason: `${HELPERS_BY_NATURE.find((helper) => helper.name === name)!.reason}; a constant takes its place on both sides`,
  }));
}

interface Call {
  readonly insnIndex: number;
  readonly helper: HelperByNature;
}

function callsByNature({ insns }: ProgramSpec): Call[] {
  const calls: Call[] = [];
  for (let insnIndex = 0; insnIndex < insns.length / INSN_BYTES; insnIndex++) {
    const { opcode, src, imm } = decode(insns, insnIndex);
    if (opcode !== (BPF_JMP | BPF_CALL) || src !== BPF_PSEUDO_HELPER) continue;
    const helper = HELPERS_BY_NATURE.find((row) => row.name === HELPERS[imm]?.name);
    if (helper !== undefined) calls.push({ insnIndex, helper });
  }
  return calls;
}

/** `mov32 r0, imm`: zero-extends. */
const MOV32_R0_IMM = 0xb4;

/** The object with a constant in place of every call of a helper by nature; the object itself when there is none. */
export function freezeHelpers(object: ObjectSpec, draw: Draw): ObjectSpec {
  if (object.programs.every((program) => callsByNature(program).length === 0)) return object;
  const programs = object.programs.map((program) => {
    const insns = program.insns.slice();
    for (const { insnIndex } of callsByNature(program)) {
      encode(insns, insnIndex, { opcode: MOV32_R0_IMM, dst: 0, src: 0, off: 0, imm: draw.below(2 ** 32) | 0 });
    }
    return { ...program, insns };
  });
  return { ...object, programs };
}
