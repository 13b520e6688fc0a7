import { describe, expect, it } from 'vitest';
import type { ProgramEntryMap } from '../../src/vm/index.js';
import { ETH_P_802_2, ETH_P_802_3, PACKET_BROADCAST, PACKET_HOST, PACKET_MULTICAST, PACKET_OTHERHOST } from '../../src/xdp/index.js';
import { map } from '../replay/support/kernelPrograms.js';
import { fc, prop } from '../support/property.js';
import { returning, xdpProgram } from '../support/xdpProgram.js';
import { ETH0, ETH1, frameOf, GenericHost } from './genericSupport.js';

const bytes = frameOf(60);
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

describe('verdicts', () => {
  it.each([
    [0, 'xdp_aborted: 60 bytes, 0', ['exception 2 main 0']], [1, 'xdp_drop: 60 bytes, 1', []], [2, 'stack: 60 bytes, 2', []],
    [4, 'redirect_no_helper: 60 bytes, 4', ['redirect 2 main -56 to 0 0']],
    [5, 'xdp_invalid_verdict: 60 bytes, 5', ['exception 2 main 5']],
  ])('%i', (verdict, end, traces) => {
    const host = new GenericHost(returning(verdict));
    host.receive({ bytes });
    expect(host.ends).toEqual([end]);
    expect(host.traces).toEqual(traces);
    expect(host.origin.verdicts[verdict]).toBe(1);
    expect(host.isClean).toBe(true);
  });

  it('XDP_TX sends out of the device that it came in by, with a tag that the device had stripped', () => {
    const host = new GenericHost(returning(3));
    const skb = host.skb({ bytes });
    skb.vlanTci = 5;
    host.core.generic.receive(skb);
    expect(host.sent).toEqual([{ ifindex: ETH0, bytes, vlanTci: 5 }]);
    expect(host.isClean).toBe(true);
  });

  it('XDP_TX that finds the ring full is an exception, and dropped', () => {
    const host = new GenericHost(returning(3));
    host.full.add(ETH0);
    host.receive({ bytes });
    expect(host.ends).toEqual(['tx_ring_full: 60 bytes, 3']);
    expect(host.traces).toEqual(['exception 2 main 3']);
    expect(host.isClean).toBe(true);
  });

  it('a program that does what the verifier forbids is stopped, and the packet dropped', () => {
    const host = new GenericHost(xdpProgram('r0 = *(u8 *)(r10 + 8)\nexit'));
    host.receive({ bytes });
    expect(host.ends).toEqual(['fault', 'program_fault: 60 bytes, -1']);
    expect(host.isClean).toBe(true);
  });

  it('without memory for a larger head the packet is dropped, and no program sees it', () => {
    const host = new GenericHost(returning(2));
    const skb = host.skb({ bytes });
    host.allocator.shouldFail = () => true;
    host.core.generic.receive(skb);
    expect(host.ends).toEqual(['skb_no_memory: 60 bytes, -1']);
    expect(host.isClean).toBe(true);
  });

  it('a multi-buffer program gets a packet in one buffer when there are no pages of the pool for it', () => {
    const host = new GenericHost(returning(2, { frags: true }));
    const skb = host.skb({ bytes, headroomBytes: 0 });
    let calls = 0;
    host.allocator.shouldFail = () => calls++ === 0;
    host.core.generic.receive(skb);
    host.core.generic.releaseStack();
    expect(host.ends).toEqual(['stack: 60 bytes, 2']);
    expect(host.isClean).toBe(true);
  });
});

describe('what a program sees and changes', () => {
  it.each([[-1, 0], [3, 3]])('a queue that was recorded as %i is queue %i', (rxQueue, seen) => {
    const host = new GenericHost(xdpProgram('r2 = *(u32 *)(r1 + 16)\nr0 = r2\nr0 += 100\nexit'));
    host.receive({ bytes, rxQueue });
    expect(host.ends).toEqual([`xdp_invalid_verdict: 60 bytes, ${100 + seen}`]);
  });

  it('metadata and bounds go on with the packet', () => {
    const host = new GenericHost(xdpProgram('r6 = r1\nr2 = -4\ncall 44\nr1 = r6\nr2 = -8\ncall 54\nr1 = r6\nr2 = 6\ncall 65\nr0 = 2\nexit'));
    host.receive({ bytes });
    expect(host.ends).toEqual(['stack: 70 bytes, 8 of metadata, 2']);
    const [{ bytes: left }] = host.passed;
    expect(left.subarray(4, 64)).toEqual(bytes);
    expect([...left.subarray(64)]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(host.isClean).toBe(true);
  });

  it.each([
    ['bpf_xdp_adjust_tail', 'r2 = -5000\ncall 65\nr0 = 2\nexit', (all: Uint8Array) => all.subarray(0, -5000)],
  ])('fragments that %s empties are freed', (_, text, expected) => {
    const host = new GenericHost(xdpProgram(text, { frags: true }));
    const all = frameOf(9000);
    host.receive({ bytes: all, linearBytes: 1000 });
    expect(host.passed[0].bytes).toEqual(expected(all));
    expect(host.isClean).toBe(true);
  });

  it('fragments do not grow: the queues of the stack have no frag_size (EOPNOTSUPP)', () => {
    const host = new GenericHost(xdpProgram('r2 = 4\ncall 65\nexit', { frags: true }));
    host.receive({ bytes: frameOf(9000), linearBytes: 1000 });
    expect(host.ends[0]).toBe(`xdp_invalid_verdict: 9000 bytes, ${2 ** 32 - 95}`);
  });

  /** Writes these bytes at this place, and passes. */
  const writing = (at: number, values: readonly number[]) =>
    xdpProgram(`r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nr0 = 0\nif r4 > r3 goto out\n${values.map((value, i) => `*(u8 *)(r2 + ${at + i}) = ${value}`).join('\n')}\nr0 = 2\nout: exit`);

  it.each([
    ['nothing', 12, [0x88, 0xb5], PACKET_HOST, 0x88b5],
    ['the EtherType', 12, [0x08, 0x00], PACKET_HOST, 0x800],
    ['the EtherType to a length', 12, [0, 46], PACKET_HOST, ETH_P_802_2],
    ['the address to a broadcast', 0, [255, 255, 255, 255, 255, 255], PACKET_BROADCAST, 0x88b5],
    ['the address to a multicast', 0, [1, 0, 94, 1, 1, 1], PACKET_MULTICAST, 0x88b5],
    ['the address to another host', 5, [9], PACKET_OTHERHOST, 0x88b5],
  ])('%s: the stack takes the packet for what it is now', (_, at, values, packetType, protocol) => {
    const host = new GenericHost(writing(at, values));
    host.receive({ bytes });
    expect(host.passed[0]).toMatchObject({ packetType, protocol });
  });

  it('raw 802.3 begins with two bytes of ones', () => {
    const host = new GenericHost(writing(12, [0, 46]));
    host.receive({ bytes: Uint8Array.from(bytes, (byte, i) => (i === 14 || i === 15 ? 0xff : byte)) });
    expect(host.passed[0]).toMatchObject({ protocol: ETH_P_802_3 });
  });
});

describe('redirects', () => {
  it.each([ETH0, ETH1])('bpf_redirect to device %i, which needs no ndo_xdp_xmit', (ifindex) => {
    const host = new GenericHost(xdpProgram(`r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`));
    host.receive({ bytes });
    expect(host.sent).toEqual([{ ifindex, bytes, vlanTci: -1 }]);
    expect(host.traces).toEqual([`redirect 2 main 0 to ${ifindex} without map`]);
    expect(host.isClean).toBe(true);
  });

  it('a full ring of the target is no error of bpf_redirect: the exception comes after it', () => {
    const host = new GenericHost(xdpProgram(`r1 = ${ETH1}\nr2 = 0\ncall 23\nexit`));
    host.full.add(ETH1);
    host.receive({ bytes });
    expect(host.traces).toEqual(['redirect 2 main 0 to 3 without map', 'exception 3 main 3']);
    expect(host.ends).toEqual(['tx_ring_full: 60 bytes, 4']);
    expect(host.isClean).toBe(true);
  });

  it.each([
    ['no such interface', 9, {}, 60, -22, 'redirect_no_target'], ['a device that is down', ETH1, { isUp: false }, 60, -100, 'redirect_device_down'],
    ['too long by one byte', ETH1, { mtu: 1000 }, 1019, -90, 'redirect_too_long'],
  ])('bpf_redirect: %s', (_, ifindex, more, lenBytes, errno, outcome) => {
    const host = new GenericHost(xdpProgram(`r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`), { devices: [{ ifindex: ETH0, mtu: 1500 }, { ifindex: ETH1, mtu: 1500, ...more }] });
    host.receive({ bytes: frameOf(lenBytes) });
    expect(host.traces).toEqual([`redirect 2 main ${errno} to ${ifindex} without map`]);
    expect(host.ends).toEqual([`${outcome}: ${lenBytes} bytes, 4`]);
    expect(host.isClean).toBe(true);
  });

  /** A host whose DEVMAP holds these interfaces, and to which its program redirects. */
  function withDevmap(key: number, flags: number, entries: readonly number[], more: ConstructorParameters<typeof GenericHost>[1] = {}): GenericHost {
    const host = new GenericHost(xdpProgram(`r1 = map devices\nr2 = ${key}\nr3 = ${flags}\ncall 51\nexit`, { maps: [map('devices', 14, 4, 8, 8)] }), more);
    const devices = host.loaded.maps.get('devices') as ProgramEntryMap;
    entries.forEach((ifindex, slot) => expect(devices.updateEntry(u32(slot), ifindex, undefined, 0)).toBe(0));
    return host;
  }
  const BROADCAST = 8;
  const EXCLUDE_INGRESS = 16;

  it('to an entry of a DEVMAP', () => {
    const host = withDevmap(1, 0, [ETH0, ETH1]);
    host.receive({ bytes });
    expect(host.sent.map(({ ifindex }) => ifindex)).toEqual([ETH1]);
    expect(host.traces).toEqual(['redirect 2 main 0 to 3 1']);
    expect(host.isClean).toBe(true);
  });

  it('a broadcast sends copies, and the packet itself to the last', () => {
    const host = withDevmap(99, BROADCAST, [ETH1, ETH0, ETH1]);
    host.receive({ bytes: frameOf(1000), linearBytes: 500 });
    expect(host.sent.map(({ ifindex }) => ifindex)).toEqual([ETH1, ETH0, ETH1]);
    for (const sent of host.sent) expect(sent.bytes).toEqual(frameOf(1000));
    expect(host.traces).toEqual(['redirect 2 main 0 to 0 99']);
    expect(host.isClean).toBe(true);
  });

  it('a broadcast may leave out where the packet came from, and may find nobody', () => {
    const host = withDevmap(0, BROADCAST | EXCLUDE_INGRESS, [ETH0]);
    host.receive({ bytes });
    expect(host.ends).toEqual(['redirect_no_receiver: 60 bytes, 4']);
    // The key is not looked at, but what stands under it is told.
    expect(host.traces).toEqual(['redirect 2 main 0 to 2 0']);
    expect(host.isClean).toBe(true);
  });

  it('a broadcast ends at the first device that does not take the packet; copies that were sent are sent', () => {
    const host = withDevmap(0, BROADCAST, [ETH0, ETH1, ETH0], { devices: [{ ifindex: ETH0, mtu: 1500 }, { ifindex: ETH1, mtu: 1500, isUp: false }] });
    host.receive({ bytes });
    expect(host.sent.map(({ ifindex }) => ifindex)).toEqual([ETH0]);
    expect(host.traces).toEqual(['redirect 2 main -100 to 2 0']);
    expect(host.ends).toEqual(['redirect_device_down: 60 bytes, 4']);
    expect(host.isClean).toBe(true);
  });

  prop([fc.array(fc.constantFrom(ETH0, ETH1), { maxLength: 5 }), fc.constantFrom(0, BROADCAST, BROADCAST | EXCLUDE_INGRESS), fc.nat(7), fc.nat(12)], { numRuns: 40 })(
    'whatever fails, the packet ends once and all memory comes back', (entries, flags, key, allowed) => {
      const host = withDevmap(key, flags, entries);
      const skb = host.skb({ bytes: frameOf(3000), linearBytes: 1000 });
      let left = allowed;
      host.allocator.shouldFail = () => left-- === 0;
      host.core.generic.receive(skb);
      host.core.generic.releaseStack();
      const own = host.ends.filter((end) => !end.startsWith('copy')).length;
      expect(own === 1 || (own === 0 && host.sent.length > 0)).toBe(true);
      expect(host.isClean).toBe(true);
    },
  );

  it('to a CPU, where the packet goes up', () => {
    const host = new GenericHost(xdpProgram('r1 = map cpus\nr2 = 0\nr3 = 0\ncall 51\nexit', { maps: [map('cpus', 16, 4, 8, 4)] }));
    expect((host.loaded.maps.get('cpus') as ProgramEntryMap).updateEntry(u32(0), 8, undefined, 0)).toBe(0);
    host.receive({ bytes });
    expect(host.traces).toEqual(['enqueue 0 1 0 to 0', 'redirect 2 main 0 to 0 0']);
    expect(host.ends).toEqual(['cpumap: 60 bytes, 4']);
    expect(host.isClean).toBe(true);
  });
});

describe('older kernels', () => {
  it.each([['6.6', 9000], ['6.18', 3520]] as const)('%s: a multi-buffer program gets %i bytes of 9000 in the first buffer', (kernel, linearBytes) => {
    const host = new GenericHost(xdpProgram('r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr3 -= r2\nr0 = r3\nexit', { frags: true }), { kernel });
    host.receive({ bytes: frameOf(9000), linearBytes: 1000 });
    expect(host.ends).toEqual([`xdp_invalid_verdict: 9000 bytes, ${linearBytes}`]);
    expect(host.isClean).toBe(true);
  });
});
