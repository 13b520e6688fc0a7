import { unwrap } from '../../base/index.js';
import { assemble, Btf, StringTable } from '../../vm/index.js';
import type { BtfType, FunctionSpec, MapReference, ObjectSpec } from '../../vm/index.js';

/** Programs that a dispatcher has room for (MAX_DISPATCHER_ACTIONS of libxdp). */
export const MAX_DISPATCHER_PROGRAMS = 10;
/** What a dispatcher's place holds that no program has taken: the answer of the function that is there; it always goes on. */
export const XDP_DISPATCHER_RETVAL = 31;

/** Names that no object uses by chance. */
export const DISPATCHER_NAME = 'xdp_dispatcher';
export const CONFIG_VARIABLE = `${DISPATCHER_NAME}.conf`;
export const VERDICTS_VARIABLE = `${DISPATCHER_NAME}.verdicts`;
const CONFIG_MAP = `${DISPATCHER_NAME}.rodata`;
const VERDICTS_MAP = `${DISPATCHER_NAME}.bss`;

const PLACES = Array.from({ length: MAX_DISPATCHER_PROGRAMS }, (_, place) => place);
/** One counter for each of the five verdicts, and one for all others. */
const VERDICT_COUNTERS = 6;
const COUNTER_BYTES = 8;
const VERDICTS_BYTES = MAX_DISPATCHER_PROGRAMS * VERDICT_COUNTERS * COUNTER_BYTES;

// struct xdp_dispatcher_config, as libxdp's dispatcher of version 2 has it in its .rodata:
//
//     0 magic u8   1 version u8   2 num_progs_enabled u8   3 is_xdp_frags u8
//     4 chain_call_actions u32[10]   44 run_prios u32[10]   84 program_flags u32[10]
const CONFIG_BYTES = 124;
const NUM_PROGS_ENABLED = 2;
const CHAIN_CALL_ACTIONS = 4;

/**
 * A dispatcher like libxdp's, whose places `prog0` to `prog9` wait for programs: the same configuration, the same verdicts. It also counts what each program returned.
 *
 * A verdict goes on when its bit in `chain_call_actions` is set. Of a number above 63 the low 6 bits count, as in the 64-bit shift that clang makes of it for libxdp's own.
 */
export function builtInDispatcher(): ObjectSpec {
  const { insns, functions, references } = text();
  const data = (name: string, section: string, valueSize: number, flags: number, valueTypeId: number): ObjectSpec['maps'][number] => ({
    name, type: 2, keySize: 4, valueSize, maxEntries: 1, flags, keyTypeId: 0, valueTypeId, dataSection: section, initialValue: new Uint8Array(valueSize), initialPrograms: [],
  });
  return {
    name: DISPATCHER_NAME,
    license: 'Dual MIT/GPL',
    programs: [{
      name: DISPATCHER_NAME, section: 'xdp', type: 'xdp', attachType: 'xdp', frags: false, insns, references, functions,
      lines: [], funcInfo: new Uint8Array(0), lineInfo: new Uint8Array(0), problem: undefined,
    }],
    maps: [data(CONFIG_MAP, '.rodata', CONFIG_BYTES, 0x480, 0), data(VERDICTS_MAP, '.bss', VERDICTS_BYTES, 0x400, 0)],
    variables: [
      { name: CONFIG_VARIABLE, map: CONFIG_MAP, offBytes: 0, sizeBytes: CONFIG_BYTES, typeId: TYPE_IDS.config },
      { name: VERDICTS_VARIABLE, map: VERDICTS_MAP, offBytes: 0, sizeBytes: VERDICTS_BYTES, typeId: TYPE_IDS.verdicts },
    ],
    btf: new Btf(TYPES, new StringTable(new Uint8Array(1), 'btf', DISPATCHER_NAME), DISPATCHER_NAME),
    btfBytes: undefined,
  };
}

const EMPTY_LDDW = '0 ll';

/** r6 is the context, r7 the configuration, r8 the counters. */
function text(): { insns: Uint8Array; functions: FunctionSpec[]; references: MapReference[] } {
  const main = `
    r6 = r1
    r7 = ${EMPTY_LDDW}
    r8 = ${EMPTY_LDDW}
    ${PLACES.map((place) => `
    r1 = *(u8 *)(r7 +${NUM_PROGS_ENABLED})
    if r1 <= ${place} goto passed
    r1 = r6
    call prog${place}
    w0 = w0
    r1 = r0
    if r1 <= 4 goto known${place}
    r1 = 5
    known${place}: r1 *= ${COUNTER_BYTES}
    r1 += r8
    r2 = *(u64 *)(r1 +${place * VERDICT_COUNTERS * COUNTER_BYTES})
    r2 += 1
    *(u64 *)(r1 +${place * VERDICT_COUNTERS * COUNTER_BYTES}) = r2
    r1 = *(u32 *)(r7 +${CHAIN_CALL_ACTIONS + 4 * place})
    r1 >>= r0
    r1 &= 1
    if r1 == 0 goto out`).join('')}
    passed: r0 = 2
    out: exit`;
  const stubs = PLACES.map((place) => `prog${place}: r0 = ${XDP_DISPATCHER_RETVAL}\nexit`);
  const insns = unwrap(assemble([main, ...stubs].join('\n')));
  const mainLength = insns.length / 8 - 2 * PLACES.length;
  const value = (insnIndex: number, map: string): MapReference => ({ insnIndex, map, kind: 'value', offBytes: 0 });
  return {
    insns,
    references: [value(1, CONFIG_MAP), value(3, VERDICTS_MAP)],
    functions: [DISPATCHER_NAME, ...PLACES.map((place) => `prog${place}`)].map((name, index) => ({ name, insnIndex: index === 0 ? 0 : mainLength + 2 * (index - 1), isHidden: false })),
  };
}

const TYPES: BtfType[] = [{ kind: 'void', name: '' }];
const TYPE_IDS = describeTypes();

function describeTypes(): { readonly config: number; readonly verdicts: number } {
  const add = (type: BtfType): number => TYPES.push(type) - 1;
  const int = (name: string, sizeBytes: number, signed = false): number => add({ kind: 'int', name, sizeBytes, bitOffset: 0, bits: sizeBytes * 8, signed, bool: false });
  const struct = (name: string, sizeBytes: number, members: readonly (readonly [name: string, typeId: number, offBytes: number])[]): number =>
    add({ kind: 'struct', name, sizeBytes, members: members.map(([member, typeId, offBytes]) => ({ name: member, typeId, bitOffset: offBytes * 8, bitfieldBits: 0 })) });
  const array = (typeId: number): number => add({ kind: 'array', name: '', typeId, count: MAX_DISPATCHER_PROGRAMS });
  const u8 = int('unsigned char', 1);
  const u32 = int('unsigned int', 4);
  const u64 = int('unsigned long', 8);
  const numbers = array(u32);
  const config = struct('xdp_dispatcher_config', CONFIG_BYTES, [
    ['magic', u8, 0], ['dispatcher_version', u8, 1], ['num_progs_enabled', u8, NUM_PROGS_ENABLED], ['is_xdp_frags', u8, 3],
    ['chain_call_actions', numbers, CHAIN_CALL_ACTIONS], ['run_prios', numbers, 44], ['program_flags', numbers, 84],
  ]);
  const counters = ['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT', 'other'];
  const verdicts = array(struct('verdict_counts', VERDICT_COUNTERS * COUNTER_BYTES, counters.map((name, index) => [name, u64, index * COUNTER_BYTES])));
  const context = struct('xdp_md', 24, ['data', 'data_end', 'data_meta', 'ingress_ifindex', 'rx_queue_index', 'egress_ifindex'].map((name, index) => [name, u32, index * 4]));
  const pointer = add({ kind: 'ptr', name: '', typeId: context });
  const proto = add({ kind: 'funcProto', name: '', typeId: int('int', 4, true), params: [{ name: 'ctx', typeId: pointer }] });
  for (const place of PLACES) add({ kind: 'func', name: `prog${place}`, typeId: proto, linkage: 'global' });
  return { config, verdicts };
}
