import type { HelperSupport } from '../helpers/helper.js';
import { RETURN_INT } from '../layout.js';

/** What `References` calls a read-side critical section that has not ended. */
const KIND = 'RCU read lock';

/** bpf_rcu_read_lock() (kernel/bpf/helpers.c, 6.18): sections nest, and each has to end before the program does. */
export const rcuReadLock: HelperSupport = {
  args: [],
  returns: RETURN_INT,
  make: ({ references }) => () => {
    references.acquire({ kind: KIND, address: 0, drop: () => {} });
    return 0;
  },
};

/** bpf_rcu_read_unlock() (kernel/bpf/helpers.c, 6.18). Refused when no section is open, as by the verifier. */
export const rcuReadUnlock: HelperSupport = {
  args: [],
  returns: RETURN_INT,
  make: ({ references, args }) => () => {
    if (!references.release(KIND, 0)) args.refuse(0, 0, false);
    return 0;
  },
};
