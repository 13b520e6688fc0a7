import { E2BIG, EBADF, EEXIST, EINVAL, ENOENT, EOPNOTSUPP } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import type { MapSpec } from '../spec.js';
import {
  BPF_EXIST, BPF_F_NUMA_NODE, BPF_F_RDONLY, BPF_F_WRONLY, BPF_NOEXIST, MAP_OP_LOOKUP, MAP_OP_REDIRECT,
} from './map.js';
import type { MapEntry, MapPlace, RedirectMap } from './map.js';
import { checkCommon, checkIndexKey, keyIndex, refuseMap, writeMapBlock } from './mapSupport.js';
import { SlotTable } from './slotTable.js';

/** queue_id of a socket before bind(2). */
const UNBOUND_QUEUE = 0;
/** Checks of xsk_map_alloc (net/xdp/xskmap.c, 6.18). */
const XSKMAP_FLAGS = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;

// A slot, 8 bytes:
//
//     0 1 + the socket's number, 0 when it is empty   4 struct bpf_xdp_sock (uapi/linux/bpf.h): queue_id
const SLOT_BYTES = 8;
const SOCK_OFF = 4;
const SOCK_BYTES = 4;

/** The number of the socket in a slot, by its value as `entries` gives it. */
export function socketOfSlot(value: Uint8Array): number {
  return keyIndex(value) - 1;
}

/**
 * BPF_MAP_TYPE_XSKMAP: slots for AF_XDP sockets. A slot holds 1 + the socket's number, or 0 when it is empty; which socket
 * has which number, and which queue, is known to whoever owns the sockets.
 *
 * User space passes a file descriptor to the kernel; here it passes the number in the slot (u32, little endian).
 */
export class XskMap implements RedirectMap {
  readonly spec: MapSpec;
  readonly id: number;
  readonly blockAddress: number;
  readonly isPerCpu: boolean = false;
  readonly programOps: number = MAP_OP_LOOKUP | MAP_OP_REDIRECT;
  readonly redirectFlagMask: number = 0;
  readonly #memory: HostMemory;
  readonly #slots: SlotTable;
  #queueOf: (socket: number) => number = () => UNBOUND_QUEUE;

  constructor(spec: MapSpec, place: MapPlace) {
    checkCommon(spec, EINVAL, XSKMAP_FLAGS);
    checkIndexKey(spec, EINVAL);
    if (spec.valueSize !== 4) refuseMap(spec, EINVAL, `value_size is ${spec.valueSize}, not 4`, 'use a __u32 as the value');
    this.spec = spec;
    this.id = place.id;
    this.#memory = place.memory;
    this.#slots = new SlotTable(place.memory, spec.name, spec.maxEntries, SLOT_BYTES);
    const { address, count } = this.#slots;
    place.accessTable.add({ start: address + SOCK_OFF, end: address + count * SLOT_BYTES, strideBytes: SLOT_BYTES, valueBytes: SOCK_BYTES, writable: false });
    this.blockAddress = writeMapBlock(spec, place, this.#slots.address);
  }

  /** Says which queue a socket, by its number, is bound to. Until then no socket is bound. Counts for what is put in later. */
  setQueues(queueOf: (socket: number) => number): void {
    this.#queueOf = queueOf;
  }

  redirectTarget(key: number): number {
    return this.#slots.get(key);
  }

  /** A program gets the socket's struct bpf_xdp_sock, which it may read (bpf_xdp_sock_is_valid_access, net/core/filter.c, 6.18). */
  lookup(keyAddress: number): number {
    const slot = this.#slots.find(this.#memory.view.getUint32(keyAddress, true));
    return slot === 0 ? 0 : slot + SOCK_OFF;
  }

  /** Programs can't put sockets into a map. */
  update(): number {
    return -EOPNOTSUPP;
  }

  delete(): number {
    return -EOPNOTSUPP;
  }

  /** The kernel doesn't tell user space what a slot holds (EOPNOTSUPP); `entries` does, for reports. */
  lookupBytes(): Uint8Array | undefined {
    return undefined;
  }

  /** xsk_map_update_elem (net/xdp/xskmap.c, 6.18). */
  updateBytes(key: Uint8Array, value: Uint8Array, flags: number): number {
    if (key.length !== 4 || value.length !== 4 || flags > BPF_EXIST) return -EINVAL;
    const index = keyIndex(key);
    if (index >= this.spec.maxEntries) return -E2BIG;
    const target = keyIndex(value);
    if (target === 0) return -EBADF;
    const old = this.#slots.get(index);
    if (old === target) return 0;
    if (old !== 0 && flags === BPF_NOEXIST) return -EEXIST;
    if (old === 0 && flags === BPF_EXIST) return -ENOENT;
    this.#slots.set(index, target, this.#queueOf(target - 1));
    return 0;
  }

  deleteBytes(key: Uint8Array): number {
    return this.#slots.deleteBytes(key);
  }

  /** The slots that are filled. */
  entries(): IterableIterator<MapEntry> {
    return this.#slots.entries(4);
  }
}
