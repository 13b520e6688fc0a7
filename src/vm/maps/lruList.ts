import type { HostMemory } from '../../memory/index.js';
import { NO_NODE } from './hashTable.js';

// Constants of kernel/bpf/bpf_lru_list.c, 6.18. Nodes that a CPU takes from the common list at once, at most:
const LOCAL_FREE_TARGET = 128;
const LOCAL_NR_SCANS = LOCAL_FREE_TARGET;
// The same with BPF_F_NO_COMMON_LRU:
const PERCPU_FREE_TARGET = 4;
const PERCPU_NR_SCANS = PERCPU_FREE_TARGET;

// Where a node is (enum bpf_lru_list_type).
const ACTIVE = 0;
const INACTIVE = 1;
const FREE = 2;
const LOCAL_FREE = 3;
const LOCAL_PENDING = 4;

const LISTS_PER_LRU = 3;
const LISTS_PER_CPU = 2;

/** The part of a node's state that says where it is. */
const TYPE_MASK = 7;
const REF_BIT = 8;
/** Set in every node that has left the nodes never used. */
const SEEN_BIT = 16;
const CPU_SHIFT = 8;

/**
 * Which elements of an LRU map give way when it is full: the algorithm of kernel/bpf/bpf_lru_list.c (6.18), list by list, as one CPU after
 * the other uses it. So on the same CPUs the same operations evict the same elements in the same order. What can't be the same is what in
 * the kernel depends on several CPUs at work at once, and on which CPU user space happens to be.
 *
 *     common LRU            free ─128→ local free of a CPU → local pending ─flush→ inactive ⇄ active
 *     BPF_F_NO_COMMON_LRU   free of a CPU → inactive ⇄ active of that CPU
 *
 * A lookup by a program sets the ref bit of a node; the scans, of bounded length, spare nodes with it once and clear it.
 *
 *     links[]   u32 next, u32 prev: of the nodes, then of the heads of the lists
 *     states[]  u32 per node: type, REF_BIT, SEEN_BIT, CPU
 *
 * In the kernel all nodes are on a free list from the start. What is freed goes to its front, and nodes are taken from there, so those
 * never used are always its end, in the order of the start: they are put on it one by one when it is empty, and a map costs no memory
 * for nodes that it doesn't need.
 */
export class LruList {
  readonly nodeCount: number;
  readonly #memory: HostMemory;
  readonly #possibleCpus: number;
  readonly #isCommon: boolean;
  readonly #evict: (node: number) => void;
  readonly #targetFree: number;
  readonly #nrScans: number;
  readonly #links: number;
  readonly #states: number;
  readonly #localHeads: number;
  /** Nodes of each LRU. */
  readonly #share: number;
  /** Nodes on the active and the inactive list of each LRU. */
  readonly #counts: Uint32Array;
  /** next_inactive_rotation of each LRU: a node, or the head of its inactive list. */
  readonly #rotation: Uint32Array;
  /** next_steal of each CPU. */
  readonly #nextSteal: Uint32Array;
  /** Nodes from here on have never been handed out. */
  #freshNode = 0;
  /** Nodes of each LRU that have been on its free list. */
  readonly #seenNodes: Uint32Array;

  /**
   * @param nodeCount with `isCommon` any number; else a multiple of the CPUs
   * @param isCommon one LRU for all CPUs; else one for each (BPF_F_NO_COMMON_LRU)
   * @param evict takes the element of a node out of its map
   */
  constructor(memory: HostMemory, name: string, nodeCount: number, possibleCpus: number, isCommon: boolean, evict: (node: number) => void) {
    const lrus = isCommon ? 1 : possibleCpus;
    const heads = lrus * LISTS_PER_LRU + (isCommon ? possibleCpus * LISTS_PER_CPU : 0);
    this.nodeCount = nodeCount;
    this.#memory = memory;
    this.#possibleCpus = possibleCpus;
    this.#isCommon = isCommon;
    this.#evict = evict;
    this.#targetFree = isCommon ? Math.min(LOCAL_FREE_TARGET, Math.max(1, Math.floor(Math.floor(nodeCount / possibleCpus) / 2))) : PERCPU_FREE_TARGET;
    this.#nrScans = isCommon ? LOCAL_NR_SCANS : PERCPU_NR_SCANS;
    this.#links = memory.reserve(`LRU links of map ${name}`, (nodeCount + heads) * 8) >>> 2;
    this.#states = memory.reserve(`LRU states of map ${name}`, nodeCount * 4) >>> 2;
    this.#share = nodeCount / lrus;
    this.#localHeads = nodeCount + lrus * LISTS_PER_LRU;
    this.#counts = new Uint32Array(lrus * 2);
    this.#rotation = Uint32Array.from({ length: lrus }, (_, lru) => this.#head(lru, INACTIVE));
    this.#nextSteal = Uint32Array.from({ length: possibleCpus }, (_, cpu) => cpu);
    for (let head = nodeCount; head < nodeCount + heads; head++) this.#makeEmpty(head);
    this.#seenNodes = new Uint32Array(lrus);
  }

  /** A node for a new element of this CPU (bpf_lru_pop_free): elements may have been evicted for it. NO_NODE when there is none. */
  pop(cpu: number): number {
    const node = this.#isCommon ? this.#popCommon(cpu) : this.#popPercpu(cpu);
    if (node >= this.#freshNode) this.#freshNode = node + 1;
    return node;
  }

  /** Takes a node back whose element is no longer in the map (bpf_lru_push_free). */
  push(node: number): void {
    if (this.#typeOf(node) === LOCAL_PENDING) {
      this.#setType(node, LOCAL_FREE);
      this.#clearRef(node);
      this.#unchain(node);
      this.#addAfter(this.#localHead(this.#cpuOf(node), LOCAL_FREE), node);
    } else {
      this.#move(this.#isCommon ? 0 : this.#cpuOf(node), node, FREE);
    }
  }

  /** The element has been used (bpf_lru_node_set_ref). */
  markUsed(node: number): void {
    this.#memory.u32[this.#states + node] |= REF_BIT;
  }

  /** Nodes that hold an element, by number: at first in the order in which they are handed out. */
  *nodes(): IterableIterator<number> {
    for (let node = 0; node < this.#freshNode; node++) {
      const type = this.#typeOf(node);
      if (this.#isSeen(node) && type !== FREE && type !== LOCAL_FREE) yield node;
    }
  }

  /** First node of a free list, the list's head when there is none: one that was freed, or else one never used. */
  #firstFree(lru: number): number {
    const head = this.#head(lru, FREE);
    const seen = this.#seenNodes[lru];
    if (this.#next(head) === head && seen < this.#share) {
      this.#seenNodes[lru]++;
      const node = this.#isCommon ? this.#commonOrder(seen) : lru * this.#share + seen;
      this.#memory.u32[this.#states + node] = FREE | SEEN_BIT | ((this.#isCommon ? 0 : lru) << CPU_SHIFT);
      this.#addAfter(head, node);
    }
    return this.#next(head);
  }

  /** A CPU turns around what it takes from the free list, so each of its portions is put there the other way round. */
  #commonOrder(position: number): number {
    const start = position - (position % this.#targetFree);
    const end = Math.min(start + this.#targetFree, this.nodeCount);
    return end - 1 - (position - start);
  }

  /** bpf_common_lru_pop_free. */
  #popCommon(cpu: number): number {
    let node = this.#takeFirst(this.#localHead(cpu, LOCAL_FREE));
    if (node === NO_NODE) {
      this.#popFreeToLocal(cpu);
      node = this.#takeFirst(this.#localHead(cpu, LOCAL_FREE));
    }
    if (node === NO_NODE) node = this.#steal(cpu);
    if (node !== NO_NODE) {
      this.#memory.u32[this.#states + node] = LOCAL_PENDING | SEEN_BIT | (cpu << CPU_SHIFT);
      this.#addAfter(this.#localHead(cpu, LOCAL_PENDING), node);
    }
    return node;
  }

  /** bpf_lru_list_pop_free_to_local. */
  #popFreeToLocal(cpu: number): void {
    const pending = this.#localHead(cpu, LOCAL_PENDING);
    for (let node = this.#prev(pending); node !== pending; node = this.#prev(pending)) {
      const type = this.#isRef(node) ? ACTIVE : INACTIVE;
      this.#counts[type]++;
      this.#setType(node, type);
      this.#clearRef(node);
      this.#unchain(node);
      this.#addAfter(this.#head(0, type), node);
    }
    this.#rotate(0);
    const localFree = this.#localHead(cpu, LOCAL_FREE);
    const free = this.#head(0, FREE);
    let taken = 0;
    for (let node = this.#firstFree(0); taken < this.#targetFree && node !== free; node = this.#firstFree(0), taken++) {
      this.#moveToFree(0, node, localFree, LOCAL_FREE);
    }
    if (taken < this.#targetFree) this.#shrink(0, this.#targetFree - taken, localFree, LOCAL_FREE);
  }

  /** From the local lists of this CPU and the others in turn. */
  #steal(cpu: number): number {
    const first = this.#nextSteal[cpu];
    let from = first;
    let node: number;
    do {
      node = this.#takeFirst(this.#localHead(from, LOCAL_FREE));
      if (node === NO_NODE) node = this.#popPending(from);
      from = (from + 1) % this.#possibleCpus;
    } while (node === NO_NODE && from !== first);
    this.#nextSteal[cpu] = from;
    return node;
  }

  /** __local_list_pop_pending: the oldest one that wasn't used since; else the oldest. */
  #popPending(cpu: number): number {
    const head = this.#localHead(cpu, LOCAL_PENDING);
    const oldest = this.#prev(head);
    if (oldest === head) return NO_NODE;
    let node = oldest;
    while (node !== head && this.#isRef(node)) node = this.#prev(node);
    if (node === head) node = oldest;
    this.#evict(node);
    this.#unchain(node);
    return node;
  }

  /** bpf_percpu_lru_pop_free. */
  #popPercpu(cpu: number): number {
    this.#rotate(cpu);
    const free = this.#head(cpu, FREE);
    if (this.#firstFree(cpu) === free) this.#shrink(cpu, PERCPU_FREE_TARGET, free, FREE);
    const node = this.#next(free);
    if (node === free) return NO_NODE;
    this.#move(cpu, node, INACTIVE);
    return node;
  }

  /** __bpf_lru_list_rotate. */
  #rotate(lru: number): void {
    if (this.#counts[lru * 2 + INACTIVE] < this.#counts[lru * 2 + ACTIVE]) this.#rotateActive(lru);
    this.#rotateInactive(lru);
  }

  /** Active nodes, oldest first, that were not used become inactive; the others stay, as the newest. */
  #rotateActive(lru: number): void {
    const head = this.#head(lru, ACTIVE);
    const first = this.#next(head);
    let node = this.#prev(head);
    for (let scans = 1; node !== head; scans++) {
      const before = this.#prev(node);
      this.#move(lru, node, this.#isRef(node) ? ACTIVE : INACTIVE);
      if (scans === this.#nrScans || node === first) break;
      node = before;
    }
  }

  /** Inactive nodes that were used become active; goes on where the last rotation stopped. */
  #rotateInactive(lru: number): void {
    const head = this.#head(lru, INACTIVE);
    if (this.#next(head) === head) return;
    let last = this.#next(this.#rotation[lru]);
    if (last === head) last = this.#next(last);
    let next = head;
    let node = this.#rotation[lru];
    for (let scans = 0; scans < this.#nrScans; ) {
      if (node === head) {
        node = this.#prev(node);
        continue;
      }
      next = this.#prev(node);
      if (this.#isRef(node)) this.#move(lru, node, ACTIVE);
      if (node === last) break;
      node = next;
      scans++;
    }
    this.#rotation[lru] = next;
  }

  /** __bpf_lru_list_shrink: evicts up to `target` inactive nodes that weren't used; if there is none, one node whatever its ref bit. */
  #shrink(lru: number, target: number, freeHead: number, freeType: number): void {
    const inactive = this.#head(lru, INACTIVE);
    let evicted = 0;
    let node = this.#prev(inactive);
    for (let scans = 1; node !== inactive; scans++) {
      const before = this.#prev(node);
      if (this.#isRef(node)) {
        this.#move(lru, node, ACTIVE);
      } else {
        this.#evict(node);
        this.#moveToFree(lru, node, freeHead, freeType);
        if (++evicted === target) break;
      }
      if (scans === this.#nrScans) break;
      node = before;
    }
    if (evicted > 0) return;

    const forced = this.#head(lru, this.#next(inactive) === inactive ? ACTIVE : INACTIVE);
    const victim = this.#prev(forced);
    if (victim === forced) return;
    this.#evict(victim);
    this.#moveToFree(lru, victim, freeHead, freeType);
  }

  /** __bpf_lru_node_move: to the front of a list of the same LRU. */
  #move(lru: number, node: number, type: number): void {
    const old = this.#typeOf(node);
    if (old !== type) {
      if (old <= INACTIVE) this.#counts[lru * 2 + old]--;
      if (type <= INACTIVE) this.#counts[lru * 2 + type]++;
      this.#setType(node, type);
    }
    this.#clearRef(node);
    this.#leaveRotation(lru, node);
    this.#unchain(node);
    this.#addAfter(this.#head(lru, type), node);
  }

  /** __bpf_lru_node_move_to_free. */
  #moveToFree(lru: number, node: number, freeHead: number, freeType: number): void {
    this.#leaveRotation(lru, node);
    const old = this.#typeOf(node);
    if (old <= INACTIVE) this.#counts[lru * 2 + old]--;
    this.#setType(node, freeType);
    this.#unchain(node);
    this.#addAfter(freeHead, node);
  }

  #leaveRotation(lru: number, node: number): void {
    if (this.#rotation[lru] === node) this.#rotation[lru] = this.#prev(node);
  }

  #head(lru: number, type: number): number {
    return this.nodeCount + lru * LISTS_PER_LRU + type;
  }

  #localHead(cpu: number, type: number): number {
    return this.#localHeads + cpu * LISTS_PER_CPU + (type - LOCAL_FREE);
  }

  #typeOf(node: number): number {
    return this.#memory.u32[this.#states + node] & TYPE_MASK;
  }

  #setType(node: number, type: number): void {
    const { u32 } = this.#memory;
    u32[this.#states + node] = (u32[this.#states + node] & ~TYPE_MASK) | type;
  }

  #isSeen(node: number): boolean {
    return (this.#memory.u32[this.#states + node] & SEEN_BIT) !== 0;
  }

  #isRef(node: number): boolean {
    return (this.#memory.u32[this.#states + node] & REF_BIT) !== 0;
  }

  #clearRef(node: number): void {
    this.#memory.u32[this.#states + node] &= ~REF_BIT;
  }

  #cpuOf(node: number): number {
    return this.#memory.u32[this.#states + node] >>> CPU_SHIFT;
  }

  #next(at: number): number {
    return this.#memory.u32[this.#links + at * 2];
  }

  #prev(at: number): number {
    return this.#memory.u32[this.#links + at * 2 + 1];
  }

  #makeEmpty(head: number): void {
    const { u32 } = this.#memory;
    u32[this.#links + head * 2] = head;
    u32[this.#links + head * 2 + 1] = head;
  }


  #addAfter(at: number, node: number): void {
    const { u32 } = this.#memory;
    const after = this.#next(at);
    u32[this.#links + node * 2] = after;
    u32[this.#links + node * 2 + 1] = at;
    u32[this.#links + at * 2] = node;
    u32[this.#links + after * 2 + 1] = node;
  }

  #unchain(node: number): void {
    const { u32 } = this.#memory;
    const next = this.#next(node);
    const prev = this.#prev(node);
    u32[this.#links + prev * 2] = next;
    u32[this.#links + next * 2 + 1] = prev;
  }

  #takeFirst(head: number): number {
    const node = this.#next(head);
    if (node === head) return NO_NODE;
    this.#unchain(node);
    return node;
  }
}
