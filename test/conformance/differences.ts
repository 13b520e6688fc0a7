import { formatDifference } from './formatDifference.js';
import type { Difference } from './compare.js';

/** Per field; more are counted, not kept: one wrong helper makes thousands, and must not hide another. */
const KEPT_PER_FIELD = 10;

/** Differences between two sides, each with the case that it was found in. */
export class Differences {
  count = 0;
  readonly #names: readonly [left: string, right: string];
  readonly #kept: string[] = [];
  readonly #countByField = new Map<string, number>();

  /** @param names what the two sides are called */
  constructor(names: readonly [left: string, right: string]) {
    this.#names = names;
  }

  /** @param where program, capture, packet number and what was done to the packet */
  add(where: string, found: readonly Difference[]): void {
    for (const difference of found) {
      this.count++;
      const countOfField = (this.#countByField.get(difference.field) ?? 0) + 1;
      this.#countByField.set(difference.field, countOfField);
      if (countOfField <= KEPT_PER_FIELD) this.#kept.push(`${where}: ${formatDifference(difference, this.#names)}`);
    }
  }

  /** Names of the fields that differ, sorted. */
  fields(): string[] {
    return [...this.#countByField.keys()].sort();
  }

  /** Empty when there is none. */
  toString(): string {
    if (this.count === 0) return '';
    const totals = [...this.#countByField].map(([field, count]) => `${field} ${count}`).join(', ');
    return [`${this.count} differences: ${totals}`, ...this.#kept].join('\n');
  }
}
