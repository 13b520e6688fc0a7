import { describe, expect, it } from 'vitest';
import { ProgramEvents } from '../../src/sim/index.js';
import type { ProgramEvent } from '../../src/sim/index.js';
import type { BpfMap } from '../../src/vm/index.js';
import { unwrap } from '../../src/base/index.js';
import { burst, captureOf, fixture, simulationOf } from '../support/simulate.js';

const mapOf = (id: number): BpfMap => ({ id }) as BpfMap;
const event = (bytes: number, id = 1): ProgramEvent => ({ map: mapOf(id), packetId: 1, tNs: 0, cpu: 0, bytes: new Uint8Array(bytes) });

describe('ProgramEvents', () => {
  it('keeps the first ten thousand and counts all', () => {
    const events = new ProgramEvents();
    for (let i = 0; i < 10_500; i++) events.add(event(0, 1 + (i % 2)));
    expect(events.kept).toHaveLength(10_000);
    expect(events.count).toBe(10_500);
    expect(events.counts.map(({ map, count }) => [map.id, count])).toEqual([[1, 5250], [2, 5250]]);
  });

  it('keeps four megabytes, and nothing behind the first that did not fit', () => {
    const events = new ProgramEvents();
    for (const bytes of [3 << 20, 2 << 20, 1]) events.add(event(bytes));
    expect(events.kept.map(({ bytes }) => bytes.length)).toEqual([3 << 20]);
    expect(events.counts).toMatchObject([{ count: 3, bytes: (5 << 20) + 1 }]);
  });

  it('keeps copies', () => {
    const events = new ProgramEvents();
    const mine = event(1);
    events.add(mine);
    mine.bytes[0] = 7;
    expect(events.kept[0]!.bytes[0]).toBe(0);
  });
});

describe('a simulation', () => {
  it('hands each event to its watcher, with packet and CPU', () => {
    const seen: [string, number, number][] = [];
    const simulation = simulationOf({ object: fixture('ringbuf_events') });
    const result = unwrap(simulation.run(captureOf(burst(70)), { onEvent: ({ map, packetId, bytes }) => seen.push([map.spec.name, packetId, bytes.length]) }));
    expect(seen).toEqual(Array.from({ length: 70 }, (_, i) => ['events', i + 1, 16]));
    expect(result.events).toHaveLength(70);
    expect(result.eventCounts).toMatchObject([{ count: 70, bytes: 1120 }]);
  });
});
