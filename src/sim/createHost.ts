import { fail, ok, Rng } from '../base/index.js';
import type { KernelRelease, Problem, Result } from '../base/index.js';
import { HostMemory, PageAllocator } from '../memory/index.js';
import { checkKitSettings, checkSettings, createNic, effectiveSettings, kitDriver, Softirq } from '../nic/index.js';
import type { NicSettings, XdpDriverFactory } from '../nic/index.js';
import { AfXdp } from '../umem/index.js';
import type { XdpSock, XskQuirks } from '../umem/index.js';
import { quietNetwork, Vm, withInterface, XDP_BUFF_HARD_START } from '../vm/index.js';
import type { EngineName, LoadedObject, LoadedProgram, NetInterface, NetworkScenario, ObjectSpec, VmEnvironment } from '../vm/index.js';
import { XdpCore } from '../xdp/index.js';
import type { XskSocket } from '../xsk/index.js';
import type { XskApplicationFactory } from './applications/application.js';
import { ApplicationRunner } from './applications/applicationRunner.js';
import { BOOT_NS } from './captureClock.js';
import { chooseProgram } from './chooseProgram.js';
import { Host } from './host.js';
import type { HostNic } from './host.js';
import { hostMemoryNeed, pagesNeeded } from './hostMemoryNeed.js';
import { hostObserver } from './hostObserver.js';
import { NO_PACKET } from './packetWatcher.js';
import { RunState } from './runState.js';
import { fillXskMaps, forgetSocket, openSockets } from './sockets.js';
import { TraceLog } from './traceLog.js';
import type { World } from './world.js';
import { XSK_DEFAULTS, xskMemoryBytes } from './xskSettings.js';
import type { XskSettings } from './xskSettings.js';

/** CONFIG_NR_CPUS of most distributions. */
export const CPUS_MAX = 8192;

/** Kept log lines; more are only counted. */
const KEPT_LOG_LINES = 1000;

/** Below this many instructions a budget is counted one by one, in the interpreter, so that it is the same for every packet. */
const EXACT_BUDGET = 1_000_000;

/** AF_XDP application on a socket of every queue of a NIC; settings that are left out are XSK_DEFAULTS. */
export interface XskSpec extends Partial<XskSettings> {
  readonly application: XskApplicationFactory;
}

/** A NIC of a host as it is to be. */
export interface HostNicSpec {
  /** Of the interface, e.g. `eth0`. */
  readonly name: string;
  readonly settings: NicSettings;
  /** Hardware address that the network of the host sees; left out: zeros. */
  readonly mac?: Uint8Array | undefined;
  /** Key of `objects`, and the program of that object, which may be left out when it has only one; left out: everything is passed. */
  readonly xdp?: { readonly object: string; readonly program?: string | undefined } | undefined;
  /** The sockets are in every XSKMAP of the program's object, slot q that of queue q, unless those of a NIC before it are. */
  readonly xsk?: XskSpec | undefined;
  /** A driver of one's own, see docs/write-a-driver.md; left out: the model's. */
  readonly driver?: XdpDriverFactory | undefined;
}

/** A host as it is to be. */
export interface HostSpec {
  readonly name: string;
  readonly seed: number;
  /** Queue q of a NIC is served by CPU q modulo this. */
  readonly cpus: number;
  readonly objects: Readonly<Record<string, ObjectSpec>>;
  readonly nics: readonly HostNicSpec[];
  /** The kernel that the host runs; left out: the newest that is known. */
  readonly kernel?: KernelRelease | undefined;
  /** The network around the host; NICs that it doesn't list are added by their settings. Left out: nothing but the NICs. */
  readonly network?: NetworkScenario | undefined;
  /** Called with the loaded objects and the sockets before the first packet: global variables, map contents. */
  readonly prepare?: ((objects: ReadonlyMap<string, LoadedObject>, sockets: readonly XdpSock[]) => Problem | undefined) | undefined;
  readonly readsEvents?: boolean | undefined;
  readonly instructionBudget?: number | undefined;
  readonly engine?: EngineName | undefined;
  /** Memory for AF_XDP applications besides those of `nics`, which map it by `Host.afXdp`; bytes, left out: next to none. */
  readonly applicationBytes?: number | undefined;
  /** What looks like mistakes of the kernel's AF_XDP and is left out otherwise. */
  readonly xskQuirks?: XskQuirks | undefined;
  /** RLIMIT_MEMLOCK of the AF_XDP applications, bytes; left out: they have CAP_IPC_LOCK, and no limit. */
  readonly xskMemlockBytes?: number | undefined;
  /** Finds packets that an AF_XDP application changes between their submission and their sending; costs each of their bytes twice. */
  readonly hashesXskPackets?: boolean | undefined;
}

/**
 * Builds a host and puts it into the world. Problems come from the objects, the programs, the NICs' settings and the memory that all of it
 * needs.
 *
 * @throws ProblemError when the memory doesn't suffice
 */
export function createHost(requested: HostSpec, world: World): Result<Host> {
  const spec: HostSpec = { ...requested, nics: requested.nics.map((nic) => ({ ...nic, settings: settingsOf(nic.settings, requested.seed) })) };
  const chosen = checkSpec(spec);
  if (!chosen.ok) return chosen;
  const { events } = world;
  const pageCount = spec.nics.reduce((sum, { settings }) => sum + pagesNeeded(settings), 0);
  const memory = HostMemory.withRoomFor(hostMemoryNeed(spec, pageCount));
  const allocator = new PageAllocator(memory, pageCount, { unitBytes: Math.min(...spec.nics.map(({ settings }) => settings.profile.frameSizeBytes)) });
  const state = new RunState(world.origins);

  const environment: VmEnvironment = {
    tNs: BOOT_NS,
    cpu: 0,
    possibleCpus: spec.cpus,
    kernel: spec.kernel,
    network: spec.nics.reduce((network, nic) => withInterface(network, interfaceOf(nic)), spec.network ?? quietNetwork([])),
    rng: new Rng(spec.seed),
    onPrintk(text) {
      state.logLineCount++;
      if (state.log.length < KEPT_LOG_LINES) state.log.push({ tNs: environment.tNs, cpu: environment.cpu, text });
    },
  };
  const moment = {
    get tNs() {
      return environment.tNs;
    },
    get cpu() {
      return environment.cpu;
    },
    get packetId() {
      return packetInContext(memory, allocator, vm.contextAddress, nics);
    },
  };
  const traces = new TraceLog(moment, state);
  if (spec.readsEvents !== false) {
    environment.onEvent = (map, bytes) => {
      const event = { map, packetId: moment.packetId, tNs: moment.tNs, cpu: moment.cpu, bytes };
      state.events.add(event);
      state.watcher.onEvent?.(event);
    };
  }
  const vm = createVm(memory, environment, spec);
  const loading = loadObjects(vm, spec.objects);
  if (!loading.ok) return loading;
  const objects = loading.value;
  const programs = programsOfNics(spec, chosen.value, objects);
  if (!programs.ok) return programs;
  const afXdp = new AfXdp({ memory, scheduler: events, kernel: spec.kernel, quirks: spec.xskQuirks, memlockBytes: spec.xskMemlockBytes, hashesPackets: spec.hashesXskPackets });
  const { sockets } = afXdp;
  afXdp.onClose = (socket) => forgetSocket(objects.values(), socket);
  const applications = new ApplicationRunner(events, () => afXdp.observe());
  const core = new XdpCore({ vm, allocator, scheduler: events, sockets, tracer: traces });
  const softirqs = Array.from({ length: spec.cpus }, () => new Softirq(events));
  const nics: HostNic[] = [];
  const socketsOf: (readonly XskSocket[])[] = [];
  for (const [i, nicSpec] of spec.nics.entries()) {
    const { settings } = nicSpec;
    const observer = hostObserver({ ifindex: settings.ifindex, state, events, vm, sink: () => nics[i].sink, wakeSocket: ({ id }) => applications.wake(id) });
    const created = createNic(settings, {
      memory, allocator, scheduler: events, vm, program: programs.value[i], core, softirqs, observer,
      createDriver: nicSpec.driver === undefined ? undefined : kitDriver(nicSpec.driver),
    });
    if (!created.ok) return created;
    const nic = created.value;
    const loaded = nicSpec.xdp && objects.get(nicSpec.xdp.object);
    afXdp.addDevice(nic.driver);
    const opened = nicSpec.xsk === undefined ? ok([]) : openSockets({ ...XSK_DEFAULTS, ...nicSpec.xsk }, afXdp, settings);
    if (!opened.ok) return fail({ ...opened.problem, where: `NIC ${nicSpec.name}, ${opened.problem.where ?? 'AF_XDP'}` });
    socketsOf.push(opened.value);
    nics.push({ name: nicSpec.name, nic, program: programs.value[i], loaded, sockets: opened.value.map(({ fd }) => afXdp.socketOf(fd)!), sink: undefined, packets: 0, bytes: 0 });
  }
  fillMaps(nics, sockets);
  const prepared = spec.prepare?.(objects, sockets);
  if (prepared !== undefined) return fail(prepared);
  for (const [i, { xsk }] of spec.nics.entries()) {
    if (xsk !== undefined) socketsOf[i].forEach((socket, queue) => applications.start(nics[i].sockets[queue].id, socket, xsk.application));
  }
  const host = new Host({ name: spec.name, memory, allocator, events, vm, objects, nics, afXdp, state, traces });
  world.hosts.push(host);
  return ok(host);
}

/** Checks what can be checked before anything is made; gives the name of each NIC's program, empty for none. */
function checkSpec(spec: HostSpec): Result<readonly string[]> {
  const programNames: string[] = [];
  for (const { xdp } of spec.nics) {
    const chosen = xdp === undefined ? ok('') : chooseProgram(spec.objects[xdp.object], xdp.program);
    if (!chosen.ok) return chosen;
    programNames.push(chosen.value);
  }
  for (const { settings, driver } of spec.nics) {
    const wrong = checkSettings(settings) ?? (driver === undefined ? undefined : checkKitSettings(settings));
    if (wrong !== undefined) return fail(wrong);
  }
  for (const { name, xsk } of spec.nics) {
    if (xsk === undefined || xskMemoryBytes({ ...XSK_DEFAULTS, ...xsk }) >= 0) continue;
    return fail({ code: 'xsk-settings', where: `NIC ${name}, AF_XDP sockets`, message: 'chunkCount, chunkSizeBytes and the four rings are not all numbers from 0 on', hint: 'use whole numbers, or leave out what is to be as by default' });
  }
  if (!Number.isInteger(spec.cpus) || spec.cpus < 1 || spec.cpus > CPUS_MAX) {
    return fail({ code: 'host-cpus', where: `host ${spec.name}`, message: `${String(spec.cpus)} is no number of CPUs`, hint: `use a whole number from 1 to ${CPUS_MAX}` });
  }
  return ok(programNames);
}

/** Puts the sockets of each NIC into the XSKMAPs of its object; of several NICs with the same object those of the first that has any. */
function fillMaps(nics: readonly HostNic[], all: readonly XdpSock[]): void {
  const filled = new Set<LoadedObject>();
  for (const { loaded, sockets } of nics) {
    if (loaded === undefined || filled.has(loaded)) continue;
    fillXskMaps(loaded, sockets, all);
    if (sockets.length > 0) filled.add(loaded);
  }
}

function settingsOf(settings: NicSettings, seed: number): NicSettings {
  return { ...effectiveSettings(settings), faults: settings.faults && { seed, ...settings.faults } };
}

/** All programs are loaded, as tail calls may go to any of them; but only for the attached ones a failure counts. */
function loadObjects(vm: Vm, specs: HostSpec['objects']): Result<ReadonlyMap<string, LoadedObject>> {
  const objects = new Map<string, LoadedObject>();
  for (const [name, object] of Object.entries(specs)) {
    const loading = vm.load(object);
    if (!loading.ok) return loading;
    objects.set(name, loading.value);
  }
  return ok(objects);
}

/** Number of the packet in the context block, NO_PACKET for none. */
function packetInContext({ u32 }: HostMemory, { ledger }: PageAllocator, contextAddress: number, nics: readonly HostNic[]): number {
  const hardStart = u32[(contextAddress + XDP_BUFF_HARD_START) >>> 2];
  if (hardStart === 0) return NO_PACKET;
  for (const { nic } of nics) {
    if (nic.offload?.holds(hardStart) === true) return nic.offload.packetId;
    const packetId = nic.umems.packetAt(hardStart);
    if (packetId !== undefined) return packetId;
  }
  return ledger.packetId[ledger.indexOf(hardStart)];
}

function createVm(memory: HostMemory, environment: VmEnvironment, { engine = 'jit', instructionBudget }: HostSpec): Vm {
  if (instructionBudget === undefined) return new Vm({ memory, environment, engine });
  return new Vm({ memory, environment, engine, instructionBudget, ...(instructionBudget < EXACT_BUDGET ? { interpretedRuns: Infinity } : {}) });
}

/** @param names of the programs, empty for none */
function programsOfNics({ nics }: HostSpec, names: readonly string[], objects: ReadonlyMap<string, LoadedObject>): Result<readonly (LoadedProgram | undefined)[]> {
  const programs: (LoadedProgram | undefined)[] = [];
  for (const [i, { xdp }] of nics.entries()) {
    const program = xdp === undefined ? ok(undefined) : loadedProgram(objects.get(xdp.object)!, names[i]);
    if (!program.ok) return program;
    programs.push(program.value);
  }
  return ok(programs);
}

/** The program, or why it could not be loaded. */
function loadedProgram(loaded: LoadedObject, name: string): Result<LoadedProgram> {
  const program = loaded.program(name);
  if (program !== undefined) return ok(program);
  const problem = loaded.problems.get(name);
  if (problem === undefined) throw new Error(`Vm.load gave neither program ${name} nor a reason`);
  return fail(problem);
}

/** The NIC as the stack sees it, which forwards nothing and has no address. */
function interfaceOf({ name, mac = new Uint8Array(6), settings: { ifindex, mtu } }: HostNicSpec): NetInterface {
  return { ifindex, name, mac, mtu, up: true, forwarding: { ipv4: false, ipv6: false }, addresses: [], vrfTable: undefined };
}
