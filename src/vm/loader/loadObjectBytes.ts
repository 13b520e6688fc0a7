import { ProblemError, catchProblem, unwrap } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import { BUILT_IN_KERNEL_TYPES } from '../btf/builtInTypes.js';
import { resolveCoreRelocations } from '../btf/coreRelocations.js';
import type { CoreOutcomes } from '../btf/coreRelocations.js';
import type { CoreTarget } from '../btf/coreTarget.js';
import { readBtf } from '../btf/readBtf.js';
import { readBtfExt } from '../btf/readBtfExt.js';
import type { BtfExt, LineInfo } from '../btf/readBtfExt.js';
import { R_BPF_NONE } from '../elf/elfFile.js';
import type { ElfFile, ElfSection } from '../elf/elfFile.js';
import { readElf, readRelocations } from '../elf/readElf.js';
import { INSN_BYTES } from '../isa/opcodes.js';
import { withValueFields } from '../maps/valueFields.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from '../spec.js';
import { refuseDamaged } from './damaged.js';
import { checkDataSize, completeDatasecs, dataSectionMap, isDataSection, pointerWarning, sectionVariables } from './dataSections.js';
import { readFunctionBody } from './functionBody.js';
import type { CodeSection, DataSymbols, FunctionBody } from './functionBody.js';
import { MAX_OBJECT_INSNS, readFunctions } from './functionTable.js';
import type { FunctionTable, ObjectFunction } from './functionTable.js';
import { withImpliedSizes } from './impliedSizes.js';
import { setInnerMaps } from './innerMaps.js';
import type { InnerMapChoice } from './innerMaps.js';
import { isLegacyMapSection, readInnerMaps, readLegacyMaps, readTailPrograms } from './legacyMaps.js';
import type { InnerMaps, LegacyMap, TailProgram } from './legacyMaps.js';
import { KCONFIG_MAP, readKconfig } from './kconfig.js';
import type { KconfigSection, KernelConfig } from './kconfig.js';
import { DEFAULT_KERNEL_CONFIG } from './kernelConfig.js';
import { linkProgram } from './linkProgram.js';
import { readMapDefinitions } from './mapDefinitions.js';
import { programKind } from './programSection.js';
import { resizeMaps } from './resizeMaps.js';

/** The kernel's buffer (bpf_prog_load, kernel/bpf/syscall.c) less its NUL. */
const MAX_LICENSE_BYTES = 127;

/** What an object file leaves to whoever loads it. */
export interface LoadObjectOptions {
  /** Takes programs in sections that name no type for XDP programs, as `bpftool prog load ... type xdp` and iproute2 do. */
  readonly assumeXdp?: boolean;
  /** `max_entries` of maps, by name, in place of the object's own: what user space does by `bpf_map__set_max_entries` between open and load. */
  readonly maxEntries?: Readonly<Record<string, number>>;
  /** Types of the kernel, for CO-RE: `loadKernelTypes`. Left out: those that XDP programs commonly use, of Linux 6.18 on x86-64 (docs/core.md). */
  readonly targetBtf?: CoreTarget;
  /** Configuration of the kernel, for `__kconfig` variables: `loadKernelConfig`. Left out: what XDP programs commonly ask for. */
  readonly kconfig?: KernelConfig;
  /** Inner maps of maps of maps, by name, in place of the object's own: what user space does by `bpf_map__set_inner_map_fd`. */
  readonly innerMaps?: Readonly<Record<string, InnerMapChoice>>;
}

/**
 * Reads a compiled BPF object the way libbpf does, up to the point where maps and programs would be created.
 *
 * Nothing in `bytes` is trusted: whatever they are, the answer is a Result, in time and memory proportional to them. An object that is sound but
 * has a program that can't run here is loaded; the reason is in that program's `problem`.
 *
 * @param name file name for messages
 */
export function loadObjectBytes(bytes: Uint8Array, name: string, options: LoadObjectOptions = {}): Result<ObjectSpec> {
  return catchProblem(() => {
    const elf = readElf(bytes, name);
    const described = objectBtf(elf);
    const kconfig = readKconfig(elf, described, options.kconfig ?? DEFAULT_KERNEL_CONFIG);
    const btf = kconfig === undefined ? described : described?.withDatasecs(new Map([[kconfig.datasecId, kconfig.datasec]]));
    const functions = readFunctions(elf);
    const mapSections = readMaps(elf, btf, functions, kconfig);
    const maps = resizeMaps(withImpliedSizes(mapSections.maps), options.maxEntries ?? {}, name);
    const warnings = elf.sections.filter(isDataSection).flatMap((section) => pointerWarning(elf, section) ?? []);
    return {
      name,
      license: readLicense(elf),
      programs: linkPrograms(elf, functions, mapSections, codeInfo(elf, btf, options.targetBtf ?? BUILT_IN_KERNEL_TYPES), options.assumeXdp ?? false),
      maps: withValueFields(setInnerMaps(maps, mapSections.innerMaps, options.innerMaps ?? {}, name), btf),
      variables: [...elf.sections.filter(isDataSection).flatMap((section) => sectionVariables(elf, section, btf)), ...(kconfig?.variables ?? [])],
      btf,
      btfBytes: sectionNamed(elf, '.BTF')?.bytes,
      ...(warnings.length === 0 ? {} : { warnings }),
    };
  });
}

function sectionNamed(elf: ElfFile, name: string): ElfSection | undefined {
  return elf.sections.find((section) => section.name === name && section.bytes.length > 0);
}

function objectBtf(elf: ElfFile): Btf | undefined {
  const section = sectionNamed(elf, '.BTF');
  return section && completeDatasecs(unwrap(readBtf(section.bytes, `${elf.name}, section .BTF`)), elf);
}

/** What `.BTF.ext` says about instructions. */
interface CodeInfo {
  readonly ext: BtfExt;
  readonly core: ReadonlyMap<string, CoreOutcomes>;
}

function codeInfo(elf: ElfFile, btf: Btf | undefined, target: CoreTarget): CodeInfo | undefined {
  const section = sectionNamed(elf, '.BTF.ext');
  if (section === undefined || btf === undefined) return undefined;
  const where = `${elf.name}, section .BTF.ext`;
  const ext = readBtfExt(section.bytes, btf.strings, where);
  return { ext, core: resolveCoreRelocations(btf, ext, target, where) };
}

function readLicense(elf: ElfFile): string {
  const bytes = sectionNamed(elf, 'license')?.bytes.subarray(0, MAX_LICENSE_BYTES) ?? new Uint8Array(0);
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString('latin1');
}

interface ObjectMapSections {
  readonly maps: readonly MapSpec[];
  readonly symbols: DataSymbols;
  /** Programs that go into PROG_ARRAYs by the name of their section. */
  readonly tails: readonly TailProgram[];
  /** What legacy definitions say about inner maps, by name of the map of maps. */
  readonly innerMaps: ReadonlyMap<string, InnerMaps>;
}

function readMaps(elf: ElfFile, btf: Btf | undefined, functions: FunctionTable, kconfig: KconfigSection | undefined): ObjectMapSections {
  const maps: MapSpec[] = [];
  const legacyMaps: LegacyMap[] = [];
  const innerMaps = new Map<string, InnerMaps>();
  const names = new Set<string>();
  const byPlace = new Map<string, MapSpec>();
  const bySection = new Map<number, MapSpec>();
  const add = (map: MapSpec, section: ElfSection): void => {
    if (names.has(map.name)) refuseDamaged('map-duplicate', `there are two maps '${map.name}'`, `${elf.name}, section ${section.name}`);
    names.add(map.name);
    maps.push(map);
  };
  checkDataSize(elf, elf.sections.filter(isDataSection));
  for (const section of elf.sections) {
    if (section.name === '.maps' && section.bytes.length > 0) {
      for (const { spec, offBytes } of readMapDefinitions(elf, section, btf, functions)) {
        add(spec, section);
        byPlace.set(`${section.index}:${offBytes}`, spec);
      }
    } else if (isLegacyMapSection(section)) {
      const inSection = readLegacyMaps(elf, section, btf);
      for (const map of inSection) {
        add(map.spec, section);
        byPlace.set(`${section.index}:${map.offBytes}`, map.spec);
        legacyMaps.push(map);
      }
      for (const [name, inner] of readInnerMaps(inSection)) innerMaps.set(name, inner);
    } else if (isDataSection(section)) {
      const map = dataSectionMap(section, btf);
      add(map, section);
      bySection.set(section.index, map);
    }
  }
  if (kconfig !== undefined) {
    if (names.has(KCONFIG_MAP)) refuseDamaged('map-duplicate', `there are two maps '${KCONFIG_MAP}'`, elf.name);
    maps.push(kconfig.map);
  }
  const kernelFunctions = externFunctions(btf);
  const tails = readTailPrograms(legacyMaps, functions.all);
  return {
    maps: maps.map((map) => ({ ...map, initialPrograms: [...map.initialPrograms, ...programsIn(map, tails)] })),
    tails,
    innerMaps,
    symbols: {
      mapAt: (sectionIndex, offBytes) => byPlace.get(`${sectionIndex}:${offBytes}`),
      dataMap: (sectionIndex) => bySection.get(sectionIndex),
      kconfig: (name) => kconfig?.find(name),
      isKernelFunction: (name) => kernelFunctions.has(name),
    },
  };
}

function programsIn({ name }: MapSpec, tails: readonly TailProgram[]): MapSpec['initialPrograms'] {
  return tails.filter(({ mapName }) => mapName === name).map(({ index, fn }) => ({ index, program: fn.name }));
}

/** Functions that the kernel is to provide. */
function externFunctions(btf: Btf | undefined): ReadonlySet<string> {
  const datasec = btf?.type(btf.find('datasec', '.ksyms') ?? 0);
  if (btf === undefined || datasec?.kind !== 'datasec') return new Set();
  return new Set(datasec.variables.map(({ typeId }) => btf.type(typeId)).filter(({ kind }) => kind === 'func').map(({ name }) => name));
}

/** Links every function that is a program of its own: all outside `.text`, except static ones that another function calls or takes the address of. */
function linkPrograms(elf: ElfFile, functions: FunctionTable, { symbols, tails }: ObjectMapSections, info: CodeInfo | undefined, assumeXdp: boolean): ProgramSpec[] {
  const sections = new Map<number, CodeSection>();
  const bodies = new Map<ObjectFunction, FunctionBody>();
  for (const fn of functions.all) {
    const section = sections.get(fn.section.index) ?? readCodeSection(elf, fn.section, info);
    sections.set(fn.section.index, section);
    bodies.set(fn, readFunctionBody(elf, fn, section, functions, symbols));
  }
  const called = new Set([...bodies.values()].flatMap((body) => body.calls.map(({ target }) => target)));

  // iproute2 loads the programs for its PROG_ARRAYs with the type of the program that was asked for.
  const hasXdp = assumeXdp || functions.all.some((fn) => programKind(fn.section.name).type === 'xdp');
  const xdpTails = new Set(hasXdp ? tails.map(({ fn }) => fn) : []);

  const programs: ProgramSpec[] = [];
  let insnCount = 0;
  for (const fn of functions.all) {
    if (fn.section.name === '.text' || (fn.isStatic && called.has(fn))) continue;
    const program = linkProgram(fn, (other) => bodies.get(other)!, elf.name, assumeXdp || xdpTails.has(fn));
    // A subprogram counts once for each program that it is linked to.
    insnCount += program.insns.length / INSN_BYTES;
    if (insnCount > MAX_OBJECT_INSNS) {
      const message = `the programs have more than ${MAX_OBJECT_INSNS} instructions in all`;
      throw new ProblemError({ code: 'object-too-big', message, where: elf.name, hint: 'split the object' });
    }
    programs.push(program);
  }
  return programs;
}

function readCodeSection(elf: ElfFile, section: ElfSection, info: CodeInfo | undefined): CodeSection {
  const lines = info?.ext.lines.get(section.name) ?? [];
  const core = info?.core.get(section.name) ?? [];
  for (const [what, entries] of [['line information', lines], ['a CO-RE relocation', core]] as const) {
    const misplaced = entries.find(({ offBytes }) => offBytes % INSN_BYTES !== 0 || offBytes >= section.sizeBytes);
    if (misplaced === undefined) continue;
    refuseDamaged('btf-bad-ext', `${what} for byte ${misplaced.offBytes}, where no instruction begins`, `${elf.name}, section ${section.name}`);
  }
  return {
    relocations: readRelocations(elf, section).filter(({ type }) => type !== R_BPF_NONE).sort((a, b) => a.offBytes - b.offBytes),
    lines: onePerInstruction([...lines].sort((a, b) => a.offBytes - b.offBytes)),
    core,
    funcTypeIds: new Map(info?.ext.functions.get(section.name)?.map(({ offBytes, typeId }) => [offBytes, typeId])),
  };
}

/** Of several lines for one instruction the first counts. */
function onePerInstruction(sorted: readonly LineInfo[]): LineInfo[] {
  return sorted.filter((entry, i) => entry.offBytes !== sorted[i - 1]?.offBytes);
}
