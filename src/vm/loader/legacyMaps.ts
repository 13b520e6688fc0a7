import { ProblemError } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import { STT_NOTYPE, STT_OBJECT } from '../elf/elfFile.js';
import type { ElfFile, ElfSection, ElfSymbol } from '../elf/elfFile.js';
import { isMapOfMapsType } from '../maps/mapOfMaps.js';
import type { MapSpec } from '../spec.js';
import { refuseDamaged } from './damaged.js';
import type { ObjectFunction } from './functionTable.js';
import type { PlacedMap } from './mapDefinitions.js';

const BPF_MAP_TYPE_PROG_ARRAY = 3;
/** type, key_size, value_size and max_entries; the oldest definitions end there. */
const MIN_DEFINITION_BYTES = 16;
/** The longest known definition, iproute2's. */
const MAX_DEFINITION_BYTES = 36;
/** Definitions up to here end before `inner_map_idx`. */
const MIN_INNER_IDX_BYTES = 20;
/** `inner_idx` -1: the map is only what inner maps are like. */
const NO_SLOT = 0xffffffff;
const TAIL_SECTION = /^(0x[0-9a-f]+|\d+)\/(0x[0-9a-f]+|\d+)$/i;

/** A map of a `maps` section. */
export interface LegacyMap extends PlacedMap {
  /** By which iproute2 finds the programs of a PROG_ARRAY, and inner maps; `undefined` in shorter definitions. */
  readonly id: number | undefined;
  /** Of iproute2's definitions: `innerId` of a map of maps is the id of its inner maps, `innerIdx` of an inner map its slot. */
  readonly innerId: number;
  readonly innerIdx: number;
  /** Of bpf_load's definitions: which map of the section is the inner one. */
  readonly innerMapIdx: number | undefined;
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
 * Nothing says which of them it is, so a definition reaches to the next symbol. Pinning and the NUMA node are read over, as
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
  const isIproute2 = bytes.length === MAX_DEFINITION_BYTES;
  return {
    spec,
    offBytes: symbol.value,
    sizeBytes,
    id: isIproute2 ? u32(20) : undefined,
    innerId: isIproute2 ? u32(28) : 0,
    innerIdx: isIproute2 ? u32(32) : NO_SLOT,
    innerMapIdx: bytes.length > MIN_INNER_IDX_BYTES && !isIproute2 ? u32(20) : undefined,
  };
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

/**
 * Inner maps and first contents of the maps of maps among these, by name. bpf_load takes the map of that index for the inner one and fills nothing
 * in; iproute2 takes the map of that id and puts every map that has the id and an `inner_idx` into that slot (bpf_maps_attach_all, lib/bpf_legacy.c).
 *
 * @param maps those of one section, in its order
 */
export function readInnerMaps(maps: readonly LegacyMap[]): ReadonlyMap<string, InnerMaps> {
  const byId = new Map<number, LegacyMap[]>();
  for (const map of maps) {
    if (map.id === undefined || map.id === 0 || isMapOfMapsType(map.spec.type)) continue;
    const sameId = byId.get(map.id);
    if (sameId === undefined) byId.set(map.id, [map]);
    else sameId.push(map);
  }
  const result = new Map<string, InnerMaps>();
  for (const { spec, innerId, innerMapIdx } of maps.filter((map) => isMapOfMapsType(map.spec.type))) {
    const inners = byId.get(innerId) ?? [];
    const template = (innerMapIdx === undefined ? inners[0] : maps[innerMapIdx])?.spec.name;
    if (template === undefined) continue;
    const slots = innerMapIdx === undefined ? inners.filter(({ innerIdx }) => innerIdx !== NO_SLOT) : [];
    result.set(spec.name, { template, initialMaps: slots.map((map) => ({ index: map.innerIdx, map: map.spec.name })) });
    // Another map of maps with this id gets the same kind of maps, but iproute2 puts them into the first only.
    byId.set(innerId, inners.slice(0, 1).map((map) => ({ ...map, innerIdx: NO_SLOT })));
  }
  return result;
}

/** What a map of maps is made with. */
export interface InnerMaps {
  /** A map of the object that its inner maps are like. */
  readonly template: string;
  readonly initialMaps: NonNullable<MapSpec['initialMaps']>;
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
