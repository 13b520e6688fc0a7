import { describeCases } from './describeCases.js';
import { caseOf } from './cases/table.js';
import { simulatedKind } from './simulatedBed.js';

// In Linux 6.6 a bad descriptor ends its packet, whatever it says of what follows; 6.18 throws the rest of the packet away. The cases that tell one from the
// other, and those of bad descriptors that nobody gives back.

const NAMES = [
  'ALIGNED_INV_DESC', 'UNALIGNED_INV_DESC', 'STAT_TX_INVALID', 'POLL_TXQ_FULL', 'ALIGNED_INV_DESC_MULTI_BUFF', 'UNALIGNED_INV_DESC_MULTI_BUFF', 'TOO_MANY_FRAGS',
  'SEND_RECEIVE_9K_PACKETS', 'TX_QUEUE_CONSUMER',
] as const;

const cases = NAMES.map(caseOf);

describeCases(simulatedKind('veth', { kernel: '6.6' }), { cases });
describeCases(simulatedKind('ice', { kernel: '6.6' }), { cases, modes: ['ZC'], busyPolling: [false] });
