/** Index of the first entry at or behind a byte, in a list sorted by `offBytes`. */
export function lowerBound(entries: readonly { readonly offBytes: number }[], offBytes: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (entries[middle]!.offBytes < offBytes) low = middle + 1;
    else high = middle;
  }
  return low;
}
