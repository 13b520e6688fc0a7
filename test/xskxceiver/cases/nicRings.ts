import { BATCH, DEFAULT_RING } from '../endpoint.js';
import { DEFAULT_PACKETS, packets } from '../packet.js';
import type { XskCase } from './xskCase.js';

const OBSTACLES = { fixedRings: "the sizes of the NIC's rings can't be changed" } as const;

const powerOfTwoFrom = (count: number): number => 2 ** Math.ceil(Math.log2(count));

export const NIC_RING_CASES: readonly XskCase[] = [
  {
    name: 'HW_SW_MIN_RING_SIZE',
    about: 'small rings in the NIC, packets one by one, and then one less than fit',
    obstacles: OBSTACLES,
    run: (test) => {
      const { minRx, minTx } = test.kind.nicRings!;
      const nicRings = { rx: Math.max(minRx, 2 * BATCH), tx: Math.max(minTx, BATCH) };
      for (const batch of [1, nicRings.tx - 1]) test.sendAndReceive(packets(DEFAULT_PACKETS), { bed: { nicRings }, sender: { batch }, receiver: { batch } });
    },
  },
  {
    name: 'HW_SW_MAX_RING_SIZE',
    about: 'the largest rings in the NIC, and as many packets at once as fit',
    obstacles: OBSTACLES,
    run: (test) => {
      const { maxRx, maxTx } = test.kind.nicRings!;
      const size = Math.max(powerOfTwoFrom(Math.max(maxRx, maxTx)), DEFAULT_RING);
      const rings = { buffers: size, fillSize: size, compSize: size };
      const batch = maxTx - 1;
      test.sendAndReceive(packets(2 * batch), { bed: { nicRings: { rx: maxRx, tx: maxTx } }, tx: { ...rings, txSize: size }, rx: { ...rings, rxSize: size }, sender: { batch }, receiver: { batch } });
    },
  },
];
