import { expect, it } from 'vitest';
import { EINVAL, ENETDOWN, EOPNOTSUPP } from '../../../src/base/index.js';
import { PROFILES } from '../../../src/nic/index.js';
import { SOL_XDP, XDP_COPY, XDP_OPTIONS, XDP_ZEROCOPY } from '../../../src/umem/index.js';
import { returning } from '../../support/simulate.js';
import { SG_PROFILES, ZERO_COPY_PROFILES, ZeroCopyBench } from './zeroCopyBench.js';

const AUTO = 0;

/** XDP_OPTIONS: the application's view. */
function isZeroCopy(bench: ZeroCopyBench): boolean {
  const value = new Uint8Array(4);
  expect(bench.afXdp.getsockopt(bench.fd, SOL_XDP, XDP_OPTIONS, value)).toBe(4);
  return value[0] === 1;
}

it('eight drivers have zero copy, two of them for packets of several buffers', () => {
  expect(ZERO_COPY_PROFILES.map(({ name }) => name)).toEqual(['igb', 'igc', 'ixgbe', 'i40e', 'ice', 'mlx5', 'octeontx2', 'virtio_net']);
  expect(SG_PROFILES.map(({ name }) => name)).toEqual(['i40e', 'ice']);
});

it.each(ZERO_COPY_PROFILES)('$name: bind takes zero copy when it is asked for or left open, and not with XDP_COPY', (profile) => {
  for (const [bindFlags, expected] of [[XDP_ZEROCOPY, true], [AUTO, true], [XDP_COPY, false]] as const) {
    const bench = new ZeroCopyBench({ profile, bindFlags });
    expect([bindFlags, bench.bound, isZeroCopy(bench)]).toEqual([bindFlags, 0, expected]);
    expect(bench.close()).toEqual([]);
  }
});

it.each(ZERO_COPY_PROFILES)('$name: XDP_USE_SG needs a driver that receives packets of several buffers', (profile) => {
  const hasSg = profile.xdp.zeroCopy!.maxSegments > 1;
  const forced = new ZeroCopyBench({ profile, hasSg: true });
  expect(forced.bound).toBe(hasSg ? 0 : -EOPNOTSUPP);
  const open = new ZeroCopyBench({ profile, hasSg: true, bindFlags: AUTO });
  expect([open.bound, isZeroCopy(open)]).toEqual([0, hasSg]);
  expect(open.close()).toEqual([]);
});

it.each(PROFILES.filter((profile) => !ZERO_COPY_PROFILES.includes(profile) && (profile.xdp.features & 1) !== 0))('$name has no zero copy: -EOPNOTSUPP, or copy mode', (profile) => {
  expect(new ZeroCopyBench({ profile }).bound).toBe(-EOPNOTSUPP);
  const open = new ZeroCopyBench({ profile, bindFlags: AUTO });
  expect([open.bound, isZeroCopy(open)]).toEqual([0, false]);
});

it.each(ZERO_COPY_PROFILES)('$name: a frame of the MTU must fit into a chunk, or into as many as a packet may have', (profile) => {
  // F is 2048 - 256 - 448 = 1344, of which drivers use 1280.
  const bench = new ZeroCopyBench({ profile, headroomBytes: 448 });
  expect(bench.bound).toBe(-EINVAL);
  const open = new ZeroCopyBench({ profile, headroomBytes: 448, bindFlags: AUTO });
  expect([open.bound, isZeroCopy(open)]).toEqual([0, false]);
});

it.each(ZERO_COPY_PROFILES)('$name without a program in the driver: the mode is zero copy, and a wake-up is in vain', (profile) => {
  const bench = new ZeroCopyBench({ profile, object: returning(2), settings: { xdpMode: 'generic' }, filled: 64 });
  const { wakeupErrno } = profile.xdp.zeroCopy!;
  expect([bench.bound, isZeroCopy(bench), bench.sendto()]).toEqual([0, true, wakeupErrno === 0 ? 0 : -wakeupErrno]);
  bench.send(64 * 2048, new Uint8Array(60));
  bench.sendto();
  expect([bench.wire.length, bench.pool.freeCount, bench.fillRing.used]).toEqual([0, 0, 64]);
  expect(bench.close()).toEqual([]);
});

it.each(ZERO_COPY_PROFILES)('$name: -ENETDOWN when it is down', (profile) => {
  const bench = new ZeroCopyBench({ profile, filled: 16 });
  bench.nic.close();
  expect(bench.nic.driver.zeroCopy!.wakeup(0, 1)).toBe(-ENETDOWN);
});
