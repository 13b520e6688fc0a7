import { describe, expect, it } from 'vitest';
import { MAC_ACCEPT, MAC_ADDRESS, MAC_OVER_LENGTH, MAC_RUNT, filterFrame, maxFrameBytes } from '../../../src/nic/index.js';

const OWN = Uint8Array.of(2, 0, 0, 0, 0, 1);
const filter = (destination: readonly number[], lenBytes: number, { promiscuous = false, mtu = 1500 } = {}): number =>
  filterFrame({ address: OWN, promiscuous, mtu }, Uint8Array.from([0xff, ...destination, ...new Uint8Array(60)]), 1, lenBytes);

describe('filterFrame', () => {
  it.each([
    ['own address', [2, 0, 0, 0, 0, 1], MAC_ACCEPT],
    ['broadcast', [255, 255, 255, 255, 255, 255], MAC_ACCEPT],
    ['multicast', [0x33, 0x33, 0, 0, 0, 1], MAC_ACCEPT],
    ['another station', [2, 0, 0, 0, 0, 2], MAC_ADDRESS],
    ['another station that differs in the first byte', [0, 0, 0, 0, 0, 1], MAC_ADDRESS],
  ])('%s', (_, destination, result) => {
    expect(filter(destination, 60)).toBe(result);
    expect(filter(destination, 60, { promiscuous: true })).toBe(MAC_ACCEPT);
  });

  it.each([[0, MAC_RUNT], [13, MAC_RUNT], [14, MAC_ACCEPT], [59, MAC_ACCEPT], [1522, MAC_ACCEPT], [1523, MAC_OVER_LENGTH], [16384, MAC_OVER_LENGTH], [262144, MAC_OVER_LENGTH]])(
    'a frame of %i bytes at MTU 1500',
    (lenBytes, result) => {
      expect(filter([...OWN], lenBytes)).toBe(result);
      expect(filter([...OWN], lenBytes, { promiscuous: true })).toBe(result);
    },
  );

  it('length comes before address', () => {
    expect(filter([2, 0, 0, 0, 0, 2], 13)).toBe(MAC_RUNT);
  });

  it.each([[68, 90], [1500, 1522], [9000, 9022]])('MTU %i lets in header and two VLAN tags: %i bytes', (mtu, bytes) => {
    expect(maxFrameBytes(mtu)).toBe(bytes);
  });
});
