import { RETURN_INT } from '../layout.js';
import { SPIN_LOCK } from '../references.js';
import type { HelperSupport } from './helper.js';

/**
 * bpf_spin_lock(lock) (kernel/bpf/helpers.c, 6.18). A machine runs one program at a time, so a lock is always free; what counts is that the program
 * keeps the verifier's rules (process_spin_lock): the lock is that of a map value, and one at a time. That the latter holds, and that no other
 * helper is called meanwhile, `Vm` sees to.
 */
export const spinLock: HelperSupport = {
  args: ['ptr_to_spin_lock'],
  returns: RETURN_INT,
  make: ({ args, memory, references }) => (lock) => {
    if (!args.isSpinLock(1)) return 0;
    const address = lock >>> 0;
    memory.view.setUint32(address, 1, true);
    references.acquire({ kind: SPIN_LOCK, address, drop: () => memory.view.setUint32(address, 0, true) });
    return 0;
  },
};

/** bpf_spin_unlock(lock) (kernel/bpf/helpers.c, 6.18): the lock must be the one that is held. */
export const spinUnlock: HelperSupport = {
  args: ['ptr_to_spin_lock'],
  returns: RETURN_INT,
  make: ({ args, memory, references }) => (lock) => {
    if (!args.isSpinLock(1)) return 0;
    const address = lock >>> 0;
    if (!references.release(SPIN_LOCK, address)) args.refuse(1, 0, false);
    else memory.view.setUint32(address, 0, true);
    return 0;
  },
};
