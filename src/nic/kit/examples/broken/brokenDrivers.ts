import type { XdpDriverFactory } from '../../xdpDriver.js';
import { forgottenRecycle } from './01-forgottenRecycle.js';
import { directRecycleInInterrupt } from './02-directRecycleInInterrupt.js';
import { missingSyncForCpu, missingSyncForDevice } from './03-missingSync.js';
import { ownFirst } from './04-ownFirst.js';
import { unmapOfPoolPage } from './05-unmapOfPoolPage.js';
import { headroomNotReserved, headroomOnlyPromised } from './06-headroomNotReserved.js';
import { metadataUnchecked } from './07-metadataUnchecked.js';
import { wrongChecksumBits, wrongTransportOffset } from './08-wrongChecksumBits.js';
import { noDoorbell, noFlush } from './09-noFlush.js';
import { earlyReturn } from './10-earlyReturn.js';

/** A twin of the correct driver, with one mistake. */
export interface BrokenDriver {
  /** 1 to 10; some mistakes come in two kinds. */
  readonly number: number;
  /** The mistake in a few words. */
  readonly mistake: string;
  readonly file: string;
  readonly factory: XdpDriverFactory;
  /** Code of what the judge says first about it. */
  readonly code: string;
}

export const BROKEN_DRIVERS: readonly BrokenDriver[] = [
  { number: 1, mistake: 'forgotten recycle', file: '01-forgottenRecycle.ts', factory: forgottenRecycle, code: 'page-leaked' },
  { number: 2, mistake: 'direct recycle in the wrong context', file: '02-directRecycleInInterrupt.ts', factory: directRecycleInInterrupt, code: 'direct-recycle-outside-napi' },
  { number: 3, mistake: 'missing sync for the device', file: '03-missingSync.ts', factory: missingSyncForDevice, code: 'device-access-without-sync' },
  { number: 3, mistake: 'missing sync for the CPU', file: '03-missingSync.ts', factory: missingSyncForCpu, code: 'cpu-access-without-sync' },
  { number: 4, mistake: 'OWN written first', file: '04-ownFirst.ts', factory: ownFirst, code: 'descriptor-written-after-own' },
  { number: 5, mistake: 'unmap of a pool page', file: '05-unmapOfPoolPage.ts', factory: unmapOfPoolPage, code: 'unmap-of-pool-page' },
  { number: 6, mistake: 'headroom not reserved', file: '06-headroomNotReserved.ts', factory: headroomNotReserved, code: 'headroom-too-small' },
  { number: 6, mistake: 'headroom promised, but not in the address', file: '06-headroomNotReserved.ts', factory: headroomOnlyPromised, code: 'data-not-where-written' },
  { number: 7, mistake: 'metadata read without a length check', file: '07-metadataUnchecked.ts', factory: metadataUnchecked, code: 'metadata-unchecked' },
  { number: 8, mistake: 'checksum bits of the other layout', file: '08-wrongChecksumBits.ts', factory: wrongChecksumBits, code: 'descriptor-malformed' },
  { number: 8, mistake: 'transport offset counted from the IP header', file: '08-wrongChecksumBits.ts', factory: wrongTransportOffset, code: 'checksum-not-done' },
  { number: 9, mistake: 'no flush', file: '09-noFlush.ts', factory: noFlush, code: 'redirect-not-flushed' },
  { number: 9, mistake: 'no doorbell', file: '09-noFlush.ts', factory: noDoorbell, code: 'doorbell-missing' },
  { number: 10, mistake: 'early return from the poll loop', file: '10-earlyReturn.ts', factory: earlyReturn, code: 'poll-ended-early' },
];
