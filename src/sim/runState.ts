import type { Fault } from '../vm/index.js';
import { OUTCOMES } from '../xdp/index.js';
import type { Outcome } from '../xdp/index.js';
import { PacketTally } from './packetTally.js';
import { ProgramEvents } from './programEvents.js';
import type { FaultRecord, LogLine, PacketWatcher, WatchedPacket } from './simulation.js';
import type { CaptureTraffic } from './traffic.js';

const KEPT_FAULTS = 16;

/** What changes while packets run through: the other end of all observers. */
export class RunState {
  readonly outcomes = new Float64Array(OUTCOMES.length);
  readonly log: LogLine[] = [];
  readonly faults: FaultRecord[] = [];
  readonly events = new ProgramEvents();
  logLineCount = 0;
  faultCount = 0;
  applicationFrames = 0;
  readonly received = new PacketTally();
  readonly ended = new PacketTally();
  watcher: PacketWatcher = {};
  traffic: CaptureTraffic | undefined;
  readonly packet: WatchedPacket = {
    packetId: 0, outcome: 0, retval: 0, queue: 0, tNs: 0, tSec: 0, tNsec: 0, address: 0, lenBytes: 0, metaBytes: 0,
  };

  /** Counts a fault; the first ones are kept. */
  addFault(packetId: number, fault: () => Fault): void {
    this.faultCount++;
    if (this.faults.length < KEPT_FAULTS) this.faults.push({ packetId, fault: fault() });
  }

  /** Fills the packet that watchers see. */
  describe(
    tNs: number, packetId: number, outcome: Outcome, retval: number, queue: number, address: number, lenBytes: number, metaBytes: number,
  ): WatchedPacket {
    const { packet, traffic } = this;
    packet.tNs = tNs;
    packet.tSec = traffic?.captureSec(tNs) ?? 0;
    packet.tNsec = traffic?.captureNsec(tNs) ?? 0;
    packet.packetId = packetId;
    packet.outcome = outcome;
    packet.retval = retval;
    packet.queue = queue;
    packet.address = address;
    packet.lenBytes = lenBytes;
    packet.metaBytes = metaBytes;
    return packet;
  }
}
