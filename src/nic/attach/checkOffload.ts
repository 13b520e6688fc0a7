import { EINVAL, ENOMEM, EOPNOTSUPP, errnoName } from '../../base/index.js';
import { frameBytes, helperName, immAt, insnsBetween, lineAt, mapTypeName, memoryAccesses, slotCount, stackBytes, targetOf } from '../../vm/index.js';
import type { MapSpec, MemoryAccess, PlacedInsn, ProgramSpec } from '../../vm/index.js';
import type { AttachProblem } from '../../xdp/index.js';
import type { OffloadFirmware } from './offloadFirmware.js';

/** What a program that is to run in the device is refused for; `message` may be followed by what exactly it is. */
export interface OffloadRule {
  readonly code: string;
  readonly errno: number;
  readonly message: string;
  readonly hint: string;
  readonly where: string;
}

/**
 * Why a program can't run in the device, in the order in which kernel and driver look: at its maps (bpf_map_offload_map_alloc, nfp_bpf_map_alloc), at its
 * instructions (nfp_verify_insn), its stack (nfp_bpf_finalize), what the translation can't do (nfp_bpf_jit), and when it is attached
 * (nfp_net_bpf_load).
 */
export const OFFLOAD_RULES = {
  globals: {
    code: 'offload-globals', errno: EINVAL, where: 'nfp_bpf_map_alloc', message: 'global variables lie in arrays with flags (BPF_F_MMAPABLE), and maps in the device take none',
    hint: 'put what the program keeps into an ARRAY map, and constants into macros or enums',
  },
  mapType: { code: 'offload-map-type', errno: EINVAL, where: 'bpf_map_offload_map_alloc', message: 'only ARRAY and HASH maps lie in the device', hint: 'use one of these, or attach the program natively' },
  mapFlags: { code: 'offload-map-flags', errno: EINVAL, where: 'nfp_bpf_map_alloc', message: 'maps in the device take no flags', hint: 'leave map_flags out (BPF_F_NO_PREALLOC and so on)' },
  maps: { code: 'offload-maps', errno: ENOMEM, where: 'nfp_bpf_map_alloc', message: 'the program has more maps than the device takes', hint: 'put several into one' },
  entries: { code: 'offload-entries', errno: ENOMEM, where: 'nfp_bpf_map_alloc', message: 'the maps have more entries than the device has room for', hint: 'make max_entries smaller' },
  element: { code: 'offload-element', errno: ENOMEM, where: 'nfp_bpf_map_alloc', message: 'an entry, key and value rounded up to 8 bytes each, is larger than the device takes', hint: 'make key or value smaller' },
  insn: { code: 'offload-insn', errno: EINVAL, where: 'nfp_verify_insn', message: "the device's instruction set has nothing for it", hint: 'compile with -mcpu=v3, and do without % and division by variables' },
  helper: {
    code: 'offload-helper', errno: EOPNOTSUPP, where: 'nfp_bpf_check_helper_call', message: 'the device has no such helper',
    hint: 'it has bpf_map_lookup_elem, bpf_map_update_elem, bpf_map_delete_elem, bpf_get_prandom_u32, bpf_perf_event_output, bpf_xdp_adjust_head and bpf_xdp_adjust_tail',
  },
  kfunc: { code: 'offload-kfunc', errno: EINVAL, where: 'check_kfunc_call', message: 'kernel functions are in the kernel, not in the device', hint: 'leave the call out' },
  callback: { code: 'offload-callback', errno: EINVAL, where: 'nfp_verify_insn', message: 'the address of a function means nothing in the device', hint: 'write the loop out' },
  atomic: { code: 'offload-atomic', errno: EOPNOTSUPP, where: 'nfp_bpf_check_atomic', message: 'of the atomic operations the device has addition to map values, without fetching the old one', hint: 'use __sync_fetch_and_add and leave its result alone' },
  mapWrite: { code: 'offload-map-write', errno: EOPNOTSUPP, where: 'nfp_bpf_check_ptr', message: 'a program in the device can not write through the address of a map value', hint: 'use bpf_map_update_elem, or __sync_fetch_and_add for counters' },
  mapOffset: { code: 'offload-map-offset', errno: EOPNOTSUPP, where: 'nfp_bpf_map_mark_used', message: 'the offset in a map value must be constant', hint: 'use a switch, or keys instead of offsets' },
  stackOffset: { code: 'offload-stack-offset', errno: EINVAL, where: 'nfp_bpf_check_stack_access', message: 'the offset on the stack must be constant', hint: 'do without arrays on the stack that are indexed by variables' },
  stack: { code: 'offload-stack', errno: EOPNOTSUPP, where: 'nfp_bpf_finalize', message: 'the stack is larger than that of the device', hint: 'move large variables into a map, and make functions __always_inline: each one called costs 8 bytes, and 32 for the registers that it saves' },
  context: { code: 'offload-context', errno: EOPNOTSUPP, where: 'mem_ldx_xdp', message: 'the device knows of struct xdp_md only data and data_end', hint: 'do without data_meta, ingress_ifindex and rx_queue_index' },
  reach: { code: 'offload-reach', errno: EOPNOTSUPP, where: 'nfp_net_bpf_load', message: 'the program may reach beyond the part of a packet that the device holds where programs run', hint: 'use a smaller MTU, or look at the first bytes only' },
  length: { code: 'offload-length', errno: EOPNOTSUPP, where: 'nfp_net_bpf_load', message: 'the program is too long for the device', hint: 'make it shorter' },
} as const satisfies Readonly<Record<string, OffloadRule>>;

/** Operations of the instruction table that the NFP has nothing for; div and mod by a register are looked at apart. */
const MISSING_OPERATIONS: ReadonlySet<string> = new Set(['mod', 'smod', 'sdiv', 'movsx', 'ldsx', 'bswap', 'gotol', 'may_goto', 'load_acquire', 'store_release']);

/** A subprogram's return address, and r6 to r9 where it changes them, bytes. */
const RETURN_ADDRESS_BYTES = 8;
const SAVED_REGISTERS_BYTES = 32;

/**
 * Whether kernel and driver load a program for the device and the device takes it. What the model doesn't know (bounds of factors and dividends, how a word of a map value is used
 * by others) it lets pass; programs that the driver's verifier refuses for that are accepted here.
 *
 * @param maps of the program's object
 * @param where `program NAME on DEV`
 */
export function checkOffload(program: ProgramSpec, maps: readonly MapSpec[], firmware: OffloadFirmware, mtu: number, where: string): AttachProblem | undefined {
  const refuse = (rule: OffloadRule, detail = '', insnIndex?: number): AttachProblem => ({
    code: rule.code, errno: rule.errno, kernelSays: '', hint: rule.hint,
    where: insnIndex === undefined ? where : `${where}, ${placeOf(program, insnIndex)}`,
    message: `${detail === '' ? '' : `${detail}: `}${rule.message} (${errnoName(rule.errno)})`,
  });
  const accesses = memoryAccesses(program, maps);
  return checkMaps(program, maps, firmware, refuse) ?? checkInsns(program, firmware, accesses, refuse) ?? checkStack(program, firmware, refuse) ?? checkContext(accesses, refuse) ?? checkLoad(program, firmware, accesses, mtu, refuse);
}

type Refuse = (rule: OffloadRule, detail?: string, insnIndex?: number) => AttachProblem;

function checkMaps(program: ProgramSpec, all: readonly MapSpec[], firmware: OffloadFirmware, refuse: Refuse): AttachProblem | undefined {
  const used = new Set(program.references.map(({ map }) => map));
  const maps = all.filter(({ name }) => used.has(name));
  let entries = 0;
  let count = 0;
  for (const map of maps) {
    const type = mapTypeName(map.type);
    if (map.dataSection !== undefined) return refuse(OFFLOAD_RULES.globals, `section ${map.dataSection}`);
    if (firmware.hostMapTypes.includes(type)) continue;
    if (!firmware.mapTypes.includes(type)) return refuse(OFFLOAD_RULES.mapType, `map ${map.name} is of type ${type}`);
    if (map.flags !== 0) return refuse(OFFLOAD_RULES.mapFlags, `map ${map.name} has flags ${map.flags}`);
    if (++count > firmware.maxMaps) return refuse(OFFLOAD_RULES.maps, `${maps.length} maps, ${firmware.maxMaps} at most`);
    entries += map.maxEntries;
    if (entries > firmware.maxEntries) return refuse(OFFLOAD_RULES.entries, `${entries} entries with map ${map.name}, ${firmware.maxEntries} at most`);
    const elementBytes = roundUp8(map.keySize) + roundUp8(map.valueSize);
    if (elementBytes > firmware.maxElementBytes) return refuse(OFFLOAD_RULES.element, `an entry of map ${map.name} takes ${elementBytes} bytes, ${firmware.maxElementBytes} at most`);
  }
  return undefined;
}

function checkInsns(program: ProgramSpec, firmware: OffloadFirmware, accesses: readonly MemoryAccess[], refuse: Refuse): AttachProblem | undefined {
  const accessAt = new Map(accesses.map((access) => [access.insnIndex, access]));
  const addressAt = new Set((program.functionReferences ?? []).map(({ insnIndex }) => insnIndex));
  for (const insn of insnsBetween(program.insns, 0, slotCount(program.insns))) {
    const { index, row } = insn;
    const rule = row === undefined ? OFFLOAD_RULES.insn : addressAt.has(index) ? OFFLOAD_RULES.callback : insnRule(insn, program.insns, firmware);
    if (rule !== undefined) return refuse(rule, describe(insn, program.insns), index);
    const access = accessAt.get(index);
    const broken = access && accessRule(access, row?.kind === 'atomic');
    if (broken !== undefined) return refuse(broken, '', index);
  }
  return undefined;
}

function insnRule({ index, row }: PlacedInsn, insns: Uint8Array, firmware: OffloadFirmware): OffloadRule | undefined {
  if (row === undefined) return OFFLOAD_RULES.insn;
  if (MISSING_OPERATIONS.has(row.operation)) return OFFLOAD_RULES.insn;
  if (row.operation === 'div' && (row.src === 'read' || immAt(insns, index) < 0)) return OFFLOAD_RULES.insn;
  if (row.operation === 'mul' && row.widthBits === 64 && row.src !== 'read' && immAt(insns, index) < 0) return OFFLOAD_RULES.insn;
  if (row.kind === 'atomic' && row.operation !== 'add') return OFFLOAD_RULES.atomic;
  if (row.operation === 'kfunc') return OFFLOAD_RULES.kfunc;
  if (row.operation === 'helper' && !firmware.helpers.includes(helperName(immAt(insns, index)))) return OFFLOAD_RULES.helper;
  return undefined;
}

function accessRule({ target, isWrite, fromBytes, toBytes, widthBytes }: MemoryAccess, isAtomic: boolean): OffloadRule | undefined {
  // A pointer that the kernel follows over a call, and the model doesn't, may be any.
  if (isAtomic && target !== 'map value' && target !== 'unknown') return OFFLOAD_RULES.atomic;
  if (target === 'map value' && isWrite && !isAtomic) return OFFLOAD_RULES.mapWrite;
  const isConstant = toBytes - fromBytes === widthBytes;
  if (target === 'map value' && !isConstant) return OFFLOAD_RULES.mapOffset;
  if (target === 'stack' && !isConstant) return OFFLOAD_RULES.stackOffset;
  return undefined;
}

function checkStack(program: ProgramSpec, firmware: OffloadFirmware, refuse: Refuse): AttachProblem | undefined {
  const { insns, functions } = program;
  const placeAt = new Map(functions.map(({ insnIndex }, place) => [insnIndex, place]));
  const uses = functions.map(({ insnIndex: start }, place) => {
    const end = functions[place + 1]?.insnIndex ?? slotCount(insns);
    const body = [...insnsBetween(insns, start, end)];
    const callees = body.flatMap((insn) => (insn.row?.operation === 'subprogram' ? (placeAt.get(targetOf(insns, insn) ?? -1) ?? []) : []));
    const saves = body.some(({ index, row }) => (row?.dst === 'write' || row?.dst === 'modify') && isSaved(insns[index * 8 + 1]! & 15));
    const extra = place === 0 ? 0 : RETURN_ADDRESS_BYTES + (saves ? SAVED_REGISTERS_BYTES : 0);
    return { bytes: frameBytes(insns, start, end) + extra, callees };
  });
  const bytes = stackBytes(uses.map((use) => use.bytes), uses.map(({ callees }) => callees));
  return bytes > firmware.stackBytes ? refuse(OFFLOAD_RULES.stack, `${bytes} bytes, ${firmware.stackBytes} at most`) : undefined;
}

function isSaved(register: number): boolean {
  return register >= 6 && register <= 9;
}

const CONTEXT_FIELDS = ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'];

function checkContext(accesses: readonly MemoryAccess[], refuse: Refuse): AttachProblem | undefined {
  const broken = accesses.find(({ target, fromBytes }) => target === 'context' && fromBytes !== 0 && fromBytes !== 4);
  return broken && refuse(OFFLOAD_RULES.context, `ctx->${CONTEXT_FIELDS[broken.fromBytes / 4] ?? broken.fromBytes}`, broken.insnIndex);
}

function checkLoad(program: ProgramSpec, firmware: OffloadFirmware, accesses: readonly MemoryAccess[], mtu: number, refuse: Refuse): AttachProblem | undefined {
  const reach = accesses.reduce((most, { target, toBytes }) => (target === 'packet' || target === 'unknown' ? Math.max(most, toBytes) : most), 0);
  if (Math.min(reach, mtu) > firmware.inlineBytes) {
    return refuse(OFFLOAD_RULES.reach, `up to byte ${reach < mtu ? reach : mtu} of a packet, ${firmware.inlineBytes} at most`);
  }
  // Each instruction becomes one of the device's at least, most of them two and more.
  const insns = [...insnsBetween(program.insns, 0, slotCount(program.insns))].length;
  return insns > firmware.maxInstructions ? refuse(OFFLOAD_RULES.length, `${insns} instructions, ${firmware.maxInstructions} at most`) : undefined;
}

function describe({ index, row }: PlacedInsn, insns: Uint8Array): string {
  if (row === undefined) return 'an unknown instruction';
  return row.operation === 'helper' ? helperName(immAt(insns, index)) : row.operation;
}

function placeOf(program: ProgramSpec, insnIndex: number): string {
  const line = lineAt(program, insnIndex);
  return `insn ${insnIndex}${line === undefined ? '' : ` (${line.file}:${line.line})`}`;
}

function roundUp8(bytes: number): number {
  return (bytes + 7) & ~7;
}
