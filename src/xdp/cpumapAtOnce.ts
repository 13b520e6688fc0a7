import { Owner } from '../memory/index.js';
import { programOfEntry } from '../vm/index.js';
import type { Vm } from '../vm/index.js';
import type { CpumapTarget } from './cpumapTarget.js';
import { Outcome } from './outcome.js';
import { XDP_PASS, XDP_REDIRECT } from './verdict.js';
import type { XdpCore } from './xdpCore.js';

/** CPUs that a packet may be handed over to, one after the other: programs that redirect for ever must not hang the simulation. */
const MAX_CPU_HOPS = 64;

/** CPUMAPs without queues and threads: each frame is handled on its CPU as soon as it is redirected there. */
export class CpumapAtOnce implements CpumapTarget {
  readonly #vm: Vm;
  readonly #core: XdpCore;
  #hops = 0;

  constructor(vm: Vm, core: XdpCore) {
    this.#vm = vm;
    this.#core = core;
  }

  enqueue(entry: number, _mapId: number, toCpu: number, frame: number): number {
    const core = this.#core;
    if (this.#hops === MAX_CPU_HOPS) {
      core.dropFrame(frame, Outcome.redirectLoop);
      return 0;
    }
    const { environment, memory } = this.#vm;
    const programId = programOfEntry(memory, entry);
    const { cpu } = environment;
    environment.cpu = toCpu;
    this.#hops++;
    const verdict = programId === 0 ? XDP_PASS : core.runOnFrame(frame, programId, 0);
    if (verdict === XDP_PASS) {
      if (programId === 0 || core.updateFrame(frame)) core.frameToStack(frame, Outcome.cpumap);
      else core.dropFrame(frame, Outcome.txNoHeadroom);
    } else if (verdict === XDP_REDIRECT) {
      this.#redirectOn(frame, programId);
    } else {
      core.dropFrame(frame, verdict < 0 ? Outcome.entryProgramFault : Outcome.cpumapDrop);
    }
    this.#hops--;
    environment.cpu = cpu;
    return 0;
  }

  flush(): void {}

  #redirectOn(frame: number, programId: number): void {
    const core = this.#core;
    core.memory.move(frame, Owner.redirect, Owner.driver);
    const rxq = { ifindex: core.memory.rxIfindexOf(frame), queueIndex: 0, fragSizeBytes: 0, memId: core.memory.memIdOf(frame) };
    if (core.xdpDoRedirect(rxq, programId) === 0) {
      core.xdpDoFlush();
      return;
    }
    core.memory.move(frame, Owner.driver, Owner.redirect);
    core.dropFrame(frame, core.redirectFailure);
  }
}
