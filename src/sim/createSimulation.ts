import { fail, ok, ProblemError, Rng } from '../base/index.js';
import type { Result } from '../base/index.js';
import { HostMemory, PAGE_BYTES, PageAllocator } from '../memory/index.js';
import { checkKitSettings, checkSettings, createNic, effectiveSettings, kitDriver, ringPages } from '../nic/index.js';
import type { NicSettings } from '../nic/index.js';
import { objectMemoryBytes, quietNetwork, Vm, withInterface, XDP_BUFF_HARD_START } from '../vm/index.js';
import type { NetInterface, VmEnvironment } from '../vm/index.js';
import type { XdpXmitDevice } from '../xdp/index.js';
import type { XskApplication, XskKernel } from './applications/application.js';
import { chooseProgram } from './chooseProgram.js';
import { EventQueue } from './eventQueue.js';
import { RunState } from './runState.js';
import { BOOT_NS, NO_PACKET, Simulation } from './simulation.js';
import type { SimulationOptions } from './simulation.js';
import { fillXskMaps, openSockets } from './sockets.js';

/** Kept log lines; more are only counted. */
const KEPT_LOG_LINES = 1000;

/** Below this many instructions a budget is counted one by one, in the interpreter, so that it is the same for every packet. */
const EXACT_BUDGET = 1_000_000;

/** Builds a simulation. Problems come from the object, the program, the NIC's settings and the memory that all of it needs. */
export function createSimulation(options: SimulationOptions): Result<Simulation> {
  try {
    const { nic, seed } = options;
    const faults = nic.faults && { seed, ...nic.faults };
    return build({ ...options, nic: { ...effectiveSettings(nic), faults } });
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  }
}

function build(options: SimulationOptions): Result<Simulation> {
  const chosen = chooseProgram(options.object, options.program);
  if (!chosen.ok) return chosen;
  const { nic: settings } = options;
  const wrong = checkSettings(settings) ?? (options.driver === undefined ? undefined : checkKitSettings(settings));
  if (wrong !== undefined) return fail(wrong);
  const pageCount = pagesNeeded(settings);
  const memory = HostMemory.withRoomFor(memoryNeed(options, pageCount));
  const allocator = new PageAllocator(memory, pageCount, { unitBytes: settings.profile.frameSizeBytes });
  const events = new EventQueue(BOOT_NS);
  const state = new RunState();

  const environment: VmEnvironment = {
    tNs: BOOT_NS,
    cpu: 0,
    possibleCpus: options.cpus,
    network: withInterface(options.network ?? quietNetwork([]), interfaceOf(settings)),
    rng: new Rng(options.seed),
    onPrintk(text) {
      state.logLineCount++;
      if (state.log.length < KEPT_LOG_LINES) state.log.push({ tNs: environment.tNs, cpu: environment.cpu, text });
    },
  };
  if (options.readsEvents !== false) {
    environment.onEvent = (map, bytes) => {
      const { ledger } = allocator;
      const page = memory.u32[(vm.contextAddress + XDP_BUFF_HARD_START) >>> 2];
      const event = { map, packetId: page === 0 ? NO_PACKET : ledger.packetId[ledger.indexOf(page)], tNs: environment.tNs, cpu: environment.cpu, bytes };
      state.events.add(event);
      state.watcher.onEvent?.(event);
    };
  }
  const { instructionBudget } = options;
  const vm = new Vm({
    memory, environment, engine: options.engine ?? 'jit',
    ...(instructionBudget === undefined ? {} : { instructionBudget }),
    ...(instructionBudget !== undefined && instructionBudget < EXACT_BUDGET ? { interpretedRuns: Infinity } : {}),
  });
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
  const opened = options.xsk === undefined ? ok([]) : openSockets(options.xsk, memory, settings);
  if (!opened.ok) return opened;
  const sockets = opened.value;
  fillXskMaps(loaded, sockets);
  const prepared = options.prepare?.(loaded, sockets);
  if (prepared !== undefined) return fail(prepared);

  const applications: XskApplication[] = [];
  const socketHandler = events.register((id) => applications[id].run());
  const wakeSocket = (id: number): void => events.schedule(events.nowNs, socketHandler, id);
  const devices: XdpXmitDevice[] = [];
  const nicResult = createNic(settings, {
    memory,
    allocator,
    scheduler: events,
    vm,
    program,
    targets: { sockets, devices },
    createDriver: options.driver === undefined ? undefined : kitDriver(options.driver),
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
        state.addFault(packetId, () => vm.fault());
      },
      onSocketReady: (socket) => wakeSocket(socket.id),
    },
  });
  if (!nicResult.ok) return nicResult;
  const nic = nicResult.value;
  devices.push(nic.driver);
  const kernel: XskKernel = {
    send(socket) {
      const result = socket.send(nic.driver);
      nic.driver.kick(socket.queueId);
      return result;
    },
  };
  if (options.xsk !== undefined) for (const socket of sockets) applications.push(options.xsk.application(socket, kernel, memory.u8));
  for (const application of applications) application.start();
  return ok(new Simulation({ memory, allocator, events, vm, loaded, program, nic, sockets, state }));
}

/** The NIC as the stack sees it, which forwards nothing and has no address. */
function interfaceOf({ ifindex, mtu }: NicSettings): NetInterface {
  return { ifindex, name: `if${ifindex}`, mac: new Uint8Array(6), mtu, up: true, forwarding: { ipv4: false, ipv6: false }, addresses: [], vrfTable: undefined };
}

/** Pages that rings, pools and packets on their way can hold at the same time. */
function pagesNeeded({ queues, rxRingSize, txRingSize, profile }: NicSettings): number {
  // A half of two pages keeps both from being given back.
  const pagesPerBuffer = profile.bufferModel === 'split_page' && profile.frameSizeBytes === PAGE_BYTES ? 2 : 1;
  return queues * ((rxRingSize + txRingSize) * pagesPerBuffer + profile.poolRingSize + 256) + 64;
}

/** Wire slots, copy lists, FIFOs and what alignment costs. */
const FIXED_BYTES = 4 << 20;

/** Upper bound of what the simulation puts into host memory, bytes. */
function memoryNeed({ object, cpus, nic, xsk }: SimulationOptions, pageCount: number): number {
  const ringEntries = xsk === undefined ? 0 : Object.values(xsk.rings).reduce((sum, size) => sum + size, 0);
  const sockets = xsk === undefined ? 0 : nic.queues * (xsk.chunkCount * PAGE_BYTES + ringEntries * 16 + 8 * PAGE_BYTES);
  return FIXED_BYTES + objectMemoryBytes(object, cpus) + (pageCount * (nic.isDmaCoherent === false ? 2 : 1) + ringPages(nic)) * PAGE_BYTES + sockets;
}
