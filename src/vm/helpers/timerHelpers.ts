import { RETURN_INT, VM_PROGRAM, VM_REGS, PROG_ID } from '../layout.js';
import { elementOfValue } from '../maps/elementOfValue.js';
import type { BpfMap } from '../maps/map.js';
import { TIMER_BYTES } from '../timers.js';
import type { HelperContext, HelperSupport } from './helper.js';

const TWO_TO_32 = 2 ** 32;

/** bpf_timer_init(timer, map, flags) (kernel/bpf/helpers.c, 6.18). */
export const timerInit: HelperSupport = {
  args: ['ptr_to_timer', 'const_map_ptr', 'anything'],
  returns: RETURN_INT,
  make: (context) => (address, _map, flags) => {
    const { args, timers } = context;
    const map = args.map(2, 0);
    if (map === undefined || !isTimer(context, address >>> 0, (other) => other === map)) return 0;
    return timers.init(address >>> 0, map, args.upperHalf(3) === 0 ? flags >>> 0 : TWO_TO_32);
  },
};

/** bpf_timer_set_callback(timer, callback_fn) (kernel/bpf/helpers.c, 6.18). */
export const timerSetCallback: HelperSupport = {
  args: ['ptr_to_timer', 'ptr_to_func'],
  returns: RETURN_INT,
  make: (context) => (address) => {
    const { args, memory: { view }, stateAddress, timers } = context;
    const insnIndex = isTimer(context, address >>> 0) ? args.functionIndex(2) : -1;
    if (insnIndex < 0) return 0;
    const programId = view.getUint32(view.getUint32(stateAddress + VM_PROGRAM, true) + PROG_ID, true);
    return timers.setCallback(address >>> 0, { programId, insnIndex });
  },
};

/** bpf_timer_start(timer, nsecs, flags) (kernel/bpf/helpers.c, 6.18). */
export const timerStart: HelperSupport = {
  args: ['ptr_to_timer', 'anything', 'anything'],
  returns: RETURN_INT,
  make: (context) => (address, nsecs, flags) => {
    const { args, environment, timers } = context;
    if (!isTimer(context, address >>> 0)) return 0;
    const all = args.upperHalf(2) * TWO_TO_32 + (nsecs >>> 0);
    // As s64, which ktime_t is: what lies before now fires at once.
    const signed = all >= 2 ** 63 ? all - 2 ** 64 : all;
    return timers.start(address >>> 0, signed, args.upperHalf(3) === 0 ? flags : -1, environment.tNs, environment.cpu);
  },
};

/** bpf_timer_cancel(timer) (kernel/bpf/helpers.c, 6.18): 1 when it was armed, 0 when not. */
export const timerCancel: HelperSupport = {
  args: ['ptr_to_timer'],
  returns: RETURN_INT,
  make: (context) => (address) => (isTimer(context, address >>> 0) ? context.timers.cancel(address >>> 0) : 0),
};

/** r1 points to the bpf_timer in a value of a map of the machine (process_timer_func, kernel/bpf/verifier.c); else reported. */
function isTimer({ args, memory, stateAddress, maps }: HelperContext, address: number, isRight: (map: BpfMap) => boolean = () => true): boolean {
  if (memory.u32[(stateAddress + VM_REGS + 12) >>> 2] === 0 && maps.some((map) => map !== undefined && isRight(map) && holdsTimer(map, address))) return true;
  return args.refuse(1, TIMER_BYTES, true);
}

function holdsTimer(map: BpfMap, address: number): boolean {
  const field = map.spec.valueFields?.find(({ kind }) => kind === 'bpf_timer');
  return field !== undefined && elementOfValue(map, address - field.offBytes) !== undefined;
}
