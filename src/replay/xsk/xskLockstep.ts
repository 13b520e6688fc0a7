import { errnoName } from '../../base/index.js';
import { RawXsk, RING_NAMES, TX_METADATA_BYTES } from './rawXsk.js';
import type { XskSetting } from './rawXsk.js';
import type { XskOperation } from './xskOperation.js';
import type { XskWorld } from './xskWorld.js';

/** How long a queue takes to become free, ms. */
const RELEASE_MS = 2000;
const TX_METADATA_TIMESTAMP = 1;
const TIMESTAMP_AT = 8;
/** Bytes that differ are shown from the first one on. */
const SHOWN_BYTES = 16;

const CALLS: readonly string[] = ['sendto', 'recvfrom', 'poll'];
const STATISTICS = ['rx_dropped', 'rx_invalid_descs', 'tx_invalid_descs', 'rx_ring_full', 'rx_fill_ring_empty_descs', 'tx_ring_empty_descs'];

/** Where a packet's time of sending will be written, and what stands there now. */
interface TimestampPlace {
  readonly end: number;
  readonly offBytes: number;
  now: bigint;
}

/** The same application on the simulator and on the kernel, one socket on each end of a wire, compared after everything that it does. */
export class XskLockstep {
  /** Of each end one or two sockets. */
  readonly #simulated: readonly (readonly RawXsk[])[];
  readonly #real: readonly (readonly RawXsk[])[];
  readonly #worlds: readonly [XskWorld, XskWorld];
  readonly #settings: readonly XskSetting[];
  /** How often each call had each result, such as `sendto EAGAIN`, and by how much each counter rose: what was seen at all. */
  readonly seen = new Map<string, number>();
  readonly #patienceMs: number;
  #wasDown = false;
  #timestamps: TimestampPlace[] = [];

  /**
   * @param settings of both ends
   * @param patienceMs how long what differs may still become equal: packets on their way through a busy kernel
   */
  constructor(simulator: XskWorld, kernel: XskWorld, settings: readonly [XskSetting, XskSetting], patienceMs: number) {
    this.#patienceMs = patienceMs;
    this.#worlds = [simulator, kernel];
    this.#settings = settings;
    const open = (world: XskWorld): RawXsk[][] => {
      const end = performance.now() + RELEASE_MS;
      const isPatient = (): boolean => {
        world.wait();
        return performance.now() < end;
      };
      return world.ends.map((each, i) => {
        const first = new RawXsk(each, settings[i], isPatient);
        return settings[i].hasSecond ? [first, new RawXsk(each, settings[i], isPatient, first)] : [first];
      });
    };
    this.#simulated = open(simulator);
    this.#real = open(kernel);
  }

  close(): void {
    for (const socket of this.#real.flat()) {
      socket.statistics(STATISTICS.length * 8).forEach((count, i) => this.#see(STATISTICS[i], count));
      this.#see('descriptors on RX', socket.rings.rx.producer);
      this.#see('addresses on COMPLETION', socket.rings.completion.producer);
    }
    for (const each of [...this.#simulated, ...this.#real].flat().toReversed()) each.close();
    for (const each of this.#worlds.flatMap(({ ends }) => ends)) if (this.#wasDown) each.setUp(true);
  }

  /** @returns what differs now: empty, or one line each */
  step(operation: XskOperation): string[] {
    this.#noteTimestamps(operation);
    if (operation.kind === 'link') this.#wasDown = true;
    const { end: at, isSecond = false } = operation;
    const which = isSecond && this.#settings[at].hasSecond ? 1 : 0;
    const simulated = this.#simulated[at][which].apply(operation);
    const real = this.#real[at][which].apply(operation);
    if (CALLS.includes(operation.kind)) this.#see(`${operation.kind} ${real < 0 ? errnoName(real) : real}`, 1);
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

  #see(what: string, count: number): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + count);
  }

  #compare(): string[] {
    this.#alignTimestamps();
    const differences: string[] = [];
    const note = (what: string, simulated: number | string, real: number | string): void => {
      if (simulated !== real) differences.push(`${what}: simulator ${simulated}, kernel ${real}`);
    };
    for (const [end, sockets] of this.#simulated.entries()) {
      for (const [which, simulated] of sockets.entries()) {
        const real = this.#real[end][which];
        const socket = `end ${end}${which === 0 ? '' : ', second socket'}`;
        for (const name of RING_NAMES) {
          const [ours, theirs] = [simulated.rings[name], real.rings[name]];
          const where = `${socket}, ${name}`;
          note(`${where} producer`, ours.producer, theirs.producer);
          note(`${where} consumer`, ours.consumer, theirs.consumer);
          note(`${where} flags`, ours.flags, theirs.flags);
          noteBytes(`${where} bytes`, ours.bytes, theirs.bytes, differences);
        }
        for (const lenBytes of [24, 48]) note(`${socket}, statistics`, simulated.statistics(lenBytes).join(' '), real.statistics(lenBytes).join(' '));
      }
      noteBytes(`end ${end}, UMEM`, sockets[0].umem, this.#real[end][0].umem, differences);
    }
    return differences;
  }

  /** The clocks of both worlds have nothing to do with each other: where a packet may have left a time, it is enough that both have written one. */
  #alignTimestamps(): void {
    for (const place of this.#timestamps) {
      const [ours, theirs] = [this.#simulated, this.#real].map((ends) => {
        const { umem } = ends[place.end][0];
        return new DataView(umem.buffer, umem.byteOffset + place.offBytes, 8);
      });
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
      const { umem } = this.#simulated[operation.end][0];
      this.#timestamps = this.#timestamps.filter((place) => place.end !== operation.end || place.offBytes !== offBytes);
      // What is there after the metadata was written: the request.
      const request = BigInt(metadata.csumStart) | (BigInt(metadata.csumOffset) << 16n);
      const isWritten = offBytes - TIMESTAMP_AT >= 0 && offBytes - TIMESTAMP_AT + TX_METADATA_BYTES <= umem.length;
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
