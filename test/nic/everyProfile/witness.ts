import type { PacketWatcher, Simulation } from '../../../src/sim/index.js';
import { OUTCOMES } from '../../../src/xdp/index.js';
import type { JournalEntry, SentByApplication } from './journal.js';
import type { ProgramAlone } from './programAlone.js';
import type { TrafficFrame } from './traffic.js';

/** A packet's end, with its bytes and its time on the clock. */
export interface WitnessedEnd extends JournalEntry {
  readonly tNs: number;
  readonly bytes: Uint8Array;
}

/** Everything that a watcher saw of a run. */
export interface Witness {
  readonly ends: WitnessedEnd[];
  readonly sent: SentByApplication[];
  readonly watcherOf: (simulation: Simulation) => PacketWatcher;
}

/** Notes every end; call it for each run. */
export function witness(frames: readonly TrafficFrame[], alone: ProgramAlone): Witness {
  const ends: WitnessedEnd[] = [];
  const sent: SentByApplication[] = [];
  return {
    ends,
    sent,
    watcherOf: ({ memory: { u8 } }) => ({
      onPacketEnd({ packetId, outcome, retval, queue, address, lenBytes, tNs }) {
        const { bytes: wire } = frames[packetId - 1];
        ends.push({
          packetId, outcome: OUTCOMES[outcome].name, retval, queue, lenBytes, tNs, wireBytes: wire.length, receivedBytes: alone.received(wire).length,
          isMulticast: (wire[0] & 1) !== 0, isBroadcast: wire.length >= 6 && wire.subarray(0, 6).every((byte) => byte === 0xff),
          bytes: u8.slice(address, address + lenBytes),
        });
      },
      onApplicationFrame({ queue, lenBytes }) {
        sent.push({ queue, lenBytes });
      },
    }),
  };
}
