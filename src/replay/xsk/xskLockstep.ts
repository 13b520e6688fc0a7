import { RawXsk, RING_NAMES } from './rawXsk.js';
import type { XskSetting } from './rawXsk.js';
import type { XskOperation } from './xskOperation.js';
import type { XskWorld } from './xskWorld.js';

/** How long a queue takes to become free, ms. */
const RELEASE_MS = 2000;
const TX_METADATA_TIMESTAMP = 1;
const TIMESTAMP_AT = 8;
/** Bytes that differ are shown from the first one on. */
const SHOWN_BYTES = 16;

/** Where a packet's time of sending will be written, and what stands there now. */
interface TimestampPlace {
  readonly end: number;
  readonly offBytes: number;
  now: bigint;
}

/** The same application on the simulator and on the kernel, one socket on each end of a wire, compared after everything that it does. */
export class XskLockstep {
  readonly #simulated: readonly RawXsk[];
  readonly #real: readonly RawXsk[];
  readonly #worlds: readonly [XskWorld, XskWorld];
  readonly #settings: readonly XskSetting[];
  readonly #patienceMs: number;
  #timestamps: TimestampPlace[] = [];

  /**
   * @param settings of both ends
   * @param patienceMs how long what differs may still become equal: packets on their way through a busy kernel
   */
  constructor(simulator: XskWorld, kernel: XskWorld, settings: readonly [XskSetting, XskSetting], patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.#worlds = [simulator, kernel];
    this.#settings = settings;
    const open = (world: XskWorld): RawXsk[] => {
      const end = performance.now() + RELEASE_MS;
      return world.ends.map((each, i) => new RawXsk(each, settings[i], () => {
        world.wait();
        return performance.now() < end;
      }));
    };
    this.#simulated = open(simulator);
    this.#real = open(kernel);
  }

  close(): void {
    for (const each of [...this.#simulated, ...this.#real]) each.close();
  }

  /** @returns what differs now: empty, or one line each */
  step(operation: XskOperation): string[] {
    this.#noteTimestamps(operation);
    const simulated = this.#simulated[operation.end].apply(operation);
    const real = this.#real[operation.end].apply(operation);
    const results = simulated === real ? [] : [`result: simulator ${simulated}, kernel ${real}`];
    const end = performance.now() + this.#patienceMs;
    const [simulator, kernel] = this.#worlds;
    simulator.wait();
    for (;;) {
      const differences = [...results, ...this.#compare()];
      if (differences.length === results.length || performance.now() > end) return differences;
      kernel.wait();
    }
  }

  #compare(): string[] {
    this.#alignTimestamps();
    const differences: string[] = [];
    const note = (what: string, simulated: number | string, real: number | string): void => {
      if (simulated !== real) differences.push(`${what}: simulator ${simulated}, kernel ${real}`);
    };
    for (const end of [0, 1]) {
      const [simulated, real] = [this.#simulated[end], this.#real[end]];
      for (const name of RING_NAMES) {
        const [ours, theirs] = [simulated.rings[name], real.rings[name]];
        const where = `end ${end}, ${name}`;
        note(`${where} producer`, ours.producer, theirs.producer);
        note(`${where} consumer`, ours.consumer, theirs.consumer);
        note(`${where} flags`, ours.flags, theirs.flags);
        noteBytes(`${where} bytes`, ours.bytes, theirs.bytes, differences);
      }
      for (const lenBytes of [24, 48]) note(`end ${end}, statistics`, simulated.statistics(lenBytes), real.statistics(lenBytes));
      noteBytes(`end ${end}, UMEM`, simulated.umem, real.umem, differences);
    }
    return differences;
  }

  /** The clocks of both worlds have nothing to do with each other: where a packet may have left a time, it is enough that both have written one. */
  #alignTimestamps(): void {
    for (const place of this.#timestamps) {
      const [ours, theirs] = [this.#simulated, this.#real].map((sockets) => new DataView(sockets[place.end].umem.buffer, sockets[place.end].umem.byteOffset + place.offBytes, 8));
      const [simulated, real] = [ours.getBigUint64(0, true), theirs.getBigUint64(0, true)];
      if (simulated !== place.now && real !== place.now) theirs.setBigUint64(0, simulated, true);
      if (simulated === theirs.getBigUint64(0, true)) place.now = simulated;
    }
  }

  #noteTimestamps(operation: XskOperation): void {
    if (operation.kind !== 'queue') return;
    const { txMetadataBytes, chunkSizeBytes, chunkCount } = this.#settings[operation.end];
    for (const { address, metadata } of operation.descs) {
      if (metadata === undefined || (metadata.flags & TX_METADATA_TIMESTAMP) === 0 || !('chunk' in address)) continue;
      const offBytes = (address.chunk % chunkCount) * chunkSizeBytes + (address.offBytes % chunkSizeBytes) - txMetadataBytes + TIMESTAMP_AT;
      if (offBytes < 0 || offBytes + 8 > chunkCount * chunkSizeBytes) continue;
      const { umem } = this.#simulated[operation.end];
      this.#timestamps = this.#timestamps.filter((place) => place.end !== operation.end || place.offBytes !== offBytes);
      // What is there after the metadata was written: the request.
      const request = BigInt(metadata.csumStart) | (BigInt(metadata.csumOffset) << 16n);
      const isWritten = offBytes - TIMESTAMP_AT >= 0 && offBytes - TIMESTAMP_AT + 24 <= umem.length;
      this.#timestamps.push({ end: operation.end, offBytes, now: isWritten ? request : new DataView(umem.buffer, umem.byteOffset + offBytes, 8).getBigUint64(0, true) });
    }
  }
}

function noteBytes(what: string, simulated: Uint8Array, real: Uint8Array, differences: string[]): void {
  if (Buffer.compare(simulated, real) === 0) return;
  const at = simulated.findIndex((byte, i) => byte !== real[i]);
  const show = (bytes: Uint8Array): string => Buffer.from(bytes.subarray(at, at + SHOWN_BYTES)).toString('hex');
  differences.push(`${what} from ${at} on: simulator ${show(simulated)}, kernel ${show(real)}`);
}
