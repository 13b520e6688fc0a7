// Dynamic interrupt moderation (lib/dim/net_dim.c and lib/dim/dim.c, 6.x), which mlx5 uses: climbs a table of five profiles as long as
// that makes throughput better, and parks where neither neighbour is.

/** Interrupt after so many µs or packets. */
export interface DimProfile {
  readonly usecs: number;
  readonly packets: number;
}

const profiles = (...rows: readonly (readonly [usecs: number, packets: number])[]): readonly DimProfile[] => rows.map(([usecs, packets]) => ({ usecs, packets }));

/** Tables by direction and by what starts the timer: the first event (EQE) or the last completion (CQE). */
export const DIM_PROFILES = {
  rxEqe: profiles([1, 256], [8, 256], [64, 256], [128, 256], [256, 256]),
  rxCqe: profiles([2, 256], [8, 128], [16, 64], [32, 64], [64, 64]),
  txEqe: profiles([1, 128], [8, 128], [32, 128], [64, 128], [128, 128]),
  txCqe: profiles([5, 128], [8, 64], [16, 32], [32, 32], [64, 32]),
} as const;

/** DIM_NEVENTS: interrupts that one measurement takes. */
export const DIM_EVENTS = 64;
const PROFILE_COUNT = 5;
const TIRED_AFTER_STEPS = PROFILE_COUNT * 2;

/** Rates per millisecond. */
export interface DimStats {
  readonly packets: number;
  readonly bytes: number;
  readonly events: number;
}

export interface DimState {
  readonly tune: 'parking-on-top' | 'parking-tired' | 'going-right' | 'going-left';
  /** Row of the profile table. */
  readonly profile: number;
  readonly stepsRight: number;
  readonly stepsLeft: number;
  readonly tired: number;
  readonly previous: DimStats;
}

/** net_dim starts at the second row, parked, and has measured nothing. */
export const DIM_START: DimState = { tune: 'parking-on-top', profile: 1, stepsRight: 0, stepsLeft: 0, tired: 0, previous: { packets: 0, bytes: 0, events: 0 } };

/** dim_calc_stats: rates over `deltaUs`; undefined when no time went by. */
export function dimStats(packets: number, bytes: number, deltaUs: number): DimStats | undefined {
  if (deltaUs <= 0) return undefined;
  const perMs = (count: number): number => Math.ceil((count * 1000) / deltaUs);
  return { packets: perMs(packets), bytes: perMs(bytes), events: perMs(DIM_EVENTS) };
}

type Verdict = 'better' | 'worse' | 'same';

/** IS_SIGNIFICANT_DIFF: more than 10 % of the reference, in whole percent. */
function differs(value: number, reference: number): boolean {
  return Math.floor((100 * Math.abs(value - reference)) / reference) > 10;
}

/** net_dim_stats_compare: bytes count before packets, packets before (fewer) interrupts. */
export function compareDimStats(now: DimStats, before: DimStats): Verdict {
  if (before.bytes === 0) return now.bytes > 0 ? 'better' : 'same';
  if (differs(now.bytes, before.bytes)) return now.bytes > before.bytes ? 'better' : 'worse';
  if (before.packets === 0) return now.packets > 0 ? 'better' : 'same';
  if (differs(now.packets, before.packets)) return now.packets > before.packets ? 'better' : 'worse';
  if (before.events === 0) return 'same';
  if (differs(now.events, before.events)) return now.events < before.events ? 'better' : 'worse';
  return 'same';
}

/** net_dim_decision: the state after one measurement. `profile` is the row to use from now on. */
export function nextDim(state: DimState, now: DimStats): DimState {
  const next = decide(state, now);
  const staysParked = state.tune === 'parking-on-top' && next.tune === 'parking-on-top';
  return staysParked ? next : { ...next, previous: now };
}

function decide(state: DimState, now: DimStats): DimState {
  switch (state.tune) {
    case 'parking-on-top':
      return compareDimStats(now, state.previous) === 'same' ? state : exitParking(state);
    case 'parking-tired': {
      const rested = { ...state, tired: state.tired - 1 };
      return rested.tired === 0 ? exitParking(rested) : rested;
    }
    default: {
      const going = compareDimStats(now, state.previous) === 'better' ? state : turn(state);
      return isOnTop(going) ? park(going, 'parking-on-top') : step(going);
    }
  }
}

function exitParking(state: DimState): DimState {
  const going: DimState = { ...state, tune: state.profile > 0 ? 'going-left' : 'going-right' };
  return move(going) ?? going;
}

function turn(state: DimState): DimState {
  return state.tune === 'going-right' ? { ...state, tune: 'going-left', stepsLeft: 0 } : { ...state, tune: 'going-right', stepsRight: 0 };
}

/** Came back by one step after several the other way: the best row is here. */
function isOnTop({ tune, stepsLeft, stepsRight }: DimState): boolean {
  return tune === 'going-right' ? stepsLeft > 1 && stepsRight === 1 : stepsRight > 1 && stepsLeft === 1;
}

function step(state: DimState): DimState {
  if (state.tired === TIRED_AFTER_STEPS) return park(state, 'parking-tired');
  return move(state) ?? park(state, 'parking-on-top');
}

/** The next row in the direction of the state; undefined at the table's edge. */
function move(state: DimState): DimState | undefined {
  const { profile, stepsLeft, stepsRight, tired } = state;
  if (state.tune === 'going-right') return profile === PROFILE_COUNT - 1 ? undefined : { ...state, profile: profile + 1, stepsRight: stepsRight + 1, tired: tired + 1 };
  return profile === 0 ? undefined : { ...state, profile: profile - 1, stepsLeft: stepsLeft + 1, tired: tired + 1 };
}

function park(state: DimState, tune: 'parking-on-top' | 'parking-tired'): DimState {
  return { ...state, tune, stepsRight: 0, stepsLeft: 0, tired: tune === 'parking-on-top' ? 0 : state.tired };
}
