import { hasChange, NEWEST_KERNEL } from '../base/index.js';
import type { PageAllocator } from '../memory/index.js';
import type { LoadedProgram, Vm } from '../vm/index.js';
import { GenericRedirect } from './genericRedirect.js';
import { Outcome } from './outcome.js';
import type { SkBuff } from './skBuff.js';
import { skbFragments } from './skBuff.js';
import { SkbMemory } from './skbMemory.js';
import { SkbProgram, STOPPED } from './skbProgram.js';
import { verdictIndex, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from './verdict.js';
import { XDP_PACKET_HEADROOM } from './xdpBuff.js';
import type { XdpCore } from './xdpCore.js';

/**
 * XDP in the network stack (do_xdp_generic and netif_receive_generic_xdp, net/core/dev.c, 6.18), for drivers without XDP of their own, or when it was asked
 * for: the program runs when the driver has made an skb, which may need a larger head for that. One per host, in its `XdpCore`.
 */
export class GenericXdp {
  readonly skbs: SkbMemory;
  readonly #vm: Vm;
  readonly #core: XdpCore;
  readonly #program: SkbProgram;
  readonly #redirect: GenericRedirect;
  /** Packets that went up, until the stack is done with them. */
  readonly #stack: SkBuff[] = [];

  constructor(vm: Vm, core: XdpCore, allocator: PageAllocator) {
    this.#vm = vm;
    this.#core = core;
    this.skbs = new SkbMemory(vm.memory, allocator);
    this.#program = new SkbProgram(vm, this.skbs);
    this.#redirect = new GenericRedirect(vm, core, this.skbs, this.#program);
  }

  /** netif_receive_skb: the driver of `skb.origin` hands over a packet. It is not the driver's any more. */
  receive(skb: SkBuff): void {
    const program = skb.origin!.genericProgram;
    if (program === undefined) this.skbToStack(skb, Outcome.stack);
    else if (this.#prepare(skb, program)) this.#judge(skb, program);
    else this.skbs.drop(skb, Outcome.skbNoMemory);
  }

  /** What a program may rely on: headroom, and one buffer unless it is in "xdp.frags" (netif_skb_check_for_xdp). False: no memory. */
  #prepare(skb: SkBuff, program: LoadedProgram): boolean {
    if (skb.headroomBytes >= XDP_PACKET_HEADROOM && skbFragments(this.#vm.memory.u32, skb) === 0) return true;
    return (program.spec.frags && hasChange(this.#vm.environment.kernel ?? NEWEST_KERNEL, 'genericFragments') && this.skbs.copyToPages(skb)) || this.skbs.expandForXdp(skb);
  }

  #judge(skb: SkBuff, program: LoadedProgram): void {
    const { verdicts, observer, ifindex } = skb.origin!;
    const verdict = this.#program.run(skb, program, 0);
    if (verdict === STOPPED) {
      observer.onFault(skb.packetId);
      this.skbs.drop(skb, Outcome.programFault);
      return;
    }
    verdicts[verdictIndex(verdict)]++;
    skb.retval = verdict;
    switch (verdict) {
      case XDP_PASS:
        this.skbToStack(skb, Outcome.stack);
        return;
      case XDP_DROP:
        this.skbs.drop(skb, Outcome.xdpDrop);
        return;
      case XDP_TX:
        this.#redirect.transmit(skb, this.#core.device(ifindex)!, program);
        return;
      case XDP_REDIRECT:
        if (this.#redirect.redirect(skb, program) !== 0) this.skbs.drop(skb, this.#redirect.failure);
        return;
      default:
        this.#core.tracer.xdpException(ifindex, program.id, verdict);
        this.skbs.drop(skb, verdict === XDP_ABORTED ? Outcome.xdpAborted : Outcome.invalidVerdict);
    }
  }

  // ── the stack ──

  /** The packet ends in the stack, which frees it with the next `releaseStack`. */
  skbToStack(skb: SkBuff, outcome: Outcome): void {
    this.skbs.reportEnd(skb, outcome);
    this.#stack.push(skb);
  }

  /** The readers of packets that went up free them: processes, not softirq. Called at the end of each poll. */
  releaseStack(): void {
    for (const skb of this.#stack) this.skbs.free(skb);
    this.#stack.length = 0;
  }

  // ── CPUMAP ──

  /**
   * Runs the program of a CPUMAP's entry on an skb, on the CPU `vm.environment.cpu` (cpu_map_bpf_prog_run_skb, kernel/bpf/cpumap.c, 6.18).
   *
   * @returns XDP_PASS: the skb goes on to the stack; XDP_DROP or XDP_REDIRECT: it is gone, and counted as that
   */
  runCpumapProgram(skb: SkBuff, program: LoadedProgram): number {
    const verdict = this.#program.run(skb, program, 0);
    if (verdict === XDP_PASS) return verdict;
    if (verdict === XDP_REDIRECT) {
      if (this.#redirect.redirect(skb, program) === 0) return verdict;
      this.skbs.drop(skb, this.#redirect.failure);
      return XDP_DROP;
    }
    if (verdict === STOPPED) skb.origin!.observer.onFault(skb.packetId);
    else if (verdict !== XDP_DROP) this.#core.tracer.xdpException(skb.ifindex, program.id, verdict);
    this.skbs.drop(skb, verdict === STOPPED ? Outcome.entryProgramFault : Outcome.cpumapDrop);
    return XDP_DROP;
  }
}
