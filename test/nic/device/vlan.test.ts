import { describe, expect, it } from 'vitest';
import { insertVlanTag, NO_VLAN_TAG, strippableTci, VLAN_TAG_BYTES, VLAN_TAG_OFFSET } from '../../../src/nic/device/vlan.js';
import * as frames from '../../packet/support/frames.js';
import { fc, prop } from '../../support/property.js';

const tciOf = (bytes: Uint8Array, lenBytes = bytes.length, tpid?: number): number => strippableTci(bytes, 0, lenBytes, tpid);

describe('strippableTci', () => {
  it('gives the tag control information of an 802.1Q tag', () => {
    expect(tciOf(frames.vlanTagged)).toBe(0xa064);
  });

  it('leaves an outer 802.1ad tag alone, and what is behind it, unless the device is set to it', () => {
    expect(tciOf(frames.qinq)).toBe(NO_VLAN_TAG);
    expect(tciOf(frames.qinq, frames.qinq.length, 0x88a8)).toBe(200);
    expect(tciOf(frames.vlanTagged, frames.vlanTagged.length, 0x88a8)).toBe(NO_VLAN_TAG);
  });

  it('is none for a frame without a tag, and for one that ends within or right behind it', () => {
    expect(tciOf(frames.udpDatagram)).toBe(NO_VLAN_TAG);
    expect([14, 15, 16, 17, 18].map((len) => tciOf(frames.vlanTagged, len))).toEqual([-1, -1, -1, -1, 0xa064]);
  });
});

describe('insertVlanTag', () => {
  it('makes the tagged frame of the untagged one', () => {
    const u8 = new Uint8Array(100);
    u8.set(frames.udpDatagram, 10);
    expect(insertVlanTag(u8, 10, 0xa064)).toBe(6);
    expect(u8.subarray(6, 6 + frames.vlanTagged.length)).toEqual(frames.vlanTagged);
  });

  it('puts an outer tag before an inner one', () => {
    const u8 = new Uint8Array(100);
    u8.set(frames.vlanTagged, 10);
    // Priority and VLAN of the inner tag differ between the two literals.
    u8.set([0, 100], 24);
    expect(insertVlanTag(u8, 10, 200, 0x88a8)).toBe(6);
    expect(u8.subarray(6, 6 + frames.qinq.length)).toEqual(frames.qinq);
  });

  prop([fc.uint8Array({ minLength: 14, maxLength: 80 }), fc.integer({ min: 0, max: 0xffff })])('is undone by leaving out the stripped tag', (frame, tci) => {
    const u8 = new Uint8Array(128).fill(0x5a);
    u8.set(frame, 16);
    const begin = insertVlanTag(u8, 16, tci);
    expect(strippableTci(u8, begin, frame.length + VLAN_TAG_BYTES)).toBe(tci);
    const stripped = [
      ...u8.subarray(begin, begin + VLAN_TAG_OFFSET), ...u8.subarray(begin + VLAN_TAG_OFFSET + VLAN_TAG_BYTES, begin + VLAN_TAG_BYTES + frame.length),
    ];
    expect(stripped).toEqual([...frame]);
    expect([...u8.subarray(0, begin), ...u8.subarray(begin + VLAN_TAG_BYTES + frame.length)].every((byte) => byte === 0x5a)).toBe(true);
  });
});
