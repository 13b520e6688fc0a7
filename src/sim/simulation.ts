import { catchProblem, ok } from '../base/index.js';
import type { KernelRelease, Problem, Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import type { Nic, NicSettings, XdpDriverFactory } from '../nic/index.js';
import type { CaptureReader } from '../packet/index.js';
import type { XdpSock, XskQuirks } from '../umem/index.js';
import type { EngineName, LoadedObject, LoadedProgram, NetworkScenario, ObjectSpec, Vm } from '../vm/index.js';
import { BOOT_NS } from './captureClock.js';
import type { XskSpec } from './createHost.js';
import type { Host, HostNic } from './host.js';
import type { PacketWatcher } from './packetWatcher.js';
import type { RunResult } from './runResult.js';
import { CaptureTraffic } from './traffic.js';
import type { World } from './world.js';

/** Everything that a run depends on. Equal options and equal traffic give equal results. */
export interface SimulationOptions {
  readonly object: ObjectSpec;
  /** Program to attach; may be left out when the object has only one. */
  readonly program?: string | undefined;
  readonly nic: NicSettings;
  readonly seed: number;
  /** CPUs of the host; queue q is served by CPU q modulo this. */
  readonly cpus: number;
  /** The kernel that the host runs; left out: the newest that is known. */
  readonly kernel?: KernelRelease | undefined;
  /** The network around the host; the NIC is its interface with `nic.ifindex`, by the NIC's own settings when it lists none. Left out: nothing but the NIC. */
  readonly network?: NetworkScenario | undefined;
  /** AF_XDP application on a socket of every queue, its sockets in every XSKMAP of the program; `undefined` for none. */
  readonly xsk?: XskSpec | undefined;
  /** Called with the loaded object and the sockets, which are in the XSKMAPs already, before the first packet: global variables, map contents. */
  readonly prepare?: ((loaded: LoadedObject, sockets: readonly XdpSock[]) => Problem | undefined) | undefined;
  /** Whether somebody reads what programs send through RINGBUFs and PERF_EVENT_ARRAYs; left out: yes. Else rings fill and no event is open. */
  readonly readsEvents?: boolean | undefined;
  /** Finds packets that an AF_XDP application changes between their submission and their sending; costs each of their bytes twice. */
  readonly hashesXskPackets?: boolean | undefined;
  /** Instructions that one packet may cost. */
  readonly instructionBudget?: number | undefined;
  /** What executes the program; `jit` when left out. */
  readonly engine?: EngineName | undefined;
  /** What looks like mistakes of the kernel's AF_XDP, e.g. KERNEL_QUIRKS; left out: it behaves as it is meant to. */
  readonly xskQuirks?: XskQuirks | undefined;
  /** RLIMIT_MEMLOCK of the AF_XDP applications, bytes; left out: they have CAP_IPC_LOCK, and no limit. */
  readonly xskMemlockBytes?: number | undefined;
  /** A driver of one's own, see docs/write-a-driver.md; left out: the model's. */
  readonly driver?: XdpDriverFactory | undefined;
}

/** The simplest world: one host with one NIC, and a capture that is played to it. */
export class Simulation {
  readonly #world: World;
  readonly #host: Host;
  readonly #port: HostNic;

  /** @param host the only one of the world, with one NIC */
  constructor(world: World, host: Host) {
    this.#world = world;
    this.#host = host;
    this.#port = host.nics[0];
  }

  get memory(): HostMemory {
    return this.#host.memory;
  }

  get vm(): Vm {
    return this.#host.vm;
  }

  get nic(): Nic {
    return this.#port.nic;
  }

  get sockets(): readonly XdpSock[] {
    return this.#host.sockets;
  }

  /** The object of the program. */
  get loaded(): LoadedObject {
    if (this.#port.loaded === undefined) throw new Error('Simulation.loaded: the NIC has no program');
    return this.#port.loaded;
  }

  get program(): LoadedProgram {
    if (this.#port.program === undefined) throw new Error('Simulation.program: the NIC has none');
    return this.#port.program;
  }

  /** Virtual time since the first packet, ns. */
  get nowNs(): number {
    return this.#world.events.nowNs - BOOT_NS;
  }

  /** Calls `look` when all that happens until this time has happened, or at the end of the run. It must change nothing. @param tNs since the first packet */
  lookAt(tNs: number, look: () => void): void {
    this.#world.lookAt(BOOT_NS + tNs, look);
  }

  /**
   * Plays a capture, lets everything come to rest, shuts the NIC down and audits. Once per simulation.
   *
   * @param onProgress called now and then with the number of packets so far
   * @returns what happened; a broken capture is a Problem, and so is what a driver of one's own throws (`driver-threw`)
   * @throws TypeError for what is no capture that was opened, such as a path
   */
  run(reader: CaptureReader, watcher: PacketWatcher = {}, onProgress: (packets: number) => void = () => {}): Result<RunResult> {
    if (typeof (reader as Partial<CaptureReader> | undefined)?.next !== 'function') throw new TypeError("Simulation.run: this is no capture that was opened; give unwrap(openCapture('trace.pcap'))");
    const played = catchProblem(() => this.#play(reader, watcher, onProgress));
    return played.ok ? played.value : played;
  }

  #play(reader: CaptureReader, watcher: PacketWatcher, onProgress: (packets: number) => void): Result<RunResult> {
    const host = this.#host;
    const { state } = host;
    const opened = CaptureTraffic.open(this.memory, reader, BOOT_NS, this.#world.origins);
    if (!opened.ok) return opened;
    const traffic = opened.value;
    state.watcher = watcher;
    state.clock = traffic.clock;
    this.#world.plug(host, this.#port, traffic);
    const run = this.#world.run(() => onProgress(traffic.packets));
    if (!run.ok) return run;
    state.cutPackets = traffic.cutPackets;
    return ok(host.finish());
  }
}
