import { ProblemError } from '../../base/index.js';
import type { Problem } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import type { BtfDatasec } from '../btf/btfTypes.js';
import { SHT_NOBITS, SHT_PROGBITS, STT_OBJECT } from '../elf/elfFile.js';
import type { ElfFile, ElfSection } from '../elf/elfFile.js';
import { readRelocations } from '../elf/readElf.js';
import type { MapSpec, VariableSpec } from '../spec.js';
import { refuseDamaged } from './damaged.js';

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_F_RDONLY_PROG = 0x80;
const BPF_F_MMAPABLE = 0x400;
/** All global data of an object together; a .bss costs nothing in the file, so its size proves nothing. */
const MAX_DATA_BYTES = 64 << 20;

const DATA_SECTION = /^\.(?:data|rodata|bss)(?:\.|$)/;

/** True for `.data`, `.rodata`, `.bss` and their named kin such as `.rodata.str1.1`; libbpf skips empty ones, and so do we. */
export function isDataSection(section: ElfSection): boolean {
  return DATA_SECTION.test(section.name) && section.sizeBytes > 0 && (section.type === SHT_PROGBITS || section.type === SHT_NOBITS);
}

/**
 * The array map that libbpf makes of a data section (`bpf_object__init_internal_map`): one element, as long as the section.
 *
 * As there, user space may mmap it and `.rodata*` is read-only to programs. Pointers that the compiler put into the data are not
 * relocated (`pointerWarning`); libbpf doesn't either.
 */
export function dataSectionMap(section: ElfSection, btf: Btf | undefined): MapSpec {
  const initialValue = new Uint8Array(section.sizeBytes);
  initialValue.set(section.bytes);
  return {
    name: section.name,
    type: BPF_MAP_TYPE_ARRAY,
    keySize: 4,
    valueSize: section.sizeBytes,
    maxEntries: 1,
    flags: BPF_F_MMAPABLE | (section.name.startsWith('.rodata') ? BPF_F_RDONLY_PROG : 0),
    keyTypeId: 0,
    valueTypeId: datasecOf(section, btf),
    dataSection: section.name,
    initialValue,
    initialPrograms: [],
  };
}

/** What is to be said about pointers in a data section: nobody relocates them. `undefined` when there are none. */
export function pointerWarning(elf: ElfFile, section: ElfSection): Problem | undefined {
  const pointers = readRelocations(elf, section);
  if (pointers.length === 0) return undefined;
  const [first] = pointers;
  const count = pointers.length === 1 ? 'a pointer' : `${pointers.length} pointers`;
  return {
    code: 'data-pointer',
    message: `the data holds ${count}${first!.symbol.name === '' ? '' : `, the first to '${first!.symbol.name}'`}, which nobody relocates: programs find an offset there, no address, as with libbpf`,
    where: `${elf.name}, section ${section.name}, byte ${first!.offBytes}`,
    hint: 'keep an array and an index instead of a pointer',
  };
}

/** The type of a section in BTF; 0 when it has none, or one of another size, as when a damaged object names two sections alike. */
function datasecOf(section: ElfSection, btf: Btf | undefined): number {
  const typeId = btf?.find('datasec', section.name) ?? 0;
  return typeId !== 0 && btf?.sizeOf(typeId) === section.sizeBytes ? typeId : 0;
}

/** Throws when the sections of an object add up to more memory than any program needs. */
export function checkDataSize(elf: ElfFile, sections: readonly ElfSection[]): void {
  const total = sections.reduce((sum, section) => sum + section.sizeBytes, 0);
  if (total <= MAX_DATA_BYTES) return;
  const largest = sections.reduce((a, b) => (b.sizeBytes > a.sizeBytes ? b : a));
  throw new ProblemError({
    code: 'elf-data-too-big',
    message: `global data of ${total} bytes is more than ${MAX_DATA_BYTES}`,
    where: `${elf.name}, section ${largest.name}`,
    hint: 'put large tables into a map',
  });
}

/** Every variable of a data section, by its ELF symbol. Throws for one that sticks out of its section. */
export function sectionVariables(elf: ElfFile, section: ElfSection, btf: Btf | undefined): VariableSpec[] {
  const typeIds = new Map<string, number>();
  const datasec = btf?.type(btf.find('datasec', section.name) ?? 0);
  if (btf !== undefined && datasec?.kind === 'datasec') {
    for (const { typeId } of datasec.variables) {
      const variable = btf.type(typeId);
      if (variable.kind === 'var') typeIds.set(variable.name, variable.typeId);
    }
  }
  return (elf.symbolsIn.get(section.index) ?? [])
    .filter((symbol) => symbol.type === STT_OBJECT && symbol.sizeBytes > 0)
    .map((symbol) => {
      if (symbol.value + symbol.sizeBytes > section.sizeBytes) {
        const message = `variable '${symbol.name}' ends at byte ${symbol.value + symbol.sizeBytes}, its section has ${section.sizeBytes}`;
        refuseDamaged('elf-bad-symbol', message, `${elf.name}, section ${section.name}`);
      }
      return {
        name: symbol.name,
        map: section.name,
        offBytes: symbol.value,
        sizeBytes: symbol.sizeBytes,
        typeId: typeIds.get(symbol.name) ?? 0,
      };
    })
    .sort((a, b) => a.offBytes - b.offBytes);
}

/**
 * Completes the data sections of BTF: the compiler leaves their size, and the offsets of variables that other objects can see, to the linker.
 * As libbpf does (`btf_fixup_datasec`), takes them from the ELF section and symbols.
 */
export function completeDatasecs(btf: Btf, elf: ElfFile): Btf {
  const sections = new Map(elf.sections.map((section) => [section.name, section]));
  const completed = new Map<number, BtfDatasec>();
  btf.types.forEach((type, id) => {
    // A second description of a section is never looked at.
    const section = type.kind === 'datasec' && btf.find('datasec', type.name) === id ? sections.get(type.name) : undefined;
    if (type.kind !== 'datasec' || section === undefined) return;
    const symbols = (elf.symbolsIn.get(section.index) ?? []).filter((symbol) => symbol.type === STT_OBJECT);
    const offsets = new Map(symbols.map((symbol) => [symbol.name, symbol.value]));
    const variables = type.variables
      .map((variable) => ({ ...variable, offBytes: offsets.get(btf.type(variable.typeId).name) ?? variable.offBytes }))
      .sort((a, b) => a.offBytes - b.offBytes);
    for (const { typeId, offBytes, sizeBytes } of variables) {
      if (offBytes + sizeBytes > section.sizeBytes || (btf.sizeOf(typeId) ?? sizeBytes) > sizeBytes) {
        const message = `BTF variable '${btf.type(typeId).name}' of ${sizeBytes} bytes at byte ${offBytes} doesn't fit the section of ${section.sizeBytes}`;
        refuseDamaged('btf-bad-type', message, `${elf.name}, section ${section.name}`);
      }
    }
    completed.set(id, { ...type, sizeBytes: section.sizeBytes, variables });
  });
  return completed.size === 0 ? btf : btf.withDatasecs(completed);
}
