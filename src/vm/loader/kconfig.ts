import { fail, ok, ProblemError } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { Btf } from '../btf/btf.js';
import type { BtfDatasec } from '../btf/btfTypes.js';
import { SHN_UNDEF, STB_WEAK } from '../elf/elfFile.js';
import type { ElfFile } from '../elf/elfFile.js';
import type { MapSpec, VariableSpec } from '../spec.js';

// Externs of section .kconfig: configuration of the kernel that a program reads like variables (tools/lib/bpf/libbpf.c, libbpf 1.5).

/** The map that holds them; its name is the section's. */
export const KCONFIG_MAP = '.kconfig';

const BPF_MAP_TYPE_ARRAY = 2;
const BPF_F_RDONLY_PROG = 0x80;
const BPF_F_MMAPABLE = 0x400;
/** All externs of an object together, as for other global data. */
const MAX_BYTES = 1 << 20;

/** Values of `enum libbpf_tristate` (bpf_helpers.h). */
const TRISTATE: Readonly<Record<string, number>> = { n: 0, y: 1, m: 2 };

/** Values of a kernel's configuration as its file spells them: `y`, `m`, `250`, `0xff`, `"text"`. Options that are not set are left out. */
export type KernelConfig = ReadonlyMap<string, string>;

/** The externs of an object, laid out and filled. */
export interface KconfigSection {
  readonly map: MapSpec;
  readonly variables: readonly VariableSpec[];
  /** The section's description with the places that they got, and its id. */
  readonly datasec: BtfDatasec;
  readonly datasecId: number;
  /** Byte of an extern, or why it has no value; `undefined` for a name that is none. */
  find(name: string): Result<number> | undefined;
}

type ExternType = 'bool' | 'char' | 'int' | 'tristate' | 'text';

interface KconfigExtern {
  readonly name: string;
  readonly varId: number;
  readonly typeId: number;
  readonly sizeBytes: number;
  readonly alignBytes: number;
  readonly isWeak: boolean;
}

/** Reads the externs that BTF describes and gives them values; `undefined` when there are none. Throws a `ProblemError` for sizes that no configuration has. */
export function readKconfig(elf: ElfFile, btf: Btf | undefined, config: KernelConfig): KconfigSection | undefined {
  const datasecId = btf?.find('datasec', KCONFIG_MAP);
  const datasec = datasecId === undefined ? undefined : btf?.type(datasecId);
  if (btf === undefined || datasecId === undefined || datasec?.kind !== 'datasec' || datasec.variables.length === 0) return undefined;
  const weak = new Set(elf.symbols.filter(({ sectionIndex, binding }) => sectionIndex === SHN_UNDEF && binding === STB_WEAK).map(({ name }) => name));
  const where = `${elf.name}, section ${KCONFIG_MAP}`;

  let sizeBytes = 0;
  const placed = externsOf(btf, datasec, weak).sort(byPlace).map((extern) => {
    const offBytes = Math.ceil(sizeBytes / extern.alignBytes) * extern.alignBytes;
    sizeBytes = offBytes + extern.sizeBytes;
    return { extern, offBytes };
  });
  if (sizeBytes === 0 || sizeBytes > MAX_BYTES) {
    throw new ProblemError({ code: 'kconfig-bad-size', message: `externs of ${sizeBytes} bytes in all`, where, hint: 'declare options as bool, int, char[] or enum libbpf_tristate' });
  }

  const value = new Uint8Array(sizeBytes);
  const places = new Map<string, Result<number>>();
  for (const { extern, offBytes } of placed) {
    const written = writeExtern(btf, extern, config, value.subarray(offBytes, offBytes + extern.sizeBytes));
    places.set(extern.name, written.ok ? ok(offBytes) : written);
  }
  return {
    map: {
      name: KCONFIG_MAP,
      type: BPF_MAP_TYPE_ARRAY,
      keySize: 4,
      valueSize: sizeBytes,
      maxEntries: 1,
      flags: BPF_F_MMAPABLE | BPF_F_RDONLY_PROG,
      keyTypeId: 0,
      valueTypeId: datasecId,
      dataSection: KCONFIG_MAP,
      initialValue: value,
      initialPrograms: [],
    },
    variables: placed.map(({ extern, offBytes }) => ({ name: extern.name, map: KCONFIG_MAP, offBytes, sizeBytes: extern.sizeBytes, typeId: extern.typeId })),
    datasec: { ...datasec, sizeBytes, variables: placed.map(({ extern, offBytes }) => ({ typeId: extern.varId, offBytes, sizeBytes: extern.sizeBytes })) },
    datasecId,
    find: (name) => places.get(name),
  };
}

function externsOf(btf: Btf, datasec: BtfDatasec, weak: ReadonlySet<string>): KconfigExtern[] {
  const externs = datasec.variables.flatMap(({ typeId: varId }) => {
    const variable = btf.type(varId);
    if (variable.kind !== 'var') return [];
    const { name, typeId } = variable;
    return [{ name, varId, typeId, sizeBytes: btf.sizeOf(typeId) ?? 0, alignBytes: alignOf(btf, typeId), isWeak: weak.has(name) }];
  });
  return [...new Map(externs.map((extern) => [extern.name, extern])).values()];
}

/** Order in the map (cmp_externs): the strictest alignment first, then the smallest, then by name. */
function byPlace(a: KconfigExtern, b: KconfigExtern): number {
  return b.alignBytes - a.alignBytes || a.sizeBytes - b.sizeBytes || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** Alignment of the types that externs can have (btf__align_of); others get no value anyway. */
function alignOf(btf: Btf, typeId: number): number {
  const type = btf.type(btf.resolve(typeId));
  if (type.kind === 'int' || type.kind === 'enum') return Math.min(8, type.sizeBytes);
  return type.kind === 'ptr' ? 8 : 1;
}

/** What the configuration's values of a type look like (find_kcfg_type); `undefined` for types that there are no options of. */
function externType(btf: Btf, typeId: number): ExternType | undefined {
  const type = btf.type(btf.resolve(typeId));
  switch (type.kind) {
    case 'int':
      if (type.bool) return type.sizeBytes === 1 ? 'bool' : undefined;
      if (type.sizeBytes === 1) return 'char';
      return type.sizeBytes <= 8 ? 'int' : undefined;
    case 'enum':
      return type.name === 'libbpf_tristate' && type.sizeBytes === 4 ? 'tristate' : undefined;
    case 'array':
      return type.count > 0 && externType(btf, type.typeId) === 'char' ? 'text' : undefined;
    default:
      return undefined;
  }
}

/** Puts the value of an extern into its bytes; without one, a weak extern stays 0. */
function writeExtern(btf: Btf, extern: KconfigExtern, config: KernelConfig, bytes: Uint8Array): Result<void> {
  const { name, typeId, isWeak } = extern;
  const type = externType(btf, typeId);
  if (type === undefined) {
    const hint = 'declare it as bool, char, an integer, enum libbpf_tristate or char[]';
    return fail({ code: 'kconfig-bad-type', message: `reads ${name} of the kernel's configuration as ${btf.typeName(typeId)}, which no option is`, hint });
  }
  const text = config.get(name);
  if (text === undefined) {
    if (isWeak) return ok(undefined);
    const hint = name.startsWith('CONFIG_') ? `give the kernel's configuration: --kconfig /boot/config-6.18, or declare it __weak` : 'the virtual externs are LINUX_KERNEL_VERSION, LINUX_HAS_BPF_COOKIE and LINUX_HAS_SYSCALL_WRAPPER';
    return fail({ code: 'unknown-kconfig', message: `reads ${name} of the kernel's configuration, which is not known or not set`, hint });
  }
  const encoded = encodeValue(type, isSigned(btf, typeId), text, bytes.length);
  if (encoded === undefined) {
    return fail({ code: 'kconfig-bad-value', message: `reads ${name} of the kernel's configuration as ${btf.typeName(typeId)}, but its value is ${text}`, hint: 'declare it with the type that its value has' });
  }
  bytes.set(encoded);
  return ok(undefined);
}

function isSigned(btf: Btf, typeId: number): boolean {
  const type = btf.type(btf.resolve(typeId));
  return type.kind === 'int' && type.signed;
}

/** Bytes of a value (set_kcfg_value_tri, set_kcfg_value_str, set_kcfg_value_num); `undefined` when it is none of the type. */
function encodeValue(type: ExternType, signed: boolean, text: string, sizeBytes: number): Uint8Array | undefined {
  const first = text[0] ?? '';
  if (first in TRISTATE) {
    if (type === 'bool') return first === 'm' ? undefined : Uint8Array.of(first === 'y' ? 1 : 0);
    if (type === 'tristate') return Uint8Array.of(TRISTATE[first]!, 0, 0, 0);
    return type === 'char' ? Uint8Array.of(first.charCodeAt(0)) : undefined;
  }
  if (first === '"') {
    if (type !== 'text' || text.length < 2 || !text.endsWith('"')) return undefined;
    const bytes = new Uint8Array(sizeBytes);
    bytes.set(Buffer.from(text.slice(1, -1), 'latin1').subarray(0, sizeBytes - 1));
    return bytes;
  }
  const number = parseNumber(text);
  if (number === undefined || type === 'tristate' || type === 'text') return undefined;
  if (type === 'bool') return number <= 1n ? Uint8Array.of(Number(number)) : undefined;
  const bits = sizeBytes * 8;
  if (number !== BigInt.asUintN(64, signed ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number))) return undefined;
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, number, true);
  return bytes.subarray(0, sizeBytes);
}

/** strtoull of base 0: decimal, hexadecimal, octal; negative numbers wrap. */
function parseNumber(text: string): bigint | undefined {
  const [, minus, digits] = /^(-?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  const number = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
  return number >= 2n ** 64n ? undefined : BigInt.asUintN(64, minus === '-' ? -number : number);
}
