import { NEWEST_KERNEL, ProblemError, catchProblem } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { AccessTable } from './accessTable.js';
import type { ObjectMaps } from './checkProgram.js';
import { Dynptrs } from './dynptrs.js';
import type { Engine, EngineName } from './engine.js';
import type { VmEnvironment } from './environment.js';
import { readFault } from './fault.js';
import type { Fault } from './fault.js';
import { HelperArguments } from './helpers/helperArguments.js';
import { HELPERS } from './helpers/helperTable.js';
import type { HelperContext, HelperFunction } from './helpers/helper.js';
import { KFUNCS, KFUNC_ID_BASE, calleeName } from './kfuncs/kfuncTable.js';
import { Interpreter } from './interpreter/interpreter.js';
import { Jit } from './jit/jit.js';
import type { ProgramKnowledge } from './jit/knowledge.js';
import { programKnowledge } from './jit/programKnowledge.js';
import { VM_BUDGET, VM_EXECUTED, VM_REGS, VM_STACK_FRAME_BYTES, VM_STATE_BYTES, XDP_BUFF_BYTES } from './layout.js';
import { LoadedObject } from './loadedObject.js';
import type { ProgramPlacer } from './loadedObject.js';
import type { BpfMap, MapPlace } from './maps/map.js';
import { fillMapsOfMaps } from './maps/fillMapsOfMaps.js';
import { createMap } from './maps/mapTypes.js';
import { Network } from './network/network.js';
import { quietNetwork } from './network/scenario.js';
import { placeProgram } from './program.js';
import type { LoadedProgram } from './program.js';
import { clearRedirect, createRedirectInfo } from './redirect.js';
import type { RedirectInfo } from './redirect.js';
import { References } from './references.js';
import { createRxHints } from './rxHints.js';
import type { RxHints } from './rxHints.js';
import type { MapSpec, ObjectSpec, ProgramSpec } from './spec.js';
import { runTimer } from './timerCallback.js';
import { Timers } from './timers.js';

const BPF_FUNC_SPIN_UNLOCK = 94;

const DEFAULT_INSTRUCTION_BUDGET = 10_000_000;
const DEFAULT_ENGINE: EngineName = 'interpreter';

export interface VmOptions {
  readonly memory: HostMemory;
  readonly environment: VmEnvironment;
  /** Instructions that one run may execute, 1 to 2^32 - 1. */
  readonly instructionBudget?: number;
  /** What executes the programs; `interpreter` when left out: it needs no time to translate them. */
  readonly engine?: EngineName;
  /** The JIT checks every access, also those that it has proved to be fine. */
  readonly checksEverything?: boolean;
  /** Runs of a program in the interpreter before the JIT translates it. */
  readonly interpretedRuns?: number;
}

export interface LoadOptions {
  /** Names of the programs to load; left out: all XDP programs. */
  readonly programs?: readonly string[];
}

/**
 * One virtual machine: loads objects, runs their programs one at a time.
 *
 * For a run the caller fills the context block (layout.ts, XDP_MD_* and XDP_BUFF_*) and calls `run`; helpers change the block in
 * place. Maps live as long as the machine.
 */
export class Vm {
  readonly memory: HostMemory;
  readonly environment: VmEnvironment;
  /** Address of the machine's state (layout.ts, VM_*). */
  readonly stateAddress: number;
  /** Address of the one context block that all runs use. */
  readonly contextAddress: number;
  /** What the last run's redirect helpers asked for. */
  readonly redirect: RedirectInfo = createRedirectInfo();
  /** What programs are told of the network, and what they made of it. */
  readonly network: Network;
  /** What programs can learn about their packet from the driver, which fills it in before a run. */
  readonly rxHints: RxHints = createRxHints();
  readonly #references = new References();
  readonly #dynptrs: Dynptrs;
  readonly #timers: Timers;
  /** What the last run left behind, see `fault`. */
  #leaked: string | undefined;
  readonly #accessTable: AccessTable;
  /** What each program was made from, by its address. */
  readonly #sources = new Map<number, [ProgramSpec, ReadonlyMap<string, BpfMap>]>();
  readonly #engine: Engine;
  readonly #jit: Jit | undefined;
  /** The last run called a helper: without one it leaves nothing behind. */
  #helpersCalled = false;
  /** What executes the run that is on. */
  #active: Engine;
  /** Runs what is no whole program: the callbacks of timers. */
  readonly #interpreter: Interpreter;
  /** By id; ids begin at 1. */
  readonly #maps: (BpfMap | undefined)[] = [undefined];
  readonly #programs: (LoadedProgram | undefined)[] = [undefined];
  readonly #r0: number;

  /** @throws ProblemError `host-memory-exhausted` */
  constructor({ memory, environment, instructionBudget = DEFAULT_INSTRUCTION_BUDGET, engine = DEFAULT_ENGINE, checksEverything = false, interpretedRuns }: VmOptions) {
    if (!Number.isInteger(instructionBudget) || instructionBudget < 1 || instructionBudget >= 2 ** 32) {
      throw new RangeError(`Vm: instruction budget ${instructionBudget} is not a whole number from 1 to 2^32 - 1`);
    }
    this.memory = memory;
    this.#dynptrs = new Dynptrs(memory);
    this.#timers = new Timers(memory);
    this.environment = environment;
    this.stateAddress = memory.reserve('state of the virtual machine', VM_STATE_BYTES);
    // The stack is the end of the state: what lies above it must be nobody's, or an access beyond its top would hit that.
    memory.reserve('the gap above the stack', VM_STACK_FRAME_BYTES);
    this.contextAddress = memory.reserve('xdp_md', XDP_BUFF_BYTES);
    this.#accessTable = new AccessTable(memory, this.stateAddress);
    this.network = new Network(memory, this.#accessTable, this.#references, environment.network ?? quietNetwork(), environment.tNs);
    this.#r0 = (this.stateAddress + VM_REGS) >>> 2;
    memory.u32[(this.stateAddress + VM_BUDGET) >>> 2] = instructionBudget;
    const callHelper = this.#helperDispatcher();
    const interpreter = new Interpreter(memory, this.stateAddress, callHelper);
    this.#interpreter = interpreter;
    const knowledgeOf = (programAddress: number): ProgramKnowledge => programKnowledge(...this.#sources.get(programAddress)!);
    this.#jit = engine === 'jit' ? new Jit(memory, this.stateAddress, interpreter, callHelper, { knowledgeOf, checksEverything, ...(interpretedRuns === undefined ? {} : { interpretedRuns }) }) : undefined;
    this.#engine = this.#jit ?? interpreter;
    this.#active = this.#engine;
  }

  /**
   * Makes the object's maps and places its programs. A Problem leaves the machine as it was.
   *
   * Problems: `unknown-program`, `no-xdp-program`; of a map: `map-invalid`, `inner-map-mismatch`, `host-memory-exhausted`, `too-many-maps`; of a program that was
   * asked for, or of the first one if none is usable: those of `checkProgram`, e.g. `unsupported-helper`, `unsupported-map-type`, and
   * `program-array-mismatch`.
   */
  load(object: ObjectSpec, options: LoadOptions = {}): Result<LoadedObject> {
    const mark = this.memory.mark();
    const rows = this.#accessTable.count;
    const mapCount = this.#maps.length;
    const programCount = this.#programs.length;
    const result = catchProblem(() => this.#load(object, options));
    if (!result.ok) {
      this.memory.release(mark);
      this.#accessTable.truncate(rows);
      this.#maps.length = mapCount;
      this.#programs.length = programCount;
    }
    return result;
  }

  /**
   * Runs a program on the packet in the context block.
   *
   * @param programAddress `LoadedProgram.address`
   * @returns 0 when it came to its end (see `retval`), else a fault code (see `fault`)
   */
  run(programAddress: number): number {
    if (this.#helpersCalled) this.#forgetLastRun();
    const code = this.#engine.run(programAddress, this.contextAddress);
    return this.#helpersCalled ? this.#endRun(code) : code;
  }

  /** When the next timer of a program fires, ns of virtual time; Infinity when none is armed. */
  get nextTimerNs(): number {
    return this.#timers.nextNs;
  }

  /**
   * Runs the callback of the next timer that is due by now (`environment.tNs`), on the CPU that armed it. The owner of the time calls this when
   * `nextTimerNs` has come, until nothing is due.
   *
   * @returns 0 when it came to its end, else a fault code (see `fault`); `undefined` when nothing is due
   */
  runNextTimer(): number | undefined {
    const timer = this.#timers.takeDue(this.environment.tNs);
    if (timer === undefined) return undefined;
    this.environment.cpu = timer.cpu;
    // There is no packet: nothing of the last one is in reach.
    this.memory.u8.fill(0, this.contextAddress, this.contextAddress + XDP_BUFF_BYTES);
    const parts = { memory: this.memory, accessTable: this.#accessTable, timers: this.#timers, stateAddress: this.stateAddress };
    return this.#endRun(runTimer(timer, parts, (programId, insnIndex, prepare) => {
      this.#interpreter.start(this.#programs[programId]!.address, this.contextAddress);
      prepare();
      this.#active = this.#interpreter;
      const code = this.#interpreter.callback(insnIndex);
      this.#active = this.#engine;
      return code;
    }));
  }

  #forgetLastRun(): void {
    clearRedirect(this.redirect);
    this.#helpersCalled = false;
  }

  #endRun(code: number): number {
    this.#dynptrs.clear();
    this.#accessTable.endLoans();
    return this.#references.count === 0 ? code : this.#endWithReferences(code);
  }

  /** A program that was stopped could not give back what it held; one that came to its end should have. */
  #endWithReferences(code: number): number {
    const references = this.#references;
    this.#leaked = references.held[references.count - 1]!.kind;
    const result = code === 0 ? references.recordLeak(this.memory, this.stateAddress) : code;
    references.dropAll();
    return result;
  }

  /** A live map by its id. */
  readonly map = (id: number): BpfMap | undefined => this.#maps[id];

  /** A loaded program by its id. */
  program(id: number): LoadedProgram | undefined {
    return this.#programs[id];
  }

  /** What the last run returned: the low 32 bits of r0, as a driver gets them. */
  get retval(): number {
    return this.memory.u32[this.#r0];
  }

  /** Instructions that the last run executed; counted by the interpreter only, not by programs that the JIT has translated. */
  get executedInstructions(): number {
    return this.memory.u32[(this.stateAddress + VM_EXECUTED) >>> 2];
  }

  /** Why the last run was stopped. Only right after `run` gave a fault code. */
  fault(): Fault {
    return readFault(this.memory, this.stateAddress, (id) => this.#programs[id]?.spec, calleeName, this.#leaked);
  }

  #helperDispatcher(): (id: number, r1: number, r2: number, r3: number, r4: number, r5: number) => number {
    const args = new HelperArguments({
      memory: this.memory, stateAddress: this.stateAddress, contextAddress: this.contextAddress,
      accessTable: this.#accessTable, maps: this.#maps, programs: this.#programs,
    });
    const context: HelperContext = {
      memory: this.memory, environment: this.environment, args, redirect: this.redirect, rxHints: this.rxHints, references: this.#references, dynptrs: this.#dynptrs, timers: this.#timers, maps: this.#maps, network: this.network,
      accessTable: this.#accessTable, stateAddress: this.stateAddress, contextAddress: this.contextAddress,
      callback: (insnIndex) => {
        const { helperId } = args;
        const code = this.#active.callback(insnIndex);
        args.helperId = helperId;
        return code === 0;
      },
    };
    const references = this.#references;
    const functions: (HelperFunction | undefined)[] = HELPERS.map((helper) => helper?.support?.make(context));
    KFUNCS.forEach((kfunc, index) => (functions[KFUNC_ID_BASE + index] = kfunc.support?.make(context)));
    return (id, r1, r2, r3, r4, r5) => {
      const call = functions[id];
      if (call === undefined) throw new RangeError(`Vm: ${calleeName(id)} is not supported, but the loader let it pass`);
      args.helperId = id;
      this.#helpersCalled = true;
      // "function calls are not allowed while holding a lock" (do_check, kernel/bpf/verifier.c).
      if (references.count !== 0 && id !== BPF_FUNC_SPIN_UNLOCK && id < KFUNC_ID_BASE && references.spinLock !== undefined) {
        args.refuseUnderLock(references.spinLock.address);
        return 0;
      }
      return call(r1, r2, r3, r4, r5);
    };
  }

  /**
   * Makes a map of no object: an inner map for a map of maps, say. It gets the machine's next id.
   *
   * Problems: `unsupported-map-type`, `map-invalid`, `host-memory-exhausted`, `too-many-maps`.
   */
  createMap(spec: MapSpec): Result<BpfMap> {
    const mark = this.memory.mark();
    const rows = this.#accessTable.count;
    const created = createMap(spec, this.#placeOfNextMap());
    if (created.ok) {
      this.#maps.push(created.value);
    } else {
      this.memory.release(mark);
      this.#accessTable.truncate(rows);
    }
    return created;
  }

  #placeOfNextMap(): MapPlace {
    return {
      memory: this.memory,
      accessTable: this.#accessTable,
      possibleCpus: this.environment.possibleCpus,
      isDevice: this.environment.isDevice,
      id: this.#maps.length,
      findMap: (id) => this.#maps[id],
    };
  }

  #load(object: ObjectSpec, options: LoadOptions): LoadedObject {
    const { kernel = NEWEST_KERNEL } = this.environment;
    const place: ProgramPlacer = (spec, maps) => {
      const program = placeProgram(this.memory, spec, this.#programs.length, maps, kernel);
      this.#programs.push(program);
      this.#sources.set(program.address, [spec, maps]);
      this.#jit?.add(program.address);
      return program;
    };
    const loaded = new LoadedObject(object, this.memory, this.#createMaps(object), place, (spec) => this.createMap(spec), kernel);
    loaded.loadPrograms(options.programs);
    return loaded;
  }

  #createMaps(object: ObjectSpec): ObjectMaps {
    const live = new Map<string, BpfMap>();
    const problems = new Map<string, Problem>();
    for (const spec of object.maps) {
      const created = this.createMap(spec);
      // A map that can't be here only matters to programs that use it; one that the kernel refuses stops libbpf too.
      if (created.ok) {
        live.set(spec.name, created.value);
      } else if (created.problem.code !== 'unsupported-map-type') {
        throw new ProblemError({ ...created.problem, where: object.name });
      } else {
        problems.set(spec.name, created.problem);
      }
    }
    fillMapsOfMaps(live, object.name);
    return { live, problems };
  }
}
