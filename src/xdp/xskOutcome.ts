import { EINVAL, ENOBUFS, ENOMEM, ENOSPC, ENXIO } from '../base/index.js';
import { Outcome } from './outcome.js';

/** Where a packet ends that a socket does not take, by what `XdpSock.checkReceive` and `XdpSock.copyPacket` give. */
export function xskErrorOutcome(errno: number): Outcome {
  switch (-errno) {
    case ENXIO:
      return Outcome.xskNotBound;
    case EINVAL:
      return Outcome.xskWrongQueue;
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
