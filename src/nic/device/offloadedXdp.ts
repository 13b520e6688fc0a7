import type { Scheduler } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { SKB_SHARED_INFO_BYTES, XDP_MD_DATA, XDP_MD_DATA_END } from '../../vm/index.js';
import type { LoadedProgram, Vm } from '../../vm/index.js';
import { prepareXdpBuff, VERDICT_COUNT, verdictIndex, XDP_DROP, XDP_PASS, XDP_TX } from '../../xdp/index.js';
import type { XdpRxqInfo } from '../../xdp/index.js';
import { BATCH_FRAMES } from './batch.js';
import type { WireBatch } from './batch.js';
import type { DeviceCounters, DeviceObserver } from './deviceConfig.js';

/** sizeof(struct xdp_frame): bytes at the start of a buffer that bpf_xdp_adjust_head keeps free. The device has no such thing, so they lie before its headroom. */
const XDP_FRAME_BYTES = 40;
const ALIGN_BYTES = 64;

/** Instead of a verdict: the program was stopped. */
export const OFFLOAD_FAULT = -1;

/** What a device that runs a program is made of. */
export interface OffloadedXdpParts {
  readonly memory: HostMemory;
  readonly vm: Vm;
  readonly scheduler: Scheduler;
  readonly program: LoadedProgram;
  readonly ifindex: number;
  /** Bytes that the program can put before a packet. */
  readonly headroomBytes: number;
  /** Longest frame that the MAC lets in, bytes. */
  readonly maxFrameBytes: number;
}

/**
 * A program that runs in the device, on its cores, before there is a queue or a transfer: XDP_PASS goes on to the host, XDP_TX out of the same port,
 * and everything else, XDP_REDIRECT included, is dropped (nfp, drivers/net/ethernet/netronome/nfp/bpf/jit.c, nfp_outro_xdp).
 */
export class OffloadedXdp {
  /** Counts by verdict (XDP_ABORTED to XDP_REDIRECT, then anything else). */
  readonly verdicts = new Float64Array(VERDICT_COUNT);
  /** The packet that the program has, or had last. */
  packetId = 0;
  readonly #parts: OffloadedXdpParts;
  readonly #rxq: XdpRxqInfo;
  /** The device's own memory for packets: one buffer for each frame of a batch. */
  readonly #buffers: number;
  readonly #bufferBytes: number;
  readonly #packetOffBytes: number;

  constructor(parts: OffloadedXdpParts) {
    this.#parts = parts;
    this.#rxq = { ifindex: parts.ifindex, queueIndex: 0, fragSizeBytes: 0 };
    this.#packetOffBytes = roundUp(XDP_FRAME_BYTES + parts.headroomBytes);
    this.#bufferBytes = this.#packetOffBytes + roundUp(parts.maxFrameBytes);
    this.#buffers = parts.memory.reserve('packet memory of the device', BATCH_FRAMES * this.#bufferBytes);
  }

  /** Whether an address lies in the device's packet memory. */
  holds(address: number): boolean {
    return address >= this.#buffers && address < this.#buffers + BATCH_FRAMES * this.#bufferBytes;
  }

  /**
   * Runs the program on a frame of the batch.
   *
   * @returns true when it goes on to the host: address and length in the batch are then what the program made of them; else it has had its end
   */
  receive(wire: WireBatch, i: number, counters: DeviceCounters, observer: DeviceObserver): boolean {
    const { memory, vm, scheduler, program, headroomBytes } = this.#parts;
    const { u32 } = memory;
    const context = vm.contextAddress;
    const packet = this.#buffers + i * this.#bufferBytes + this.#packetOffBytes;
    const lenBytes = wire.lenBytes[i];
    memory.u8.copyWithin(packet, wire.address[i], wire.address[i] + lenBytes);
    const hardStart = packet - headroomBytes - XDP_FRAME_BYTES;
    // The end of the buffer is that of the packet: bpf_xdp_adjust_tail only makes packets shorter here.
    prepareXdpBuff(u32, context, this.#rxq, hardStart, XDP_FRAME_BYTES + headroomBytes + lenBytes + SKB_SHARED_INFO_BYTES, XDP_FRAME_BYTES + headroomBytes, lenBytes);
    vm.environment.tNs = scheduler.nowNs;
    vm.environment.cpu = 0;
    const packetId = wire.packetId[i];
    this.packetId = packetId;
    const isStopped = vm.run(program.address) !== 0;
    const address = u32[(context + XDP_MD_DATA) >>> 2];
    const newBytes = u32[(context + XDP_MD_DATA_END) >>> 2] - address;
    const verdict = isStopped ? OFFLOAD_FAULT : vm.retval;
    if (!isStopped) this.verdicts[verdictIndex(verdict)]++;
    switch (verdict) {
      case XDP_PASS:
        counters.offloadPassPackets++;
        counters.offloadPassBytes += newBytes;
        wire.address[i] = address;
        wire.lenBytes[i] = newBytes;
        return true;
      case XDP_DROP:
        counters.offloadDropPackets++;
        counters.offloadDropBytes += newBytes;
        break;
      case XDP_TX:
        counters.offloadTxPackets++;
        counters.offloadTxBytes += newBytes;
        counters.txPackets++;
        counters.txBytes += newBytes;
        break;
      default:
        counters.offloadAbortedPackets++;
        counters.offloadAbortedBytes += newBytes;
    }
    wire.queue[i] = -1;
    observer.onOffloadEnd(packetId, verdict, address, newBytes);
    return false;
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGN_BYTES) * ALIGN_BYTES;
}
