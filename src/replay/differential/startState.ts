import { toHex } from '../../base/index.js';
import { CASE_CPU, globalBytes, innerMapNames, isPlainMap } from '../../cases/index.js';
import type { CaseEntry, TestCase } from '../../cases/index.js';
import { BPF_F_RDONLY, BPF_F_RDONLY_PROG, formatValue, isChar, mapTypeName } from '../../vm/index.js';
import type { MapSpec, ObjectSpec, VariableSpec } from '../../vm/index.js';
import type { CorpusPacket } from './corpus.js';
import type { Draw } from './draw.js';

/** Maps and variables before the first packet, in the words of a case file. */
export type StartState = Required<Pick<TestCase, 'maps' | 'globals'>>;

/** The object as its file has it. */
export const AS_LOADED: StartState = { maps: {}, globals: {} };

const MAX_ENTRIES = 64;
const MAX_SLOTS = 8;
/** The one interface that every machine has. */
const LOOPBACK = 1;
const QUEUE_SIZES = [1, 192, 2048] as const;
const MAX_VARIABLE_BYTES = 4096;
/** Keys are taken from here: Ethernet, IP and port fields. */
const HEADERS_BYTES = 60;

/**
 * Fills maps, and sets variables, at random: keys are mostly bytes out of headers of packets, so that lookups hit.
 *
 * @param programs names of programs that may stand in PROG_ARRAYs
 */
export function drawStartState(object: ObjectSpec, programs: readonly string[], packets: readonly CorpusPacket[], draw: Draw): StartState {
  const maps: Record<string, CaseEntry[]> = {};
  for (const map of object.maps) {
    if (draw.oneIn(4)) continue;
    const entries = drawEntries(object, map, programs, packets, draw);
    if (entries.length > 0) maps[map.name] = entries;
  }
  const globals: Record<string, unknown> = {};
  for (const variable of object.variables) {
    if (!draw.oneIn(3) || variable.sizeBytes > MAX_VARIABLE_BYTES || isText(object, variable)) continue;
    const value = formatValue(object.btf, variable.typeId, drawValue(variable.sizeBytes, packets, draw));
    if (globalBytes(object, { [variable.name]: value }).ok) globals[variable.name] = value;
  }
  return { maps, globals };
}

/** The same without what the verifier takes for a constant, and may refuse the program for. */
export function withoutConstants(object: ObjectSpec, { maps, globals }: StartState): StartState {
  const isConstant = (name: string): boolean => {
    const section = object.variables.find((variable) => variable.name === name)?.map;
    return object.maps.some((map) => map.name === section && (map.flags & BPF_F_RDONLY_PROG) !== 0);
  };
  return { maps, globals: Object.fromEntries(Object.entries(globals).filter(([name]) => !isConstant(name))) };
}

/** A format string of random bytes would make bpf_trace_printk show addresses, which differ. */
function isText({ btf }: ObjectSpec, { typeId }: VariableSpec): boolean {
  const type = btf?.type(btf.resolve(typeId));
  return btf !== undefined && type?.kind === 'array' && isChar(btf, type.typeId);
}

function drawEntries(object: ObjectSpec, map: MapSpec, programs: readonly string[], packets: readonly CorpusPacket[], draw: Draw): CaseEntry[] {
  const count = Math.min(map.maxEntries, draw.between(1, draw.oneIn(2) ? MAX_SLOTS : MAX_ENTRIES));
  const slots = Math.min(map.maxEntries, MAX_SLOTS);
  switch (mapTypeName(map.type)) {
    case 'PROG_ARRAY':
      // A slot whose own program only one side could load would differ.
      if (programs.length === 0 || map.initialPrograms.some(({ program }) => !programs.includes(program))) return [];
      return byKey(Array.from({ length: draw.between(0, slots) }, () => ({ key: toHex(u32(draw.below(slots))), value: draw.oneOf(programs) })));
    case 'ARRAY_OF_MAPS':
    case 'HASH_OF_MAPS': {
      const inner = innerMapNames(object, map);
      if (inner.length === 0 || (map.flags & BPF_F_RDONLY) !== 0) return [];
      const drawKey = mapTypeName(map.type) === 'ARRAY_OF_MAPS' ? drawIndex : drawHashKey;
      // The object's own entries need room, too.
      const room = map.maxEntries - (map.initialMaps ?? []).length;
      return byKey(Array.from({ length: Math.min(room, draw.between(0, slots)) }, () => ({ key: toHex(drawKey(map, packets, draw)), value: draw.oneOf(inner) })));
    }
    case 'DEVMAP':
    case 'DEVMAP_HASH':
      if ((map.flags & BPF_F_RDONLY) !== 0) return [];
      return byKey(Array.from({ length: draw.between(0, slots) }, () => ({ key: toHex(u32(draw.below(slots))), value: drawTarget(map, LOOPBACK) })));
    case 'CPUMAP':
      return [{ key: toHex(u32(CASE_CPU)), value: drawTarget(map, draw.oneOf(QUEUE_SIZES)) }];
    case 'XSKMAP':
      return byKey(Array.from({ length: draw.between(0, slots) }, (_, i) => ({ key: toHex(u32(draw.below(slots))), value: toHex(u32(i + 1)) })));
    default: {
      if (!isPlainMap(map) || (map.flags & BPF_F_RDONLY) !== 0) return [];
      const drawKey = mapTypeName(map.type).endsWith('ARRAY') ? drawIndex : drawHashKey;
      return byKey(Array.from({ length: count }, () => ({ key: toHex(drawKey(map, packets, draw)), value: toHex(drawValue(map.valueSize, packets, draw)) })));
    }
  }
}

/**
 * Value of a DEVMAP or CPUMAP, without a program: that would not run in a test run, and its id, which programs can read, is a number of one
 * boot.
 */
function drawTarget({ valueSize }: MapSpec, target: number): string {
  const value = new Uint8Array(valueSize);
  value.set(u32(target));
  return toHex(value);
}

/** Of several entries with one key the last stays. */
function byKey(entries: readonly CaseEntry[]): CaseEntry[] {
  return [...new Map(entries.map((entry) => [entry.key, entry])).values()];
}

function drawIndex({ maxEntries }: MapSpec, packets: readonly CorpusPacket[], draw: Draw): Uint8Array {
  if (draw.oneIn(2)) return u32(draw.below(Math.min(maxEntries, 64)));
  const [low, high] = headerBytes(2, packets, draw);
  return u32((low | (high << 8)) % maxEntries);
}

function drawHashKey({ keySize }: MapSpec, packets: readonly CorpusPacket[], draw: Draw): Uint8Array {
  if (draw.oneIn(8)) return drawValue(keySize, packets, draw);
  const key = new Uint8Array(keySize);
  key.set(headerBytes(draw.oneIn(4) ? draw.between(1, keySize) : keySize, packets, draw).subarray(0, keySize));
  return key;
}

/** Bytes out of the headers of some packet. */
function headerBytes(length: number, packets: readonly CorpusPacket[], draw: Draw): Uint8Array {
  const { data } = draw.oneOf(packets);
  const bytes = new Uint8Array(length);
  const at = draw.below(Math.max(1, Math.min(data.length, HEADERS_BYTES) - length + 1));
  bytes.set(data.subarray(at, at + length));
  return bytes;
}

function drawValue(sizeBytes: number, packets: readonly CorpusPacket[], draw: Draw): Uint8Array {
  const value = new Uint8Array(sizeBytes);
  switch (draw.below(5)) {
    // Small numbers: flags, counters, states.
    case 0:
    case 1:
      for (let at = 0; at < sizeBytes; at += draw.oneIn(2) ? 8 : 4) value[at] = draw.below(draw.oneIn(2) ? 4 : 64);
      return value;
    case 2:
      value.set(headerBytes(Math.min(sizeBytes, HEADERS_BYTES), packets, draw));
      return value;
    case 3:
      return value.fill(0xff);
    default:
      for (let at = 0; at < sizeBytes; at += MAX_VARIABLE_BYTES) value.set(draw.bytes(Math.min(MAX_VARIABLE_BYTES, sizeBytes - at)), at);
      return value;
  }
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24);
}
