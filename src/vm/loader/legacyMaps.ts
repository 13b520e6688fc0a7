import { ProblemError } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import { STT_NOTYPE, STT_OBJECT } from '../elf/elfFile.js';
import type { ElfFile, ElfSection, ElfSymbol } from '../elf/elfFile.js';
import type { MapSpec } from '../spec.js';
import { refuseDamaged } from './damaged.js';
import type { ObjectFunction } from './functionTable.js';
import type { PlacedMap } from './mapDefinitions.js';

const BPF_MAP_TYPE_PROG_ARRAY = 3;
/** type, key_size, value_size and max_entries; the oldest definitions end there. */
const MIN_DEFINITION_BYTES = 16;
/** The longest known definition, iproute2's. */
const MAX_DEFINITION_BYTES = 36;
const TAIL_SECTION = /^(0x[0-9a-f]+|\d+)\/(0x[0-9a-f]+|\d+)$/i;

/** A map of a `maps` section. */
export interface LegacyMap extends PlacedMap {
  /** By which iproute2 finds the programs of a PROG_ARRAY; `undefined` in shorter definitions. */
  readonly id: number | undefined;
}

/** `maps`, or a section for each map: `maps/NAME`. */
export function isLegacyMapSection(section: ElfSection): boolean {
  return (section.name === 'maps' || section.name.startsWith('maps/')) && section.bytes.length > 0;
}

/**
 * Maps that are defined by a filled struct, as it was done before BTF, in the order of the section.
 *
 *     0 type  4 key_size  8 value_size  12 max_entries  16 map_flags        20 bytes: libbpf before 1.0
 *     20 inner_map_idx  24 numa_node                                        28 bytes: bpf_load of the kernel's samples
 *     20 id  24 pinning                                                     28 bytes: Aya
 *     20 id  24 pinning  28 inner_id  32 inner_idx                          36 bytes: iproute2 (struct bpf_elf_map, bpf_elf.h)
 *
 * Nothing says which of them it is, so a definition reaches to the next symbol. Pinning, the NUMA node and inner maps are read over, as
 * `readMapDefinitions` does. Sizes are those of the file; `max_entries` 0 waits for whoever loads the object.
 *
 * Throws a `ProblemError`.
 */
export function readLegacyMaps(elf: ElfFile, section: ElfSection, btf: Btf | undefined): LegacyMap[] {
  const symbols = (elf.symbolsIn.get(section.index) ?? [])
    .filter(({ type }) => type === STT_OBJECT || type === STT_NOTYPE)
    .sort((a, b) => a.value - b.value)
    .filter((symbol, i, sorted) => symbol.value !== sorted[i - 1]?.value);
  if (symbols.length === 0) {
    const message = `no symbol says where the maps in its ${section.sizeBytes} bytes begin`;
    throw new ProblemError({ code: 'map-bad-definition', message, where: `${elf.name}, section ${section.name}`, hint: 'keep the symbol table' });
  }
  return symbols.map((symbol, i) => readDefinition(elf, section, symbol, symbols[i + 1]?.value ?? section.bytes.length, btf));
}

function readDefinition(elf: ElfFile, section: ElfSection, symbol: ElfSymbol, nextBytes: number, btf: Btf | undefined): LegacyMap {
  const where = `${elf.name}, section ${section.name}`;
  const endBytes = symbol.sizeBytes > 0 ? Math.min(nextBytes, symbol.value + symbol.sizeBytes) : nextBytes;
  const sizeBytes = endBytes - symbol.value;
  if (sizeBytes < MIN_DEFINITION_BYTES || endBytes > section.bytes.length) {
    const message = `map '${symbol.name}' at byte ${symbol.value} has ${Math.max(0, sizeBytes)} bytes, a definition takes ${MIN_DEFINITION_BYTES}`;
    return refuseDamaged('map-bad-definition', message, where);
  }
  const bytes = section.bytes.subarray(symbol.value, endBytes);
  if (bytes.subarray(MAX_DEFINITION_BYTES).some((byte) => byte !== 0)) {
    const message = `map '${symbol.name}' has attributes behind byte ${MAX_DEFINITION_BYTES}, which no known loader has`;
    throw new ProblemError({ code: 'unsupported-map-attribute', message, where, hint: 'define it in .maps (BTF)' });
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u32 = (offBytes: number): number => (offBytes + 4 <= bytes.length ? view.getUint32(offBytes, true) : 0);
  const spec: MapSpec = {
    name: symbol.name,
    type: u32(0),
    keySize: u32(4),
    valueSize: u32(8),
    maxEntries: u32(12),
    flags: u32(16),
    ...annotatedTypes(symbol.name, u32(4), u32(8), btf),
    dataSection: undefined,
    initialValue: undefined,
    initialPrograms: [],
  };
  return { spec, offBytes: symbol.value, sizeBytes, id: bytes.length === MAX_DEFINITION_BYTES ? u32(20) : undefined };
}

/** BPF_ANNOTATE_KV_PAIR(name, key, value): `struct ____btf_map_NAME { key; value; }` in BTF gives the types. */
function annotatedTypes(name: string, keySize: number, valueSize: number, btf: Btf | undefined): Pick<MapSpec, 'keyTypeId' | 'valueTypeId'> {
  const struct = btf?.type(btf.find('struct', `____btf_map_${name}`) ?? 0);
  if (btf !== undefined && struct?.kind === 'struct' && struct.members.length === 2) {
    const [keyTypeId, valueTypeId] = struct.members.map(({ typeId }) => typeId) as [number, number];
    if (btf.sizeOf(keyTypeId) === keySize && btf.sizeOf(valueTypeId) === valueSize) return { keyTypeId, valueTypeId };
  }
  return { keyTypeId: 0, valueTypeId: 0 };
}

/** A program that iproute2 puts into a PROG_ARRAY because its section is called `ID/INDEX` (`bpf_fill_prog_arrays`, lib/bpf_legacy.c). */
export interface TailProgram {
  readonly mapName: string;
  readonly index: number;
  readonly fn: ObjectFunction;
}

/** Every program whose section's name is the id of a PROG_ARRAY and an index, in file order. */
export function readTailPrograms(maps: readonly LegacyMap[], functions: readonly ObjectFunction[]): TailProgram[] {
  const mapNames = new Map(maps.filter(({ spec }) => spec.type === BPF_MAP_TYPE_PROG_ARRAY).map(({ id, spec }) => [id, spec.name]));
  return functions.flatMap((fn) => {
    const [, id, index] = TAIL_SECTION.exec(fn.section.name) ?? [];
    const mapName = id === undefined ? undefined : mapNames.get(Number(id));
    // Such a section is one program; iproute2 starts it at its first instruction.
    return mapName === undefined || fn.startBytes !== 0 ? [] : [{ mapName, index: Number(index), fn }];
  });
}
