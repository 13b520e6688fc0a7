import { E2BIG, EINVAL } from '../../base/index.js';
import { ACCESS_MAX_ROWS, RETURN_INT, RETURN_U64, VM_MAX_FRAMES, VM_REGS } from '../layout.js';
import { elementWalk } from '../maps/forEachElement.js';
import { mapTypeName } from '../maps/mapTypes.js';
import type { HelperContext, HelperSupport } from './helper.js';

/** Most rounds of bpf_loop (BPF_MAX_LOOPS, include/linux/bpf.h). */
const BPF_MAX_LOOPS = 8 << 20;

/**
 * bpf_loop(nr_loops, callback_fn, callback_ctx, flags) (kernel/bpf/bpf_iter.c, 6.18): calls back with (index, callback_ctx) until that gives
 * something other than 0. The number of rounds, or an error: -EINVAL, or -E2BIG in the lower half of r0 with zeros above, as the verifier
 * puts the code of a loop without flags into the program itself (inline_bpf_loop, kernel/bpf/verifier.c).
 */
export const loop: HelperSupport = {
  args: ['anything', 'ptr_to_func', 'ptr_to_stack_or_null', 'anything'],
  returns: RETURN_U64,
  make: (context) => {
    const { args, callback } = context;
    const registers = new Registers(context);
    return (rounds, _fn, _context, flags) => {
      const insnIndex = args.functionIndex(2);
      if (insnIndex < 0) return 0;
      if (flags !== 0 || args.upperHalf(4) !== 0) return registers.set(0, -EINVAL, -1);
      const count = rounds >>> 0;
      if (count > BPF_MAX_LOOPS) return registers.set(0, -E2BIG);
      const [contextLow, contextHigh] = registers.halves(3);
      for (let index = 0; index < count; index++) {
        registers.set(1, index);
        registers.set(2, contextLow, contextHigh);
        if (!callback(insnIndex)) return 0;
        if (!registers.isZero(0)) return registers.set(0, index + 1);
      }
      return registers.set(0, count);
    };
  },
};

/**
 * bpf_for_each_map_elem(map, callback_fn, callback_ctx, flags) (kernel/bpf/bpf_iter.c, 6.18): calls back with (map, key, value, callback_ctx)
 * until that gives something other than 0. The number of elements that were visited, or a negated errno.
 */
export const forEachMapElem: HelperSupport = {
  args: ['const_map_ptr', 'ptr_to_func', 'ptr_to_stack_or_null', 'anything'],
  returns: RETURN_INT,
  make: (context) => {
    const { args, memory, environment, accessTable, callback } = context;
    const registers = new Registers(context);
    // Walks nest, but not deeper than frames.
    const arrayKeys = memory.reserve('keys of bpf_for_each_map_elem', VM_MAX_FRAMES * 8);
    let depth = 0;
    return (mapAddress, _fn, _context, flags) => {
      const map = args.map(1, 0);
      const insnIndex = map === undefined ? -1 : args.functionIndex(2);
      if (map === undefined || insnIndex < 0) return 0;
      const walk = elementWalk(map, mapTypeName(map.spec.type), memory, arrayKeys + depth * 8);
      if (walk === undefined || accessTable.count === ACCESS_MAX_ROWS) return Number(args.refuse(1, 0, false));
      if (flags !== 0 || args.upperHalf(4) !== 0) return -EINVAL;
      const [contextLow, contextHigh] = registers.halves(3);
      accessTable.add(walk.keys);
      depth++;
      const visited = walk.run((key, value) => {
        registers.set(1, mapAddress);
        registers.set(2, key);
        registers.set(3, value);
        registers.set(4, contextLow, contextHigh);
        return callback(insnIndex) && registers.isZero(0);
      }, environment.cpu);
      depth--;
      accessTable.remove(walk.keys.start);
      return visited;
    };
  },
};

/** The registers of the machine, in halves. */
class Registers {
  readonly #u32: Uint32Array;
  readonly #r0: number;

  constructor({ memory, stateAddress }: HelperContext) {
    this.#u32 = memory.u32;
    this.#r0 = (stateAddress + VM_REGS) >>> 2;
  }

  /** Always 0. */
  set(register: number, low: number, high = 0): number {
    this.#u32[this.#r0 + register * 2] = low;
    this.#u32[this.#r0 + register * 2 + 1] = high;
    return 0;
  }

  halves(register: number): readonly [low: number, high: number] {
    return [this.#u32[this.#r0 + register * 2], this.#u32[this.#r0 + register * 2 + 1]];
  }

  isZero(register: number): boolean {
    return this.#u32[this.#r0 + register * 2] === 0 && this.#u32[this.#r0 + register * 2 + 1] === 0;
  }
}
