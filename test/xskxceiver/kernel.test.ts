import { kernelOracle } from '../support/kernelOracle.js';
import { withKernelSockets } from '../support/xskSides.js';
import { describeCases } from './describeCases.js';
import { kernelKind } from './kernelBed.js';

// The same cases on the running kernel: what they expect of the simulator is what that does.

await withKernelSockets('the cases of xskxceiver', (net) => describeCases(kernelKind(kernelOracle!, net), { modes: ['SKB', 'DRV', 'ZC'] }));
