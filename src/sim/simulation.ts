import { fail, ok, ProblemError, Rng } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { HostMemory, PageAllocator } from '../memory/index.js';
import { createNic, WireBatch } from '../nic/index.js';
import type { Nic, NicSettings } from '../nic/index.js';
import type { CaptureReader } from '../packet/index.js';
import { createUmem, isRingSize, MAX_RING_ENTRIES, XskSocket } from '../umem/index.js';
import type { XskRingSizes } from '../umem/index.js';
import { Vm, XskMap } from '../vm/index.js';
import type { Fault, LoadedObject, LoadedProgram, ObjectSpec, VmEnvironment } from '../vm/index.js';
import { OUTCOMES } from '../xdp/index.js';
import type { Outcome } from '../xdp/index.js';
import type { XskApplication, XskApplicationFactory } from './applications/application.js';
import { audit, takeCensus } from './audit.js';
import type { AuditReport } from './audit.js';
import { EventQueue } from './eventQueue.js';
import { PacketTally } from './packetTally.js';
import { CaptureTraffic } from './traffic.js';

/** Virtual time of the first packet: a machine that has been up for a second, so that no time stamp is 0. */
export const BOOT_NS = 1e9;

/** Kept log lines and faults; more are only counted. */
const KEPT_LOG_LINES = 1000;
const KEPT_FAULTS = 16;

/** Everything that a run depends on. Equal options and equal traffic give equal results. */
export interface SimulationOptions {
  readonly object: ObjectSpec;
  /** Program to attach; may be left out when the object has only one. */
  readonly program?: string | undefined;
  readonly nic: NicSettings;
  readonly seed: number;
  /** CPUs of the host; queue q is served by CPU q modulo this. */
  readonly cpus: number;
  /** AF_XDP application on a socket of every queue, its sockets in every XSKMAP of the program; `undefined` for none. */
  readonly xsk?: { readonly application: XskApplicationFactory; readonly rings: XskRingSizes; readonly chunkCount: number } | undefined;
  /** Called with the loaded object before the first packet: global variables, map contents. */
  readonly prepare?: ((loaded: LoadedObject) => Problem | undefined) | undefined;
  /** Instructions that one packet may cost. */
  readonly instructionBudget?: number | undefined;
}

/** Sees packets leave: writes captures, collects results. Bytes must be read during the call. */
export interface PacketWatcher {
  onPacketEnd?(packet: WatchedPacket): void;
  onApplicationFrame?(packet: WatchedPacket): void;
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

export interface LogLine {
  readonly tNs: number;
  readonly cpu: number;
  readonly text: string;
}

export interface FaultRecord {
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
   * @returns what happened; a broken capture is a Problem
   */
  run(reader: CaptureReader, watcher: PacketWatcher = {}, onProgress: (packets: number) => void = () => {}): Result<RunResult> {
    const opened = CaptureTraffic.open(this.memory, reader, BOOT_NS);
    if (!opened.ok) return opened;
    const traffic = opened.value;
    const state = this.#state;
    const events = this.#events;
    state.watcher = watcher;
    state.traffic = traffic;
    const batch = new WireBatch();
    while (traffic.nextNs !== Infinity) {
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
    while (events.step());
    return ok(this.#finish(traffic));
  }

  #finish(traffic: CaptureTraffic): RunResult {
    const state = this.#state;
    const census = takeCensus(this.nic, this.#allocator);
    this.nic.driver.close();
    return {
      packetsReceived: traffic.packets,
      bytesReceived: traffic.bytes,
      cutPackets: traffic.cutPackets,
      durationNs: this.#events.nowNs - BOOT_NS,
      outcomes: state.outcomes,
      applicationFrames: state.applicationFrames,
      log: state.log,
      logLineCount: state.logLineCount,
      faults: state.faults,
      faultCount: state.faultCount,
      audit: audit(this.nic, this.#allocator, this.sockets, census, state.received, state.ended),
    };
  }
}

interface SimulationParts {
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

/** What changes while packets run through: the other end of all observers. */
class RunState {
  readonly outcomes = new Float64Array(OUTCOMES.length);
  readonly log: LogLine[] = [];
  readonly faults: FaultRecord[] = [];
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

/** Builds a simulation. Problems come from the object, the program, the NIC's settings and the memory that all of it needs. */
export function createSimulation(options: SimulationOptions): Result<Simulation> {
  try {
    return build(options);
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  }
}

function build(options: SimulationOptions): Result<Simulation> {
  const chosen = chooseProgram(options.object, options.program);
  if (!chosen.ok) return chosen;
  const { nic: settings } = options;
  const pageCount = pagesNeeded(settings);
  const memory = new HostMemory(Math.min(4095, 1024 + Math.ceil((pageCount * 4096) / 2 ** 20)));
  const allocator = new PageAllocator(memory, pageCount);
  const events = new EventQueue(BOOT_NS);
  const state = new RunState();

  const environment: VmEnvironment = {
    tNs: BOOT_NS,
    cpu: 0,
    possibleCpus: options.cpus,
    rng: new Rng(options.seed),
    onPrintk(text) {
      state.logLineCount++;
      if (state.log.length < KEPT_LOG_LINES) state.log.push({ tNs: environment.tNs, cpu: environment.cpu, text });
    },
  };
  const vm = new Vm({ memory, environment, ...(options.instructionBudget === undefined ? {} : { instructionBudget: options.instructionBudget }) });
  // All programs are loaded, as tail calls may go to any of them; but only for the attached one a failure counts.
  const loading = vm.load(options.object);
  if (!loading.ok) return loading;
  const loaded = loading.value;
  const program = loaded.program(chosen.value);
  if (program === undefined) {
    const problem = loaded.problems.get(chosen.value);
    if (problem === undefined) throw new Error(`Vm.load gave neither program ${chosen.value} nor a reason`);
    return fail(problem);
  }
  const prepared = options.prepare?.(loaded);
  if (prepared !== undefined) return fail(prepared);

  const sockets: XskSocket[] = [];
  const applications: XskApplication[] = [];
  const socketHandler = events.register((id) => applications[id].run());
  const wakeSocket = (id: number): void => events.schedule(events.nowNs, socketHandler, id);
  const devices: { ifindex: number; mtu: number }[] = [];
  const nicResult = createNic(settings, {
    memory,
    allocator,
    scheduler: events,
    vm,
    program,
    targets: { sockets, devices },
    observer: {
      onPacketEnd(packetId, outcome, retval, queue, address, lenBytes, metaBytes) {
        state.outcomes[outcome]++;
        state.ended.add(packetId);
        if (state.watcher.onPacketEnd !== undefined) {
          state.watcher.onPacketEnd(state.describe(events.nowNs, packetId, outcome, retval, queue, address, lenBytes, metaBytes));
        }
      },
      onApplicationFrame(packetId, queue, address, lenBytes) {
        state.applicationFrames++;
        if (state.watcher.onApplicationFrame !== undefined) {
          state.watcher.onApplicationFrame(state.describe(events.nowNs, packetId, 0, -1, queue, address, lenBytes, 0));
        }
      },
      onFault(packetId) {
        state.faultCount++;
        if (state.faults.length < KEPT_FAULTS) state.faults.push({ packetId, fault: vm.fault() });
      },
      onSocketReady: (socket) => wakeSocket(socket.id),
    },
  });
  if (!nicResult.ok) return nicResult;
  const nic = nicResult.value;
  devices.push(nic.driver);
  if (options.xsk !== undefined) {
    const opened = openSockets(options.xsk, memory, nic, sockets);
    if (!opened.ok) return opened;
    fillXskMaps(loaded, sockets);
    for (const socket of sockets) {
      const kernel = {
        send(sender: XskSocket): number {
          const result = sender.send(nic.driver);
          nic.driver.kick(sender.queueId);
          return result;
        },
      };
      const application = options.xsk.application(socket, kernel, memory.u8);
      applications.push(application);
      application.start();
    }
  }
  return ok(new Simulation({ memory, allocator, events, vm, loaded, program, nic, sockets, state }));
}

/** The program to attach: the one that was asked for, or the only one. */
function chooseProgram(object: ObjectSpec, name: string | undefined): Result<string> {
  const programs = object.programs.filter((program) => program.type === 'xdp');
  const names = programs.map((program) => program.name).join(', ');
  if (programs.length === 0) {
    const others = object.programs.map((program) => `${program.name} in section ${program.section}`);
    return fail({
      code: 'no-xdp-program',
      where: object.name,
      message: `no XDP program${others.length === 0 ? '' : `, only ${others.join(', ')}`}`,
      hint: 'put the program into SEC("xdp")',
    });
  }
  if (name !== undefined) {
    if (programs.some((program) => program.name === name)) return ok(name);
    return fail({ code: 'unknown-program', where: object.name, message: `no XDP program ${name}`, hint: `choose with --prog one of: ${names}` });
  }
  if (programs.length === 1) return ok(programs[0].name);
  return fail({ code: 'several-programs', where: object.name, message: `${programs.length} XDP programs: ${names}`, hint: 'choose one with --prog' });
}

/** Pages that rings, pools and packets on their way can hold at the same time. */
function pagesNeeded({ queues, rxRingSize, txRingSize, profile }: NicSettings): number {
  return queues * (rxRingSize + txRingSize + profile.poolRingSize + 256) + 64;
}

/** One socket for each queue, each with a UMEM of its own. */
function openSockets(xsk: NonNullable<SimulationOptions['xsk']>, memory: HostMemory, nic: Nic, sockets: XskSocket[]): Result<void> {
  for (const [name, size] of Object.entries(xsk.rings)) {
    if (isRingSize(size)) continue;
    return fail({
      code: 'xsk-ring-size',
      where: `${name} ring of the AF_XDP sockets`,
      message: `${size} entries are refused (EINVAL)`,
      hint: `use a power of two from 1 to ${MAX_RING_ENTRIES}`,
    });
  }
  for (let queue = 0; queue < nic.settings.queues; queue++) {
    const umem = createUmem(memory, `UMEM of socket ${queue}`, { chunkCount: xsk.chunkCount, chunkSizeBytes: 4096, headroomBytes: 0 });
    if (!umem.ok) return umem;
    sockets.push(new XskSocket(memory, queue, nic.settings.ifindex, queue, umem.value, xsk.rings));
  }
  return ok(undefined);
}

/** Puts the socket of queue q into slot q of every XSKMAP. */
function fillXskMaps(loaded: LoadedObject, sockets: readonly XskSocket[]): void {
  for (const map of loaded.maps.values()) {
    if (!(map instanceof XskMap)) continue;
    const bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
    for (const socket of sockets.slice(0, map.spec.maxEntries)) map.updateBytes(bytes(socket.queueId), bytes(socket.id + 1), 0);
  }
}
