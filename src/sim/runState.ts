import type { Fault } from '../vm/index.js';
import { OUTCOMES } from '../xdp/index.js';
import type { Outcome } from '../xdp/index.js';
import { BOOT_NS, CaptureClock } from './captureClock.js';
import type { PacketOrigins } from './packetOrigins.js';
import { PacketTally } from './packetTally.js';
import type { PacketWatcher, WatchedPacket } from './packetWatcher.js';
import { ProgramEvents } from './programEvents.js';
import type { FaultRecord, LogLine } from './runResult.js';

const KEPT_FAULTS = 16;

/** What changes while packets run through a host: the other end of all observers. */
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
  /** Packets that captures hold only in part. */
  cutPackets = 0;
  watcher: PacketWatcher = {};
  clock = new CaptureClock(BOOT_NS);
  readonly #origins: PacketOrigins;
  readonly packet: WatchedPacket = {
    packetId: 0, ifindex: 0, cameFrom: 0, outcome: 0, retval: 0, queue: 0, tNs: 0, tSec: 0, tNsec: 0, address: 0, lenBytes: 0, metaBytes: 0,
  };

  constructor(origins: PacketOrigins) {
    this.#origins = origins;
  }

  /** Counts a fault; the first ones are kept. */
  addFault(packetId: number, fault: () => Fault): void {
    this.faultCount++;
    if (this.faults.length < KEPT_FAULTS) this.faults.push({ packetId, fault: fault() });
  }

  /** Fills the packet that watchers see. */
  describe(
    tNs: number, packetId: number, ifindex: number, outcome: Outcome, retval: number, queue: number, address: number, lenBytes: number, metaBytes: number,
  ): WatchedPacket {
    const { packet, clock } = this;
    packet.tNs = tNs;
    packet.tSec = clock.sec(tNs);
    packet.tNsec = clock.nsec(tNs);
    packet.packetId = packetId;
    packet.ifindex = ifindex;
    packet.cameFrom = this.#origins.cameFrom(packetId);
    packet.outcome = outcome;
    packet.retval = retval;
    packet.queue = queue;
    packet.address = address;
    packet.lenBytes = lenBytes;
    packet.metaBytes = metaBytes;
    return packet;
  }
}
