import { E2BIG, EFAULT, EINVAL, ERANGE } from '../../base/index.js';
import type { HelperContext, HelperSupport } from '../helpers/helper.js';
import { RETURN_INT, RETURN_U32 } from '../layout.js';
import type { Reference } from '../references.js';
import { kernelAddress } from './kernelAddress.js';

/** BITS_ITER_NR_WORDS_MAX: words of 8 bytes. */
const MAX_WORDS = 511;

const KIND = 'bpf_iter_bits';
const STATE_BYTES = 16;

// struct bpf_iter_bits_kern (kernel/bpf/helpers.c, 6.18), on the program's stack:
//
//     0 bits (the word itself, or where a copy of several is)  8 nr_bits (s32)  12 bit (s32, the one that `next` gave last)

/** An iterator that the program has begun. Only `bit`, which the program gets the address of, is kept on its stack. */
class BitsIterator implements Reference {
  readonly kind = KIND;
  readonly address: number;
  /** The bits as they were when the iterator was made, as halves of words. */
  readonly bits: Uint32Array;
  bit = -1;

  constructor(address: number, bits: Uint32Array) {
    this.address = address;
    this.bits = bits;
  }

  drop(): void {}

  isIntact(i32: Int32Array): boolean {
    return i32[(this.address >>> 2) + 2] === this.bits.length * 32 && i32[(this.address >>> 2) + 3] === this.bit;
  }

  store(i32: Int32Array): void {
    i32.fill(0, this.address >>> 2, (this.address >>> 2) + 2);
    i32[(this.address >>> 2) + 2] = this.bits.length * 32;
    i32[(this.address >>> 2) + 3] = this.bit;
  }
}

const NO_BITS = new Uint32Array(0);

/** bpf_iter_bits_new(it, unsafe_ptr, nr_words) (kernel/bpf/helpers.c, 6.18): the numbers of the bits that are set in `nr_words` u64. After an error there is an iterator too. */
export const iterBitsNew: HelperSupport = {
  args: ['anything', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { args, memory: { u8, i32 }, references } = context;
    return (it, bits, count) => {
      const address = it >>> 0;
      if (!args.isStack(1, STATE_BYTES)) return 0;
      if (references.find(KIND, address) !== undefined) {
        args.refuse(1, STATE_BYTES, true);
        return 0;
      }
      const words = count >>> 0;
      const source = kernelAddress(context, 2, bits);
      const isNull = bits === 0 && args.upperHalf(2) === 0;
      const error = isNull || words === 0 ? -EINVAL : words > MAX_WORDS ? -E2BIG : readError(source, words, u8.length);
      const copy = error === 0 ? new Uint32Array(u8.slice(source, source + words * 8).buffer) : NO_BITS;
      const iterator = new BitsIterator(address, copy);
      iterator.store(i32);
      references.acquire(iterator);
      return error;
    };
  },
};

/** What is wrong with reading words there: a single word is read by other means, which know one errno only. */
function readError(source: number, words: number, memoryBytes: number): number {
  if (source < 0) return words === 1 ? -EFAULT : -ERANGE;
  return source + words * 8 > memoryBytes ? -EFAULT : 0;
}

/** bpf_iter_bits_next(it) (kernel/bpf/helpers.c, 6.18): address of the number of the next bit, NULL after the last one. */
export const iterBitsNext: HelperSupport = {
  args: ['anything'],
  returns: RETURN_U32,
  make: (context) => (it) => {
    const iterator = begunIterator(context, it >>> 0);
    if (iterator === undefined) return 0;
    const count = iterator.bits.length * 32;
    if (iterator.bit >= count) return 0;
    iterator.bit = nextSetBit(iterator.bits, iterator.bit + 1);
    iterator.store(context.memory.i32);
    return iterator.bit >= count ? 0 : iterator.address + 12;
  },
};

/** bpf_iter_bits_destroy(it) (kernel/bpf/helpers.c, 6.18). */
export const iterBitsDestroy: HelperSupport = {
  args: ['anything'],
  returns: RETURN_INT,
  make: (context) => (it) => {
    const iterator = begunIterator(context, it >>> 0);
    if (iterator !== undefined) context.references.release(KIND, iterator.address);
    return 0;
  },
};

/** The iterator at this address; `undefined`, and reported, when there is none or the program has written over it. */
function begunIterator({ args, memory, references }: HelperContext, address: number): BitsIterator | undefined {
  const iterator = references.find(KIND, address);
  if (args.upperHalf(1) === 0 && iterator instanceof BitsIterator && iterator.isIntact(memory.i32)) return iterator;
  args.refuse(1, STATE_BYTES, false);
  return undefined;
}

/** Number of the first bit that is set from `from` on, or how many bits there are. */
function nextSetBit(bits: Uint32Array, from: number): number {
  for (let word = from >>> 5; word < bits.length; word++) {
    const left = word === from >>> 5 ? bits[word]! & (-1 << (from & 31)) : bits[word]!;
    if (left !== 0) return word * 32 + 31 - Math.clz32(left & -left);
  }
  return bits.length * 32;
}
