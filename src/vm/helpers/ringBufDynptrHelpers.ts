import { E2BIG, EINVAL } from '../../base/index.js';
import { DYNPTR_MAX_SIZE, DYNPTR_RINGBUF, NULL_DYNPTR } from '../dynptrs.js';
import { RETURN_INT } from '../layout.js';
import { MAP_OP_RINGBUF } from '../maps/map.js';
import { BPF_RB_NO_WAKEUP } from '../maps/ringBuf.js';
import type { RingBuf } from '../maps/ringBuf.js';
import type { Reference } from '../references.js';
import { dynptrArgument, isDynptrPlace } from './dynptrBytes.js';
import type { HelperSupport } from './helper.js';
import { deliver, give } from './ringBufHelpers.js';

/** A record of a size that is known when the program runs; also what an error leaves, and that has to be given back too. */
const RECORD = 'ring buffer dynptr';

interface RecordReference extends Reference {
  /** The ring, and the record in it; 0 for none. */
  readonly ring: RingBuf;
  readonly record: number;
}

/** bpf_ringbuf_reserve_dynptr(ringbuf, size, flags, ptr) (kernel/bpf/ringbuf.c, 6.18): 0 or a negated errno and a null dynptr. */
export const ringbufReserveDynptr: HelperSupport = {
  args: ['const_map_ptr', 'anything', 'anything', 'ptr_to_dynptr'],
  returns: RETURN_INT,
  make: (context) => (_map, sizeArgument, flags, ptr) => {
    const { args, dynptrs, references } = context;
    const ring = args.map(1, MAP_OP_RINGBUF) as RingBuf | undefined;
    if (ring === undefined || !isDynptrPlace(context, 4, ptr)) return 0;
    if (!ring.canLend) return Number(args.refuse(2, sizeArgument >>> 0, true));
    const address = ptr >>> 0;
    const sizeBytes = sizeArgument >>> 0;
    const isTooBig = sizeBytes > DYNPTR_MAX_SIZE;
    const hasFlags = flags !== 0 || args.upperHalf(3) !== 0;
    const record = hasFlags || isTooBig ? 0 : ring.reserve(sizeBytes);
    if (record !== 0) ring.lend(record);
    const reference: RecordReference = {
      kind: RECORD, address, ring, record,
      drop: () => {
        if (record !== 0) give(ring, record, BPF_RB_NO_WAKEUP, true);
      },
    };
    references.acquire(reference);
    dynptrs.set(address, record === 0 ? { ...NULL_DYNPTR, reference } : { type: DYNPTR_RINGBUF, dataAddress: record, sizeBytes, offBytes: 0, reference });
    if (record !== 0) return 0;
    return isTooBig && !hasFlags ? -E2BIG : -EINVAL;
  },
};

/** bpf_ringbuf_submit_dynptr(ptr, flags): the record is for the reader now. */
export const ringbufSubmitDynptr: HelperSupport = endOfRecord(false);

/** bpf_ringbuf_discard_dynptr(ptr, flags): the reader will skip the record. */
export const ringbufDiscardDynptr: HelperSupport = endOfRecord(true);

function endOfRecord(isDiscarded: boolean): HelperSupport {
  return {
    args: ['ptr_to_dynptr', 'anything'],
    returns: RETURN_INT,
    make: (context) => (ptr, flags) => {
      const { args, dynptrs, references, environment } = context;
      const dynptr = dynptrArgument(context, 1, ptr);
      if (dynptr === undefined) return 0;
      const reference = dynptr.reference as RecordReference | undefined;
      if (reference === undefined || !references.release(RECORD, reference.address)) return Number(args.refuse(1, 0, false));
      dynptrs.end(reference);
      if (reference.record === 0) return 0;
      give(reference.ring, reference.record, flags, isDiscarded);
      deliver(environment, reference.ring);
      return 0;
    },
  };
}
