import { describe, expect, it } from 'vitest';
import { fc, prop } from '../support/property.js';
import { RedirectHost, redirectMap, redirectTo } from './support/redirectHost.js';

const [BROADCAST, EXCLUDE_INGRESS] = [8, 16];

describe('the bulk queue of a device', () => {
  it('takes 16 frames, and is emptied by the 17th and by the flush: 16, 16 and 8 of 40, as the kernel does with live frames', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.receive(40);
    expect(host.xmits.map(({ count, isFlushed }) => [count, isFlushed])).toEqual([[16, false], [16, false]]);
    host.flush();
    expect(host.xmits.map(({ count, isFlushed }) => [count, isFlushed])).toEqual([[16, false], [16, false], [8, true]]);
    expect(host.xmits.flatMap(({ sent }) => sent)).toEqual(Array.from({ length: 40 }, (_, i) => i + 1));
    host.device(2).complete();
    expect(host.outcomes).toEqual({ redirect: 40 });
    expect(host.returned).toEqual({ direct: 0, ring: 40 });
    expect(host.isClean).toBe(true);
  });

  it('tells xdp_redirect for each packet, after a bulk that had to go first, and xdp_devmap_xmit for each bulk', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.poll(17);
    const redirected = 'xdp_redirect: prog=main action=REDIRECT ifindex=1 to_ifindex=2 err=0 map=2147483647 map_index=0';
    const xmit = (sent: number): string => `xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=1 to_ifindex=2 action=REDIRECT sent=${sent} drops=0 err=0`;
    expect(host.takeTraces()).toEqual([...Array.from({ length: 16 }, () => redirected), xmit(16), redirected, xmit(1)]);
  });

  it('is one for each CPU, and a flush is for the CPU that runs', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.receive(3);
    host.environment.cpu = 1;
    host.receive(2);
    host.flush();
    expect(host.xmits.map(({ sent }) => sent)).toEqual([[4, 5]]);
    host.environment.cpu = 0;
    host.flush();
    expect(host.xmits.map(({ sent }) => sent)).toEqual([[4, 5], [1, 2, 3]]);
  });

  it('of the device that came last is flushed first', () => {
    const host = new RedirectHost({ main: redirectTo(2), other: redirectMap('devices'), third: redirectTo(1) });
    host.put('devices', 0, 3);
    host.receive(1);
    host.receive(1, { program: 'third' });
    host.flush();
    expect(host.xmits.map(({ ifindex }) => ifindex)).toEqual([1, 2]);
  });

  it('a flush without frames does nothing', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.flush();
    expect(host.xmits).toEqual([]);
    expect(host.takeTraces()).toEqual([]);
  });
});

describe('what the device does not take', () => {
  it('is freed by the core, in the poll that received it', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.device(2).room = 5;
    host.poll(12);
    expect(host.outcomes).toEqual({ tx_ring_full: 7, redirect: 5 });
    expect(host.ends.slice(0, 7).map(({ packetId }) => packetId)).toEqual([6, 7, 8, 9, 10, 11, 12]);
    expect(host.returned).toEqual({ direct: 7, ring: 5 });
    expect(host.takeTraces().at(-1)).toBe('xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=1 to_ifindex=2 action=REDIRECT sent=5 drops=7 err=0');
    expect(host.isClean).toBe(true);
  });

  it('is everything when ndo_xdp_xmit fails', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.device(2).room = -6;
    host.poll(3);
    expect(host.errors).toEqual([0, 0, 0]);
    expect(host.outcomes).toEqual({ redirect_xmit_failed: 3 });
    expect(host.takeTraces().at(-1)).toBe('xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=1 to_ifindex=2 action=REDIRECT sent=0 drops=3 err=-6');
    expect(host.isClean).toBe(true);
  });

  it('goes back fragment by fragment', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.device(2).room = 1;
    host.poll(2, { lenBytes: 1000, fragmentBytes: 500 });
    expect(host.returned).toEqual({ direct: 2, ring: 2 });
    expect(host.ends.map(({ outcome, bytes }) => [outcome, bytes.length])).toEqual([['tx_ring_full', 1500], ['redirect', 1500]]);
    // What ends in the core is put together for those who watch.
    expect(host.ends[0].bytes.every((byte) => byte === 2)).toBe(true);
    expect(host.isClean).toBe(true);
  });
});

describe('a redirect that is refused leaves the packet to the driver', () => {
  const NDO_XMIT = 4;
  it.each([
    ['no helper was called', 'r0 = 4\nexit', {}, {}, -56, 'redirect_no_helper', 'to_ifindex=0 err=-56 map=0 map_index=0'],
    ['there is no such interface', redirectTo(9), {}, {}, -22, 'redirect_no_target', 'to_ifindex=9 err=-22 map=2147483647 map_index=0'],
    ['it takes no XDP frames', redirectTo(2), { xdpFeatures: 0, isUp: false }, {}, -95, 'redirect_not_supported', 'to_ifindex=2 err=-95 map=2147483647 map_index=0'],
    ['it takes none with fragments', redirectTo(2), { xdpFeatures: NDO_XMIT, isUp: false }, { fragmentBytes: 100 }, -95, 'redirect_not_supported', 'to_ifindex=2 err=-95 map=2147483647 map_index=0'],
    ['it is down', redirectTo(2), { isUp: false, mtu: 68 }, { lenBytes: 100 }, -100, 'redirect_device_down', 'to_ifindex=2 err=-100 map=2147483647 map_index=0'],
    ['the packet is too long', redirectTo(2), { mtu: 1000 }, { lenBytes: 1019 }, -90, 'redirect_too_long', 'to_ifindex=2 err=-90 map=2147483647 map_index=0'],
    ['it is too long with its fragments', redirectTo(2), { mtu: 1000 }, { lenBytes: 1000, fragmentBytes: 19 }, -90, 'redirect_too_long', 'to_ifindex=2 err=-90 map=2147483647 map_index=0'],
    ['the device of an entry is down', redirectMap('devices', 4), { isUp: false }, {}, -100, 'redirect_device_down', 'to_ifindex=2 err=-100 map=devices map_index=4'],
    ['struct xdp_frame has no room', redirectTo(9), {}, { headroomBytes: 36 }, -75, 'tx_no_headroom', 'to_ifindex=9 err=-75 map=2147483647 map_index=0'],
  ])('%s', (_, main, device, packet, error, outcome, trace) => {
    const host = new RedirectHost({ main });
    host.put('devices', 4, 2);
    Object.assign(host.device(2), device);
    host.poll(2, packet);
    expect(host.errors).toEqual([error, error]);
    expect(host.outcomes).toEqual({ [outcome]: 2 });
    expect(host.xmits).toEqual([]);
    expect(host.takeTraces()).toEqual(Array.from({ length: 2 }, () => `xdp_redirect_err: prog=main action=REDIRECT ifindex=1 ${trace}`));
    expect(host.isClean).toBe(true);
  });

  it('the longest frame is MTU + 18', () => {
    const host = new RedirectHost({ main: redirectTo(2) });
    host.device(2).mtu = 1000;
    host.poll(1, { lenBytes: 1018 });
    expect(host.outcomes).toEqual({ redirect: 1 });
  });

  it('an interface that a DEVMAP names and the host does not have is not simulated: Linux would not have let it in', () => {
    const host = new RedirectHost({ main: redirectMap('devices') });
    host.put('devices', 0, 99);
    host.poll(1);
    expect(host.outcomes).toEqual({ redirect_not_simulated: 1 });
  });
});

describe.each([['devices'], ['hash']])('the program of an entry of %s', (name) => {
  const hostWith = (second: string): RedirectHost => {
    const host = new RedirectHost({ main: redirectMap(name, 5), second });
    host.put(name, 5, 2, 'second');
    return host;
  };
  const xmit = (sent: number, drops: number): string => `xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=1 to_ifindex=2 action=REDIRECT sent=${sent} drops=${drops} err=0`;

  it('runs at the flush, not before', () => {
    const host = hostWith('r0 = 1\nexit');
    host.receive(3);
    expect(host.ends).toEqual([]);
    host.flush();
    expect(host.outcomes).toEqual({ devmap_drop: 3 });
  });

  it.each([['ABORTED', 0], ['TX', 3], ['REDIRECT', 4], ['0x4d', 77]])('%s drops, and tells xdp_exception', (action, retval) => {
    const host = hostWith(`r0 = ${retval}\nexit`);
    host.poll(2);
    expect(host.outcomes).toEqual({ devmap_drop: 2 });
    const exception = expect.stringMatching(new RegExp(`^xdp_exception: prog=second action=${action}.* ifindex=2`)) as string;
    expect(host.takeTraces().slice(2)).toEqual([exception, exception, xmit(0, 2)]);
    expect(host.returned).toEqual({ direct: 2, ring: 0 });
    expect(host.isClean).toBe(true);
  });

  it('XDP_DROP drops without a word', () => {
    const host = hostWith('r0 = 1\nexit');
    host.poll(2);
    expect(host.takeTraces().slice(2)).toEqual([xmit(0, 2)]);
    expect(host.xmits).toEqual([]);
  });

  it('drops some: the others move up', () => {
    // Every packet whose first byte is odd.
    const host = hostWith('r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nr0 = 1\nif r4 > r3 goto out\nr2 = *(u8 *)(r2 + 0)\nr0 = 2\nr2 &= 1\nif r2 == 0 goto out\nr0 = 1\nout: exit');
    host.poll(9);
    expect(host.xmits.map(({ sent }) => sent)).toEqual([[2, 4, 6, 8]]);
    expect(host.outcomes).toEqual({ devmap_drop: 5, redirect: 4 });
    expect(host.takeTraces().at(-1)).toBe(xmit(4, 5));
  });

  it('may move the head, up to struct xdp_frame; what is sent begins there', () => {
    const host = hostWith('r2 = -216\ncall 44\nr0 = 2\nexit');
    host.poll(1, { lenBytes: 100 });
    expect(host.ends[0].bytes.length).toBe(316);
    const short = hostWith('r2 = -10\ncall 44\nr0 = 2\nexit');
    short.poll(1, { headroomBytes: 48 });
    expect(short.ends.map(({ outcome, bytes }) => [outcome, bytes.length])).toEqual([['redirect', 64]]);
  });

  it('may cut fragments off, which go back', () => {
    const host = hostWith('r2 = -500\ncall 65\nr0 = 2\nexit');
    host.receive(2, { lenBytes: 1000, fragmentBytes: 500 });
    host.flush();
    expect(host.returned).toEqual({ direct: 2, ring: 0 });
    host.device(2).complete();
    expect(host.ends.map(({ bytes }) => bytes.length)).toEqual([1000, 1000]);
    expect(host.isClean).toBe(true);
  });

  it('that is stopped drops the packet', () => {
    const host = hostWith('r0 = *(u64 *)(r1 + 0)\nexit');
    host.poll(2);
    expect(host.outcomes).toEqual({ entry_program_fault: 2 });
    expect(host.faults).toEqual([1, 2]);
    expect(host.isClean).toBe(true);
  });

  it('is that of the first frame since the flush, for whatever comes after', () => {
    const host = new RedirectHost({ main: redirectMap(name, 5), second: 'r0 = 1\nexit', direct: redirectTo(2) });
    host.put(name, 5, 2, 'second');
    host.receive(1);
    host.receive(17, { program: 'direct' });
    host.flush();
    expect(host.outcomes).toEqual({ devmap_drop: 18 });
    host.poll(2, { program: 'direct' });
    expect(host.outcomes).toEqual({ devmap_drop: 18, redirect: 2 });
    expect(host.isClean).toBe(true);
  });
});

describe.each([['devices'], ['hash']])('a broadcast to %s', (name) => {
  const hostWith = (flags: number, ifindexes: readonly number[], more: Readonly<Record<string, string>> = {}): RedirectHost => {
    const host = new RedirectHost({ main: redirectMap(name, 7, flags), ...more });
    ifindexes.forEach((ifindex, key) => host.put(name, key, ifindex));
    return host;
  };

  it('reaches every device once: copies, and the packet itself for the last', () => {
    const host = hostWith(BROADCAST, [2, 3, 1]);
    host.poll(2);
    expect(host.xmits.map(({ ifindex, sent }) => [ifindex, sent])).toEqual(expect.arrayContaining([[1, [1, 2]], [2, [1, 2]], [3, [1, 2]]]));
    expect(host.outcomes).toEqual({ redirect: 2 });
    expect(host.copyOutcomes).toEqual({ redirect: 4 });
    expect(host.copies.every(({ packetId, bytes }) => bytes.length === 64 && bytes.every((byte) => byte === packetId))).toBe(true);
    expect(host.returned).toEqual({ direct: 0, ring: 2 });
    expect(host.isClean).toBe(true);
  });

  it('leaves out the ingress device when it is told to', () => {
    const host = hostWith(BROADCAST | EXCLUDE_INGRESS, [1, 2, 3]);
    host.poll(1);
    expect(host.xmits.map(({ ifindex }) => ifindex).sort()).toEqual([2, 3]);
    expect([host.ends.length, host.copies.length]).toEqual([1, 1]);
  });

  it('passes over who does not take the packet', () => {
    const host = hostWith(BROADCAST, [1, 2, 3, 99]);
    host.device(1).isUp = false;
    host.device(2).mtu = 40;
    host.poll(1);
    expect(host.xmits.map(({ ifindex }) => ifindex)).toEqual([3]);
    expect(host.copies).toEqual([]);
  });

  it('without a receiver is a success all the same, and the packet is gone', () => {
    const host = hostWith(BROADCAST | EXCLUDE_INGRESS, [1]);
    host.poll(2);
    expect(host.errors).toEqual([0, 0]);
    expect(host.outcomes).toEqual({ redirect_no_receiver: 2 });
    expect(host.returned).toEqual({ direct: 2, ring: 0 });
    expect(host.takeTraces()).toHaveLength(2);
    expect(host.isClean).toBe(true);
  });

  it('runs the program of each entry on the copy that goes there', () => {
    const host = new RedirectHost({ main: redirectMap(name, 0, BROADCAST), drop: 'r0 = 1\nexit', mark: 'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\n*(u8 *)(r2 + 0) = 0xaa\nout: r0 = 2\nexit' });
    host.put(name, 0, 1, 'mark');
    host.put(name, 1, 2, 'drop');
    host.put(name, 2, 3);
    host.poll(1);
    expect(host.xmits.map(({ ifindex, sent }) => [ifindex, sent]).sort()).toEqual([[1, [0xaa]], [3, [1]]]);
    expect(host.isClean).toBe(true);
  });

  it('of a packet in several buffers can not be copied; to one device it is no copy', () => {
    const host = hostWith(BROADCAST, [1, 2]);
    host.poll(1, { fragmentBytes: 100 });
    expect(host.errors).toEqual([-95]);
    expect(host.outcomes).toEqual({ redirect_not_supported: 1 });
    const one = hostWith(BROADCAST, [2]);
    one.poll(1, { fragmentBytes: 100 });
    expect(one.outcomes).toEqual({ redirect: 1 });
    expect([host.isClean, one.isClean]).toEqual([true, true]);
  });

  it('without memory for the copies fails; copies that went before are sent', () => {
    const host = hostWith(BROADCAST, [1, 2, 3]);
    let left = 2;
    host.allocator.shouldFail = () => left-- <= 0;
    host.poll(1);
    expect(host.errors).toEqual([-12]);
    expect(host.outcomes).toEqual({ redirect_copy_failed: 1 });
    expect(host.copyOutcomes).toEqual({ redirect: 1 });
    expect(host.isClean).toBe(true);
  });
});

const step = fc.record({ to: fc.constantFrom('main', 'second', 'all'), count: fc.integer({ min: 1, max: 20 }), lenBytes: fc.integer({ min: 14, max: 1600 }), flushes: fc.boolean() });
const anyHost = new RedirectHost({ main: redirectTo(2), second: redirectMap('devices', 1), all: redirectMap('hash', 0, BROADCAST), odd: 'r0 = 2\nexit' });
anyHost.put('devices', 1, 3, 'odd');
[1, 2, 3].forEach((ifindex) => anyHost.put('hash', ifindex, ifindex));

prop([fc.array(step, { maxLength: 20 }), fc.array(fc.integer({ min: -1, max: 20 }), { minLength: 3, maxLength: 3 })])(
  'whatever comes, each packet ends once and each buffer comes back',
  (steps, rooms) => {
    rooms.forEach((room, i) => (anyHost.device(i + 1).room = room));
    anyHost.ends.length = 0;
    anyHost.copies.length = 0;
    const first = anyHost.packetCount + 1;
    for (const { to, count, lenBytes, flushes } of steps) {
      anyHost.receive(count, { program: to, lenBytes });
      if (flushes || anyHost.allocator.usedCount > 150) anyHost.poll(0);
    }
    anyHost.poll(0);
    expect(anyHost.ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(Array.from({ length: anyHost.packetCount + 1 - first }, (_, i) => first + i));
    expect(anyHost.isClean).toBe(true);
  },
  60_000,
);
