import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { createUmem, XskSocket } from '../../src/umem/index.js';
import { REDIRECT_IFINDEX, REDIRECT_MAP } from '../../src/vm/index.js';
import { createRedirectInfo } from '../../src/vm/redirect.js';
import type { RedirectInfo } from '../../src/vm/index.js';
import { Outcome, redirectErrorOutcome, resolveRedirect } from '../../src/xdp/index.js';

const memory = new HostMemory(4);
const umem = unwrap(createUmem(memory, 'umem', { chunkCount: 1, chunkSizeBytes: 4096, headroomBytes: 0 }));
const sockets = [0, 1].map((id) => new XskSocket(memory, id, 7, id, umem, { rx: 1, tx: 1, fill: 1, completion: 1 }));
const devices = [{ ifindex: 7, mtu: 1500 }, { ifindex: 9, mtu: 1000 }];

const resolve = (info: Partial<RedirectInfo>, lenBytes = 60) =>
  resolveRedirect({ ...createRedirectInfo(), ...info }, { sockets, devices }, lenBytes);

describe('resolveRedirect', () => {
  it('without a helper call is EBADRQC', () => {
    expect(resolve({})).toBe(-56);
  });

  it('finds the socket of a map slot, which holds its id plus 1', () => {
    expect(resolve({ kind: REDIRECT_MAP, target: 1 })).toBe(sockets[0]);
    expect(resolve({ kind: REDIRECT_MAP, target: 2 })).toBe(sockets[1]);
    expect(resolve({ kind: REDIRECT_MAP, target: 3 })).toBe(-6);
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
    expect(resolve({ kind: REDIRECT_MAP, target: 1 }, 9000)).toBe(sockets[0]);
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
