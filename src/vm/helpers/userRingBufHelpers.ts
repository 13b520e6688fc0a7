import { EAGAIN, EBUSY, EINVAL, ENODATA } from '../../base/index.js';
import { DYNPTR_BYTES, DYNPTR_LOCAL } from '../dynptrs.js';
import { ACCESS_MAX_ROWS, RETURN_INT, VM_MAX_FRAMES, VM_REGS } from '../layout.js';
import { MAP_OP_USER_RINGBUF } from '../maps/map.js';
import { BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP } from '../maps/ringBuf.js';
import type { UserRingBuf, UserSample } from '../maps/userRingBuf.js';
import type { Reference } from '../references.js';
import type { HelperContext, HelperSupport } from './helper.js';

/** Samples that one call takes (BPF_MAX_USER_RINGBUF_SAMPLES). */
const MAX_SAMPLES = 128 * 1024;

/**
 * bpf_user_ringbuf_drain(map, callback_fn, ctx, flags) (kernel/bpf/ringbuf.c, 6.18): calls back with (dynptr of a sample, ctx) until that gives
 * something other than 0 or no sample is left. The number of samples, or a negated errno.
 */
export const userRingbufDrain: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_func', 'ptr_to_stack_or_null', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { args, memory, stateAddress } = context;
    const { u32 } = memory;
    // Where the kernel has its dynptr on its own stack. A callback may drain another ring.
    const dynptrs = memory.reserve('dynptrs of bpf_user_ringbuf_drain', VM_MAX_FRAMES * DYNPTR_BYTES);
    const r3 = (stateAddress + VM_REGS + 3 * 8) >>> 2;
    let depth = 0;
    return (_map, _fn, _callbackContext, flags) => {
      const ring = args.map(1, MAP_OP_USER_RINGBUF) as UserRingBuf | undefined;
      const insnIndex = ring === undefined ? -1 : args.functionIndex(2);
      if (ring === undefined || insnIndex < 0) return 0;
      if ((flags & ~(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)) !== 0 || args.upperHalf(4) !== 0) return -EINVAL;
      if (ring.isBusy) return -EBUSY;
      if (context.accessTable.count === ACCESS_MAX_ROWS) return Number(args.refuse(1, 0, false));
      const call = new SampleCall(context, insnIndex, dynptrs + depth * DYNPTR_BYTES, u32[r3], u32[r3 + 1]);
      ring.isBusy = true;
      depth++;
      try {
        return drain(ring, call);
      } finally {
        ring.isBusy = false;
        depth--;
      }
    };
  },
};

function drain(ring: UserRingBuf, call: SampleCall): number {
  let discarded = 0;
  for (let samples = 0; samples < MAX_SAMPLES; samples++) {
    const sample = ring.peek();
    if (sample === -ENODATA) return samples - discarded;
    if (sample === -EAGAIN) {
      discarded++;
    } else if (typeof sample === 'number') {
      return sample;
    } else {
      const goesOn = call.run(sample);
      ring.release(sample);
      if (!goesOn) return samples + 1 - discarded;
    }
  }
  return MAX_SAMPLES - discarded;
}

/** The callback with its dynptr and its context. */
class SampleCall {
  readonly #context: HelperContext;
  readonly #insnIndex: number;
  readonly #dynptr: number;
  readonly #contextLow: number;
  readonly #contextHigh: number;

  constructor(context: HelperContext, insnIndex: number, dynptr: number, contextLow: number, contextHigh: number) {
    this.#context = context;
    this.#insnIndex = insnIndex;
    this.#dynptr = dynptr;
    this.#contextLow = contextLow;
    this.#contextHigh = contextHigh;
  }

  /** @returns false when the callback wants no more, or the program was stopped */
  run({ address, sizeBytes }: UserSample): boolean {
    const { accessTable, dynptrs, memory, stateAddress, callback } = this.#context;
    const { u32 } = memory;
    const r0 = (stateAddress + VM_REGS) >>> 2;
    // Nothing that a program could give back: it ties the dynptr and its clones to this sample.
    const reference: Reference = { kind: 'user ring buffer sample', address: this.#dynptr, drop: () => {} };
    dynptrs.set(this.#dynptr, { type: DYNPTR_LOCAL, dataAddress: address, sizeBytes, offBytes: 0, reference });
    if (sizeBytes > 0) accessTable.add({ start: address, end: address + sizeBytes, strideBytes: sizeBytes, valueBytes: sizeBytes, writable: true });
    u32[r0 + 2] = this.#dynptr;
    u32[r0 + 3] = 0;
    u32[r0 + 4] = this.#contextLow;
    u32[r0 + 5] = this.#contextHigh;
    const isDone = callback(this.#insnIndex);
    if (sizeBytes > 0) accessTable.remove(address);
    dynptrs.end(reference);
    return isDone && u32[r0] === 0 && u32[r0 + 1] === 0;
  }
}
