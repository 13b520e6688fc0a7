import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { NO_PACKET } from '../../src/sim/index.js';
import { loadObjectFile } from '../../src/vm/index.js';
import { simulate } from '../support/simulate.js';
import type { TimedFrame } from '../support/simulate.js';

const MS = 1e6;

/** ../vm/helpers/objects/ticking.c: a frame arms the timer of `key`, which arms itself again so often, each time for 10 ms. */
const objectOf = (name: string) => unwrap(loadObjectFile(`test/vm/helpers/objects/${name}.o`));

function orderAt(tNs: number, nsecs: number, again = 0, after = 0): TimedFrame {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(8, BigInt(nsecs), true);
  view.setUint32(16, again, true);
  view.setUint32(20, after, true);
  return { bytes, tNs };
}

/** How often a timer has fired. */
function firedIn({ simulation }: ReturnType<typeof simulate>): number {
  const [entry] = simulation.loaded.maps.get('fired')!.entries();
  const { value } = entry!;
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

describe('timers of programs in a simulation', () => {
  it('fire between packets', () => {
    const run = simulate({ object: objectOf('ticking'), frames: [orderAt(0, 5 * MS, 100), orderAt(96 * MS, 5 * MS)] });
    // At 5, 15, ... 95 ms; the second packet replaces the element.
    expect(firedIn(run)).toBe(10);
    expect(run.result.faultCount).toBe(0);
    expect(run.outcomes).toEqual({ stack: 2 });
  });

  it('do not fire any more when the traffic is over', () => {
    expect(firedIn(simulate({ object: objectOf('ticking'), frames: [orderAt(0, 5 * MS, 1000)] }))).toBe(0);
  });

  it('leave time going on, however short they are', () => {
    const run = simulate({ object: objectOf('ticking'), frames: [orderAt(0, 0, 0), orderAt(MS, 5 * MS)] });
    expect(firedIn(run)).toBe(1);
  });

  it('report a fault that belongs to no packet', () => {
    const run = simulate({ object: objectOf('ticking_wrong'), frames: [orderAt(0, MS, 0, 5), orderAt(9 * MS, 5 * MS)] });
    expect(run.result.faults).toMatchObject([{ packetId: NO_PACKET, fault: { name: 'bad-access', program: 'ticking' } }]);
    expect(run.outcomes).toEqual({ stack: 2 });
  });
});
