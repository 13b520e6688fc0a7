import { ProblemError } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import type { BtfMember } from '../btf/btfTypes.js';
import { R_BPF_64_ABS64 } from '../elf/elfFile.js';
import type { ElfFile, ElfSection } from '../elf/elfFile.js';
import { readRelocations } from '../elf/readElf.js';
import { BPF_MAP_TYPE_HASH_OF_MAPS, isMapOfMapsType } from '../maps/mapOfMaps.js';
import type { MapSpec } from '../spec.js';
import { refuseDamaged } from './damaged.js';
import { lowerBound } from './lowerBound.js';
import type { FunctionTable } from './functionTable.js';

const BPF_MAP_TYPE_PROG_ARRAY = 3;
const POINTER_BYTES = 8;

/** A map and where its definition stands in `.maps`. */
export interface PlacedMap {
  readonly spec: MapSpec;
  readonly offBytes: number;
  readonly sizeBytes: number;
}

/**
 * Maps that an object defines in `.maps` (`parse_btf_map_def`, tools/lib/bpf/libbpf.c), in the order of the section.
 *
 * A definition is a struct variable that is never filled; its members' types carry the numbers. `__uint(name, N)` is a pointer to an
 * array of N ints, `__type(key, T)` a pointer to T, `__array(values, T)` an array of pointers whose slots relocations fill: with programs, or
 * with maps when T is a struct that defines one. Pinning and the NUMA node are read over: there is nothing here to pin to.
 *
 * Throws a `ProblemError`.
 */
export function readMapDefinitions(elf: ElfFile, section: ElfSection, btf: Btf | undefined, functions: FunctionTable): PlacedMap[] {
  const where = `${elf.name}, section ${section.name}`;
  const datasecId = btf?.find('datasec', section.name);
  const datasec = datasecId === undefined ? undefined : btf?.type(datasecId);
  if (btf === undefined || datasec?.kind !== 'datasec') {
    throw new ProblemError({ code: 'btf-missing', message: 'maps are defined, but BTF does not describe them', where, hint: 'compile with -g' });
  }
  const maps: Definition[] = datasec.variables.map(({ typeId, offBytes, sizeBytes }) => {
    const variable = btf.type(typeId);
    if (variable.kind !== 'var' || variable.linkage === 'extern') {
      const message = `map '${variable.name}' is declared here but defined in another object`;
      throw new ProblemError({ code: 'map-extern', message, where, hint: 'link the objects with bpftool gen object first' });
    }
    return new DefinitionReader(btf, variable.name, where).read(btf.resolve(typeId), offBytes, sizeBytes);
  });
  return fillSlots(elf, section, maps, functions);
}

interface Definition extends PlacedMap {
  /** Byte in the definition where `values` begins; `undefined` when it has none. */
  readonly valuesOffBytes: number | undefined;
}

class DefinitionReader {
  readonly #btf: Btf;
  readonly #name: string;
  readonly #where: string;
  readonly #isInner: boolean;

  constructor(btf: Btf, name: string, where: string, isInner = false) {
    this.#btf = btf;
    this.#name = name;
    this.#where = where;
    this.#isInner = isInner;
  }

  read(structId: number, offBytes: number, sizeBytes: number): Definition {
    const struct = this.#btf.type(structId);
    if (struct.kind !== 'struct') return this.#refuse('map-bad-definition', `is defined as ${this.#btf.typeName(structId)}, not as a struct`);
    const numbers = new Map<string, number>();
    const types = new Map<string, number>();
    let valuesOffBytes: number | undefined;
    let innerStructId: number | undefined;
    const seen = new Set<string>();
    for (const member of struct.members) {
      if (seen.has(member.name)) this.#refuse('map-bad-definition', `has the attribute '${member.name}' twice`);
      seen.add(member.name);
      switch (member.name) {
        case 'type':
        case 'max_entries':
        case 'map_flags':
        case 'key_size':
        case 'value_size':
        case 'pinning':
        case 'numa_node':
        case 'map_extra':
          numbers.set(member.name, this.#number(member));
          break;
        case 'key':
        case 'value':
          types.set(member.name, this.#pointee(member));
          break;
        case 'values':
          if (this.#isInner) this.#refuse('map-bad-definition', 'is an inner map and has values itself');
          valuesOffBytes = member.bitOffset / 8;
          innerStructId = this.#elementStruct(member);
          break;
        default:
          this.#refuse('unsupported-map-attribute', `has the unknown attribute '${member.name}'`);
      }
    }
    const type = numbers.get('type');
    if (type === undefined) return this.#refuse('map-bad-definition', 'has no type');
    // A map of programs or of maps holds 4-byte file descriptors; its definition needn't say so.
    const impliedValueSize = valuesOffBytes === undefined ? 0 : 4;
    const spec: MapSpec = {
      name: this.#name,
      type,
      keySize: this.#size('key', numbers, types) ?? 0,
      valueSize: this.#size('value', numbers, types) ?? impliedValueSize,
      maxEntries: numbers.get('max_entries') ?? 0,
      flags: numbers.get('map_flags') ?? 0,
      mapExtra: numbers.get('map_extra') ?? 0,
      keyTypeId: types.get('key') ?? 0,
      valueTypeId: types.get('value') ?? 0,
      dataSection: undefined,
      initialValue: undefined,
      initialPrograms: [],
      ...(isMapOfMapsType(type) && innerStructId !== undefined ? { innerMap: this.#innerMap(innerStructId) } : {}),
    };
    return { spec, offBytes, sizeBytes, valuesOffBytes };
  }

  /** What the inner maps are like; libbpf gives the map that it makes for that the same name. */
  #innerMap(structId: number): MapSpec {
    return new DefinitionReader(this.#btf, `${this.#name}.inner`, this.#where, true).read(structId, 0, 0).spec;
  }

  /** `__array(values, T)`: the struct T, `undefined` for something else. */
  #elementStruct(member: BtfMember): number | undefined {
    const array = this.#btf.type(this.#btf.resolve(member.typeId));
    const pointer = array.kind === 'array' ? this.#btf.type(this.#btf.resolve(array.typeId)) : undefined;
    const id = pointer?.kind === 'ptr' ? this.#btf.resolve(pointer.typeId) : undefined;
    return id !== undefined && this.#btf.type(id).kind === 'struct' ? id : undefined;
  }

  #size(which: 'key' | 'value', numbers: ReadonlyMap<string, number>, types: ReadonlyMap<string, number>): number | undefined {
    const stated = numbers.get(`${which}_size`);
    const typeId = types.get(which);
    if (typeId === undefined) return stated;
    const size = this.#btf.sizeOf(typeId);
    if (size === undefined) return this.#refuse('map-bad-definition', `has a ${which} of type ${this.#btf.typeName(typeId)}, which has no size`);
    if (stated !== undefined && stated !== size) {
      this.#refuse('map-bad-definition', `says ${which}_size ${stated}, but its ${which} ${this.#btf.typeName(typeId)} has ${size} bytes`);
    }
    return size;
  }

  /** `__uint(name, N)`: int (*name)[N]; `__ulong(name, N)`: an enum with the single value N. */
  #number(member: BtfMember): number {
    const type = this.#btf.type(this.#btf.resolve(member.typeId));
    if (type.kind === 'enum' && type.values.length === 1) return Number(BigInt.asUintN(64, type.values[0]!.value));
    if (type.kind === 'ptr') {
      const array = this.#btf.type(this.#btf.resolve(type.typeId));
      if (array.kind === 'array') return array.count;
    }
    return this.#refuse('map-bad-definition', `has an attribute '${member.name}' that isn't made with __uint`);
  }

  #pointee(member: BtfMember): number {
    const type = this.#btf.type(this.#btf.resolve(member.typeId));
    if (type.kind === 'ptr') return type.typeId;
    return this.#refuse('map-bad-definition', `has a member '${member.name}' that isn't made with __type`);
  }

  #refuse(code: string, message: string): never {
    const hint = 'define it with __uint, __type and __array of bpf_helpers.h';
    throw new ProblemError({ code, message: `map '${this.#name}' ${message}`, where: this.#where, hint });
  }
}

/** Puts the functions and maps that relocations of `.maps` name into the PROG_ARRAYs and maps of maps that hold them. */
function fillSlots(elf: ElfFile, section: ElfSection, definitions: readonly Definition[], functions: FunctionTable): PlacedMap[] {
  const where = `${elf.name}, section ${section.name}`;
  const programs = definitions.map((): { index: number; program: string }[] => []);
  const maps = definitions.map((): { index: number; map: string }[] => []);
  for (const { offBytes, type, symbol } of readRelocations(elf, section)) {
    // Definitions are sorted by place.
    const which = lowerBound(definitions, offBytes + 1) - 1;
    const map = definitions[which];
    const isInside = map !== undefined && offBytes < map.offBytes + map.sizeBytes;
    if (type !== R_BPF_64_ABS64 || !isInside || map.valuesOffBytes === undefined) {
      return refuseDamaged('elf-bad-relocation', `a relocation of type ${type} at byte ${offBytes} is in no 'values' of a map`, where);
    }
    const isOfMaps = isMapOfMapsType(map.spec.type);
    if (!isOfMaps && map.spec.type !== BPF_MAP_TYPE_PROG_ARRAY) continue;
    const slotBytes = offBytes - map.offBytes - map.valuesOffBytes;
    const index = slotBytes / POINTER_BYTES;
    if (slotBytes < 0 || slotBytes % POINTER_BYTES !== 0 || (index >= map.spec.maxEntries && map.spec.type !== BPF_MAP_TYPE_HASH_OF_MAPS)) {
      return refuseDamaged('elf-bad-relocation', `byte ${offBytes} is no slot of map '${map.spec.name}', which has ${map.spec.maxEntries}`, where);
    }
    if (isOfMaps) {
      // libbpf passes the index as the key.
      if (map.spec.keySize !== 4) {
        const message = `map '${map.spec.name}' has initial values, but its key has ${map.spec.keySize} bytes, not 4`;
        throw new ProblemError({ code: 'map-bad-definition', message, where, hint: 'use a __u32 as the key, or fill it from user space' });
      }
      const target = definitions[lowerBound(definitions, symbol.value)];
      if (symbol.sectionIndex !== section.index || target?.offBytes !== symbol.value) {
        return refuseDamaged('elf-bad-relocation', `slot ${index} of map '${map.spec.name}' holds '${symbol.name}', which is no map`, where);
      }
      maps[which]!.push({ index, map: target.spec.name });
      continue;
    }
    const target = functions.at(symbol.sectionIndex, symbol.value);
    if (target === undefined) {
      return refuseDamaged('elf-bad-relocation', `slot ${index} of map '${map.spec.name}' holds '${symbol.name}', which is no program`, where);
    }
    programs[which]!.push({ index, program: target.name });
  }
  return definitions.map(({ spec, offBytes, sizeBytes }, i) => ({
    spec: { ...spec, initialPrograms: programs[i]!, ...(maps[i]!.length === 0 ? {} : { initialMaps: maps[i]! }) },
    offBytes,
    sizeBytes,
  }));
}
