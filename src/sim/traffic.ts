import { ok, fail } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { BATCH_FRAMES } from '../nic/index.js';
import type { WireBatch } from '../nic/index.js';
import type { CaptureReader } from '../packet/index.js';
import { CaptureClock } from './captureClock.js';
import { PacketOrigins } from './packetOrigins.js';
import { WIRE_SLOT_BYTES } from './wireSource.js';
import type { WireSource } from './wireSource.js';

/**
 * Plays a capture onto the wire: frames in the order of the file, at the times of the file, counted from its first packet.
 * A time that lies before its predecessor's counts as equal to it.
 */
export class CaptureTraffic implements WireSource {
  packets = 0;
  bytes = 0;
  /** Packets that the capture holds only in part (snap length). */
  cutPackets = 0;
  readonly #reader: CaptureReader;
  readonly #u8: Uint8Array;
  readonly #slots: number;
  readonly #startNs: number;
  readonly #origins: PacketOrigins;
  readonly clock: CaptureClock;
  /** Arrival of the packet that the reader stands on, Infinity at the end. */
  nextNs = Infinity;

  private constructor(memory: HostMemory, reader: CaptureReader, startNs: number, origins: PacketOrigins) {
    this.#u8 = memory.u8;
    this.#slots = memory.reserve('wire', BATCH_FRAMES * WIRE_SLOT_BYTES);
    this.#reader = reader;
    this.#startNs = startNs;
    this.#origins = origins;
    this.clock = new CaptureClock(startNs);
  }

  /**
   * Stands on the first packet. Fails when the capture's first record is broken.
   *
   * @param memory of the host where the packets arrive
   * @param startNs when the first packet arrives, virtual ns
   * @param origins gives the packets their numbers
   */
  static open(memory: HostMemory, reader: CaptureReader, startNs: number, origins = new PacketOrigins(1)): Result<CaptureTraffic> {
    const traffic = new CaptureTraffic(memory, reader, startNs, origins);
    const moved = traffic.#advance();
    if (!moved.ok) return moved;
    return ok(traffic);
  }

  /** Puts the packets that arrive until `untilNs` on the wire, at most one batch. */
  take(untilNs: number, batch: WireBatch): Result<void> {
    const reader = this.#reader;
    let count = 0;
    while (count < BATCH_FRAMES && this.nextNs <= untilNs) {
      const slot = this.#slots + count * WIRE_SLOT_BYTES;
      const lenBytes = reader.capturedLen;
      const kept = lenBytes < WIRE_SLOT_BYTES ? lenBytes : WIRE_SLOT_BYTES;
      this.#u8.set(reader.data.subarray(reader.offBytes, reader.offBytes + kept), slot);
      batch.address[count] = slot;
      batch.lenBytes[count] = lenBytes;
      batch.packetId[count] = this.#origins.next();
      this.packets++;
      this.bytes += lenBytes;
      if (reader.originalLen > lenBytes) this.cutPackets++;
      count++;
      batch.count = count;
      const moved = this.#advance();
      if (!moved.ok) return moved;
    }
    batch.count = count;
    return ok(undefined);
  }

  #advance(): Result<void> {
    const reader = this.#reader;
    const before = this.nextNs === Infinity ? this.#startNs : this.nextNs;
    switch (reader.next()) {
      case 'packet': {
        if (this.packets === 0 && this.nextNs === Infinity) {
          this.clock.set(reader.tSec, reader.tNsec);
        }
        const tNs = this.clock.virtualNs(reader.tSec, reader.tNsec);
        this.nextNs = tNs > before ? tNs : before;
        return ok(undefined);
      }
      case 'end':
        this.nextNs = Infinity;
        return ok(undefined);
      default:
        this.nextNs = Infinity;
        if (reader.problem === undefined) throw new Error('CaptureReader reported an error without a problem');
        return fail(reader.problem);
    }
  }
}
