import { ENOSPC } from '../base/index.js';
import type { Scheduler } from '../base/index.js';
import { Owner } from '../memory/index.js';
import type { OwnerLedger } from '../memory/index.js';
import { entryTarget, programOfEntry } from '../vm/index.js';
import type { CpuMap, Vm } from '../vm/index.js';
import { CPU_MAP_BULK_SIZE, CpumapEntry } from './cpumapEntry.js';
import type { CpumapBulk } from './cpumapEntry.js';
import { CpumapThread } from './cpumapThread.js';
import { Outcome } from './outcome.js';
import type { SkBuff } from './skBuff.js';
import type { XdpCore } from './xdpCore.js';

/** CPUs that a packet may be handed over to, one after the other: programs that redirect for ever must not hang the simulation. */
const MAX_CPU_HOPS = 64;

/** The lowest bit of a pointer on a ring says that it is an skb. */
const SKB_BIT = 1;

/**
 * The CPUMAPs of a host (kernel/bpf/cpumap.c, 6.18): bulk queues of 8 frames for each CPU and entry, a ring for each entry, and its thread.
 *
 *     xdp_do_redirect ─► bulk queue ─► ring of queue-size ─► thread on the other CPU ─► program of the entry ─► stack
 *                        when it is full, and at xdp_do_flush, which wakes the thread
 *     generic XDP ──────────────────► the same ring, skb by skb, each of which wakes the thread
 *
 * Entries that were replaced or deleted keep their queue and their program until they are empty.
 */
export class CpumapQueue {
  readonly #vm: Vm;
  readonly #core: XdpCore;
  readonly #ledger: OwnerLedger;
  readonly #thread: CpumapThread;
  /** By address of the map's slot. */
  readonly #entries = new Map<number, CpumapEntry>();
  /** By CPU, bulk queues that aren't empty. */
  readonly #flushLists: readonly CpumapBulk[][];
  /** skbs that are on rings, by the ledger's unit of their head. */
  readonly #skbs: (SkBuff | undefined)[] = [];
  /** CPUs that the packet has been handed over to, by the ledger's unit of the frame or of the skb's head. */
  readonly #hops: Uint8Array;
  /** The same of the packet that a thread redirects; 0: none does. */
  #hopsSoFar = 0;

  constructor(vm: Vm, core: XdpCore, ledger: OwnerLedger, scheduler: Scheduler) {
    this.#vm = vm;
    this.#core = core;
    this.#ledger = ledger;
    this.#thread = new CpumapThread(vm, core, this, scheduler);
    this.#flushLists = Array.from({ length: vm.environment.possibleCpus }, () => []);
    this.#hops = new Uint8Array(ledger.count);
  }

  /**
   * cpu_map_enqueue: takes a frame of `Owner.redirect` onto the bulk queue from the CPU that runs to this entry. What becomes of it later is no error of the
   * redirect.
   *
   * @param slot address of the map's entry (`RedirectInfo.target`)
   * @param cpu of the entry: its key
   */
  enqueue(slot: number, mapId: number, cpu: number, frame: number): void {
    if (this.#hopsSoFar === MAX_CPU_HOPS) {
      this.#core.dropFrame(frame, Outcome.redirectLoop);
      return;
    }
    this.#hops[this.#ledger.indexOf(frame)] = this.#hopsSoFar + 1;
    const here = this.#vm.environment.cpu;
    const bulk = this.#entry(slot, mapId, cpu).bulk(here);
    if (bulk.count === CPU_MAP_BULK_SIZE) this.#flushToRing(bulk);
    bulk.frames[bulk.count++] = frame;
    if (bulk.isListed) return;
    bulk.isListed = true;
    this.#flushLists[here].push(bulk);
  }

  /**
   * cpu_map_generic_redirect: takes an skb straight onto the ring, and wakes the thread.
   *
   * @returns 0, or -ENOSPC when the ring is full: then the skb has not been taken
   */
  enqueueSkb(slot: number, mapId: number, cpu: number, skb: SkBuff): number {
    const { tracer, generic } = this.#core;
    if (this.#hopsSoFar === MAX_CPU_HOPS) {
      generic.skbs.drop(skb, Outcome.redirectLoop);
      return 0;
    }
    const entry = this.#entry(slot, mapId, cpu);
    const isTaken = entry.ring.produce(skb.head | SKB_BIT);
    if (isTaken) {
      const unit = this.#ledger.indexOf(skb.head);
      this.#hops[unit] = this.#hopsSoFar + 1;
      this.#skbs[unit] = skb;
      generic.skbs.move(skb, Owner.stack, Owner.cpumapRing);
      this.#thread.wake(entry);
    }
    tracer.xdpCpumapEnqueue(mapId, this.#vm.environment.cpu, isTaken ? 1 : 0, isTaken ? 0 : 1, cpu);
    return isTaken ? 0 : -ENOSPC;
  }

  /** Frames on bulk queues of the CPU that runs. */
  get waitingFrames(): number {
    let count = 0;
    for (const bulk of this.#flushLists[this.#vm.environment.cpu]) count += bulk.count;
    return count;
  }

  /** __cpu_map_flush of the CPU that runs. The list is a stack: the entry which came last is served first. */
  flush(): void {
    const list = this.#flushLists[this.#vm.environment.cpu];
    while (list.length > 0) {
      const bulk = list.pop()!;
      this.#flushToRing(bulk);
      bulk.isListed = false;
      this.#thread.wake(bulk.entry);
    }
  }

  /** bq_flush_to_queue: what the ring has no room for is dropped. The thread sleeps on until the end of the poll. */
  #flushToRing(bulk: CpumapBulk): void {
    const { entry, frames, count } = bulk;
    const { tracer, memory } = this.#core;
    let drops = 0;
    for (let i = 0; i < count; i++) {
      const frame = frames[i];
      if (entry.ring.produce(frame)) {
        memory.move(frame, Owner.redirect, Owner.cpumapRing);
        continue;
      }
      drops++;
      this.#core.dropFrame(frame, Outcome.cpumapFull);
    }
    bulk.count = 0;
    tracer.xdpCpumapEnqueue(entry.mapId, this.#vm.environment.cpu, count, drops, entry.cpu);
  }

  /** The live entry in a slot. */
  #entry(slot: number, mapId: number, cpu: number): CpumapEntry {
    const number = (this.#vm.map(mapId) as CpuMap).entryNumber(cpu);
    const known = this.#entries.get(slot);
    if (known?.number === number) return known;
    const { memory } = this.#vm;
    const entry = new CpumapEntry(mapId, cpu, number, entryTarget(memory, slot), programOfEntry(memory, slot));
    this.#entries.set(slot, entry);
    return entry;
  }

  // ── for the threads ──

  /** The skb that a pointer off a ring stands for; `undefined`: it is a frame. Either is the caller's now. */
  takeOffRing(pointer: number): SkBuff | undefined {
    const { memory, generic } = this.#core;
    if ((pointer & SKB_BIT) === 0) {
      memory.move(pointer, Owner.cpumapRing, Owner.redirect);
      return undefined;
    }
    const unit = this.#ledger.indexOf(pointer);
    const skb = this.#skbs[unit]!;
    this.#skbs[unit] = undefined;
    generic.skbs.move(skb, Owner.cpumapRing, Owner.stack);
    return skb;
  }

  /** A thread begins to run a program on the frame, or on the skb with this head: if it redirects that to a CPU, it is one more. */
  beginHop(address: number): void {
    this.#hopsSoFar = this.#hops[this.#ledger.indexOf(address)];
  }

  endHop(): void {
    this.#hopsSoFar = 0;
  }
}
