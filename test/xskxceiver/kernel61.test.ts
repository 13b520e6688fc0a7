import { CASES_OF_6_1 } from './cases/xskCase.js';
import type { XskCase } from './cases/xskCase.js';
import { caseOf } from './cases/table.js';
import { describeCases } from './describeCases.js';
import { simulatedKind } from './simulatedBed.js';

// Linux 6.1 had 19 cases, of other names, and no packets of several descriptors. Some descriptors that are bad now were passed over then.

const names = new Map(Object.entries(CASES_OF_6_1).map(([then, now]) => [now, then]));

const options = { cases: Object.values(CASES_OF_6_1).map(caseOf), nameOf: ({ name }: XskCase) => names.get(name)! };

describeCases(simulatedKind('veth', { kernel: '6.1' }), options);
describeCases(simulatedKind('ice', { kernel: '6.1' }), { ...options, modes: ['ZC'], busyPolling: [false] });
