import {
  isMetaUnsupported, XDP_BUFF_RXQ_FRAG_SIZE, XDP_MD_DATA, XDP_MD_DATA_META, XDP_MD_EGRESS_IFINDEX, XDP_MD_RX_QUEUE_INDEX,
} from '../vm/index.js';
import type { LoadedProgram, Vm } from '../vm/index.js';

/**
 * Runs the program of a DEVMAP's or CPUMAP's entry on the packet in the context block, which has become an xdp_frame and is now an
 * xdp_buff again (dev_map_bpf_prog_run, kernel/bpf/devmap.c, cpu_map_bpf_prog_run_xdp, kernel/bpf/cpumap.c, xdp_convert_frame_to_buff;
 * 6.18): a frame knows its device but not the queue it came from, so rx_queue_index is 0 and fragments can't grow.
 *
 * @param egressIfindex device that the packet is to leave by; 0 behind a CPUMAP
 * @returns 0 when it came to its end (see `Vm.retval`), else a fault code
 */
export function runEntryProgram(vm: Vm, program: LoadedProgram, egressIfindex: number): number {
  const { u32 } = vm.memory;
  const context = vm.contextAddress;
  const word = context >>> 2;
  if (isMetaUnsupported(u32, context)) u32[word + XDP_MD_DATA_META / 4] = u32[word + XDP_MD_DATA / 4];
  u32[word + XDP_MD_RX_QUEUE_INDEX / 4] = 0;
  u32[word + XDP_MD_EGRESS_IFINDEX / 4] = egressIfindex;
  u32[word + XDP_BUFF_RXQ_FRAG_SIZE / 4] = 0;
  return vm.run(program.address);
}
