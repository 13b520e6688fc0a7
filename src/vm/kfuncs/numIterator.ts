import { E2BIG, EINVAL } from '../../base/index.js';
import type { HelperContext, HelperSupport } from '../helpers/helper.js';
import { RETURN_INT, RETURN_U32 } from '../layout.js';
import type { Reference } from '../references.js';

/** Most numbers that one loop may have (BPF_MAX_LOOPS, include/linux/bpf.h). */
const BPF_MAX_LOOPS = 8 << 20;

const KIND = 'bpf_iter_num';
const STATE_BYTES = 8;

// struct bpf_iter_num_kern (kernel/bpf/bpf_iter.c, 6.18), on the program's stack:
//
//     0 cur (s32, the number that `next` gave last)  4 end (s32, first number that is none)

/** An iterator that the program has begun. What it has on its stack is a copy: a program that writes there has no iterator any more. */
class NumIterator implements Reference {
  readonly kind = KIND;
  readonly address: number;
  cur: number;
  end: number;

  constructor(address: number, cur: number, end: number) {
    this.address = address;
    this.cur = cur;
    this.end = end;
  }

  drop(): void {}

  isIntact(i32: Int32Array): boolean {
    return i32[this.address >>> 2] === this.cur && i32[(this.address >>> 2) + 1] === this.end;
  }

  store(i32: Int32Array): void {
    i32[this.address >>> 2] = this.cur;
    i32[(this.address >>> 2) + 1] = this.end;
  }
}

/**
 * bpf_iter_num_new(it, start, end) (kernel/bpf/bpf_iter.c, 6.18): the numbers from `start` to `end - 1`. After an error there is an iterator
 * too, without numbers, and it has to be destroyed like any other.
 */
export const iterNumNew: HelperSupport = {
  args: ['anything', 'anything', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory: { i32 }, references }) => (it, start, end) => {
    const address = it >>> 0;
    if (!args.isStack(1, STATE_BYTES)) return 0;
    if (references.find(KIND, address) !== undefined) {
      args.refuse(1, STATE_BYTES, true);
      return 0;
    }
    const error = start > end ? -EINVAL : end - start > BPF_MAX_LOOPS ? -E2BIG : 0;
    const iterator = error === 0 ? new NumIterator(address, (start - 1) | 0, end) : new NumIterator(address, 0, 0);
    iterator.store(i32);
    references.acquire(iterator);
    return error;
  },
};

/** bpf_iter_num_next(it) (kernel/bpf/bpf_iter.c, 6.18): address of the next number, NULL after the last one. */
export const iterNumNext: HelperSupport = {
  args: ['anything'],
  returns: RETURN_U32,
  make: (context) => (it) => {
    const iterator = begunIterator(context, it >>> 0);
    if (iterator === undefined) return 0;
    // As s32 in the kernel: before the first number of a range from INT_MIN on stands INT_MAX.
    const next = (iterator.cur + 1) | 0;
    const isOver = next >= iterator.end;
    iterator.cur = isOver ? 0 : next;
    if (isOver) iterator.end = 0;
    iterator.store(context.memory.i32);
    return isOver ? 0 : iterator.address;
  },
};

/** bpf_iter_num_destroy(it) (kernel/bpf/bpf_iter.c, 6.18). */
export const iterNumDestroy: HelperSupport = {
  args: ['anything'],
  returns: RETURN_INT,
  make: (context) => (it) => {
    const iterator = begunIterator(context, it >>> 0);
    if (iterator === undefined) return 0;
    context.references.release(KIND, iterator.address);
    iterator.cur = 0;
    iterator.end = 0;
    iterator.store(context.memory.i32);
    return 0;
  },
};

/** The iterator that r1 points to; `undefined`, and reported, when there is none or the program has written over it. */
function begunIterator({ args, memory, references }: HelperContext, address: number): NumIterator | undefined {
  const iterator = references.find(KIND, address);
  if (args.upperHalf(1) === 0 && iterator instanceof NumIterator && iterator.isIntact(memory.i32)) return iterator;
  args.refuse(1, STATE_BYTES, false);
  return undefined;
}
