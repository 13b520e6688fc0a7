import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { PacketWatcher, Simulation, WatchedPacket } from '../sim/index.js';
import { viewRings } from '../umem/index.js';
import { parseTime } from './faultOption.js';
import { socketRingsReport } from './xskReport.js';
import type { RingsAtReport } from './xskReport.js';

const MAX_MOMENTS = 64;
/** Entries of a ring that the report has. */
const KEPT_ENTRIES = 256;

/** When rings are looked at: a virtual time since the first packet, or the end of a packet (1-based). */
export type RingMoment = { readonly text: string } & ({ readonly tNs: number } | { readonly packetId: number });

/** Reads `--rings-at`: `TIME[,TIME]`, where a time is a number and ns, us, ms or s, or `packet:12`. Problem: `rings-at-syntax`. */
export function parseRingMoments(text: string): Result<readonly RingMoment[]> {
  const moments: RingMoment[] = [];
  for (const part of text.split(',').map((each) => each.trim())) {
    const packet = /^packet:([1-9]\d{0,8})$/.exec(part);
    const tNs = parseTime(part);
    if (packet !== null) moments.push({ text: part, packetId: Number(packet[1]) });
    else if (tNs !== undefined) moments.push({ text: part, tNs });
    else return fail({ code: 'rings-at-syntax', where: '--rings-at', message: `'${part}' is no moment`, hint: 'write a number and ns, us, ms or s, such as 1.5ms, or a packet, such as packet:12' });
  }
  if (moments.length > MAX_MOMENTS) return fail({ code: 'rings-at-syntax', where: '--rings-at', message: `${moments.length} moments are too many`, hint: `ask for at most ${MAX_MOMENTS}` });
  return ok(moments);
}

/** Looks at the rings of a run at some moments, and passes packets on. */
export class RingsAtWatcher implements PacketWatcher {
  readonly reports: RingsAtReport[] = [];
  readonly #simulation: Simulation;
  readonly #next: PacketWatcher;
  readonly #packets = new Map<number, string>();

  constructor(simulation: Simulation, moments: readonly RingMoment[], next: PacketWatcher) {
    this.#simulation = simulation;
    this.#next = next;
    for (const moment of moments) {
      if ('tNs' in moment) simulation.lookAt(moment.tNs, () => this.#look(moment.text));
      else this.#packets.set(moment.packetId, moment.text);
    }
  }

  onPacketEnd(packet: WatchedPacket): void {
    const text = this.#packets.get(packet.packetId);
    if (text !== undefined) this.#look(text);
    this.#next.onPacketEnd?.(packet);
  }

  onApplicationFrame(packet: WatchedPacket): void {
    this.#next.onApplicationFrame?.(packet);
  }

  /** Packets that there were not have no sockets. */
  finish(): readonly RingsAtReport[] {
    for (const text of this.#packets.values()) if (!this.reports.some(({ at }) => at === text)) this.reports.push({ at: text, t_ns: this.#simulation.nowNs, sockets: [] });
    return this.reports;
  }

  #look(at: string): void {
    this.reports.push({ at, t_ns: this.#simulation.nowNs, sockets: this.#simulation.sockets.map((socket) => socketRingsReport(viewRings(socket, KEPT_ENTRIES))) });
  }
}
