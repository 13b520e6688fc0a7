import { ENOBUFS, ENOMEM, ENOSPC } from '../base/index.js';
import { Outcome } from './outcome.js';

/** Where a packet ends that a socket does not take, by what `XskSocket.receive` gives. */
export function xskErrorOutcome(errno: number): Outcome {
  switch (-errno) {
    case ENOSPC:
      return Outcome.xskTooLong;
    case ENOMEM:
      return Outcome.xskFillEmpty;
    case ENOBUFS:
      return Outcome.xskRxFull;
    default:
      throw new RangeError(`xskErrorOutcome: a socket doesn't give ${errno}`);
  }
}
