import { mapTypeName } from '../maps/mapTypes.js';
import { decode, rowAt } from '../isa/decode.js';
import type { MapSpec, ProgramSpec } from '../spec.js';
import { analyse } from './analysis.js';
import { basicBlocks, controlFlow, functionStarts } from './controlFlow.js';
import type { KnownAddress } from './knowledge.js';
import { CONTEXT, MAP_VALUE, MAP_VALUE_OR_NULL, PACKET, STACK } from './values.js';
import type { Value } from './values.js';
import { XDP_MD_EGRESS_IFINDEX } from '../layout.js';

/** What an instruction reads or writes, as far as that can be told without running it. */
export interface MemoryAccess {
  readonly insnIndex: number;
  readonly target: 'context' | 'stack' | 'packet' | 'map value' | 'unknown';
  /** First byte, and the one behind the last, from the start of the context, packet or value; of the stack from its upper end. Infinity: anywhere. */
  readonly fromBytes: number;
  readonly toBytes: number;
  /** Of the access itself: what lies between `fromBytes` and `toBytes` is more when the address varies. */
  readonly widthBytes: number;
  readonly isWrite: boolean;
  /** `store`, `add`, `cmpxchg` ...: the operation of its row in the instruction table. */
  readonly operation: string;
}

/** Map types whose values a program gets the address of. */
const VALUE_TYPES: ReadonlySet<string> = new Set(['ARRAY', 'HASH', 'LRU_HASH', 'LPM_TRIE', 'PERCPU_ARRAY', 'PERCPU_HASH', 'LRU_PERCPU_HASH']);

/**
 * Every access of a program that its loads, stores and atomic operations make and that can be reached, in the order of the instructions. Pointers are followed as the JIT
 * follows them: within one function, through registers and stack slots. What a subprogram is handed is `unknown`.
 */
export function memoryAccesses(program: ProgramSpec, maps: readonly MapSpec[]): MemoryAccess[] {
  const { insns } = program;
  const accesses = new Map<number, MemoryAccess>();
  const addresses = new Map<number, KnownAddress>();
  for (const { insnIndex, map: name, kind, offBytes } of program.references) {
    const map = maps.find((candidate) => candidate.name === name);
    const valueBytes = map !== undefined && VALUE_TYPES.has(mapTypeName(map.type)) ? map.valueSize : 0;
    addresses.set(insnIndex, { map: { valueBytes, isWritable: true, array: undefined }, kind, offBytes });
  }
  const callbacks = [...new Set((program.functionReferences ?? []).map(({ targetInsnIndex }) => targetInsnIndex))];
  const knowledge = { callbacks, addresses, quietHelpers: new Set<number>() };
  const starts = functionStarts(insns, callbacks);
  const blocks = basicBlocks(insns, starts);
  for (const start of starts) {
    const flow = controlFlow(blocks, blocks.findIndex((block) => block.start === start));
    const onAccess = (insnIndex: number, base: Value, isWrite: boolean): void => {
      const row = rowAt(insns, insnIndex);
      if (row === undefined) return;
      const { off } = decode(insns, insnIndex);
      const target = targetOf(base);
      const isKnown = target !== 'unknown';
      accesses.set(insnIndex, {
        insnIndex, target, isWrite, operation: row.operation, widthBytes: row.widthBits / 8,
        fromBytes: isKnown ? base.lo + off : -Infinity, toBytes: isKnown ? base.hi + off + row.widthBits / 8 : Infinity,
      });
    };
    analyse({ insns, flow, knowledge, contextBytes: XDP_MD_EGRESS_IFINDEX, isMain: start === 0, areCallsQuiet: false, locks: false, onAccess });
  }
  return [...accesses.values()].sort((a, b) => a.insnIndex - b.insnIndex);
}

function targetOf({ kind }: Value): MemoryAccess['target'] {
  switch (kind) {
    case CONTEXT:
      return 'context';
    case STACK:
      return 'stack';
    case PACKET:
      return 'packet';
    case MAP_VALUE:
    case MAP_VALUE_OR_NULL:
      return 'map value';
    default:
      return 'unknown';
  }
}
