import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { createUmem, XskSocket } from '../../src/umem/index.js';
import { BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, REDIRECT_IFINDEX, REDIRECT_MAP, Vm } from '../../src/vm/index.js';
import { createRedirectInfo } from '../../src/vm/redirect.js';
import type { ProgramEntryMap, RedirectInfo } from '../../src/vm/index.js';
import { Outcome, redirectErrorOutcome, redirectProgramId, resolveRedirect } from '../../src/xdp/index.js';
import type { RedirectSource } from '../../src/xdp/index.js';
import { map } from '../replay/support/kernelPrograms.js';
import { quietEnvironment, xdpProgram } from '../support/xdpProgram.js';

const [DEVMAP, CPUMAP, XSKMAP, DEVMAP_HASH] = [14, 16, 17, 25];

const memory = new HostMemory(4);
const umem = unwrap(createUmem(memory, 'umem', { chunkCount: 1, chunkSizeBytes: 4096, headroomBytes: 0 }));
const sockets = [0, 1].map((id) => new XskSocket(memory, id, 7, id, umem, { rx: 1, tx: 1, fill: 1, completion: 1 }));
const devices = [{ ifindex: 7, mtu: 1500 }, { ifindex: 9, mtu: 1000 }];

const source = (info: Partial<RedirectInfo>): RedirectSource => ({ memory, map: () => undefined, redirect: { ...createRedirectInfo(), ...info } });
const resolve = (info: Partial<RedirectInfo>, lenBytes = 60) => resolveRedirect(source(info), { sockets, devices }, lenBytes, 7);

describe('resolveRedirect', () => {
  it('without a helper call is EBADRQC', () => {
    expect(resolve({})).toBe(-56);
  });

  it('finds the socket of a map slot, which holds its id plus 1', () => {
    expect(resolve({ kind: REDIRECT_MAP, mapType: XSKMAP, target: 1 })).toBe(sockets[0]);
    expect(resolve({ kind: REDIRECT_MAP, mapType: XSKMAP, target: 2 })).toBe(sockets[1]);
    expect(resolve({ kind: REDIRECT_MAP, mapType: XSKMAP, target: 3 })).toBe(-6);
  });

  it('finds the device of an interface', () => {
    expect(resolve({ kind: REDIRECT_IFINDEX, targetIndex: 7 })).toBe(devices[0]);
  });

  it.each([0, 1, 8, 0xffffffff])('interface %i does not exist: EINVAL', (ifindex) => {
    expect(resolve({ kind: REDIRECT_IFINDEX, targetIndex: ifindex })).toBe(-22);
  });

  it('a frame may be MTU + Ethernet header + one VLAN tag long', () => {
    expect(resolve({ kind: REDIRECT_IFINDEX, targetIndex: 9 }, 1018)).toBe(devices[1]);
    expect(resolve({ kind: REDIRECT_IFINDEX, targetIndex: 9 }, 1019)).toBe(-90);
  });

  it('a socket takes any length here: it judges itself', () => {
    expect(resolve({ kind: REDIRECT_MAP, mapType: XSKMAP, target: 1 }, 9000)).toBe(sockets[0]);
  });
});

/** A machine whose map `m` holds these interfaces (of a CPUMAP: queue sizes), key beside value. */
function machineWith(type: number, entries: readonly (readonly [number, number])[]) {
  const vm = new Vm({ memory: new HostMemory(4), environment: quietEnvironment() });
  const loaded = unwrap(vm.load(xdpProgram('r0 = 0\nexit', { maps: [map('m', type, 4, 4, 8)] })));
  const m = loaded.maps.get('m') as ProgramEntryMap;
  const bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
  for (const [key, value] of entries) expect(m.updateBytes(bytes(key), bytes(value), 0)).toBe(0);
  const redirectTo = (key: number, flags = 0, lenBytes = 60) => {
    Object.assign(vm.redirect, { kind: REDIRECT_MAP, mapType: type, mapId: m.id, targetIndex: key, target: m.redirectTarget(key), flags });
    return resolveRedirect(vm, { sockets, devices }, lenBytes, 7);
  };
  return { vm, m, redirectTo };
}

describe.each([['DEVMAP', DEVMAP], ['DEVMAP_HASH', DEVMAP_HASH]])('resolveRedirect through a %s', (_, type) => {
  const BOTH = BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS;

  it('finds the device of an entry', () => {
    const { redirectTo, vm } = machineWith(type, [[0, 7], [3, 9], [5, 8]]);
    expect(redirectTo(0)).toBe(devices[0]);
    expect(redirectTo(3)).toBe(devices[1]);
    expect(redirectProgramId(vm)).toBe(0);
    expect(redirectTo(3, 0, 1019)).toBe(-90);
    expect(redirectErrorOutcome(redirectTo(5) as number)).toBe(Outcome.redirectNotSimulated);
  });

  it.each([
    ['the one device that is there', [[3, 7]], BPF_F_BROADCAST, devices[0]],
    ['nobody when the map is empty', [], BPF_F_BROADCAST, Outcome.redirectNoReceiver],
    ['nobody when the ingress device is the only one and excluded', [[3, 7]], BOTH, Outcome.redirectNoReceiver],
    ['the other one when the ingress device is excluded', [[0, 7], [3, 9]], BOTH, devices[1]],
    ['two devices, for which there is no copy', [[0, 7], [3, 9]], BPF_F_BROADCAST, Outcome.redirectNotSimulated],
    ['a device that is not there', [[0, 7], [3, 8]], BPF_F_BROADCAST, Outcome.redirectNotSimulated],
  ] as const)('broadcasts to %s', (__, entries, flags, expected) => {
    const { redirectTo, vm, m } = machineWith(type, entries);
    const target = redirectTo(6, flags);
    expect(typeof target === 'number' ? redirectErrorOutcome(target) : target).toBe(expected);
    if (typeof target !== 'number') expect(vm.redirect.target).toBe(m.redirectTarget(3));
  });

  it('leaves out of a broadcast who takes no packet of this length', () => {
    const { redirectTo } = machineWith(type, [[0, 7], [3, 9]]);
    expect(redirectTo(6, BPF_F_BROADCAST, 1019)).toBe(devices[0]);
    expect(redirectErrorOutcome(redirectTo(6, BPF_F_BROADCAST, 2000) as number)).toBe(Outcome.redirectNoReceiver);
  });
});

describe('resolveRedirect through a CPUMAP', () => {
  it('gives the CPU', () => {
    expect(machineWith(CPUMAP, [[0, 8]]).redirectTo(0)).toBe(0);
  });
});

describe('redirectErrorOutcome', () => {
  it.each([
    [-28, Outcome.xskTooLong], [-12, Outcome.xskFillEmpty], [-105, Outcome.xskRxFull], [-90, Outcome.redirectTooLong],
    [-56, Outcome.redirectNoHelper], [-22, Outcome.redirectNoTarget],
  ])('errno %i', (errno, outcome) => {
    expect(redirectErrorOutcome(errno)).toBe(outcome);
  });

  it('an errno that no redirect gives is a programmer error', () => {
    expect(() => redirectErrorOutcome(-1)).toThrow(RangeError);
    expect(() => redirectErrorOutcome(0)).toThrow(RangeError);
  });
});
