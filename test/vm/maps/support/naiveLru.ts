/** A node that holds an element, or is about to. */
export interface LruNode {
  readonly key: string;
  isUsed: boolean;
}

/**
 * Which elements an LRU map of 6.18 gives up when only CPU 0 works on it, said with arrays (the rules: kernel/bpf/bpf_lru_list.c). New nodes are put in
 * front; so the last one is the oldest. Nodes that are free are all alike, so they are only counted.
 */
export class NaiveLru {
  readonly #isCommon: boolean;
  readonly #portion: number;
  readonly #scans: number;
  readonly #evict: (key: string) => void;
  #free: number;
  #localFree = 0;
  #pending: LruNode[] = [];
  #inactive: LruNode[] = [];
  #active: LruNode[] = [];
  /** Where the next look at the inactive nodes begins; `undefined`: at the oldest. */
  #hand: LruNode | undefined;

  /** @param nodes of the common LRU, or of CPU 0's own */
  constructor(nodes: number, possibleCpus: number, isCommon: boolean, evict: (key: string) => void) {
    this.#isCommon = isCommon;
    this.#portion = isCommon ? Math.min(128, Math.max(1, Math.floor(Math.floor(nodes / possibleCpus) / 2))) : 4;
    this.#scans = isCommon ? 128 : 4;
    this.#evict = evict;
    this.#free = nodes;
  }

  /** A node for a new element; elements may give way for it. */
  pop(key: string): LruNode | undefined {
    const node = { key, isUsed: false };
    if (!this.#isCommon) {
      this.#lookAround();
      if (this.#free === 0) this.#free += this.#shrink(this.#portion);
      if (this.#free === 0) return undefined;
      this.#free--;
      this.#inactive.unshift(node);
      return node;
    }
    if (this.#localFree === 0) this.#fillLocal();
    if (this.#localFree === 0) {
      const victim = this.#pending.findLast(({ isUsed }) => !isUsed) ?? this.#pending.at(-1);
      if (victim === undefined) return undefined;
      this.#evict(victim.key);
      this.#pending = this.#pending.filter((each) => each !== victim);
      this.#localFree++;
    }
    this.#localFree--;
    this.#pending.unshift(node);
    return node;
  }

  /** The node wasn't needed, or its element is gone. */
  giveBack(node: LruNode): void {
    if (this.#pending.includes(node)) {
      this.#pending = this.#pending.filter((each) => each !== node);
      this.#localFree++;
    } else {
      this.#leave(node);
      this.#free++;
    }
  }

  giveBackOld(key: string, fresh: LruNode): void {
    this.giveBack(this.#find(key, fresh)!);
  }

  forget(key: string): void {
    this.giveBack(this.#find(key, undefined)!);
  }

  use(key: string, fresh?: LruNode): void {
    const node = this.#find(key, fresh);
    if (node !== undefined) node.isUsed = true;
  }

  #find(key: string, not: LruNode | undefined): LruNode | undefined {
    return [...this.#pending, ...this.#inactive, ...this.#active].find((node) => node.key === key && node !== not);
  }

  #fillLocal(): void {
    for (const node of this.#pending.toReversed()) {
      (node.isUsed ? this.#active : this.#inactive).unshift(node);
      node.isUsed = false;
    }
    this.#pending = [];
    this.#lookAround();
    const taken = Math.min(this.#portion, this.#free);
    this.#free -= taken;
    this.#localFree += taken;
    if (taken < this.#portion) this.#localFree += this.#shrink(this.#portion - taken);
  }

  #lookAround(): void {
    if (this.#inactive.length < this.#active.length) this.#lookAtActive();
    if (this.#inactive.length > 0) this.#lookAtInactive();
  }

  #lookAtActive(): void {
    for (const node of this.#active.toReversed().slice(0, this.#scans)) this.#moveTo(node.isUsed ? 'active' : 'inactive', node);
  }

  /** From the hand towards newer ones, beginning again at the oldest, once around at most. */
  #lookAtInactive(): void {
    const olderThanHand = this.#hand === undefined ? this.#inactive[0] : this.#inactive[this.#inactive.indexOf(this.#hand) + 1];
    const last = olderThanHand ?? this.#inactive[0];
    let node = this.#hand;
    let next = node;
    for (let scans = 0; scans < this.#scans; ) {
      if (node === undefined) {
        node = this.#inactive.at(-1);
        // All of them have become active.
        if (node === undefined) break;
        continue;
      }
      next = this.#newer(node);
      const isLast = node === last;
      if (node.isUsed) this.#moveTo('active', node);
      if (isLast) break;
      node = next;
      scans++;
    }
    this.#hand = next;
  }

  #shrink(target: number): number {
    let gone = 0;
    for (const node of this.#inactive.toReversed().slice(0, this.#scans)) {
      if (node.isUsed) {
        this.#moveTo('active', node);
        continue;
      }
      this.#evict(node.key);
      this.#leave(node);
      gone++;
      if (gone === target) break;
    }
    if (gone > 0) return gone;
    const victim = this.#inactive.at(-1) ?? this.#active.at(-1);
    if (victim === undefined) return 0;
    this.#evict(victim.key);
    this.#leave(victim);
    return 1;
  }

  #newer(node: LruNode): LruNode | undefined {
    return this.#inactive[this.#inactive.indexOf(node) - 1];
  }

  #moveTo(list: 'active' | 'inactive', node: LruNode): void {
    this.#leave(node);
    node.isUsed = false;
    (list === 'active' ? this.#active : this.#inactive).unshift(node);
  }

  #leave(node: LruNode): void {
    if (this.#hand === node) this.#hand = this.#newer(node);
    this.#inactive = this.#inactive.filter((each) => each !== node);
    this.#active = this.#active.filter((each) => each !== node);
  }
}
