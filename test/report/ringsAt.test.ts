import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { parseRingMoments, RingsAtWatcher } from '../../src/report/ringsAt.js';
import type { PacketWatcher } from '../../src/sim/index.js';
import { burst, captureOf, redirectToSocket, simulationOf } from '../support/simulate.js';

/** What is told of packets: it is the same for whoever comes behind. */
function heard(around: (simulation: ReturnType<typeof simulationOf>, next: PacketWatcher) => PacketWatcher): string[] {
  const simulation = simulationOf({ object: redirectToSocket(), xsk: { application: 'l2fwd' } });
  const lines: string[] = [];
  const next: PacketWatcher = {
    onArrival: (packetId, _address, lenBytes) => lines.push(`arrival of ${packetId}, ${lenBytes} bytes`),
    onPacketEnd: ({ packetId, outcome }) => lines.push(`end of ${packetId}: ${outcome}`),
    onApplicationFrame: ({ packetId }) => lines.push(`sent ${packetId}`),
  };
  unwrap(simulation.run(captureOf(burst(3)), around(simulation, next)));
  return lines;
}

it('whoever looks at the packets of a run behind --rings-at hears of their arrival, too, which --verify-checksums needs', () => {
  const alone = heard((_simulation, next) => next);
  expect(new Set(alone.map((line) => line.split(' ')[0]))).toEqual(new Set(['arrival', 'end', 'sent']));
  const moments = unwrap(parseRingMoments('packet:2,1ms'));
  expect(heard((simulation, next) => new RingsAtWatcher(simulation, moments, next))).toEqual(alone);
});
