import { E2BIG, EFAULT, EINVAL, ENOENT, EOPNOTSUPP } from '../../base/index.js';
import { RETURN_INT } from '../layout.js';
import { MAP_OP_PERF_EVENT } from '../maps/map.js';
import type { PerfEventArray } from '../maps/perfEventArray.js';
import { copyPacketStart, packetBytes } from '../xdpBuffer.js';
import type { HelperContext, HelperSupport } from './helper.js';

// ── flags of bpf_perf_event_output ──
//
//     63 0 52 | 51 bytes of the packet to add 32 | 31 slot, or BPF_F_CURRENT_CPU 0
const BPF_F_CTXLEN_BITS = 0xfffff;
const BPF_F_CURRENT_CPU = 0xffffffff;

/** struct bpf_perf_event_value: u64 counter, enabled, running. */
const PERF_EVENT_VALUE_BYTES = 24;
const TWO_TO_32 = 2 ** 32;

/**
 * bpf_perf_event_output(ctx, map, flags, data, size) (bpf_xdp_event_output, net/core/filter.c, __bpf_perf_event_output,
 * kernel/trace/bpf_trace.c; 6.18): 0 or a negated errno. The event is `data` and behind it as many bytes from the start of the packet, its
 * fragments included, as the flags say.
 *
 * Events are there when somebody listens (`VmEnvironment.onEvent`); else all slots count as empty. A listener loses nothing, so there is no
 * -ENOSPC, and gets events of more than 64 KiB whole, where the kernel's u16 of the record's size says something wrong.
 */
export const perfEventOutput: HelperSupport = {
  args: ['ptr_to_ctx', 'const_map_ptr', 'anything', 'ptr_to_mem', 'const_size_or_zero'],
  returns: RETURN_INT,
  make: ({ args, memory, environment, contextAddress }) => (_ctx, _map, flags, data, size) => {
    if (!args.isContext(1)) return 0;
    const map = args.map(2, MAP_OP_PERF_EVENT) as PerfEventArray | undefined;
    if (map === undefined || !args.isSize(5, true)) return 0;
    if (size > 0 && !args.isMemory(4, size, false)) return 0;
    const packetLen = args.upperHalf(3);
    if (packetLen > BPF_F_CTXLEN_BITS) return -EINVAL;
    if (packetLen > packetBytes(memory.u32, contextAddress)) return -EFAULT;
    const cpu = cpuOfSlot(map, flags >>> 0, environment);
    if (cpu < 0) return cpu;
    if (cpu !== environment.cpu) return -EOPNOTSUPP;
    const start = data >>> 0;
    const bytes = new Uint8Array(rawSampleBytes(size + packetLen));
    bytes.set(memory.u8.subarray(start, start + size));
    copyPacketStart(memory, contextAddress, bytes.subarray(size, size + packetLen));
    environment.onEvent?.(map, bytes);
    return 0;
  },
};

/** bpf_perf_event_read(map, flags): the counter of an event of this CPU, or a negated errno. Events here are those of programs, which count nothing. */
export const perfEventRead: HelperSupport = {
  args: ['const_map_ptr', 'anything'],
  returns: RETURN_INT,
  make: ({ args, environment }) => (_map, flags) => {
    const map = args.map(1, MAP_OP_PERF_EVENT) as PerfEventArray | undefined;
    return map === undefined ? 0 : readCounter(map, flags >>> 0, args.upperHalf(2), environment);
  },
};

/** bpf_perf_event_read_value(map, flags, buf, buf_size): fills a struct bpf_perf_event_value, with zeros after an error. */
export const perfEventReadValue: HelperSupport = {
  args: ['const_map_ptr', 'anything', 'ptr_to_uninit_mem', 'const_size'],
  returns: RETURN_INT,
  make: ({ args, environment, memory }) => (_map, flags, buf, size) => {
    const map = args.map(1, MAP_OP_PERF_EVENT) as PerfEventArray | undefined;
    if (map === undefined || !args.isSize(4, false) || !args.isMemory(3, size, true)) return 0;
    const start = buf >>> 0;
    memory.u8.fill(0, start, start + size);
    if (size !== PERF_EVENT_VALUE_BYTES) return -EINVAL;
    const error = readCounter(map, flags >>> 0, args.upperHalf(2), environment);
    if (error !== 0) return error;
    // Opened when the machine came up, and counting since.
    for (const field of [8, 16]) {
      memory.view.setUint32(start + field, environment.tNs % TWO_TO_32, true);
      memory.view.setUint32(start + field + 4, environment.tNs / TWO_TO_32, true);
    }
    return 0;
  },
};

/** get_map_perf_counter, perf_event_read_local (kernel/trace/bpf_trace.c, kernel/events/core.c; 6.18). */
function readCounter(map: PerfEventArray, index: number, upperFlags: number, environment: HelperContext['environment']): number {
  if (upperFlags !== 0) return -EINVAL;
  const cpu = cpuOfSlot(map, index, environment);
  if (cpu < 0) return cpu;
  return cpu === environment.cpu ? 0 : -EINVAL;
}

/** CPU of the event in a slot, or a negated errno. */
function cpuOfSlot(map: PerfEventArray, index: number, { cpu, onEvent }: HelperContext['environment']): number {
  const slot = index === BPF_F_CURRENT_CPU ? cpu : index;
  if (slot >= map.spec.maxEntries) return -E2BIG;
  const eventCpu = map.cpuAt(slot);
  return onEvent === undefined || eventCpu < 0 ? -ENOENT : eventCpu;
}

/** PERF_SAMPLE_RAW: the u32 with the size and the data together fill whole units of 8 bytes (perf_sample_save_raw_data, include/linux/perf_event.h). */
function rawSampleBytes(sizeBytes: number): number {
  return Math.ceil((sizeBytes + 4) / 8) * 8 - 4;
}
