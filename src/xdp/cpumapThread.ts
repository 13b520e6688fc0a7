import type { Scheduler } from '../base/index.js';
import { Owner } from '../memory/index.js';
import type { Vm } from '../vm/index.js';
import { CPUMAP_BATCH } from './cpumapEntry.js';
import type { CpumapEntry } from './cpumapEntry.js';
import type { CpumapQueue } from './cpumapQueue.js';
import { Outcome } from './outcome.js';
import type { SkBuff } from './skBuff.js';
import { XDP_DROP, XDP_PASS, XDP_REDIRECT } from './verdict.js';
import type { XdpCore } from './xdpCore.js';

/**
 * The threads of CPUMAP entries, `cpumap/CPU/map:ID` (cpu_map_kthread_run, kernel/bpf/cpumap.c, 6.18). A round, which takes up to 8 packets off the ring, is
 * an event; it takes no virtual time, and the next one follows as long as there is something on the ring.
 */
export class CpumapThread {
  readonly #vm: Vm;
  readonly #core: XdpCore;
  readonly #queue: CpumapQueue;
  readonly #scheduler: Scheduler;
  readonly #round: number;
  /** Entries whose thread has a round to run, in the order of their events. */
  readonly #runnable: CpumapEntry[] = [];
  /** The packets of a round. */
  readonly #frames = new Uint32Array(CPUMAP_BATCH);
  #frameCount = 0;
  readonly #skbs: SkBuff[] = [];
  /** struct xdp_cpumap_stats: what the program did with them; without one nothing is counted. */
  readonly #stats = { pass: 0, drop: 0, redirect: 0 };
  /** A frame knows its device and its pool, but not its queue. */
  readonly #rxq = { ifindex: 0, queueIndex: 0, fragSizeBytes: 0, memId: 0 };

  constructor(vm: Vm, core: XdpCore, queue: CpumapQueue, scheduler: Scheduler) {
    this.#vm = vm;
    this.#core = core;
    this.#queue = queue;
    this.#scheduler = scheduler;
    this.#round = scheduler.register(() => this.#run(this.#runnable.shift()!));
  }

  /** wake_up_process. */
  wake(entry: CpumapEntry): void {
    if (!entry.isAsleep) return;
    entry.isAsleep = false;
    this.#schedule(entry, true);
  }

  #schedule(entry: CpumapEntry, hasSlept: boolean): void {
    entry.hasSlept = hasSlept;
    this.#runnable.push(entry);
    this.#scheduler.schedule(this.#scheduler.nowNs, this.#round, 0);
  }

  #run(entry: CpumapEntry): void {
    const core = this.#core;
    const { environment } = this.#vm;
    const { cpu } = environment;
    environment.cpu = entry.cpu;
    core.isReturnDirect = false;
    const taken = this.#take(entry);
    const stats = this.#stats;
    stats.pass = 0;
    stats.drop = 0;
    stats.redirect = 0;
    if (entry.programId !== 0) this.#runProgram(entry.programId);
    core.tracer.xdpCpumapKthread(entry.mapId, entry.cpu, taken, 0, entry.hasSlept ? 1 : 0, stats.pass, stats.drop, stats.redirect);
    for (let i = 0; i < this.#frameCount; i++) core.frameToStack(this.#frames[i], Outcome.cpumap);
    for (const skb of this.#skbs) core.generic.skbToStack(skb, Outcome.cpumap);
    core.releaseStack();
    core.generic.releaseStack();
    core.isReturnDirect = true;
    environment.cpu = cpu;
    if (entry.ring.used > 0) this.#schedule(entry, false);
    else entry.isAsleep = true;
  }

  /** Takes packets off the ring, skbs and frames apart; gives how many. */
  #take({ ring }: CpumapEntry): number {
    let taken = 0;
    this.#frameCount = 0;
    this.#skbs.length = 0;
    for (; taken < CPUMAP_BATCH; taken++) {
      const pointer = ring.consume();
      if (pointer === 0) break;
      const skb = this.#queue.takeOffRing(pointer);
      if (skb === undefined) this.#frames[this.#frameCount++] = pointer;
      else this.#skbs.push(skb);
    }
    return taken;
  }

  /** cpu_map_bpf_prog_run: frames before skbs. What passes stays in the round. */
  #runProgram(programId: number): void {
    const stats = this.#stats;
    const frames = this.#frames;
    let passed = 0;
    for (let i = 0; i < this.#frameCount; i++) if (this.#framePasses(frames[i], programId)) frames[passed++] = frames[i];
    this.#frameCount = passed;
    stats.pass += passed;
    if (this.#skbs.length > 0) this.#runOnSkbs(programId);
    if (stats.redirect > 0) this.#core.xdpDoFlush();
  }

  /** cpu_map_bpf_prog_run_xdp for one frame: of a verdict that comes to nothing there is no xdp_exception. */
  #framePasses(frame: number, programId: number): boolean {
    const core = this.#core;
    const verdict = core.runOnFrame(frame, programId, 0);
    if (verdict === XDP_PASS) {
      if (core.updateFrame(frame)) return true;
      this.#drop(frame, Outcome.txNoHeadroom);
    } else if (verdict === XDP_REDIRECT) {
      this.#redirect(frame, programId);
    } else {
      this.#drop(frame, verdict < 0 ? Outcome.entryProgramFault : Outcome.cpumapDrop);
    }
    return false;
  }

  #drop(frame: number, outcome: Outcome): void {
    this.#stats.drop++;
    this.#core.dropFrame(frame, outcome);
  }

  #redirect(frame: number, programId: number): void {
    const { memory } = this.#core;
    const rxq = this.#rxq;
    rxq.ifindex = memory.rxIfindexOf(frame);
    rxq.memId = memory.memIdOf(frame);
    memory.move(frame, Owner.redirect, Owner.driver);
    this.#queue.beginHop(frame);
    const error = this.#core.xdpDoRedirect(rxq, programId);
    this.#queue.endHop();
    if (error === 0) {
      this.#stats.redirect++;
      return;
    }
    memory.move(frame, Owner.driver, Owner.redirect);
    this.#drop(frame, this.#core.redirectFailure);
  }

  /** cpu_map_bpf_prog_run_skb. */
  #runOnSkbs(programId: number): void {
    const { generic } = this.#core;
    const program = this.#vm.program(programId)!;
    const stats = this.#stats;
    const skbs = this.#skbs;
    let passed = 0;
    for (const skb of skbs) {
      this.#queue.beginHop(skb.head);
      const verdict = generic.runCpumapProgram(skb, program);
      this.#queue.endHop();
      if (verdict === XDP_PASS) skbs[passed++] = skb;
      else if (verdict === XDP_DROP) stats.drop++;
      else stats.redirect++;
    }
    skbs.length = passed;
    stats.pass += passed;
  }
}
