import type { HostMemory, PageAllocator } from '../memory/index.js';
import type { Nic } from '../nic/index.js';
import type { AfXdp, XdpSock } from '../umem/index.js';
import type { LoadedObject, LoadedProgram, Vm } from '../vm/index.js';
import { audit, takeCensus } from './audit.js';
import { BOOT_NS } from './captureClock.js';
import type { EventQueue } from './eventQueue.js';
import { hostFindings } from './hostFindings.js';
import { NO_PACKET } from './packetWatcher.js';
import type { RunResult } from './runResult.js';
import type { RunState } from './runState.js';
import type { TraceLog } from './traceLog.js';
import type { WireSink } from './wireSource.js';

/** A NIC of a host, and what it is joined to. */
export interface HostNic {
  readonly name: string;
  readonly nic: Nic;
  /** Its program, and the object that this is from; `undefined` passes everything. */
  readonly program: LoadedProgram | undefined;
  readonly loaded: LoadedObject | undefined;
  /** AF_XDP sockets on its queues. */
  readonly sockets: readonly XdpSock[];
  /** Where its frames go; `undefined`: they leave the scenario. */
  sink: WireSink | undefined;
  /** What arrived from the wire. */
  packets: number;
  bytes: number;
}

export interface HostParts {
  readonly name: string;
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly events: EventQueue;
  readonly vm: Vm;
  readonly objects: ReadonlyMap<string, LoadedObject>;
  readonly nics: readonly HostNic[];
  readonly afXdp: AfXdp;
  readonly state: RunState;
  readonly traces: TraceLog;
}

/** A machine: memory, programs and maps, NICs with their drivers, and, if wanted, AF_XDP applications. */
export class Host {
  readonly name: string;
  readonly memory: HostMemory;
  readonly vm: Vm;
  /** Loaded objects, by the names that the host's description gives them. */
  readonly objects: ReadonlyMap<string, LoadedObject>;
  /** In the order of the description. */
  readonly nics: readonly HostNic[];
  /** AF_XDP sockets of all NICs, by id. */
  readonly sockets: readonly XdpSock[];
  /** System calls of AF_XDP on this host: for sockets besides those of the description. */
  readonly afXdp: AfXdp;
  readonly state: RunState;
  readonly #traces: TraceLog;
  readonly #allocator: PageAllocator;
  readonly #events: EventQueue;

  constructor(parts: HostParts) {
    this.name = parts.name;
    this.memory = parts.memory;
    this.vm = parts.vm;
    this.objects = parts.objects;
    this.nics = parts.nics;
    this.sockets = parts.afXdp.sockets;
    this.afXdp = parts.afXdp;
    this.state = parts.state;
    this.#traces = parts.traces;
    this.#allocator = parts.allocator;
    this.#events = parts.events;
  }

  /** Runs the callback of the next timer of a program, whose time has come. */
  runTimer(): void {
    const { vm, state } = this;
    vm.environment.tNs = this.#events.nowNs;
    if (!vm.runNextTimer()) return;
    state.addFault(NO_PACKET, () => vm.fault());
  }

  /** Shuts all NICs down and audits. Once per host. */
  finish(): RunResult {
    const { state, nics } = this;
    const census = takeCensus(nics, this.#allocator);
    const xskFindings = hostFindings(nics, this.sockets);
    // A ring may hold frames of another NIC's pools.
    for (const { nic } of nics) nic.driver.stopTransmit?.();
    for (const { nic } of nics) nic.close();
    return {
      packetsReceived: state.received.count,
      bytesReceived: nics.reduce((sum, { bytes }) => sum + bytes, 0),
      cutPackets: state.cutPackets,
      durationNs: this.#events.nowNs - BOOT_NS,
      outcomes: state.outcomes,
      applicationFrames: state.applicationFrames,
      log: state.log,
      logLineCount: state.logLineCount,
      events: state.events.kept,
      eventCounts: state.events.counts,
      traces: this.#traces.kept,
      traceCounts: this.#traces.counts,
      faults: state.faults,
      faultCount: state.faultCount,
      xskFindings,
      audit: audit(nics, this.#allocator, this.sockets, census, state.received, state.ended),
    };
  }
}
