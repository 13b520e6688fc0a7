import { RETURN_INT, RETURN_U32 } from '../layout.js';
import { MAP_OP_DELETE, MAP_OP_LOOKUP, MAP_OP_PEEK, MAP_OP_POP, MAP_OP_PUSH, MAP_OP_UPDATE } from '../maps/map.js';
import type { QueueLikeMap } from '../maps/map.js';
import type { HelperSupport } from './helper.js';

/** Flags with a bit above the 32nd: no such flag exists, and this 32-bit number is as invalid. */
const INVALID_FLAGS = 0xffffffff;

/** bpf_map_lookup_elem(map, key) (kernel/bpf/helpers.c, 6.18): address of the value or NULL. */
export const mapLookupElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_key'],
  returns: RETURN_U32,
  make: ({ args, environment }) => (_map, key) => {
    const map = args.map(1, MAP_OP_LOOKUP);
    if (map === undefined || !args.isMemory(2, map.spec.keySize, false)) return 0;
    return map.lookup(key >>> 0, environment.cpu);
  },
};

/** bpf_map_lookup_percpu_elem(map, key, cpu) (kernel/bpf/helpers.c, 6.18): address of that CPU's value or NULL. */
export const mapLookupPercpuElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_key', 'anything'],
  returns: RETURN_U32,
  make: ({ args, environment }) => (_map, key, cpu) => {
    const map = args.map(1, MAP_OP_LOOKUP);
    if (map === undefined || (!map.isPerCpu && !args.refuse(1, 0, false)) || !args.isMemory(2, map.spec.keySize, false)) return 0;
    return cpu >>> 0 < environment.possibleCpus ? map.lookup(key >>> 0, cpu >>> 0) : 0;
  },
};

/** bpf_map_update_elem(map, key, value, flags) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const mapUpdateElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_key', 'ptr_to_map_value', 'anything'],
  returns: RETURN_INT,
  make: ({ args, environment }) => (_map, key, value, flags) => {
    const map = args.map(1, MAP_OP_UPDATE);
    if (map === undefined) return 0;
    if (!args.isMemory(2, map.spec.keySize, false) || !args.isMemory(3, map.spec.valueSize, false)) return 0;
    return map.update(key >>> 0, value >>> 0, args.upperHalf(4) === 0 ? flags >>> 0 : INVALID_FLAGS, environment.cpu);
  },
};

/** bpf_map_delete_elem(map, key) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const mapDeleteElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_key'],
  returns: RETURN_INT,
  make: ({ args }) => (_map, key) => {
    const map = args.map(1, MAP_OP_DELETE);
    if (map === undefined || !args.isMemory(2, map.spec.keySize, false)) return 0;
    return map.delete(key >>> 0);
  },
};

/** bpf_map_push_elem(map, value, flags) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const mapPushElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_value', 'anything'],
  returns: RETURN_INT,
  make: ({ args }) => (_map, value, flags) => {
    const map = args.map(1, MAP_OP_PUSH) as QueueLikeMap | undefined;
    if (map === undefined || !args.isMemory(2, map.spec.valueSize, false)) return 0;
    return map.push(value >>> 0, args.upperHalf(3) === 0 ? flags >>> 0 : INVALID_FLAGS);
  },
};

/** bpf_map_pop_elem(map, value) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const mapPopElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_value'],
  returns: RETURN_INT,
  make: ({ args }) => (_map, value) => {
    const map = args.map(1, MAP_OP_POP) as QueueLikeMap | undefined;
    if (map === undefined || !args.isMemory(2, map.spec.valueSize, true)) return 0;
    return map.pop(value >>> 0);
  },
};

/** bpf_map_peek_elem(map, value) (kernel/bpf/helpers.c, 6.18): 0 or a negated errno. */
export const mapPeekElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_map_value'],
  returns: RETURN_INT,
  make: ({ args }) => (_map, value) => {
    const map = args.map(1, MAP_OP_PEEK) as QueueLikeMap | undefined;
    if (map === undefined || !args.isMemory(2, map.spec.valueSize, !map.peekReads)) return 0;
    return map.peek(value >>> 0);
  },
};
