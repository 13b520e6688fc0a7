import { fail, ok } from '../base/index.js';
import type { KernelRelease, Problem, Result } from '../base/index.js';
import { metaMaxBytes, networkOrderType } from '../vm/index.js';
import type { Btf, BtfComposite } from '../vm/index.js';

/**
 * What a program and whoever reads its metadata have agreed on: the fields of the bytes right before the packet. The metadata that the program
 * makes room for (bpf_xdp_adjust_meta) is as long as the contract, so its first byte is at `data_meta`:
 *
 *     data_meta                                        data
 *     +-----------------+------------+-------------+---+------------
 *     | field at 0      | …          | last field  | packet
 *     +-----------------+------------+-------------+---+------------
 */
export interface MetadataContract {
  readonly name: string;
  readonly sizeBytes: number;
  /** What the widest field asks for: `data_meta` is a multiple of it, or whoever reads must not take fields by their own type. */
  readonly alignBytes: number;
  readonly fields: readonly MetadataField[];
}

export interface MetadataField {
  readonly name: string;
  readonly offBytes: number;
  readonly sizeBytes: number;
  readonly alignBytes: number;
  readonly kind: 'unsigned' | 'signed' | 'bytes';
  /** `unknown`: the object says nothing about it (a Rust integer, bytes). */
  readonly byteOrder: 'host' | 'network' | 'unknown';
}

/** How a field is declared: `u8` to `u64`, `s8` to `s64`, `be16` to `be64` for network byte order, `u8[6]` for bytes. */
export type FieldType = `u${8 | 16 | 32 | 64}` | `s${8 | 16 | 32 | 64}` | `be${16 | 32 | 64}` | `u8[${number}]`;

/** Value of a field: a number up to 32 bits, a bigint of 64, bytes of an array. */
export type MetadataValue = number | bigint | Uint8Array;

/**
 * Longest metadata in bytes: a packet has 256 bytes of headroom (XDP_PACKET_HEADROOM), and the first 40 are those of struct xdp_frame; measured
 * on 6.18. Older kernels have a limit of their own: `metadataMaxBytes`.
 */
export const METADATA_MAX_BYTES = 216;

/** Longest metadata of a release: 32 bytes before 6.8. */
export function metadataMaxBytes(kernel?: KernelRelease): number {
  return Math.min(METADATA_MAX_BYTES, metaMaxBytes(kernel));
}

/** skb_metadata_set and bpf_xdp_adjust_meta take nothing else. */
const METADATA_UNIT_BYTES = 4;

const NUMBER_TYPE = /^(u|s|be)(8|16|32|64)$/;
const BYTES_TYPE = /^u8\[(\d{1,3})\]$/;

/**
 * Declares a contract field by field; each lies where C would put it.
 *
 * Problems, all `contract-…`: `empty`, `type`, `field-twice`, `hole` (a program's stack would leak through it, and Rust and C may differ), `size` (no
 * multiple of 4), `too-long`.
 *
 * @param maxBytes longest metadata, as `metadataMaxBytes` tells it for older kernels
 */
export function declareContract(
  name: string, fields: readonly (readonly [name: string, type: FieldType])[], maxBytes = METADATA_MAX_BYTES,
): Result<MetadataContract> {
  const placed: MetadataField[] = [];
  let end = 0;
  for (const [fieldName, type] of fields) {
    const shape = shapeOf(type);
    if (shape === undefined) return refuse('type', name, `field ${fieldName} can't be ${JSON.stringify(type)}`, 'use u8, u16, u32, u64, s8 to s64, be16 to be64, or u8[N]');
    if (placed.some((other) => other.name === fieldName)) return refuse('field-twice', name, `there are two fields ${fieldName}`, 'rename one');
    const offBytes = Math.ceil(end / shape.alignBytes) * shape.alignBytes;
    placed.push({ name: fieldName, offBytes, ...shape });
    end = offBytes + shape.sizeBytes;
  }
  return checked({ name, sizeBytes: end, alignBytes: alignmentOf(placed), fields: placed }, maxBytes);
}

/**
 * The contract that a struct of an object is, by its BTF: of C, or of Rust with `#[repr(C)]`. Structs inside it count with their own fields
 * (`inner.field`).
 *
 * Problems: `contract-no-btf`, `contract-unknown-type`, `contract-field` (bit fields, pointers, floats, unions), and those of `declareContract`.
 *
 * @param typeName `struct NAME` or `NAME`
 */
export function contractOfStruct(btf: Btf | undefined, typeName: string, maxBytes = METADATA_MAX_BYTES): Result<MetadataContract> {
  if (btf === undefined) return refuse('no-btf', typeName, 'the object has no BTF', 'build it with -g');
  const name = typeName.replace(/^struct\s+/, '');
  const id = btf.find('struct', name) ?? typedefOfStruct(btf, name);
  if (id === undefined) {
    return refuse('unknown-type', typeName, `the object has no struct ${name}`, 'check the name; the compiler leaves out what no map, variable or signature of a function uses: hand a pointer to it to a noinline function');
  }
  const type = btf.type(id) as BtfComposite;
  const fields: MetadataField[] = [];
  const problem = addFields(btf, type, 0, '', name, fields);
  if (problem !== undefined) return fail(problem);
  return checked({ name, sizeBytes: type.sizeBytes, alignBytes: alignmentOf(fields), fields }, maxBytes);
}

/**
 * Where two sides understand the same bytes differently: fields that one lacks, offsets, widths, signs, byte orders, and the size. Empty when they agree.
 *
 * @param declared what this side was told
 * @param found what the other side's struct is
 */
export function compareContracts(declared: MetadataContract, found: MetadataContract): readonly Problem[] {
  const problems: Problem[] = [];
  const where = `contract ${declared.name} and struct ${found.name}`;
  const tell = (code: string, message: string, hint: string): void => void problems.push({ code: `contract-${code}`, where, message, hint });
  for (const field of declared.fields) {
    const other = found.fields.find(({ name }) => name === field.name);
    if (other === undefined) {
      tell('field-missing', `the struct has no field ${field.name}`, `its fields are ${found.fields.map(({ name }) => name).join(', ')}`);
      continue;
    }
    if (other.offBytes !== field.offBytes) {
      tell('offset', `${field.name} lies at byte ${field.offBytes} of the contract and at byte ${other.offBytes} of the struct`, 'give both the same order of fields; a Rust struct needs #[repr(C)], or the compiler sorts them');
    }
    if (other.sizeBytes !== field.sizeBytes) tell('width', `${field.name} has ${field.sizeBytes} bytes in the contract and ${other.sizeBytes} in the struct`, 'use types of a fixed width: __u32, not long');
    else if (other.kind !== field.kind && other.kind !== 'bytes' && field.kind !== 'bytes') tell('sign', `${field.name} is ${field.kind} in the contract and ${other.kind} in the struct`, 'choose one: u32 or s32, __u32 or __s32');
    if (field.byteOrder !== other.byteOrder && field.byteOrder !== 'unknown' && other.byteOrder !== 'unknown') {
      tell('byte-order', `${field.name} is in ${field.byteOrder} byte order in the contract and in ${other.byteOrder} byte order in the struct`, 'network order is be16 here and __be16 there, host order u16 and __u16; convert with bpf_ntohs');
    }
  }
  for (const { name } of found.fields) {
    if (!declared.fields.some((field) => field.name === name)) tell('field-unknown', `the struct has a field ${name}, which the contract lacks`, 'declare it, or both sides read what lies behind it differently');
  }
  if (declared.sizeBytes !== found.sizeBytes) tell('size', `the contract has ${declared.sizeBytes} bytes and the struct ${found.sizeBytes}`, 'the fields begin that many bytes before the packet: both sides must say the same');
  return problems;
}

/**
 * Whether the metadata of a packet can be read by the contract: `contract-metadata-size` when it is shorter or longer, `contract-metadata-align` when
 * the widest field isn't aligned where it lies.
 *
 * @param dataAddress where the packet begins
 * @param metaBytes `data - data_meta`
 */
export function checkMetadata({ name, sizeBytes, alignBytes }: MetadataContract, dataAddress: number, metaBytes: number): Problem | undefined {
  const where = `contract ${name}`;
  if (metaBytes !== sizeBytes) {
    return { code: 'contract-metadata-size', where, message: `the packet has ${metaBytes} bytes of metadata, the contract ${sizeBytes}`, hint: `bpf_xdp_adjust_meta(ctx, -(int)sizeof(struct ${name})), once; and look at its result` };
  }
  if ((dataAddress - metaBytes) % alignBytes === 0) return undefined;
  return {
    code: 'contract-metadata-align', where, message: `the metadata begins at an address that is no multiple of ${alignBytes}`,
    hint: `the packet itself does not: after bpf_xdp_adjust_head, or where a NIC leaves NET_IP_ALIGN; read the fields by memcpy, or keep them to 4 bytes`,
  };
}

/** The fields of metadata that begins at `offBytes`; the caller has checked its length. */
export function readMetadata({ fields }: MetadataContract, bytes: Uint8Array, offBytes: number): Record<string, MetadataValue> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Object.fromEntries(fields.map((field) => [field.name, readField(field, bytes, view, offBytes + field.offBytes)]));
}

/** Metadata with these values, as the program would write it. Problems: `contract-field-missing`, `contract-value`. */
export function encodeMetadata(contract: MetadataContract, values: Readonly<Record<string, MetadataValue>>): Result<Uint8Array> {
  const bytes = new Uint8Array(contract.sizeBytes);
  const view = new DataView(bytes.buffer);
  for (const field of contract.fields) {
    const value = values[field.name];
    if (value === undefined) return refuse('field-missing', contract.name, `there is no value for ${field.name}`, 'give every field one');
    if (!writeField(field, bytes, view, value)) return refuse('value', contract.name, `${field.name} can't hold ${String(value)}`, `it is ${field.kind}, ${field.sizeBytes} bytes`);
  }
  return ok(bytes);
}

interface FieldShape {
  readonly sizeBytes: number;
  readonly alignBytes: number;
  readonly kind: MetadataField['kind'];
  readonly byteOrder: MetadataField['byteOrder'];
}

function shapeOf(type: string): FieldShape | undefined {
  const bytes = BYTES_TYPE.exec(type);
  if (bytes !== null) return Number(bytes[1]) === 0 ? undefined : { sizeBytes: Number(bytes[1]), alignBytes: 1, kind: 'bytes', byteOrder: 'unknown' };
  const number = NUMBER_TYPE.exec(type);
  if (number === null || type === 'be8') return undefined;
  const sizeBytes = Number(number[2]) / 8;
  return { sizeBytes, alignBytes: sizeBytes, kind: number[1] === 's' ? 'signed' : 'unsigned', byteOrder: number[1] === 'be' ? 'network' : 'host' };
}

function refuse(code: string, name: string, message: string, hint: string): Result<never> {
  return fail({ code: `contract-${code}`, where: `contract ${name}`, message, hint });
}

function alignmentOf(fields: readonly MetadataField[]): number {
  return fields.reduce((most, { alignBytes }) => Math.max(most, alignBytes), 1);
}

function checked(contract: MetadataContract, maxBytes: number): Result<MetadataContract> {
  const { name, sizeBytes, alignBytes, fields } = contract;
  if (fields.length === 0) return refuse('empty', name, 'there are no fields', 'declare at least one');
  let end = 0;
  for (const field of fields) {
    if (field.offBytes > end) {
      return refuse('hole', name, `${field.offBytes - end} bytes before ${field.name} belong to no field`, 'declare them as padding, and have the program write 0 there: what its stack held goes out otherwise');
    }
    end = Math.max(end, field.offBytes + field.sizeBytes);
  }
  const wanted = Math.max(METADATA_UNIT_BYTES, alignBytes);
  if (end !== sizeBytes) return refuse('hole', name, `${sizeBytes - end} bytes behind the last field belong to no field`, 'declare them as padding');
  if (sizeBytes % wanted !== 0) {
    const reason = sizeBytes % METADATA_UNIT_BYTES === 0 ? `sizeof pads it to a multiple of ${wanted} bytes` : 'the kernel takes multiples of 4 only (EACCES)';
    return refuse('size', name, `${sizeBytes} bytes: ${reason}`, `add ${wanted - (sizeBytes % wanted)} bytes of padding`);
  }
  if (sizeBytes > maxBytes) return refuse('too-long', name, `${sizeBytes} bytes are more than the ${maxBytes} that ${maxBytes < METADATA_MAX_BYTES ? 'this kernel allows (EACCES)' : 'fit before a packet (EINVAL)'}`, 'send what is larger through a map');
  return ok(contract);
}

function typedefOfStruct(btf: Btf, name: string): number | undefined {
  const id = btf.find('typedef', name);
  if (id === undefined) return undefined;
  const resolved = btf.resolve(id);
  return btf.type(resolved).kind === 'struct' ? resolved : undefined;
}

/** Gathers the fields of a struct; Btf has made sure that structs inside structs end. */
function addFields(btf: Btf, type: BtfComposite, baseBytes: number, prefix: string, contract: string, fields: MetadataField[]): Problem | undefined {
  for (const { name, typeId, bitOffset, bitfieldBits } of type.members) {
    const path = `${prefix}${name}`;
    const tell = (what: string): Problem => ({ code: 'contract-field', where: `contract ${contract}`, message: `${path === '' ? 'a field without a name' : path} is ${what}`, hint: 'use integers of a fixed width, and arrays of bytes' });
    if (bitfieldBits !== 0 || bitOffset % 8 !== 0) return tell('a bit field, whose place is up to the compiler');
    const offBytes = baseBytes + bitOffset / 8;
    const resolved = btf.type(btf.resolve(typeId));
    if (resolved.kind === 'struct') {
      const problem = addFields(btf, resolved, offBytes, name === '' ? prefix : `${path}.`, contract, fields);
      if (problem !== undefined) return problem;
      continue;
    }
    const shape = shapeOfType(btf, typeId);
    if (typeof shape === 'string') return tell(shape);
    fields.push({ name: path, offBytes, ...shape });
  }
  return undefined;
}

function shapeOfType(btf: Btf, typeId: number): FieldShape | string {
  const type = btf.type(btf.resolve(typeId));
  switch (type.kind) {
    case 'int':
      if (type.bits !== type.sizeBytes * 8 || type.sizeBytes > 8) return `of the type ${type.name}, which has no fixed width here`;
      return { sizeBytes: type.sizeBytes, alignBytes: type.sizeBytes, kind: type.signed ? 'signed' : 'unsigned', byteOrder: byteOrderOf(btf, typeId) };
    case 'enum':
      return { sizeBytes: type.sizeBytes, alignBytes: type.sizeBytes, kind: type.signed ? 'signed' : 'unsigned', byteOrder: 'host' };
    case 'array': {
      if (type.count === 0) return 'an array without a length';
      const element = btf.type(btf.resolve(type.typeId));
      if (element.kind === 'int' && element.sizeBytes === 1) return { sizeBytes: type.count, alignBytes: 1, kind: 'bytes', byteOrder: 'unknown' };
      return `an array of ${btf.typeName(type.typeId)}`;
    }
    case 'ptr': return 'a pointer, which means nothing to whoever reads it';
    case 'union': return 'a union: nobody can tell which of its fields was written';
    default: return `of the type ${btf.typeName(typeId)}`;
  }
}

/** Integers of Rust have these names themselves; in C they are typedefs, and the compiler's integers are called `unsigned int` and the like. */
const RUST_INTEGER = /^[ui](8|16|32|64)$/;

/** `__be16` and its kin say so; a single byte has no order. */
function byteOrderOf(btf: Btf, typeId: number): MetadataField['byteOrder'] {
  if (networkOrderType(btf, typeId) !== undefined) return 'network';
  const type = btf.type(btf.resolve(typeId));
  return btf.sizeOf(typeId) === 1 || RUST_INTEGER.test(type.name) ? 'unknown' : 'host';
}

function readField({ sizeBytes, kind, byteOrder }: MetadataField, bytes: Uint8Array, view: DataView, at: number): MetadataValue {
  const isLittle = byteOrder !== 'network';
  const isSigned = kind === 'signed';
  if (kind === 'bytes') return bytes.slice(at, at + sizeBytes);
  switch (sizeBytes) {
    case 1: return isSigned ? view.getInt8(at) : view.getUint8(at);
    case 2: return isSigned ? view.getInt16(at, isLittle) : view.getUint16(at, isLittle);
    case 4: return isSigned ? view.getInt32(at, isLittle) : view.getUint32(at, isLittle);
    default: return isSigned ? view.getBigInt64(at, isLittle) : view.getBigUint64(at, isLittle);
  }
}

/** False when the value doesn't fit. */
function writeField({ offBytes, sizeBytes, kind, byteOrder }: MetadataField, bytes: Uint8Array, view: DataView, value: MetadataValue): boolean {
  const isLittle = byteOrder !== 'network';
  if (kind === 'bytes') {
    if (!(value instanceof Uint8Array) || value.length !== sizeBytes) return false;
    bytes.set(value, offBytes);
    return true;
  }
  if (typeof value !== 'bigint' && !(typeof value === 'number' && Number.isSafeInteger(value))) return false;
  const number = BigInt(value);
  const bits = sizeBytes * 8;
  if (number !== (kind === 'signed' ? BigInt.asIntN(bits, number) : BigInt.asUintN(bits, number))) return false;
  switch (sizeBytes) {
    case 1: view.setUint8(offBytes, Number(BigInt.asUintN(8, number))); break;
    case 2: view.setUint16(offBytes, Number(BigInt.asUintN(16, number)), isLittle); break;
    case 4: view.setUint32(offBytes, Number(BigInt.asUintN(32, number)), isLittle); break;
    default: view.setBigUint64(offBytes, BigInt.asUintN(64, number), isLittle);
  }
  return true;
}
