import { EAGAIN, EINVAL } from '../../base/index.js';
import { RETURN_INT, RETURN_U32, RETURN_U64, VM_REGS } from '../layout.js';
import { MAP_OP_RINGBUF } from '../maps/map.js';
import { BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP } from '../maps/ringBuf.js';
import type { RingBuf } from '../maps/ringBuf.js';
import type { Reference } from '../references.js';
import type { HelperContext, HelperSupport } from './helper.js';

const WAKEUP_FLAGS = BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP;
const TWO_TO_32 = 2 ** 32;

/** A record that a program has reserved. */
const RECORD = 'ring buffer record';

/** A record between bpf_ringbuf_reserve and bpf_ringbuf_submit or _discard. */
interface RecordReference extends Reference {
  readonly ring: RingBuf;
}

/** bpf_ringbuf_output(ringbuf, data, size, flags) (kernel/bpf/ringbuf.c, 6.18): 0, -EINVAL for a flag that is none, -EAGAIN for no room. */
export const ringbufOutput: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: ({ args, memory, environment }) => (_map, data, size, flags) => {
    const ring = args.map(1, MAP_OP_RINGBUF) as RingBuf | undefined;
    if (ring === undefined || !args.isSize(3, true)) return 0;
    if (size > 0 && !args.isMemory(2, size, false)) return 0;
    if ((flags & ~WAKEUP_FLAGS) !== 0 || args.upperHalf(4) !== 0) return -EINVAL;
    const record = ring.reserve(size);
    if (record === 0) return -EAGAIN;
    const start = data >>> 0;
    memory.u8.copyWithin(record, start, start + size);
    ring.commit(record, flags, false);
    deliver(environment, ring);
    return 0;
  },
};

/** bpf_ringbuf_reserve(ringbuf, size, flags): address of a record, NULL for no room or any flag. */
export const ringbufReserve: HelperSupport = {
  args: ['const_map_ptr', 'const_alloc_size_or_zero', 'anything'],
  returns: RETURN_U32,
  make: ({ args, references }) => (_map, size, flags) => {
    const ring = args.map(1, MAP_OP_RINGBUF) as RingBuf | undefined;
    if (ring === undefined || flags !== 0 || args.upperHalf(3) !== 0 || args.upperHalf(2) !== 0) return 0;
    if (!ring.canLend) {
      args.refuse(2, size >>> 0, true);
      return 0;
    }
    const record = ring.reserve(size >>> 0);
    if (record === 0) return 0;
    ring.lend(record);
    const reference: RecordReference = { kind: RECORD, address: record, ring, drop: () => give(ring, record, BPF_RB_NO_WAKEUP, true) };
    references.acquire(reference);
    return record;
  },
};

/** bpf_ringbuf_submit(data, flags): the record is for the reader now. */
export const ringbufSubmit: HelperSupport = endOfRecord(false);

/** bpf_ringbuf_discard(data, flags): the reader will skip the record. */
export const ringbufDiscard: HelperSupport = endOfRecord(true);

/** bpf_ringbuf_query(ringbuf, flags): a number of up to 64 bits, 0 for a question that there isn't. */
export const ringbufQuery: HelperSupport = {
  args: ['const_map_ptr', 'anything'],
  returns: RETURN_U64,
  make: ({ args, memory, stateAddress }) => {
    const { u32 } = memory;
    const r0 = (stateAddress + VM_REGS) >>> 2;
    return (_map, what) => {
      const ring = args.map(1, MAP_OP_RINGBUF) as RingBuf | undefined;
      if (ring === undefined) return 0;
      const value = args.upperHalf(2) === 0 ? ring.query(what >>> 0) : 0;
      u32[r0] = value % TWO_TO_32;
      u32[r0 + 1] = value / TWO_TO_32;
      return 0;
    };
  },
};

function endOfRecord(isDiscarded: boolean): HelperSupport {
  return {
    args: ['ptr_to_ringbuf_mem', 'anything'],
    returns: RETURN_INT,
    make: ({ args, references, environment }) => (data, flags) => {
      const record = data >>> 0;
      const reference = args.upperHalf(1) === 0 ? (references.find(RECORD, record) as RecordReference | undefined) : undefined;
      if (reference === undefined) {
        args.refuse(1, 0, false);
        return 0;
      }
      references.release(RECORD, record);
      give(reference.ring, record, flags, isDiscarded);
      deliver(environment, reference.ring);
      return 0;
    },
  };
}

export function give(ring: RingBuf, record: number, flags: number, isDiscarded: boolean): void {
  ring.takeBack(record);
  ring.commit(record, flags, isDiscarded);
}

/** Whoever listens has read a record as soon as it is there. Without a listener the records stay, and the ring fills. */
export function deliver(environment: HelperContext['environment'], ring: RingBuf): void {
  if (environment.onEvent === undefined) return;
  ring.consume((bytes) => environment.onEvent?.(ring, bytes));
}
