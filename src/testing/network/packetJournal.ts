import { OUTCOMES, traceLine, TRACEPOINTS } from '../../xdp/index.js';
import type { Host, PacketWatcher, Scenario, ScenarioWatcher, TraceRecord, WatchedPacket } from '../../sim/index.js';
import { verdictName } from '../program/testRunResult.js';
import type { VerdictName } from '../program/testRunResult.js';

/** A packet that has reached its end on a host. */
export interface EndedPacket {
  /** Number of the packet, from 1, over all hosts. */
  readonly packetId: number;
  readonly host: string;
  /** The packet as it arrived. */
  readonly input: Uint8Array;
  /** Where it ended: `stack`, `tx`, `xsk`, `redirect`, `xdp_drop`, `rx_missed`, … (docs/report.md lists all). */
  readonly outcome: string;
  /** What that means, for a person. */
  readonly outcomeText: string;
  /** It went on its way: to the stack, a socket, a wire. */
  readonly isDelivered: boolean;
  /** What the program returned; `undefined` when it didn't see the packet. */
  readonly verdict: VerdictName | undefined;
  /** Interface where it ended: the one that it came in by, or the one that it left by. */
  readonly ifindex: number;
  readonly queue: number;
  /** The packet at its end, without metadata, and the metadata before it. */
  readonly data: Uint8Array;
  readonly meta: Uint8Array;
  /** When, virtual ns since boot. */
  readonly tNs: number;
  /** Its way in a few lines: arrival, tracepoints, end. */
  readonly journey: readonly string[];
}

/** A frame that a NIC put on the wire. */
export interface SentFrame {
  readonly host: string;
  readonly ifindex: number;
  readonly queue: number;
  readonly data: Uint8Array;
  readonly tNs: number;
  /** Packet that it was when it arrived, 0 for what an application made. */
  readonly packetId: number;
}

/** Tracepoints that tell of one packet; the others tell of bulks. */
const OF_A_PACKET = new Set(['xdp_exception', 'xdp_redirect', 'xdp_redirect_err']);

/** Writes down what becomes of every packet of a scenario. */
export class PacketJournal {
  readonly ended: EndedPacket[] = [];
  readonly sent: SentFrame[] = [];
  readonly watcher: ScenarioWatcher;
  readonly #arrived = new Map<number, { readonly bytes: Uint8Array; readonly tNs: number; readonly traces: string[] }>();

  constructor(scenario: Scenario) {
    this.watcher = { hostWatcher: (host) => this.#watch(host, scenario) };
    scenario.watch(this.watcher);
  }

  #watch(host: Host, scenario: Scenario): PacketWatcher {
    const { u8 } = host.memory;
    return {
      onArrival: (packetId, address, lenBytes) => {
        this.#arrived.set(packetId, { bytes: u8.slice(address, address + lenBytes), tNs: scenario.nowNs, traces: [] });
      },
      onTrace: (record) => this.#trace(record),
      onPacketEnd: (packet) => this.#end(host, packet),
      onWire: ({ ifindex, queue, address, lenBytes, tNs, packetId }) => {
        this.sent.push({ host: host.name, ifindex, queue, data: u8.slice(address, address + lenBytes), tNs, packetId });
      },
    };
  }

  #trace({ tracepoint, packetId, fields }: TraceRecord): void {
    if (OF_A_PACKET.has(TRACEPOINTS[tracepoint].name)) this.#arrived.get(packetId)?.traces.push(traceLine(tracepoint, fields));
  }

  #end({ memory: { u8 }, name, nics }: Host, packet: WatchedPacket): void {
    const { packetId, outcome, retval, ifindex, queue, tNs, address, lenBytes, metaBytes } = packet;
    const arrived = this.#arrived.get(packetId);
    this.#arrived.delete(packetId);
    const spec = OUTCOMES[outcome];
    const verdict = retval < 0 || retval === 0xffffffff ? undefined : verdictName(retval);
    const nicName = nics.find(({ nic }) => nic.settings.ifindex === ifindex)?.name ?? `interface ${ifindex}`;
    const journey = [
      `arrived at ${name}, ${arrived?.bytes.length ?? lenBytes} bytes${arrived === undefined ? '' : `, at ${arrived.tNs} ns`}`,
      ...(verdict === undefined ? [] : [`program returned ${verdict}`]),
      ...(arrived?.traces ?? []),
      `ended at ${nicName}, queue ${queue}, as ${spec.name}: ${spec.text}`,
    ];
    this.ended.push({
      packetId, host: name, input: arrived?.bytes ?? new Uint8Array(0), outcome: spec.name, outcomeText: spec.text, isDelivered: spec.delivered, verdict, ifindex, queue,
      data: u8.slice(address, address + lenBytes), meta: u8.slice(address - metaBytes, address), tNs, journey,
    });
  }
}
