import { checkChecksums } from '../packet/index.js';
import type { ChecksumCheck } from '../packet/index.js';
import type { PacketWatcher, WatchedPacket } from '../sim/index.js';
import { Outcome, OUTCOMES } from '../xdp/index.js';

/** Wrong checksums that are kept; more are only counted. */
const KEPT_CHECKSUMS = 100;

/** Where a frame of an application goes, in place of an outcome. */
const APPLICATION = 'xsk_tx';

/** A checksum that is wrong in a packet that went on its way, and was not when the packet arrived. */
export interface WrongChecksum {
  readonly packet: number;
  /** Outcome of the packet, or `xsk_tx` for a frame of an AF_XDP application. */
  readonly outcome: string;
  /** As packet diffs name it: `tcp.checksum`. */
  readonly field: string;
  /** Where the field lies, from the beginning of the packet, bytes. */
  readonly at: number;
  /** What it holds and what it should hold, `0x1234`, read big-endian. */
  readonly found: string;
  readonly expected: string;
}

/** What `--verify-checksums` found. */
export interface ChecksumReport {
  /** Packets that went on their way and were looked at, frames of applications included. */
  readonly packets: number;
  /** Checksums in them that are right, that aren't there (UDP over IPv4), and that can't be known (fragments, cut packets). */
  readonly valid: number;
  readonly absent: number;
  readonly unverifiable: number;
  /** Wrong ones in packets that arrived with wrong ones: most often captured on the machine that sent them, before its NIC had put them in. */
  readonly wrong_on_arrival: number;
  /** Wrong ones that were not wrong on arrival; `wrong` holds the first hundred. */
  readonly wrong_count: number;
  readonly wrong: readonly WrongChecksum[];
}

/** Looks at the checksums of every packet, when it arrives and when it goes on its way. */
export class ChecksumWatcher implements PacketWatcher {
  readonly #u8: Uint8Array;
  /** Packets that arrived with a wrong checksum and are still under way. */
  readonly #wrongOnArrival = new Set<number>();
  readonly #wrong: WrongChecksum[] = [];
  readonly #counts = { packets: 0, valid: 0, absent: 0, unverifiable: 0, wrong_on_arrival: 0, wrong_count: 0 };

  /** @param u8 memory of the host that the packets lie in */
  constructor(u8: Uint8Array) {
    this.#u8 = u8;
  }

  onArrival(packetId: number, address: number, lenBytes: number): void {
    if (checkChecksums(this.#u8, address, lenBytes).some(({ state }) => state === 'invalid')) this.#wrongOnArrival.add(packetId);
  }

  onPacketEnd(packet: WatchedPacket): void {
    const { name, delivered } = OUTCOMES[packet.outcome];
    if (delivered) this.#look(packet, name);
    // An application may send it on.
    if (packet.outcome !== Outcome.xsk) this.#wrongOnArrival.delete(packet.packetId);
  }

  onApplicationFrame(packet: WatchedPacket): void {
    this.#look(packet, APPLICATION);
    this.#wrongOnArrival.delete(packet.packetId);
  }

  report(): ChecksumReport {
    return { ...this.#counts, wrong: this.#wrong };
  }

  #look({ packetId, address, lenBytes }: WatchedPacket, outcome: string): void {
    this.#counts.packets++;
    for (const check of checkChecksums(this.#u8, address, lenBytes)) {
      if (check.state !== 'invalid') this.#counts[check.state]++;
      else if (this.#wrongOnArrival.has(packetId)) this.#counts.wrong_on_arrival++;
      else this.#addWrong(packetId, outcome, check);
    }
  }

  #addWrong(packet: number, outcome: string, { field, offBytes, found, expected }: ChecksumCheck): void {
    this.#counts.wrong_count++;
    if (this.#wrong.length === KEPT_CHECKSUMS) return;
    this.#wrong.push({ packet, outcome, field, at: offBytes, found: hexWord(found), expected: expected === undefined ? 'none known' : hexWord(expected) });
  }
}

function hexWord(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
