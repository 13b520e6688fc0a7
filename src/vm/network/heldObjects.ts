import type { HostMemory } from '../../memory/index.js';
import type { AccessTable } from '../accessTable.js';
import type { References } from '../references.js';

/** Pointers that one program can have at a time: eight frames of stack full of them, and its registers. */
const MAX_HELD = 512 + 11;

/** Bytes of an object that a program may read (`writable`: and write). */
export interface ObjectPart {
  readonly offBytes: number;
  readonly sizeBytes: number;
  readonly writable: boolean;
}

/** What the objects of one kind need. */
export interface HeldObjectsOptions {
  readonly memory: HostMemory;
  readonly accessTable: AccessTable;
  readonly references: References;
  /** Name of the struct, for messages. */
  readonly kind: string;
  /** Room of one, a multiple of 8. */
  readonly slotBytes: number;
  readonly parts: readonly ObjectPart[];
}

interface Slot<T> {
  readonly address: number;
  readonly object: T;
  /** References that the program holds. */
  count: number;
}

/**
 * Objects of the kernel that a program has got pointers to and must give back: sockets, connections. An object gets room in memory,
 * which the program may touch, from its first reference to its last; asked for twice it has one address.
 */
export class HeldObjects<T extends object> {
  readonly #options: HeldObjectsOptions;
  /** Room for all of them, reserved when the first one is asked for. */
  #base = 0;
  readonly #free: number[] = [];
  #used = 0;
  readonly #byAddress = new Map<number, Slot<T>>();
  readonly #byObject = new Map<T, Slot<T>>();

  constructor(options: HeldObjectsOptions) {
    this.#options = options;
  }

  /**
   * Gives the program a reference.
   *
   * @param fill writes the object's fields; called with its address when the program didn't hold it already
   * @param onDrop called when the run ends without giving it back
   * @returns its address
   */
  acquire(object: T, fill: (address: number) => void, onDrop: (object: T) => void = () => {}): number {
    const slot = this.#byObject.get(object) ?? this.#place(object, fill);
    slot.count++;
    const { address } = slot;
    this.#options.references.acquire({
      kind: this.#options.kind,
      address,
      drop: () => {
        onDrop(object);
        this.#forget(slot);
      },
    });
    return address;
  }

  /** The object at this address, if the program holds it. */
  at(address: number): T | undefined {
    return this.#byAddress.get(address)?.object;
  }

  /** Takes one reference back: the object, or `undefined` if the program holds none at this address. Its bytes are there until `acquire` is called. */
  release(address: number): T | undefined {
    const slot = this.#byAddress.get(address);
    if (slot === undefined) return undefined;
    this.#options.references.release(this.#options.kind, address);
    this.#forget(slot);
    return slot.object;
  }

  #place(object: T, fill: (address: number) => void): Slot<T> {
    const { memory, slotBytes, parts, accessTable, kind } = this.#options;
    if (this.#base === 0) this.#base = memory.reserve(kind, MAX_HELD * slotBytes);
    const address = this.#free.pop() ?? this.#base + this.#used++ * slotBytes;
    if (address >= this.#base + MAX_HELD * slotBytes) throw new Error(`HeldObjects: more than ${MAX_HELD} objects are held`);
    memory.u8.fill(0, address, address + slotBytes);
    fill(address);
    for (const { offBytes, sizeBytes, writable } of parts) {
      const start = address + offBytes;
      accessTable.add({ start, end: start + sizeBytes, strideBytes: sizeBytes, valueBytes: sizeBytes, writable });
    }
    const slot = { address, object, count: 0 };
    this.#byAddress.set(address, slot);
    this.#byObject.set(object, slot);
    return slot;
  }

  #forget(slot: Slot<T>): void {
    if (--slot.count > 0) return;
    for (const { offBytes } of this.#options.parts) this.#options.accessTable.remove(slot.address + offBytes);
    this.#byAddress.delete(slot.address);
    this.#byObject.delete(slot.object);
    this.#free.push(slot.address);
  }
}
