import type { Problem, Result } from '../../base/index.js';
import type { CoreOutcomes } from '../btf/coreRelocations.js';
import type { LineInfo } from '../btf/readBtfExt.js';
import { R_BPF_64_32, R_BPF_64_64, SHN_UNDEF, STB_WEAK, STT_FUNC } from '../elf/elfFile.js';
import type { ElfFile, ElfRelocation, ElfSection, ElfSymbol } from '../elf/elfFile.js';
import { immAt, opcodeAt, srcAt } from '../isa/decode.js';
import { BPF_CALL, BPF_DW, BPF_IMM, BPF_JMP, BPF_LD, BPF_PSEUDO_CALL, BPF_PSEUDO_KFUNC_CALL, INSN_BYTES } from '../isa/opcodes.js';
import type { KfuncReference, MapReference, MapSpec, PoisonedInstruction } from '../spec.js';
import { applyCore } from './applyCore.js';
import { refuseDamaged } from './damaged.js';
import { isCodeSection } from './functionTable.js';
import type { FunctionTable, ObjectFunction } from './functionTable.js';
import { KCONFIG_MAP } from './kconfig.js';
import { isLegacyMapSection } from './legacyMaps.js';
import { lowerBound } from './lowerBound.js';

const LDDW = BPF_LD | BPF_DW | BPF_IMM;
const CALL = BPF_JMP | BPF_CALL;

/** What a program may refer to besides functions. */
export interface DataSymbols {
  /** The ordinary map whose definition begins at a byte of a section. */
  mapAt(sectionIndex: number, offBytes: number): MapSpec | undefined;
  /** The map behind a data section. */
  dataMap(sectionIndex: number): MapSpec | undefined;
  /** Byte of an extern in the map `.kconfig`, or why it has no value; `undefined` for other symbols. */
  kconfig(name: string): Result<number> | undefined;
  /** True for symbols that stand for functions of the kernel. */
  isKernelFunction(name: string): boolean;
}

export interface FunctionUse {
  readonly insnIndex: number;
  readonly target: ObjectFunction;
  readonly kind: 'call' | 'address';
}

/** One function, its references resolved; instruction numbers count from its start. */
export interface FunctionBody {
  readonly insns: Uint8Array;
  /** Functions that it calls or, by a `lddw`, takes the address of. */
  readonly calls: readonly FunctionUse[];
  readonly references: readonly MapReference[];
  readonly kfuncs: readonly KfuncReference[];
  readonly kfuncAddresses: readonly KfuncReference[];
  readonly poisons: readonly PoisonedInstruction[];
  readonly lines: readonly { readonly insnIndex: number; readonly info: LineInfo }[];
  /** Id of its `func` in BTF, 0 when unknown. */
  readonly funcTypeId: number;
  /** The first thing in it that can't be run. */
  readonly problem: Problem | undefined;
}

/** Everything about one section that its functions' bodies are made from. */
export interface CodeSection {
  /** Sorted by offset. */
  readonly relocations: readonly ElfRelocation[];
  /** Sorted by offset, at most one an instruction. */
  readonly lines: readonly LineInfo[];
  /** Outcomes of CO-RE relocations, sorted by offset. */
  readonly core: CoreOutcomes;
  /** Ids of functions in BTF, by the byte where they begin. */
  readonly funcTypeIds: ReadonlyMap<number, number>;
}

/**
 * Resolves the calls and addresses in a function.
 *
 *     R_BPF_64_32  call   target = symbol + (imm + 1) instructions; imm is -1 when the symbol is the function itself
 *     (none)       call   target = next instruction + imm, in the same section
 *     R_BPF_64_64  lddw   address = symbol + imm bytes
 *
 * What is valid but can't be run ends up in `problem`; relocations that contradict the instructions refuse the object by a `ProblemError`.
 */
export function readFunctionBody(elf: ElfFile, fn: ObjectFunction, section: CodeSection, functions: FunctionTable, data: DataSymbols): FunctionBody {
  return new BodyReader(elf, fn, section, functions, data).read();
}

class BodyReader {
  readonly #elf: ElfFile;
  readonly #fn: ObjectFunction;
  readonly #functions: FunctionTable;
  readonly #data: DataSymbols;
  readonly #insns: Uint8Array;
  readonly #relocations: readonly ElfRelocation[];
  readonly #lines: { insnIndex: number; info: LineInfo }[];
  readonly #funcTypeId: number;
  readonly #calls: FunctionUse[] = [];
  readonly #references: MapReference[] = [];
  readonly #kfuncs: KfuncReference[] = [];
  readonly #kfuncAddresses: KfuncReference[] = [];
  readonly #poisons: PoisonedInstruction[] = [];
  readonly #core: CoreOutcomes;
  #problem: Problem | undefined;

  constructor(elf: ElfFile, fn: ObjectFunction, section: CodeSection, functions: FunctionTable, data: DataSymbols) {
    this.#elf = elf;
    this.#fn = fn;
    this.#functions = functions;
    this.#data = data;
    this.#insns = fn.section.bytes.slice(fn.startBytes, fn.endBytes);
    this.#relocations = within(section.relocations, fn);
    this.#core = within(section.core, fn);
    this.#funcTypeId = section.funcTypeIds.get(fn.startBytes) ?? 0;
    this.#lines = within(section.lines, fn).map((info) => ({ insnIndex: (info.offBytes - fn.startBytes) / INSN_BYTES, info }));
  }

  read(): FunctionBody {
    this.#applyCore();
    const count = this.#insns.length / INSN_BYTES;
    let nextRelocation = 0;
    for (let i = 0; i < count; i++) {
      const opcode = opcodeAt(this.#insns, i);
      const isWide = opcode === LDDW;
      if (isWide && i + 1 === count) this.#refuse(i, 'a lddw is cut in two by the end of the function');
      const nextBytes = this.#fn.startBytes + (i + (isWide ? 2 : 1)) * INSN_BYTES;
      const relocation = this.#relocations[nextRelocation];
      if (relocation !== undefined && relocation.offBytes < nextBytes) {
        nextRelocation++;
        this.#relocate(i, opcode, relocation);
        if ((this.#relocations[nextRelocation]?.offBytes ?? nextBytes) < nextBytes) this.#refuse(i, 'two relocations patch one instruction');
      } else {
        this.#unrelocated(i, opcode);
      }
      if (isWide) i++;
    }
    return {
      insns: this.#insns,
      calls: this.#calls,
      references: this.#references,
      kfuncs: this.#kfuncs,
      kfuncAddresses: this.#kfuncAddresses,
      poisons: this.#poisons,
      lines: this.#lines,
      funcTypeId: this.#funcTypeId,
      problem: this.#problem,
    };
  }

  /** CO-RE comes before the relocations of ELF, as in libbpf: they never meet in one instruction that a compiler made. */
  #applyCore(): void {
    for (const { offBytes, outcome } of this.#core) {
      const insnIndex = (offBytes - this.#fn.startBytes) / INSN_BYTES;
      const { poison, problem } = applyCore(this.#insns, insnIndex, outcome);
      for (let slot = 0; slot < (poison?.slots ?? 0); slot++) this.#poisons.push({ insnIndex: insnIndex + slot, message: poison!.message });
      if (problem !== undefined) this.#report(insnIndex, problem.code, problem.message, problem.hint);
    }
  }

  #relocate(insnIndex: number, opcode: number, { offBytes, type, symbol }: ElfRelocation): void {
    if (offBytes !== this.#fn.startBytes + insnIndex * INSN_BYTES) this.#refuse(insnIndex, 'a relocation begins inside an instruction');
    if (type === R_BPF_64_32 && opcode === CALL) this.#relocateCall(insnIndex, symbol);
    else if (type === R_BPF_64_64 && opcode === LDDW) this.#relocateAddress(insnIndex, symbol);
    else this.#refuse(insnIndex, `a relocation of type ${type} doesn't go with opcode 0x${opcode.toString(16)}`);
  }

  #relocateCall(insnIndex: number, symbol: ElfSymbol): void {
    if (symbol.sectionIndex === SHN_UNDEF) {
      this.#kfuncs.push({ insnIndex, name: symbol.name, isWeak: symbol.binding === STB_WEAK });
      return;
    }
    this.#addCall(insnIndex, symbol.sectionIndex, symbol.value + (immAt(this.#insns, insnIndex) + 1) * INSN_BYTES);
  }

  #relocateAddress(insnIndex: number, symbol: ElfSymbol): void {
    const { sectionIndex } = symbol;
    if (sectionIndex === SHN_UNDEF) {
      this.#relocateExtern(insnIndex, symbol);
      return;
    }
    const section = this.#elf.sections[sectionIndex];
    const offBytes = symbol.value + immAt(this.#insns, insnIndex);
    const dataMap = this.#data.dataMap(sectionIndex);
    if (dataMap !== undefined) {
      // The kernel's bound (array_map_direct_value_addr, kernel/bpf/arraymap.c): the byte must exist.
      if (offBytes >= 0 && offBytes < dataMap.valueSize) {
        this.#references.push({ insnIndex, map: dataMap.name, kind: 'value', offBytes });
      } else {
        this.#report(insnIndex, 'program-bad-address', `points at byte ${offBytes} of ${dataMap.name}, which has ${dataMap.valueSize}`);
      }
      return;
    }
    const map = this.#data.mapAt(sectionIndex, offBytes);
    if (map !== undefined) {
      this.#references.push({ insnIndex, map: map.name, kind: 'map', offBytes: 0 });
    } else if (section === undefined) {
      this.#report(insnIndex, 'unsupported-symbol', `refers to '${symbol.name}', which is in no section`);
    } else if (section.name === '.maps' || isLegacyMapSection(section)) {
      this.#refuse(insnIndex, `the address of byte ${offBytes} of ${section.name} is taken, where no map begins`);
    } else if (symbol.type === STT_FUNC || isCodeSection(section)) {
      this.#addAddress(insnIndex, section, offBytes);
    } else {
      const hint = 'keep global data in .data, .rodata or .bss';
      this.#report(insnIndex, 'unsupported-data-section', `uses '${symbol.name}' in section '${section.name}'`, hint);
    }
  }

  /** What the kernel is to provide (bpf_object__resolve_externs, tools/lib/bpf/libbpf.c). */
  #relocateExtern(insnIndex: number, { name, binding }: ElfSymbol): void {
    const isWeak = binding === STB_WEAK;
    const kconfig = this.#data.kconfig(name);
    if (kconfig?.ok === true) {
      this.#references.push({ insnIndex, map: KCONFIG_MAP, kind: 'value', offBytes: kconfig.value });
    } else if (kconfig !== undefined) {
      const { code, message, hint } = kconfig.problem;
      this.#report(insnIndex, code, message, hint);
    } else if (this.#data.isKernelFunction(name)) {
      this.#kfuncAddresses.push({ insnIndex, name, isWeak });
    } else if (!isWeak) {
      this.#report(insnIndex, 'unsupported-ksym', `refers to the kernel symbol ${name}`, 'kernel symbols are not modelled; declare it __weak if the program can do without');
    }
    // The address of what doesn't exist is 0; whoever knows better fills it in.
    for (const half of [insnIndex, insnIndex + 1]) this.#insns.fill(0, half * INSN_BYTES + 4, half * INSN_BYTES + 8);
  }

  #unrelocated(insnIndex: number, opcode: number): void {
    const source = srcAt(this.#insns, insnIndex);
    if (opcode === LDDW && source !== 0) {
      this.#report(insnIndex, 'program-bad-address', `a lddw refers to something of kind ${source}, but no relocation says to what`);
    } else if (opcode === CALL && source === BPF_PSEUDO_KFUNC_CALL) {
      this.#report(insnIndex, 'unsupported-kfunc', 'calls a kernel function by its number', 'kernel functions (kfuncs) are not modelled');
    } else if (opcode === CALL && source === BPF_PSEUDO_CALL) {
      this.#addCall(insnIndex, this.#fn.section.index, this.#fn.startBytes + (insnIndex + 1 + immAt(this.#insns, insnIndex)) * INSN_BYTES);
    }
  }

  #addCall(insnIndex: number, sectionIndex: number, offBytes: number): void {
    const target = this.#functions.at(sectionIndex, offBytes);
    if (target !== undefined) {
      this.#calls.push({ insnIndex, target, kind: 'call' });
    } else {
      const section = this.#elf.sections[sectionIndex]?.name ?? `section ${sectionIndex}`;
      this.#report(insnIndex, 'program-bad-call', `calls byte ${offBytes} of ${section}, where no function begins`);
    }
  }

  #addAddress(insnIndex: number, section: ElfSection, offBytes: number): void {
    const target = this.#functions.at(section.index, offBytes);
    if (target === undefined) {
      this.#report(insnIndex, 'program-bad-address', `takes the address of byte ${offBytes} of ${section.name}, where no function begins`);
      return;
    }
    this.#calls.push({ insnIndex, target, kind: 'address' });
  }

  /** Notes why the program can't run; the first reason stays. */
  #report(insnIndex: number, code: string, message: string, hint?: string): void {
    this.#problem ??= { code, message: `'${this.#fn.name}' ${message}`, where: this.#place(insnIndex), ...(hint === undefined ? {} : { hint }) };
  }

  #place(insnIndex: number): string {
    const line = this.#lines.findLast((entry) => entry.insnIndex <= insnIndex)?.info;
    return `${this.#elf.name}, ${line === undefined ? `function ${this.#fn.name}` : `${line.file}:${line.line}`}, instruction ${insnIndex}`;
  }

  #refuse(insnIndex: number, message: string): never {
    return refuseDamaged('elf-bad-relocation', message, this.#place(insnIndex));
  }
}

/** The entries of a list sorted by offset that lie in a function. */
function within<T extends { readonly offBytes: number }>(entries: readonly T[], fn: ObjectFunction): readonly T[] {
  return entries.slice(lowerBound(entries, fn.startBytes), lowerBound(entries, fn.endBytes));
}
