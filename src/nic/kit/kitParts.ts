import type { DriverConfig } from '../driver/driverState.js';
import type { IovaPages } from './iovaPages.js';
import type { DriverMistakes } from './mistakes.js';
import type { PacketBook } from './packetBook.js';

/** Barriers as the checker sees them. */
export interface Barriers {
  /** dma_wmb calls so far. */
  writes: number;
  /** OWN was seen clear, and no dma_rmb has come since. */
  isReadPending: boolean;
}

/** What the parts of the kit share. */
export interface KitParts {
  readonly config: DriverConfig;
  readonly mistakes: DriverMistakes;
  readonly book: PacketBook;
  readonly iovas: IovaPages;
  readonly barriers: Barriers;
}
