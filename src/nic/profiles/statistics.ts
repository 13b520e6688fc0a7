import type { DeviceCounters } from '../device/nicDevice.js';
import type { PagePoolStats } from '../driver/pagePool.js';
import type { DriverCounters } from '../driver/queuePair.js';

/** What a driver's statistics are made of: hardware counters, and software counters of every queue and of all together. */
export interface CounterSources {
  readonly hw: DeviceCounters;
  readonly queues: readonly DriverCounters[];
  readonly total: DriverCounters;
  /** Statistics of all page_pools together. */
  readonly pool: PagePoolStats;
}

/**
 * A line or a block of lines of `ethtool -S`. Of the whole device (`value`), or of each queue: the names with their `N` replaced by the
 * queue's number, all names of a queue together.
 */
export type Statistic =
  | { readonly name: string; readonly value: (sources: CounterSources) => number }
  | { readonly perQueue: readonly (readonly [name: string, value: (queue: DriverCounters) => number])[] };

/** `ethtool -S`: names and values in the driver's order. */
export function readStatistics(table: readonly Statistic[], sources: CounterSources): Map<string, number> {
  const values = new Map<string, number>();
  for (const row of table) {
    if ('name' in row) values.set(row.name, row.value(sources));
    else {
      sources.queues.forEach((counters, queue) => {
        for (const [name, value] of row.perQueue) values.set(name.replace('N', String(queue)), value(counters));
      });
    }
  }
  return values;
}
