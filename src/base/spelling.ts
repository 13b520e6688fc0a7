/**
 * The candidate that somebody who typed `word` most likely meant: it begins with `word`, or few letters were swapped, wrong, missing
 * or too many; capital or small doesn't count. `undefined` when none comes near.
 */
export function closestTo(word: string, candidates: readonly string[]): string | undefined {
  const typed = word.toLowerCase();
  const tolerance = 1 + Math.floor(typed.length / 4);
  let closest: string | undefined;
  let least = tolerance + 1;
  for (const candidate of candidates) {
    const known = candidate.toLowerCase();
    const distance = typed.length >= 2 && known.startsWith(typed) ? 0 : editDistance(typed, known);
    if (distance < least) {
      closest = candidate;
      least = distance;
    }
  }
  return closest;
}

/**
 * The beginning of a hint about a name that there is not: `did you mean port? `, or nothing when none comes near. What there is may follow.
 */
export function didYouMean(name: string, known: readonly string[]): string {
  // Whatever has one letter is one letter away from it.
  const meant = name.length < 2 ? undefined : closestTo(name, known);
  return meant === undefined ? '' : `did you mean ${meant}? `;
}

/** Letters to insert, delete, change, or swap with their neighbour (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const isSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row[j] = Math.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (isSame ? 0 : 1));
      if (isSwapped) row[j] = Math.min(row[j], beforeLast[j - 2] + 1);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length];
}
