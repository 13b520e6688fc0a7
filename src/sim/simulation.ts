import { catchProblem, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import type { HostMemory, PageAllocator } from '../memory/index.js';
import { WireBatch } from '../nic/index.js';
import type { Nic, NicSettings, XdpDriverFactory } from '../nic/index.js';
import type { CaptureReader } from '../packet/index.js';
import type { XskRingSizes, XskSocket } from '../umem/index.js';
import type { EngineName, Fault, LoadedObject, LoadedProgram, NetworkScenario, ObjectSpec, Vm } from '../vm/index.js';
import type { Outcome } from '../xdp/index.js';
import type { XskApplicationFactory } from './applications/application.js';
import { audit, takeCensus } from './audit.js';
import type { AuditReport } from './audit.js';
import type { EventQueue } from './eventQueue.js';
import type { EventCount, ProgramEvent } from './programEvents.js';
import type { RunState } from './runState.js';
import { CaptureTraffic } from './traffic.js';

/** Virtual time of the first packet: a machine that has been up for a second, so that no time stamp is 0. */
export const BOOT_NS = 1e9;

/** Everything that a run depends on. Equal options and equal traffic give equal results. */
export interface SimulationOptions {
  readonly object: ObjectSpec;
  /** Program to attach; may be left out when the object has only one. */
  readonly program?: string | undefined;
  readonly nic: NicSettings;
  readonly seed: number;
  /** CPUs of the host; queue q is served by CPU q modulo this. */
  readonly cpus: number;
  /** The network around the host; the NIC is its interface with `nic.ifindex`, by the NIC's own settings when it lists none. Left out: nothing but the NIC. */
  readonly network?: NetworkScenario | undefined;
  /** AF_XDP application on a socket of every queue, its sockets in every XSKMAP of the program; `undefined` for none. */
  readonly xsk?: { readonly application: XskApplicationFactory; readonly rings: XskRingSizes; readonly chunkCount: number } | undefined;
  /** Called with the loaded object and the sockets, which are in the XSKMAPs already, before the first packet: global variables, map contents. */
  readonly prepare?: ((loaded: LoadedObject, sockets: readonly XskSocket[]) => Problem | undefined) | undefined;
  /** Whether somebody reads what programs send through RINGBUFs and PERF_EVENT_ARRAYs; left out: yes. Else rings fill and no event is open. */
  readonly readsEvents?: boolean | undefined;
  /** Instructions that one packet may cost. */
  readonly instructionBudget?: number | undefined;
  /** What executes the program; `jit` when left out. */
  readonly engine?: EngineName | undefined;
  /** A driver of one's own, see docs/write-a-driver.md; left out: the model's. */
  readonly driver?: XdpDriverFactory | undefined;
}

/** Sees packets leave: writes captures, collects results. Bytes must be read during the call. */
export interface PacketWatcher {
  onPacketEnd?(packet: WatchedPacket): void;
  onApplicationFrame?(packet: WatchedPacket): void;
  /** Every record of a RINGBUF and every perf event, also those that the result only counts; its bytes too are only good during the call. */
  onEvent?(event: ProgramEvent): void;
}

/** One packet at its end; the object is reused for the next. */
export interface WatchedPacket {
  packetId: number;
  outcome: Outcome;
  /** What the program returned, -1 when it didn't see the packet. */
  retval: number;
  queue: number;
  /** Virtual time, and the same moment on the capture's clock. */
  tNs: number;
  tSec: number;
  tNsec: number;
  /** Host address of the packet; metadata lies before it. */
  address: number;
  /** Bytes of the packet; of one longer than WIRE_SLOT_BYTES, which the MAC dropped, only so many are there. */
  lenBytes: number;
  metaBytes: number;
}

/** In place of a packet's id: packets are counted from 1. */
export const NO_PACKET = 0;

export interface LogLine {
  readonly tNs: number;
  readonly cpu: number;
  readonly text: string;
}

export interface FaultRecord {
  /** NO_PACKET when it was the callback of a timer. */
  readonly packetId: number;
  readonly fault: Fault;
}

/** What a run found. */
export interface RunResult {
  readonly packetsReceived: number;
  readonly bytesReceived: number;
  readonly cutPackets: number;
  /** Virtual time from the first to the last event, ns. */
  readonly durationNs: number;
  /** Packets by outcome; the index is the code of OUTCOMES. */
  readonly outcomes: Float64Array;
  readonly applicationFrames: number;
  readonly log: readonly LogLine[];
  readonly logLineCount: number;
  /** The first of what programs sent to user space; `eventCounts` counts all of it, by map. */
  readonly events: readonly ProgramEvent[];
  readonly eventCounts: readonly EventCount[];
  readonly faults: readonly FaultRecord[];
  readonly faultCount: number;
  readonly audit: AuditReport;
}

/** A host with one NIC, its driver, a program and, if wanted, AF_XDP applications. */
export class Simulation {
  readonly memory: HostMemory;
  readonly vm: Vm;
  readonly loaded: LoadedObject;
  readonly program: LoadedProgram;
  readonly nic: Nic;
  readonly sockets: readonly XskSocket[];
  readonly #allocator: PageAllocator;
  readonly #events: EventQueue;
  readonly #state: RunState;

  constructor(parts: SimulationParts) {
    this.memory = parts.memory;
    this.vm = parts.vm;
    this.loaded = parts.loaded;
    this.program = parts.program;
    this.nic = parts.nic;
    this.sockets = parts.sockets;
    this.#allocator = parts.allocator;
    this.#events = parts.events;
    this.#state = parts.state;
  }

  /**
   * Plays a capture, lets everything come to rest, shuts the NIC down and audits. Once per simulation.
   *
   * @param onProgress called now and then with the number of packets so far
   * @returns what happened; a broken capture is a Problem, and so is what a driver of one's own throws (`driver-threw`)
   */
  run(reader: CaptureReader, watcher: PacketWatcher = {}, onProgress: (packets: number) => void = () => {}): Result<RunResult> {
    const played = catchProblem(() => this.#play(reader, watcher, onProgress));
    return played.ok ? played.value : played;
  }

  #play(reader: CaptureReader, watcher: PacketWatcher, onProgress: (packets: number) => void): Result<RunResult> {
    const opened = CaptureTraffic.open(this.memory, reader, BOOT_NS);
    if (!opened.ok) return opened;
    const traffic = opened.value;
    const state = this.#state;
    const events = this.#events;
    state.watcher = watcher;
    state.traffic = traffic;
    const batch = new WireBatch();
    while (traffic.nextNs !== Infinity) {
      if (this.vm.nextTimerNs <= Math.min(events.nextNs, traffic.nextNs)) {
        this.#runTimer();
        continue;
      }
      // Events go first: what one batch set off is done before the next batch of the same time arrives.
      if (events.nextNs <= traffic.nextNs) {
        events.step();
        continue;
      }
      events.nowNs = traffic.nextNs;
      const taken = traffic.take(events.nowNs, batch);
      if (!taken.ok) return taken;
      for (let i = 0; i < batch.count; i++) state.received.add(batch.packetId[i]);
      this.nic.device.receive(batch);
      onProgress(traffic.packets);
    }
    // Timers whose time lies behind the last event don't fire any more: they may go on for ever.
    while (events.nextNs !== Infinity) {
      if (this.vm.nextTimerNs <= events.nextNs) this.#runTimer();
      else events.step();
    }
    return ok(this.#finish(traffic));
  }

  /** Moves the clock to the next timer of a program and runs its callback. */
  #runTimer(): void {
    const { vm } = this;
    const events = this.#events;
    const state = this.#state;
    events.nowNs = Math.max(events.nowNs, vm.nextTimerNs);
    vm.environment.tNs = events.nowNs;
    if (!vm.runNextTimer()) return;
    state.addFault(NO_PACKET, () => vm.fault());
  }

  #finish(traffic: CaptureTraffic): RunResult {
    const state = this.#state;
    const census = takeCensus(this.nic, this.#allocator);
    this.nic.close();
    return {
      packetsReceived: traffic.packets,
      bytesReceived: traffic.bytes,
      cutPackets: traffic.cutPackets,
      durationNs: this.#events.nowNs - BOOT_NS,
      outcomes: state.outcomes,
      applicationFrames: state.applicationFrames,
      log: state.log,
      logLineCount: state.logLineCount,
      events: state.events.kept,
      eventCounts: state.events.counts,
      faults: state.faults,
      faultCount: state.faultCount,
      audit: audit(this.nic, this.#allocator, this.sockets, census, state.received, state.ended),
    };
  }
}

export interface SimulationParts {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly events: EventQueue;
  readonly vm: Vm;
  readonly loaded: LoadedObject;
  readonly program: LoadedProgram;
  readonly nic: Nic;
  readonly sockets: readonly XskSocket[];
  readonly state: RunState;
}
