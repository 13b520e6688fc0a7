import type { Rng } from '../../src/base/index.js';
import { readElf } from '../../src/vm/elf/readElf.js';

/** Numbers that break careless arithmetic. */
const HOSTILE = [0, 1, 7, 8, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff];

/** Damages a good object; may write to `bytes`. */
export type Mutation = (bytes: Buffer, rng: Rng) => Buffer;

function flipBits(bytes: Buffer, rng: Rng): Buffer {
  for (let left = 1 + rng.below(8); left > 0; left--) {
    const at = rng.below(bytes.length);
    bytes[at] = bytes[at]! ^ (1 << rng.below(8));
  }
  return bytes;
}

function writeHostile(bytes: Buffer, at: number, rng: Rng): void {
  const value = HOSTILE[rng.below(HOSTILE.length)]!;
  if (at + 8 <= bytes.length && rng.below(3) === 0) bytes.writeBigUInt64LE((BigInt(value) << 32n) | BigInt(rng.nextU32()), at);
  else if (at + 4 <= bytes.length && rng.below(3) !== 0) bytes.writeUInt32LE(value, at);
  else if (at + 2 <= bytes.length) bytes.writeUInt16LE(value & 0xffff, at);
}

/** A word of a section whose contents are counts, offsets and ids. */
function hostileIn(names: RegExp): Mutation {
  return (bytes, rng) => {
    const sections = readElf(bytes, 'seed.o').sections.filter(({ name, bytes: contents }) => names.test(name) && contents.length > 0);
    if (sections.length === 0) return flipBits(bytes, rng);
    for (let left = 1 + rng.below(3); left > 0; left--) {
      const section = sections[rng.below(sections.length)]!;
      writeHostile(bytes, section.offBytes + (rng.below(section.sizeBytes) & ~1), rng);
    }
    return bytes;
  };
}

/** A field of a CO-RE relocation: which instruction, which type, which members, which question. */
const hostileCoreRelocation: Mutation = (bytes, rng) => {
  const ext = readElf(bytes, 'seed.o').sections.find(({ name }) => name === '.BTF.ext');
  // struct btf_ext_header: 4 hdr_len  24 core_relo_off  28 core_relo_len
  if (ext === undefined || ext.bytes.length < 32 || bytes.readUInt32LE(ext.offBytes + 28) === 0) return flipBits(bytes, rng);
  const start = ext.offBytes + bytes.readUInt32LE(ext.offBytes + 4) + bytes.readUInt32LE(ext.offBytes + 24);
  for (let left = 1 + rng.below(3); left > 0; left--) {
    const at = start + (rng.below(bytes.readUInt32LE(ext.offBytes + 28)) & ~3);
    // Small numbers are ids, kinds and strings that exist.
    if (rng.below(2) === 0) bytes.writeUInt32LE(rng.below(64), at);
    else writeHostile(bytes, at, rng);
  }
  return bytes;
};

/** Kinds of damage, by name. */
export const MUTATIONS: Readonly<Record<string, Mutation>> = {
  'flipped bits': flipBits,
  'cut short': (bytes, rng) => bytes.subarray(0, rng.below(bytes.length)),
  'hostile ELF header': (bytes, rng) => (writeHostile(bytes, 16 + (rng.below(48) & ~1), rng), bytes),
  'hostile section headers': (bytes, rng) => {
    const table = bytes.readUInt32LE(40);
    for (let left = 1 + rng.below(3); left > 0; left--) writeHostile(bytes, table + (rng.below(bytes.readUInt16LE(60) * 64) & ~3), rng);
    return bytes;
  },
  'hostile BTF': hostileIn(/^\.BTF$/),
  'hostile line information': hostileIn(/^\.BTF\.ext$/),
  'hostile CO-RE relocations': hostileCoreRelocation,
  'hostile relocations': hostileIn(/^\.rel(xdp|\d|\.maps|\.text)/),
  'hostile symbols': hostileIn(/^\.symtab$/),
  'hostile instructions': hostileIn(/^(xdp[\w./]*|\d+\/\d+|\.text)$/),
  'a block moved': (bytes, rng) => {
    const size = 1 + rng.below(64);
    bytes.copyWithin(rng.below(bytes.length - size), rng.below(bytes.length - size), rng.below(bytes.length));
    return bytes;
  },
};
