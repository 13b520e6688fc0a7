import { describeCases } from './describeCases.js';
import { simulatedKind } from './simulatedBed.js';

// A NIC with zero copy for packets of several buffers.

describeCases(simulatedKind('ice'));
