import { expect } from 'vitest';
import type { XskFindingCode } from '../../umem/index.js';
import type { MetadataContract, MetadataValue } from '../../xdp/index.js';
import * as matchers from '../matchers/index.js';
import type { ExpectedRedirect, PacketComparison, XskFindingOptions } from '../matchers/index.js';
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
      /** The program returned this verdict. */
      toHaveVerdict(expected: VerdictName): void;
      /** The program returned XDP_DROP. */
      toDropPacket(): void;
      /** The program returned XDP_PASS. */
      toPassPacket(): void;
      /** The program returned XDP_TX. */
      toTransmitPacket(): void;
      /** The program returned XDP_ABORTED. */
      toAbortPacket(): void;
      /** The program returned XDP_REDIRECT, and the redirect goes there. */
      toRedirectPacket(to?: ExpectedRedirect): void;
      /** The packet ended so: `stack`, `tx`, `xsk`, `redirect`, `xdp_drop`, `rx_missed`, … (docs/report.md). */
      toEndAs(outcome: string): void;
      /** The packet is this one, byte for byte. */
      toEqualPacket(expected: PacketBytes, comparison?: PacketComparison): void;
      /** Every checksum of the packet is right: IP, TCP, UDP, ICMP, SCTP, through tunnels. */
      toHaveValidChecksums(): void;
      /** The run executed at most so many instructions, helpers not counted. */
      toRunWithin(instructions: number): void;
      /** The map has an element under this key, with this value if one is given. */
      toHaveElement(key: unknown, ...values: readonly unknown[]): void;
      /** The values of all CPUs under this key add up to this. */
      toHaveSum(key: unknown, sum: unknown): void;
      /** The NIC has counted so much, in a statistic as `ethtool -S` shows it. */
      toHaveCounter(name: string, value: number): void;
      /** A line with this text was logged (bpf_printk or aya-log). */
      toHaveLogged(text: string | RegExp): void;
      /** Every packet has an end, every page and chunk its owner, nothing stayed mapped. */
      toHaveNoLeaks(): void;
      /**
       * The AF_XDP applications of a NIC, a network, a run or some sockets do nothing wrong and leave nothing undone (docs/af-xdp.md). Look when all has come to
       * rest, as after `receive`.
       */
      toHaveNoXskFindings(options?: XskFindingOptions): void;
      /** The AF_XDP applications of a NIC, a network, a run or some sockets make this mistake, or leave this undone (docs/af-xdp.md). */
      toHaveXskFinding(code: XskFindingCode): void;
      /** The struct in the object's BTF, of C or of Rust with `#[repr(C)]`, is what the contract says: fields, offsets, widths, byte orders, size. */
      toKeepContract(contract: MetadataContract, typeName: string): void;
      /** The packet has metadata as the contract says, with these values of fields. */
      toHaveMetadata(contract: MetadataContract, values?: Readonly<Record<string, MetadataValue>>): void;
    }
  }
}
