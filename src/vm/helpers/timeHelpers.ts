import { jiffiesAt, TICK_NS } from '../jiffies.js';
import { RETURN_U64, VM_REGS } from '../layout.js';
import type { HelperContext, HelperSupport } from './helper.js';

const TWO_TO_32 = 2 ** 32;

/** A helper without arguments that gives a number of up to 53 bits, computed from the virtual time. */
function timeHelper(valueAt: (tNs: number) => number): HelperSupport {
  return {
    args: [],
    returns: RETURN_U64,
    make: ({ environment, memory, stateAddress }: HelperContext) => {
      const { u32 } = memory;
      const r0 = (stateAddress + VM_REGS) >>> 2;
      return () => {
        const value = valueAt(environment.tNs);
        u32[r0] = value % TWO_TO_32;
        u32[r0 + 1] = value / TWO_TO_32;
        return 0;
      };
    },
  };
}

/** bpf_ktime_get_ns (kernel/bpf/helpers.c, 6.18): CLOCK_MONOTONIC. */
export const ktimeGetNs: HelperSupport = timeHelper((tNs) => tNs);

/** bpf_ktime_get_boot_ns: the same here, as a simulated machine never sleeps. */
export const ktimeGetBootNs: HelperSupport = timeHelper((tNs) => tNs);

/** bpf_ktime_get_tai_ns: the same here, as a simulated machine has no date; its TAI epoch is its boot. */
export const ktimeGetTaiNs: HelperSupport = timeHelper((tNs) => tNs);

/** bpf_ktime_get_coarse_ns: time of the last tick. */
export const ktimeGetCoarseNs: HelperSupport = timeHelper((tNs) => tNs - (tNs % TICK_NS));

/** bpf_jiffies64 (kernel/bpf/helpers.c, 6.18): ticks. */
export const jiffies64: HelperSupport = timeHelper(jiffiesAt);
