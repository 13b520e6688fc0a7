import { readFileSync, statSync } from 'node:fs';
import { catchProblem, fail, systemReason } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { KernelTypes } from './coreTarget.js';

/** A kernel with all its debug information has more, but BTF alone, or a kernel without DWARF, far less. */
const MAX_FILE_BYTES = 256 << 20;

const EHDR_BYTES = 64;
const SHDR_BYTES = 64;

const HINT = 'give BTF such as /sys/kernel/btf/vmlinux, or an ELF file with a section .BTF';

/**
 * Reads the types of a kernel: raw BTF such as /sys/kernel/btf/vmlinux, or an ELF file with a section `.BTF`.
 *
 * @param name what messages call it, e.g. the file's path
 *
 * Problems: `btf-missing`, `btf-bad-header`, `btf-bad-type`, `unsupported-btf-kind`. A type that is wrong in itself is noticed when it is used.
 */
export function readKernelTypes(bytes: Uint8Array, name: string): Result<KernelTypes> {
  const btf = isElf(bytes) ? elfBtfSection(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)) : bytes;
  if (btf === undefined) return fail({ code: 'btf-missing', message: 'the ELF file has no section .BTF', where: name, hint: HINT });
  return catchProblem(() => new KernelTypes(btf, name));
}

/** The same from a file. Problems in addition: `file-not-regular`, `file-too-big`, `file-unreadable`. */
export function loadKernelTypes(path: string): Result<KernelTypes> {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) return fail({ code: 'file-not-regular', message: 'this is no regular file', where: path, hint: HINT });
    if (stat.size > MAX_FILE_BYTES) return fail({ code: 'file-too-big', message: `${stat.size} bytes are more than are read (${MAX_FILE_BYTES})`, where: path, hint: HINT });
    return readKernelTypes(readFileSync(path), path);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error;
    return fail({ code: 'file-unreadable', message: `can't be read: ${systemReason(error)}`, where: path, hint: HINT });
  }
}

function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/**
 * Contents of `.BTF` in any little-endian ELF64 file: a kernel is an executable for another machine than BPF, which `readElf` refuses.
 * `undefined` when there is none, or when the file doesn't hold together.
 *
 *     Elf64_Ehdr: 40 shoff  58 shentsize  60 shnum  62 shstrndx     Elf64_Shdr: 0 name  24 offset  32 size
 */
function elfBtfSection(bytes: Buffer): Uint8Array | undefined {
  if (bytes.length < EHDR_BYTES || bytes[4] !== 2 || bytes[5] !== 1 || bytes.readUInt16LE(58) !== SHDR_BYTES) return undefined;
  const tableOff = Number(bytes.readBigUInt64LE(40));
  const count = bytes.readUInt16LE(60);
  if (tableOff + count * SHDR_BYTES > bytes.length) return undefined;
  const contents = (index: number): Buffer => {
    const at = tableOff + index * SHDR_BYTES;
    const offBytes = Number(bytes.readBigUInt64LE(at + 24));
    return bytes.subarray(offBytes, offBytes + Number(bytes.readBigUInt64LE(at + 32)));
  };
  const namesIndex = bytes.readUInt16LE(62);
  if (namesIndex >= count) return undefined;
  const names = contents(namesIndex);
  for (let index = 0; index < count; index++) {
    const nameOff = bytes.readUInt32LE(tableOff + index * SHDR_BYTES);
    if (names.toString('latin1', nameOff, nameOff + 5) === '.BTF\0') return contents(index);
  }
  return undefined;
}
