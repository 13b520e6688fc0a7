import type { Difference } from '../../cases/index.js';
import type { DifferentialCase } from './cases.js';
import type { SidePair } from './sidePair.js';

/** Cases between two comparisons of the maps. */
const BATCH_CASES = 50;
/** Larger maps are compared once a visit: reading one takes as long as hundreds of cases. */
const OFTEN_MAX_ENTRIES = 2048;

/** The first case of a visit in which the two sides differ. */
export interface Found {
  readonly caseIndex: number;
  readonly differences: readonly Difference[];
}

export interface VisitResult {
  /** Cases that were compared; after a difference the rest is left out, as the sides are no longer in the same state. */
  readonly ran: number;
  readonly found: Found | undefined;
}

/**
 * Sends cases through a program on both sides, in order. The maps keep what each case leaves in them, and are compared from time to
 * time; when they differ, the case that did it is looked for.
 *
 * @param pair the program, loaded on both sides; it is closed
 * @param open loads the program anew, in the same state; only one pair is open at a time
 */
export function visit(pair: SidePair, open: () => SidePair, cases: readonly DifferentialCase[]): VisitResult {
  const { ran, differences, cleanCases, suspect } = runAll(pair, cases);
  if (differences.length === 0 && !suspect) return { ran, found: undefined };
  const last = { caseIndex: ran - 1, differences };
  // A wrong verdict may come of a map that went wrong some cases earlier: the first thing that went wrong is what counts.
  const inMaps = locateInMaps(open, cases, cleanCases, differences.length > 0 ? ran - 1 : ran);
  if (inMaps !== undefined) return { ran: inMaps.caseIndex + 1, found: inMaps };
  return { ran, found: differences.length > 0 ? last : { ...last, differences: [UNREPEATABLE] } };
}

const UNREPEATABLE: Difference = { part: 'maps', expected: 'equal, when the same cases ran again', observed: 'different, the first time' };

interface Run {
  readonly ran: number;
  /** What the last case that ran shows. */
  readonly differences: readonly Difference[];
  /** After so many cases all maps that were compared were equal. */
  readonly cleanCases: number;
  /** The maps differ. */
  readonly suspect: boolean;
}

function runAll(pair: SidePair, cases: readonly DifferentialCase[]): Run {
  try {
    const seesAll = pair.hasOnlyMapsUpTo(OFTEN_MAX_ENTRIES);
    let cleanCases = 0;
    for (let i = 0; i < cases.length; i++) {
      const differences = pair.run(cases[i].input);
      if (differences.length > 0) return { ran: i + 1, differences, cleanCases, suspect: false };
      if ((i + 1) % BATCH_CASES !== 0) continue;
      if (pair.compareMaps(OFTEN_MAX_ENTRIES).length > 0) return { ran: i + 1, differences, cleanCases, suspect: true };
      if (seesAll) cleanCases = i + 1;
    }
    return { ran: cases.length, differences: [], cleanCases, suspect: pair.compareMaps().length > 0 };
  } finally {
    pair.close();
  }
}

/** Bisects for the case after which the maps differ: they are equal after `low` cases. `undefined` when they are after `high`, too. */
function locateInMaps(open: () => SidePair, cases: readonly DifferentialCase[], low: number, high: number): Found | undefined {
  let differences = mapsAfter(open, cases, high);
  if (differences.length === 0) return undefined;
  let [clean, different] = [low, high];
  while (different - clean > 1) {
    const middle = (clean + different) >>> 1;
    const found = mapsAfter(open, cases, middle);
    if (found.length === 0) clean = middle;
    else {
      different = middle;
      differences = found;
    }
  }
  return { caseIndex: different - 1, differences };
}

function mapsAfter(open: () => SidePair, cases: readonly DifferentialCase[], count: number): Difference[] {
  const pair = open();
  try {
    for (let i = 0; i < count; i++) pair.run(cases[i].input);
    return pair.compareMaps();
  } finally {
    pair.close();
  }
}
