import { describeCases } from './describeCases.js';
import { simulatedKind } from './simulatedBed.js';

// The cases of the kernel's selftest for AF_XDP (tools/testing/selftests/bpf/xskxceiver.c, 6.18), written anew, on the NICs that it uses itself.

describeCases(simulatedKind('veth'));
