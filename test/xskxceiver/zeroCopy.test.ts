import { PROFILES } from '../../src/nic/index.js';
import { describeCases } from './describeCases.js';
import { simulatedKind } from './simulatedBed.js';

// Every other NIC that has zero copy, in that mode.

const ELSEWHERE = ['ice', 'igb'];

for (const { name, xdp } of PROFILES) if (xdp.zeroCopy !== undefined && !ELSEWHERE.includes(name)) describeCases(simulatedKind(name), { modes: ['ZC'], busyPolling: [false] });
