import { expect } from 'vitest';
import type { MetadataContract, MetadataValue } from '../../xdp/index.js';
import * as matchers from '../matchers/index.js';
import type { ExpectedRedirect, PacketComparison } from '../matchers/index.js';
import type { PacketBytes } from '../program/objectSource.js';
import type { VerdictName } from '../program/testRunResult.js';
import { runSerializer } from './snapshot.js';

/**
 * Import it once, in a test or in `setupFiles`: registers the matchers and the snapshot serializer.
 *
 * @example import 'xdp-sim/vitest';
 */
expect.extend({ ...matchers });
expect.addSnapshotSerializer(runSerializer);

// The one form of declaration that compiles with vitest 4 and 5.
declare global {
  // oxlint-disable-next-line typescript/no-namespace
  namespace Chai {
    interface Assertion {
      toHaveVerdict(expected: VerdictName): void;
      toDropPacket(): void;
      toPassPacket(): void;
      toTransmitPacket(): void;
      toAbortPacket(): void;
      toRedirectPacket(to?: ExpectedRedirect): void;
      toEndAs(outcome: string): void;
      toEqualPacket(expected: PacketBytes, comparison?: PacketComparison): void;
      toHaveValidChecksums(): void;
      toRunWithin(instructions: number): void;
      toHaveElement(key: unknown, ...values: readonly unknown[]): void;
      toHaveSum(key: unknown, sum: unknown): void;
      toHaveCounter(name: string, value: number): void;
      toHaveLogged(text: string | RegExp): void;
      toHaveNoLeaks(): void;
      toKeepContract(contract: MetadataContract, typeName: string): void;
      toHaveMetadata(contract: MetadataContract, values?: Readonly<Record<string, MetadataValue>>): void;
    }
  }
}
