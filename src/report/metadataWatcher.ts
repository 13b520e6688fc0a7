import { toHex } from '../base/index.js';
import type { PacketWatcher, WatchedPacket } from '../sim/index.js';
import { checkMetadata, Outcome, OUTCOMES, readMetadata } from '../xdp/index.js';
import type { MetadataContract, MetadataValue } from '../xdp/index.js';

/** Packets whose metadata is kept; more are only counted. */
const KEPT_PACKETS = 100;

/** Metadata of one packet that the stack or a socket got. */
export interface PacketMetadata {
  readonly packet: number;
  readonly outcome: string;
  /** By field; 64 bits that a JSON number can't hold are text, bytes are hexadecimal. */
  readonly values: Readonly<Record<string, number | string>>;
}

/** Metadata that the contract doesn't fit. */
export interface BrokenMetadata {
  readonly packet: number;
  readonly outcome: string;
  readonly message: string;
}

/** What `--meta` found. */
export interface MetadataReport {
  readonly contract: string;
  readonly size: number;
  /** Packets for the stack and for sockets: with metadata that the contract fits, without any, and with other metadata. */
  readonly packets: number;
  readonly without: number;
  readonly broken_count: number;
  /** The first hundred of each. */
  readonly broken: readonly BrokenMetadata[];
  readonly first: readonly PacketMetadata[];
}

/** Reads the metadata of every packet that the stack or a socket gets by a contract. What XDP_TX and redirects send has no metadata on the wire. */
export class MetadataWatcher implements PacketWatcher {
  readonly #contract: MetadataContract;
  readonly #u8: Uint8Array;
  readonly #first: PacketMetadata[] = [];
  readonly #broken: BrokenMetadata[] = [];
  readonly #counts = { packets: 0, without: 0, broken_count: 0 };

  /** @param u8 memory of the host that the packets lie in */
  constructor(contract: MetadataContract, u8: Uint8Array) {
    this.#contract = contract;
    this.#u8 = u8;
  }

  onPacketEnd(packet: WatchedPacket): void {
    if (packet.outcome === Outcome.stack || packet.outcome === Outcome.xsk || packet.outcome === Outcome.cpumap) this.#look(packet);
  }

  report(): MetadataReport {
    const { name: contract, sizeBytes: size } = this.#contract;
    return { contract, size, ...this.#counts, broken: this.#broken, first: this.#first };
  }

  #look({ packetId: packet, outcome: code, address, metaBytes }: WatchedPacket): void {
    if (metaBytes === 0) {
      this.#counts.without++;
      return;
    }
    const outcome = OUTCOMES[code].name;
    const problem = checkMetadata(this.#contract, address, metaBytes);
    if (problem !== undefined) {
      this.#counts.broken_count++;
      if (this.#broken.length < KEPT_PACKETS) this.#broken.push({ packet, outcome, message: problem.message });
      return;
    }
    this.#counts.packets++;
    if (this.#first.length === KEPT_PACKETS) return;
    const read = readMetadata(this.#contract, this.#u8, address - metaBytes);
    this.#first.push({ packet, outcome, values: Object.fromEntries(Object.entries(read).map(([name, value]) => [name, jsonValue(value)])) });
  }
}

function jsonValue(value: MetadataValue): number | string {
  if (typeof value === 'number') return value;
  if (typeof value !== 'bigint') return toHex(value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : String(value);
}
