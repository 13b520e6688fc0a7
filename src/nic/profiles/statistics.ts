import type { DeviceCounters } from '../device/nicDevice.js';
import type { PagePoolStats } from '../driver/pagePool.js';
import { NO_POOL_STATS } from '../driver/pagePoolStats.js';
import { newCounters } from '../driver/queuePair.js';
import type { DriverCounters } from '../driver/queuePair.js';

/** What a driver's statistics are made of: hardware counters, and software counters of every queue and of all together. */
export interface CounterSources {
  readonly hw: DeviceCounters;
  /** Frames that the device had no descriptor for, by queue; left out: none. */
  readonly missed?: ArrayLike<number>;
  readonly queues: readonly DriverCounters[];
  readonly total: DriverCounters;
  /** Statistics of all page_pools together. */
  readonly pool: PagePoolStats;
}

/** A counter of a queue: its field, or how it is made of others. */
export type QueueCounter = keyof DriverCounters | ((counters: DriverCounters, queue: number, sources: CounterSources) => number);

/**
 * A line or a block of lines of `ethtool -S`. Of the whole device (`value`), or of each queue: the names with their `N` replaced by the
 * queue's number, all names of a queue together.
 */
export type Statistic =
  | { readonly name: string; readonly value: (sources: CounterSources) => number }
  | { readonly perQueue: readonly (readonly [name: string, counter: QueueCounter])[] };

/** `ethtool -S`: names and values in the driver's order. */
export function readStatistics(table: readonly Statistic[], sources: CounterSources): Map<string, number> {
  const values = new Map<string, number>();
  for (const row of table) {
    if ('name' in row) values.set(row.name, row.value(sources));
    else {
      sources.queues.forEach((counters, queue) => {
        for (const [name, counter] of row.perQueue) {
          values.set(name.replace('N', String(queue)), typeof counter === 'string' ? counters[counter] : counter(counters, queue, sources));
        }
      });
    }
  }
  return values;
}

/** Gathers what the statistics of a NIC are made of. */
export function counterSources(hw: DeviceCounters, missed: ArrayLike<number>, queues: readonly DriverCounters[], pools: readonly PagePoolStats[]): CounterSources {
  return { hw, missed, queues, total: sumUp(newCounters(), queues), pool: sumUp({ ...NO_POOL_STATS }, pools) };
}

function sumUp<T extends { [Name in keyof T]: number }>(total: T, parts: readonly T[]): T {
  const sums: Record<string, number> = total;
  for (const part of parts) for (const [name, count] of Object.entries<number>(part)) sums[name] += count;
  return total;
}

/** Rows that show hardware counters as they are. */
export function ofDevice(rows: Readonly<Record<string, keyof DeviceCounters | 0>>): Statistic[] {
  return Object.entries(rows).map(([name, field]) => ({ name, value: ({ hw }) => (field === 0 ? 0 : hw[field]) }));
}

/** Rows that show counters of all queues together. */
export function ofDriver(rows: Readonly<Record<string, keyof DriverCounters | ((total: DriverCounters) => number)>>): Statistic[] {
  return Object.entries(rows).map(([name, counter]) => ({ name, value: ({ total }) => (typeof counter === 'string' ? total[counter] : counter(total)) }));
}

/** Packets that drivers drop which count nothing but XDP_DROP: that, and what no verdict is (the switch falls through to it). */
export function droppedByVerdict({ xdpDrop, xdpExceptions }: DriverCounters): number {
  return xdpDrop + xdpExceptions;
}

/** The seven XDP counters of mvneta, mvpp2 and mtk_eth_soc. @param dropped what `rx_xdp_drop` counts */
export function marvellXdp(dropped: (total: DriverCounters) => number): Statistic[] {
  return ofDriver({
    rx_xdp_redirect: 'xdpRedirect', rx_xdp_pass: 'xdpPass', rx_xdp_drop: dropped, rx_xdp_tx: 'xdpTx', rx_xdp_tx_errors: 'xdpTxErrors', tx_xdp_xmit: 'txXdpXmit',
    tx_xdp_xmit_errors: 'txXdpXmitErrors',
  });
}

/** page_pool_ethtool_stats_get (net/core/page_pool.c). */
export const POOL_STATISTICS: readonly Statistic[] = poolRows({
  rx_pp_alloc_fast: 'alloc_fast', rx_pp_alloc_slow: 'alloc_slow', rx_pp_alloc_slow_ho: 'alloc_slow_high_order', rx_pp_alloc_empty: 'alloc_empty', rx_pp_alloc_refill: 'alloc_refill',
  rx_pp_alloc_waive: 'alloc_waive', rx_pp_recycle_cached: 'recycle_cached', rx_pp_recycle_cache_full: 'recycle_cache_full', rx_pp_recycle_ring: 'recycle_ring',
  rx_pp_recycle_ring_full: 'recycle_ring_full', rx_pp_recycle_released_ref: 'recycle_released_refcnt',
});

/** Rows that show statistics of the page_pools. */
export function poolRows(rows: Readonly<Record<string, keyof PagePoolStats>>): Statistic[] {
  return Object.entries(rows).map(([name, field]) => ({ name, value: ({ pool }) => pool[field] }));
}

/** Frames that the queue had no descriptor for. */
export function missedOfQueue(_counters: DriverCounters, queue: number, { missed }: CounterSources): number {
  return missed?.[queue] ?? 0;
}

/** What the model never does. */
export function none(): number {
  return 0;
}
