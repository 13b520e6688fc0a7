import { badOption, checkNamed, checkOptionNames, checkWhole, ENOMEM, errnoName, NEWEST_KERNEL, parseKernelRelease, ProblemError, Rng, unwrap } from '../../base/index.js';
import type { KernelRelease, OptionNames, Problem, Result } from '../../base/index.js';
import { HostMemory } from '../../memory/index.js';
import { BOOT_NS, CPUS_MAX } from '../../sim/index.js';
import { LOOPBACK, objectMemoryBytes, parseNetwork, Vm, withInterface } from '../../vm/index.js';
import type { LoadedObject, LoadedProgram, ObjectSpec, VmEnvironment } from '../../vm/index.js';
import { metadataMaxBytes, TestRunner } from '../../xdp/index.js';
import type { TestRunResult } from '../../xdp/index.js';
import { isPacket, packetBytesOf, readObject } from './objectSource.js';
import type { ObjectSource, PacketBytes } from './objectSource.js';
import { ProgramGlobals } from './programGlobals.js';
import { ProgramLog } from './programLog.js';
import { ProgramMaps } from './programMaps.js';
import { redirectMapsOf, redirectOf } from './redirectTarget.js';
import { verdictName } from './testRunResult.js';
import type { TestRun, TestRunContext } from './testRunResult.js';

/** What a test can choose about the machine on which its program runs. Everything has a default. */
export interface LoadProgramOptions {
  /** Name of the program (the C function); left out: the only XDP program of the object. */
  readonly program?: string;
  /** Whose rules hold; left out: those of the newest kernel that is known. */
  readonly kernel?: KernelRelease;
  /** Clock that programs see, ns since boot; left out: some seconds. `TestProgram.tNs` changes it. */
  readonly tNs?: number;
  /** Seed of bpf_get_prandom_u32; left out: 1. */
  readonly seed?: number;
  /** Possible CPUs: values of per-CPU maps. Left out: 1. `TestProgram.cpu` says on which one runs are. */
  readonly cpus?: number;
  /** Routes, neighbours, sockets: what bpf_fib_lookup and its kin find, as in docs/network.md. */
  readonly network?: object;
  /** Global variables by name, set before the first run, `const volatile` ones included. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** Instructions that a run may execute; left out: 10 million. */
  readonly instructionBudget?: number;
}

/** Packet and context of a run, with the names of BPF_PROG_TEST_RUN and struct xdp_md. */
export interface TestRunOptions {
  /** The packet, 14 bytes at least: bytes, or a packet builder. */
  readonly data: PacketBytes;
  /** Metadata before it, 4 to 216 bytes in steps of 4. */
  readonly meta?: Uint8Array;
  readonly ctx?: {
    /** Interface that it comes in on; left out: 1, the loopback. */
    readonly ingress_ifindex?: number;
    /** Left out: 0. The loopback has no other. */
    readonly rx_queue_index?: number;
    /** Where the linear part ends, counted from the start of the metadata; what follows lies in fragments. Left out: 3520 bytes, or all. */
    readonly data_end?: number;
  };
  /** Runs on the same buffer; left out: 1. */
  readonly repeat?: number;
}

const LOAD_OPTIONS: OptionNames<LoadProgramOptions> = { program: true, kernel: true, tNs: true, seed: true, cpus: true, network: true, globals: true, instructionBudget: true };
const RUN_OPTIONS: OptionNames<TestRunOptions> = { data: true, meta: true, ctx: true, repeat: true };
const CTX_OPTIONS: OptionNames<NonNullable<TestRunOptions['ctx']>> = { ingress_ifindex: true, rx_queue_index: true, data_end: true };

/** AF_XDP sockets that entries of an XSKMAP can stand for. */
const MEANT_SOCKETS = 1024;

/** Fields of the system call hold no more. */
const U32_MAX = 2 ** 32 - 1;

/** Test frame and its output. */
const RUNNER_BYTES = 4 << 20;

/**
 * A compiled program on a machine of its own: runs packets as BPF_PROG_TEST_RUN does (net/bpf/test_run.c, 6.18), and keeps maps and variables from
 * run to run.
 *
 * @example
 * const program = loadProgram('fixtures/programs/count_hash/count_hash.o');
 * const run = program.testRun({ data: new Uint8Array(60) });
 * console.log(run.verdict, program.maps.names);
 */
export class TestProgram {
  readonly name: string;
  /** The object as it was loaded: programs, maps, types. */
  readonly object: ObjectSpec;
  /** Global variables by name. */
  readonly globals: ProgramGlobals;
  /** Maps by name. */
  readonly maps: ProgramMaps;
  /** Lines of bpf_printk and aya-log since the program was loaded, or since `log.clear()`. */
  readonly log: ProgramLog;
  readonly #memory: HostMemory;
  readonly #environment: VmEnvironment;
  readonly #vm: Vm;
  readonly #loaded: LoadedObject;
  readonly #program: LoadedProgram;
  readonly #runner: TestRunner;
  readonly #redirectMaps: readonly string[];

  /** Made by `loadProgram`. */
  constructor(object: ObjectSpec, options: LoadProgramOptions) {
    checkOptionNames('loadProgram', options, LOAD_OPTIONS);
    const { kernel = NEWEST_KERNEL, tNs = BOOT_NS, seed = 1, cpus = 1, instructionBudget } = options;
    unwrap(parseKernelRelease(kernel, 'kernel'));
    checkWhole('loadProgram, cpus', cpus, 1, CPUS_MAX);
    checkWhole('loadProgram, seed', seed, 0, U32_MAX);
    checkTime('loadProgram', tNs);
    if (instructionBudget !== undefined) checkWhole('loadProgram, instructionBudget', instructionBudget, 1, Number.MAX_SAFE_INTEGER);
    if (options.program !== undefined && typeof options.program !== 'string') throw badOption('loadProgram, program', options.program, 'the name of a program, the C function');
    if (options.globals !== undefined) checkNamed('loadProgram, globals', options.globals, 'variables by name: { port: 53 }');
    if (options.network !== undefined) checkNamed('loadProgram, network', options.network, 'routes, neighbours and sockets as in docs/network.md');
    this.object = object;
    this.#memory = HostMemory.withRoomFor(objectMemoryBytes(object, cpus) + RUNNER_BYTES);
    const network = options.network === undefined ? undefined : unwrap(parseNetwork(options.network, 'network'));
    const log = new ProgramLog(() => this.#environment.tNs);
    this.log = log;
    this.#environment = {
      tNs, cpu: 0, possibleCpus: cpus, kernel, rng: new Rng(seed),
      network: network && withInterface(network, LOOPBACK),
      onPrintk: (text) => log.addPrintk(text),
      onEvent: (map, bytes) => log.addEvent(map, bytes),
    };
    this.#vm = new Vm({ memory: this.#memory, environment: this.#environment, ...(instructionBudget === undefined ? {} : { instructionBudget }) });
    this.#loaded = unwrap(this.#vm.load(object, options.program === undefined ? {} : { programs: [options.program] }));
    this.#program = unwrap(chosenProgram(this.#loaded, options.program));
    this.name = this.#program.spec.name;
    this.#redirectMaps = redirectMapsOf(this.#loaded);
    this.globals = new ProgramGlobals(this.#loaded);
    // Nobody receives: any number of sockets can be meant.
    this.maps = new ProgramMaps(this.#loaded, { cpus, socketCount: () => MEANT_SOCKETS, socketOf: () => undefined });
    this.#runner = new TestRunner(this.#memory, this.#vm);
    for (const [name, value] of Object.entries(options.globals ?? {})) this.globals.set(name, value);
  }

  /** The clock that the program sees, ns since boot. @throws Error for what is no time, when it is set */
  get tNs(): number {
    return this.#environment.tNs;
  }

  set tNs(tNs: number) {
    checkTime('TestProgram', tNs);
    this.#environment.tNs = tNs;
  }

  /** CPU on which runs are. @throws RangeError for one that there is not, when it is set */
  get cpu(): number {
    return this.#environment.cpu;
  }

  set cpu(cpu: number) {
    if (!Number.isInteger(cpu) || cpu < 0 || cpu >= this.#environment.possibleCpus) throw new RangeError(`TestProgram.cpu: there is no CPU ${cpu}, but ${this.#environment.possibleCpus}, from 0 on`);
    this.#environment.cpu = cpu;
  }

  /**
   * Runs the program on one packet, as BPF_PROG_TEST_RUN would.
   *
   * @throws Error, with what to do, for what the system call refuses: a packet shorter than 14 bytes, metadata that is no multiple of 4, a program for an entry of
   * a map; for an option that there is not; and what a builder throws
   * @example
   * const { verdict, data } = program.testRun({ data: ethernet().ipv4().udp().payload('hello') });
   */
  testRun(options: TestRunOptions): TestRun {
    if (isPacket(options)) throw badOption('testRun', 'a packet alone', 'it a name: testRun({ data: packet })');
    checkOptionNames('testRun', options, RUN_OPTIONS);
    const { data, meta = new Uint8Array(0), ctx = {}, repeat = 1 } = options;
    checkOptionNames('testRun, ctx', ctx, CTX_OPTIONS);
    const packet = packetBytesOf(data);
    if (!(meta instanceof Uint8Array)) throw badOption('testRun, meta', meta, 'bytes (Uint8Array)');
    checkWhole('testRun, repeat', repeat, 0, U32_MAX);
    for (const [name, value] of Object.entries(ctx)) if (value !== undefined) checkWhole(`testRun, ctx.${name}`, value, 0, U32_MAX);
    const bytes = new Uint8Array(meta.length + packet.length);
    bytes.set(meta);
    bytes.set(packet, meta.length);
    const { ingress_ifindex = 0, rx_queue_index = 0, data_end } = ctx;
    const from = this.log.lineCount;
    const result = this.#runner.run(this.#program, {
      data: bytes, metaBytes: meta.length, ingressIfindex: ingress_ifindex, rxQueueIndex: rx_queue_index, repeat, ...(data_end === undefined ? {} : { dataEnd: data_end }),
    });
    if (result.errno !== 0) throw new ProblemError(whyRefused(result.errno, packet.length, meta.length, metadataMaxBytes(this.#environment.kernel), ctx));
    const { fault, retval, ctxOut } = result;
    const metaBytes = fault === undefined ? ctxOut.data : 0;
    return {
      program: this.name,
      input: packet,
      retval,
      verdict: fault === undefined ? verdictName(retval) : 'fault',
      data: result.dataOut.subarray(metaBytes),
      meta: result.dataOut.subarray(0, metaBytes),
      ctx: contextOf(ctxOut),
      redirectMaps: this.#redirectMaps,
      redirect: fault === undefined ? redirectOf(this.#vm, this.#loaded) : undefined,
      instructions: this.#vm.executedInstructions,
      log: this.log.since(from),
      fault,
    };
  }
}

/**
 * Loads a compiled object for tests.
 *
 * @throws Error with the reason and how to mend it: no such file, no ELF for BPF, a helper that isn't modelled, several programs and no name
 * @example
 * const program = loadProgram('fixtures/programs/count_hash/count_hash.o');
 */
export function loadProgram(source: ObjectSource, options: LoadProgramOptions = {}): TestProgram {
  return new TestProgram(readObject(source), options);
}

function chosenProgram(loaded: LoadedObject, name: string | undefined): Result<LoadedProgram> {
  const candidates = loaded.programs.filter(({ spec }) => name === undefined ? spec.attachType === 'xdp' : spec.name === name);
  if (candidates.length === 1) return { ok: true, value: candidates[0] };
  const names = loaded.spec.programs.map(({ name: each }) => each).join(', ');
  if (candidates.length > 1) {
    return { ok: false, problem: { code: 'several-programs', where: loaded.spec.name, message: `the object has ${candidates.length} XDP programs`, hint: `say which one, as { program: '${candidates[0].spec.name}' }: ${names}` } };
  }
  const [reason] = loaded.problems.values();
  return { ok: false, problem: reason ?? { code: 'unknown-program', where: loaded.spec.name, message: `there is no XDP program${name === undefined ? '' : ` ${name}`}`, hint: `it has: ${names}` } };
}

function checkTime(where: string, tNs: number): void {
  checkWhole(`${where}, tNs`, tNs, 0, Number.MAX_SAFE_INTEGER, 'of nanoseconds');
}

/** The kernel gives a bare errno; this says which argument it was. */
function whyRefused(errno: number, packetBytes: number, metaBytes: number, metaMaxBytes: number, { rx_queue_index = 0, ingress_ifindex = 0, data_end }: NonNullable<TestRunOptions['ctx']>): Problem {
  const refused = (message: string, hint: string): Problem => ({ code: 'test-run', where: 'testRun', message: `${errnoName(errno)}: ${message}`, hint });
  if (packetBytes < 14) return refused(`the packet has ${packetBytes} bytes`, 'an Ethernet header has 14: begin the packet with one');
  if (metaBytes % 4 !== 0 || metaBytes > metaMaxBytes) return refused(`${metaBytes} bytes of metadata`, `use a multiple of 4, at most ${metaMaxBytes}`);
  if (ingress_ifindex <= 1 && rx_queue_index !== 0) return refused(`the loopback has no queue ${rx_queue_index}`, 'give ctx.ingress_ifindex of another interface, too');
  if (data_end !== undefined && (data_end < metaBytes || data_end > metaBytes + packetBytes)) return refused(`ctx.data_end ${data_end} lies outside of the packet`, `use ${metaBytes} to ${metaBytes + packetBytes}`);
  if (errno === ENOMEM) return refused(`the packet has ${packetBytes} bytes`, 'a first part of 3520 bytes and 17 fragments of 4096 are the most that there is room for: 73152, less when ctx.data_end is smaller');
  return refused('the program takes no test runs', 'programs for DEVMAP and CPUMAP entries, and those bound to a device, run on a NIC only: use createTestNic');
}

function contextOf(ctx: TestRunResult['ctxOut']): TestRunContext {
  return {
    data: ctx.data, data_end: ctx.dataEnd, data_meta: ctx.dataMeta, ingress_ifindex: ctx.ingressIfindex, rx_queue_index: ctx.rxQueueIndex, egress_ifindex: ctx.egressIfindex,
  };
}
