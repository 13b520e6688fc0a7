import { fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { BOOT_NS } from '../sim/index.js';
import type { Host, PacketWatcher, Scenario, ScenarioWatcher, Simulation, WatchedPacket } from '../sim/index.js';
import { timeText, viewRings } from '../umem/index.js';
import { parseTime } from './faultOption.js';
import { counted } from './textTable.js';
import { socketRingsReport } from './xskReport.js';
import type { RingsAtReport, RingsAtStatus, SocketRingsReport } from './xskReport.js';

const MAX_MOMENTS = 64;
/** Entries of a ring that the report has. */
const KEPT_ENTRIES = 256;

const SYNTAX_HINT = 'write a number and ns, us, ms or s, such as 1.5ms, or a packet, such as packet:12';

/** When rings are looked at: a virtual time since the first packet, or the end of a packet (1-based). */
export type RingMoment = { readonly text: string } & ({ readonly tNs: number } | { readonly packetId: number });

/** Reads `--rings-at`: `TIME[,TIME]`, where a time is a number and ns, us, ms or s, or `packet:12`. Problem: `rings-at-syntax`. */
export function parseRingMoments(text: string): Result<readonly RingMoment[]> {
  const moments: RingMoment[] = [];
  const bad = (message: string, hint: string): Result<never> => fail({ code: 'rings-at-syntax', where: '--rings-at', message, hint });
  for (const part of text.split(',').map((each) => each.trim())) {
    const packet = /^packet:([1-9]\d{0,8})$/.exec(part);
    const tNs = parseTime(part);
    if (packet !== null) moments.push({ text: part, packetId: Number(packet[1]) });
    else if (tNs === undefined) return bad(`'${part}' is no moment`, SYNTAX_HINT);
    else if (tNs > Number.MAX_SAFE_INTEGER) return bad(`'${part}' is later than any run lasts`, SYNTAX_HINT);
    else moments.push({ text: part, tNs });
  }
  return moments.length > MAX_MOMENTS ? bad(`${moments.length} moments are too many`, `ask for at most ${MAX_MOMENTS}`) : ok(moments);
}

/** A simulation or a scenario, as far as somebody looks at it. Times are ns since its start. */
interface LookedAt {
  readonly nowNs: number;
  lookAt(tNs: number, look: () => void): void;
  rings(): readonly SocketRingsReport[];
}

interface Look {
  readonly moment: RingMoment;
  readonly tNs: number;
  readonly sockets: readonly SocketRingsReport[];
}

/** Looks at the rings of all sockets at some moments. */
class RingLooks {
  readonly #run: LookedAt;
  readonly #looks: Look[] = [];
  readonly #packets = new Map<number, RingMoment>();

  constructor(run: LookedAt, moments: readonly RingMoment[]) {
    this.#run = run;
    for (const moment of moments) {
      if ('tNs' in moment) run.lookAt(moment.tNs, () => this.#look(moment));
      else this.#packets.set(moment.packetId, moment);
    }
  }

  packetEnded(packetId: number): void {
    const moment = this.#packets.get(packetId);
    if (moment === undefined) return;
    this.#packets.delete(packetId);
    this.#look(moment);
  }

  /** In the order of what happened; what did not comes last. @param packets that there were */
  finish(packets: number): readonly RingsAtReport[] {
    const { nowNs } = this.#run;
    const missed = [...this.#packets.values()].map((moment) => ({ moment, tNs: nowNs, sockets: [] }));
    return [...this.#looks, ...missed].map((look) => ({ at: look.moment.text, t_ns: look.tNs, ...this.#statusOf(look, packets), sockets: look.sockets }));
  }

  #statusOf({ moment, sockets }: Look, packets: number): { status: RingsAtStatus; note: string } {
    const { nowNs } = this.#run;
    if ('packetId' in moment && this.#packets.has(moment.packetId)) return { status: 'no-packet', note: `there is no packet ${moment.packetId}: ${counted(packets, 'packet')} came` };
    if (sockets.length === 0) return { status: 'no-sockets', note: 'there are no AF_XDP sockets; choose an application for them' };
    if ('tNs' in moment && moment.tNs > nowNs) return { status: 'after-end', note: `all had ended at ${timeText(nowNs)}, and the rings stayed so` };
    return { status: 'seen', note: '' };
  }

  #look(moment: RingMoment): void {
    this.#looks.push({ moment, tNs: this.#run.nowNs, sockets: this.#run.rings() });
  }
}

/** Looks at the rings of a run at some moments. */
export class RingsAtWatcher implements PacketWatcher {
  readonly #looks: RingLooks;

  constructor(simulation: Simulation, moments: readonly RingMoment[]) {
    this.#looks = new RingLooks({
      get nowNs() {
        return simulation.nowNs;
      },
      lookAt: (tNs, look) => simulation.lookAt(tNs, look),
      rings: () => simulation.sockets.map((socket) => socketRingsReport(viewRings(socket, KEPT_ENTRIES))),
    }, moments);
  }

  onPacketEnd({ packetId }: WatchedPacket): void {
    this.#looks.packetEnded(packetId);
  }

  finish(packets: number): readonly RingsAtReport[] {
    return this.#looks.finish(packets);
  }
}

/** Looks at the rings of all hosts of a scenario at some moments. */
export class ScenarioRingsAt implements ScenarioWatcher {
  readonly #looks: RingLooks;

  constructor(scenario: Scenario, moments: readonly RingMoment[]) {
    this.#looks = new RingLooks({
      get nowNs() {
        return scenario.nowNs - BOOT_NS;
      },
      lookAt: (tNs, look) => scenario.lookAt(tNs, look),
      rings: () => scenario.hosts.flatMap(ringsOfHost),
    }, moments);
  }

  hostWatcher(): PacketWatcher {
    return { onPacketEnd: ({ packetId }) => this.#looks.packetEnded(packetId) };
  }

  finish(packets: number): readonly RingsAtReport[] {
    return this.#looks.finish(packets);
  }
}

function ringsOfHost({ name, nics, sockets }: Host): SocketRingsReport[] {
  return sockets.map((socket) => ({
    host: name, nic: nics.find(({ nic }) => nic.settings.ifindex === socket.ifindex)?.name ?? '', ...socketRingsReport(viewRings(socket, KEPT_ENTRIES)),
  }));
}
