import type { Case } from './cases.js';
import { compareMaps, compareRuns } from './compare.js';
import type { Differences } from './differences.js';
import type { Side } from './sides.js';
import type { Subject } from './variants.js';

/** Sends the same packets through both sides, in order, and compares what each of them gives. */
export function compareCases(subject: Subject, left: Side, right: Side, cases: readonly Case[], differences: Differences): void {
  for (const { input, where } of cases) {
    const found = compareRuns(left.run(input), right.run(input));
    if (found.length > 0) differences.add(`${subject.name}, ${where}`, found);
  }
}

/**
 * Compares the maps of both sides.
 *
 * @param when what has gone through so far, for messages
 * @param maxEntries larger maps are left out: for looking often at what can be looked at fast
 */
export function compareAllMaps(subject: Subject, left: Side, right: Side, when: string, differences: Differences, maxEntries = Infinity): void {
  for (const map of left.maps) {
    if (map.spec.maxEntries > maxEntries) continue;
    const other = right.maps.find((candidate) => candidate.spec.name === map.spec.name);
    if (other === undefined) throw new Error(`compareAllMaps: ${subject.name}: the other side has no map ${map.spec.name}`);
    differences.add(`${subject.name}, ${when}`, compareMaps(subject.object, map, other));
  }
}
