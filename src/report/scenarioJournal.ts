import { NO_PACKET } from '../sim/index.js';
import type { Host, LinkEvent, PacketWatcher, ScenarioWatcher } from '../sim/index.js';
import { OUTCOMES, verdictName } from '../xdp/index.js';

/** Entries that are kept; more are only counted. */
const KEPT_ENTRIES = 10_000;

/** One step of a packet: its end on a host, or a link that it crossed. Of one packet after the other they are its way through the scenario. */
export type JournalEntry = EndEntry | LinkEntry;

export interface EndEntry {
  readonly t_ns: number;
  /** Number of the packet on this host. */
  readonly packet: number;
  readonly event: 'end';
  readonly host: string;
  /** NIC that it came in by. */
  readonly nic: string;
  readonly verdict: string | null;
  readonly outcome: string;
}

export interface LinkEntry {
  /** When it was there, or was lost. */
  readonly t_ns: number;
  /** Number of the packet on the sending host, 0 for a frame of an application that carries none. */
  readonly packet: number;
  readonly event: 'link';
  /** `HOST.NIC > HOST.NIC`. */
  readonly link: string;
  readonly sent_ns: number;
  readonly fate: string;
  /** Number of the packet on the receiving host, 0 when it did not get there. */
  readonly arrived_as: number;
}

/** Writes down the way of the first packets, or of one packet, through all hosts and links. */
export class ScenarioJournal implements ScenarioWatcher {
  readonly entries: JournalEntry[] = [];
  count = 0;
  /** The packet that is followed, by all its numbers; `undefined`: all packets are. */
  readonly #followed: Set<number> | undefined;

  /** @param packetId the only packet whose way is written down */
  constructor(packetId?: number) {
    this.#followed = packetId === undefined ? undefined : new Set([packetId]);
  }

  hostWatcher(host: Host): PacketWatcher {
    const names = new Map(host.nics.map(({ name, nic }) => [nic.settings.ifindex, name]));
    return {
      onPacketEnd: (packet) => {
        const { packetId, ifindex, outcome, retval, tNs } = packet;
        if (this.#takes(packetId)) {
          this.entries.push({
            t_ns: tNs, packet: packetId, event: 'end', host: host.name, nic: names.get(ifindex) ?? '', verdict: retval < 0 ? null : verdictName(retval), outcome: OUTCOMES[outcome].name,
          });
        }
      },
    };
  }

  onLinkFrame(event: LinkEvent): void {
    const { tNs, packetId, link, sentNs, fate, arrivedAs } = event;
    if (this.#takes(packetId)) {
      if (arrivedAs !== NO_PACKET) this.#followed?.add(arrivedAs);
      this.entries.push({ t_ns: tNs, packet: packetId, event: 'link', link, sent_ns: sentNs, fate, arrived_as: arrivedAs });
    }
  }

  #takes(packetId: number): boolean {
    if (this.#followed?.has(packetId) === false) return false;
    this.count++;
    return this.entries.length < KEPT_ENTRIES;
  }
}
