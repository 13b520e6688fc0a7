import type { DriverConfig } from '../driver/driverState.js';
import type { PagePool } from '../driver/pagePool.js';
import type { DriverMistake } from './mistakes.js';

/** Of each kind; the others say the same. */
const KEPT = 4;

/** What DMA debugging, page_pools and the owners of pages have to say about a driver, in the form of its other mistakes. */
export function foundByOthers({ dma, allocator }: DriverConfig, pools: readonly PagePool[]): DriverMistake[] {
  const dmaReports = dma.debug.reports.map(({ key, site, message, hint }) => ({ code: key, where: site, message, hint, packetId: packetOf(message) }));
  const poolMistakes = pools.flatMap((pool) =>
    pool.mistakes.list.slice(0, KEPT).map(({ code, message, packetId }) => ({ code, where: `page_pool ${pool.id}`, message, hint: 'give each page back once, by the way that its context allows', packetId })));
  const warnings = pools.flatMap((pool) =>
    pool.warnings.map(({ kind, message }) => ({ code: kind, where: `page_pool ${pool.id}`, message, hint: 'find out who has the pages that are named', packetId: 0 })));
  const violations = allocator.ledger.violations.slice(0, KEPT).map(({ buffer, expected, found, next, packetId }) => ({
    code: 'not-the-owner', where: 'ownership', message: `${buffer} was to go from ${expected} to ${next}, but belonged to ${found}`, hint: 'touch and give up only pages that the driver has', packetId,
  }));
  return [...dmaReports, ...poolMistakes, ...warnings, ...violations];
}

function packetOf(message: string): number {
  return Number(/\(packet (\d+)\)/.exec(message)?.[1] ?? 0);
}
