import { EAFNOSUPPORT, EINVAL, ENOENT } from '../../base/index.js';
import type { HelperSupport } from '../helpers/helper.js';
import { RETURN_U32 } from '../layout.js';
import { AF_INET, AF_INET6 } from '../network/bpfSock.js';
import type { FlowSpec } from '../network/scenario.js';

/** struct bpf_flowtable_opts is one s32, the error. */
const OPTS_BYTES = 4;

/** struct bpf_fib_lookup: 0 family  1 l4_protocol  2 sport  4 dport  8 ifindex  16 source  32 destination. */
const FIB_LOOKUP_BYTES = 64;

/**
 * bpf_xdp_flow_lookup(ctx, fib_tuple, opts, opts_len) (net/netfilter/nf_flow_table_bpf.c, 6.18): the tuple of a flow in the flow table of the
 * packet's interface, or NULL and why in opts->error. There is nothing to give back.
 */
export const xdpFlowLookup: HelperSupport = {
  args: ['ptr_to_ctx', 'ptr_to_mem', 'ptr_to_mem', 'const_size'],
  returns: RETURN_U32,
  make: ({ args, memory, network }) => {
    const { u8, view } = memory;
    return (_ctx, tuple, opts, optsSize) => {
      if (!args.isContext(1) || !args.isMemory(2, FIB_LOOKUP_BYTES, false) || !args.isSize(4, false) || !args.isMemory(3, Math.max(optsSize, OPTS_BYTES), true)) return 0;
      network.asked.add('bpf_xdp_flow_lookup');
      const refuse = (errno: number): number => {
        view.setInt32(opts >>> 0, -errno, true);
        return 0;
      };
      if (optsSize !== OPTS_BYTES) return refuse(EINVAL);
      const at = tuple >>> 0;
      const length = u8[at] === AF_INET ? 4 : u8[at] === AF_INET6 ? 16 : 0;
      if (length === 0) return refuse(EAFNOSUPPORT);
      const isEqual = (bytes: Uint8Array, from: number): boolean => bytes.length === length && bytes.every((byte, index) => byte === u8[from + index]);
      const isFlow = ({ ifindex, protocol, source, destination }: FlowSpec): boolean =>
        ifindex === view.getUint32(at + 8, true) && protocol === u8[at + 1] && source.port === view.getUint16(at + 2) && destination.port === view.getUint16(at + 4) &&
        isEqual(source.address, at + 16) && isEqual(destination.address, at + 32);
      const flow = network.scenario.flows.find(isFlow);
      return flow === undefined ? refuse(ENOENT) : network.flowAddress(flow);
    };
  },
};
