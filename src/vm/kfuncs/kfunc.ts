import type { HelperSupport } from '../helpers/helper.js';

/** One kernel function that programs call by name (BTF_KFUNCS_START sets of the kernel). */
export interface KfuncSpec {
  /** Kernel name, e.g. `bpf_xdp_metadata_rx_hash`. */
  readonly name: string;
  /** First kernel in which XDP programs may call it. */
  readonly since: string;
  /** Whether the kernel registers it for programs of type XDP. */
  readonly xdp: boolean;
  /** How it works here; `undefined` when it isn't supported. Arguments, result and binding are those of a helper. */
  readonly support: HelperSupport | undefined;
}
