import { describe, expect, it } from 'vitest';
import { siphash } from '../../../src/vm/network/siphash.js';
import { Syncookies } from '../../../src/vm/network/syncookie.js';
import type { CookieFlow } from '../../../src/vm/network/syncookie.js';

const bytes = (count: number): Uint8Array => Uint8Array.from({ length: count }, (_, i) => i);

describe('SipHash-2-4', () => {
  // "SipHash: a fast short-input PRF", appendix A, and the authors' vectors for 0 to 63 bytes 00 01 02 ... under the key 00 01 ... 0f.
  it.each([
    [0, '726fdb47dd0e0e31'],
    [8, '93f5f5799a932462'],
    [15, 'a129ca6149be45e5'],
  ])('of %i bytes', (count, hash) => expect(siphash(bytes(count), bytes(16)).toString(16).padStart(16, '0')).toBe(hash));
});

const flow: CookieFlow = { source: bytes(4), destination: bytes(4), sourcePort: bytes(2), destinationPort: bytes(2) };

describe('a cookie', () => {
  const cookies = new Syncookies(bytes(64));

  it.each([[1460, 1460], [1459, 1440], [9000, 1460], [536, 536], [1, 536]])('of MSS %i carries %i', (offered, carried) => {
    const { cookie, mss } = cookies.make(flow, 1000, offered, 7);
    expect([mss, cookies.check(flow, 1000, cookie, 7)]).toEqual([carried, carried]);
  });

  it('is good in its minute and in the next one', () => {
    const { cookie } = cookies.make(flow, 0xffff_ffff, 1460, 255);
    expect([254, 255, 256, 257].map((minute) => cookies.check(flow, 0xffff_ffff, cookie, minute))).toEqual([0, 1460, 1460, 0]);
  });

  it('is good for its sequence number, ends and secrets only', () => {
    const { cookie } = cookies.make(flow, 1, 1460, 7);
    expect(cookies.check(flow, 0x100_0001, cookie, 7)).toBe(0);
    expect(cookies.check({ ...flow, sourcePort: Uint8Array.of(0, 2) }, 1, cookie, 7)).toBe(0);
    expect(new Syncookies(new Uint8Array(64)).check(flow, 1, cookie, 7)).toBe(0);
  });
});
