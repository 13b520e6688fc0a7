import { ProblemError } from '../../base/index.js';
import { SHF_EXECINSTR, SHT_PROGBITS, STB_LOCAL, STT_FUNC, STT_NOTYPE, STV_HIDDEN, STV_INTERNAL } from '../elf/elfFile.js';
import type { ElfFile, ElfSection } from '../elf/elfFile.js';
import { INSN_BYTES } from '../isa/opcodes.js';
import { refuseDamaged } from './damaged.js';

/** More than any object has: a program may have a million (BPF_COMPLEXITY_LIMIT_INSNS). */
export const MAX_OBJECT_INSNS = 4_000_000;

/** Where a function of the object lies; all numbers in bytes of its section. */
export interface ObjectFunction {
  readonly name: string;
  readonly section: ElfSection;
  readonly startBytes: number;
  readonly endBytes: number;
  readonly isStatic: boolean;
  /** Global among the objects that were linked, but to nobody else. */
  readonly isHidden: boolean;
}

/** Every function of an object, by place. */
export interface FunctionTable {
  /** In the order of sections and bytes. */
  readonly all: readonly ObjectFunction[];
  /** The function that begins at a byte of a section. */
  at(sectionIndex: number, offBytes: number): ObjectFunction | undefined;
}

/** Sections that hold instructions. */
export function isCodeSection(section: ElfSection): boolean {
  return section.type === SHT_PROGBITS && (section.flags & SHF_EXECINSTR) !== 0 && section.sizeBytes > 0;
}

/**
 * Finds the functions of an object: STT_FUNC symbols of sections with code. Compilers before LLVM 6 wrote none; there
 * the global symbols without a type are the functions, each as long as there is room. A section that nothing names a function in
 * is one program that bears its name, as iproute2 takes it.
 *
 * Throws a `ProblemError` for functions that are no whole instructions, stick out of their section or overlap.
 */
export function readFunctions(elf: ElfFile): FunctionTable {
  const sections = elf.sections.filter(isCodeSection);
  const insnCount = sections.reduce((sum, section) => sum + section.sizeBytes, 0) / INSN_BYTES;
  if (insnCount > MAX_OBJECT_INSNS) {
    const message = `the object has ${insnCount} instructions, more than ${MAX_OBJECT_INSNS}`;
    throw new ProblemError({ code: 'object-too-big', message, where: elf.name, hint: 'split the object' });
  }
  const all = sections.flatMap((section) => sectionFunctions(elf, section));
  const byPlace = new Map(all.map((fn) => [placeKey(fn.section.index, fn.startBytes), fn]));
  return { all, at: (sectionIndex, offBytes) => byPlace.get(placeKey(sectionIndex, offBytes)) };
}

function placeKey(sectionIndex: number, offBytes: number): string {
  return `${sectionIndex}:${offBytes}`;
}

function sectionFunctions(elf: ElfFile, section: ElfSection): ObjectFunction[] {
  const symbols = elf.symbolsIn.get(section.index) ?? [];
  const typed = symbols.filter((symbol) => symbol.type === STT_FUNC);
  const untyped = symbols.filter((symbol) => symbol.type === STT_NOTYPE && symbol.binding !== STB_LOCAL);
  const starts = (typed.length > 0 ? typed : untyped).sort((a, b) => a.value - b.value);
  if (starts.length === 0) return [wholeSection(elf, section)];
  return starts.map((symbol, i) => {
    const startBytes = symbol.value;
    const nextBytes = starts[i + 1]?.value ?? section.sizeBytes;
    const endBytes = symbol.type === STT_FUNC ? startBytes + symbol.sizeBytes : nextBytes;
    const where = `${elf.name}, section ${section.name}, byte ${startBytes}`;
    if (startBytes % INSN_BYTES !== 0 || endBytes % INSN_BYTES !== 0 || endBytes <= startBytes) {
      refuseDamaged('elf-bad-function', `function '${symbol.name}' of ${endBytes - startBytes} bytes is no list of instructions`, where);
    }
    if (endBytes > section.sizeBytes) {
      refuseDamaged('elf-bad-function', `function '${symbol.name}' ends at byte ${endBytes}, its section has ${section.sizeBytes}`, where);
    }
    if (endBytes > nextBytes) {
      refuseDamaged('elf-bad-function', `functions '${symbol.name}' and '${starts[i + 1]!.name}' overlap`, where);
    }
    const isHidden = symbol.visibility === STV_HIDDEN || symbol.visibility === STV_INTERNAL;
    return { name: symbol.name, section, startBytes, endBytes, isStatic: symbol.binding === STB_LOCAL, isHidden };
  });
}

function wholeSection(elf: ElfFile, section: ElfSection): ObjectFunction {
  const { name, sizeBytes } = section;
  if (sizeBytes % INSN_BYTES !== 0) {
    refuseDamaged('elf-bad-function', `a program of ${sizeBytes} bytes is no list of instructions`, `${elf.name}, section ${name}`);
  }
  return { name, section, startBytes: 0, endBytes: sizeBytes, isStatic: false, isHidden: false };
}
