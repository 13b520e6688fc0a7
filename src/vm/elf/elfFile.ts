/** One section of an ELF object. */
export interface ElfSection {
  readonly index: number;
  readonly name: string;
  /** sh_type: `SHT_*`. */
  readonly type: number;
  /** sh_flags, low 32 bits: `SHF_*`. */
  readonly flags: number;
  /** Place in the file, bytes. */
  readonly offBytes: number;
  /** sh_size; of a NOBITS section the size that it will have in memory, which nothing in the file bounds. */
  readonly sizeBytes: number;
  readonly link: number;
  readonly info: number;
  readonly entrySizeBytes: number;
  /** Contents, a view into the file; empty for NOBITS. */
  readonly bytes: Uint8Array;
}

/** One entry of `.symtab`. */
export interface ElfSymbol {
  readonly index: number;
  /** Its own name, or that of its section for STT_SECTION. */
  readonly name: string;
  /** st_value: in a relocatable object the offset in its section, bytes. */
  readonly value: number;
  readonly sizeBytes: number;
  /** `STT_*`. */
  readonly type: number;
  /** `STB_*`. */
  readonly binding: number;
  /** `STV_*`. */
  readonly visibility: number;
  /** Index of its section, SHN_UNDEF when it is defined elsewhere, or a reserved index from 0xff00. */
  readonly sectionIndex: number;
}

/** One SHT_REL entry. */
export interface ElfRelocation {
  /** Byte in the section that it patches. */
  readonly offBytes: number;
  /** `R_BPF_*`. */
  readonly type: number;
  readonly symbol: ElfSymbol;
}

/** A parsed relocatable BPF object. */
export interface ElfFile {
  /** File name for messages. */
  readonly name: string;
  readonly sections: readonly ElfSection[];
  readonly symbols: readonly ElfSymbol[];
  /** Symbols by the index of their section. */
  readonly symbolsIn: ReadonlyMap<number, readonly ElfSymbol[]>;
  /** Sections of type REL and RELA by the index of the section that they patch. */
  readonly relocationLists: ReadonlyMap<number, readonly ElfSection[]>;
}

// Numbers of the gABI (ELF-64 object file format) and of the BPF psABI (Documentation/bpf/llvm_reloc.rst).
export const ET_REL = 1;
export const EM_NONE = 0;
export const EM_BPF = 247;

export const SHT_NULL = 0;
export const SHT_PROGBITS = 1;
export const SHT_SYMTAB = 2;
export const SHT_STRTAB = 3;
export const SHT_RELA = 4;
export const SHT_NOBITS = 8;
export const SHT_REL = 9;

export const SHF_EXECINSTR = 4;

export const SHN_UNDEF = 0;
export const SHN_LORESERVE = 0xff00;
export const SHN_XINDEX = 0xffff;

export const STT_NOTYPE = 0;
export const STT_OBJECT = 1;
export const STT_FUNC = 2;
export const STT_SECTION = 3;

export const STB_LOCAL = 0;
export const STB_WEAK = 2;

export const STV_INTERNAL = 1;
export const STV_HIDDEN = 2;

/** Patches nothing. */
export const R_BPF_NONE = 0;
/** lddw: both imm fields together hold an address. */
export const R_BPF_64_64 = 1;
/** A 64-bit word of data, e.g. a slot of `__array(values, ...)`. */
export const R_BPF_64_ABS64 = 2;
/** imm of a call, counted in instructions. */
export const R_BPF_64_32 = 10;

const MACHINES = new Map<number, string>([
  [2, 'SPARC'], [3, 'x86 (i386)'], [8, 'MIPS'], [20, 'PowerPC'], [21, 'PowerPC 64'], [22, 'S/390'], [40, 'ARM'],
  [43, 'SPARC V9'], [62, 'x86-64'], [183, 'AArch64'], [224, 'AMD GPU'], [243, 'RISC-V'], [258, 'LoongArch'], [263, 'Solana SBF'],
]);

/** Name of an e_machine value: `x86-64`, or `machine 999`. */
export function machineName(machine: number): string {
  return MACHINES.get(machine) ?? `machine ${machine}`;
}
