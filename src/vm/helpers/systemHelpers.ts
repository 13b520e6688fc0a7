import { RETURN_INT, RETURN_U32 } from '../layout.js';
import type { HelperSupport } from './helper.js';

/** bpf_get_prandom_u32 (kernel/bpf/core.c, 6.18): from the simulation's seeded generator. */
export const getPrandomU32: HelperSupport = {
  args: [],
  returns: RETURN_U32,
  make: ({ environment }) => () => environment.rng.nextU32(),
};

/** bpf_get_smp_processor_id (kernel/bpf/helpers.c, 6.18). */
export const getSmpProcessorId: HelperSupport = {
  args: [],
  returns: RETURN_U32,
  make: ({ environment }) => () => environment.cpu,
};

/** bpf_get_numa_node_id (kernel/bpf/helpers.c, 6.18): a simulated host has one node. */
export const getNumaNodeId: HelperSupport = {
  args: [],
  returns: RETURN_INT,
  make: () => () => 0,
};
