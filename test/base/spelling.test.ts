import { describe, expect, it } from 'vitest';
import { closestTo } from '../../src/base/spelling.js';
import { fc, prop } from '../support/property.js';

const OPTIONS = ['pcap', 'prog', 'set', 'map', 'engine', 'budget', 'seed', 'nic', 'mode', 'queues', 'cpus', 'rx-ring', 'tx-ring', 'mtu', 'rx-usecs', 'xsk', 'json', 'out', 'help', 'version'];

describe('closestTo', () => {
  it.each([
    ['pcpa', 'pcap'], ['pacp', 'pcap'], ['cap', 'pcap'], ['ppcap', 'pcap'], ['PCAP', 'pcap'], ['jsn', 'json'], ['queue', 'queues'],
    ['rxring', 'rx-ring'], ['rxRing', 'rx-ring'], ['tx_ring', 'tx-ring'], ['rx', 'rx-ring'], ['vers', 'version'], ['engin', 'engine'],
  ])('finds what %s was to be', (typed, meant) => {
    expect(closestTo(typed, OPTIONS)).toBe(meant);
  });

  it.each(['verbose', 'interface', 'xyz', '', 'a'])('suggests nothing for %s', (typed) => {
    expect(closestTo(typed, OPTIONS)).toBeUndefined();
  });

  prop([fc.constantFrom(...OPTIONS.filter((name) => name.length >= 4)), fc.nat(), fc.nat(25)])('forgives one wrong letter', (name, at, letter) => {
    const i = at % name.length;
    const typed = name.slice(0, i) + String.fromCharCode(97 + letter) + name.slice(i + 1);
    expect([name, ...OPTIONS]).toContain(closestTo(typed, OPTIONS));
    if (!OPTIONS.includes(typed)) expect(closestTo(typed, [name])).toBe(name);
  });

  prop([fc.constantFrom(...OPTIONS), fc.nat()])('forgives two letters that changed places', (name, at) => {
    const i = at % (name.length - 1);
    const typed = name.slice(0, i) + name[i + 1] + name[i] + name.slice(i + 2);
    expect(closestTo(typed, [name])).toBe(name);
  });
});
