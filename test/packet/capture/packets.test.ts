import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ethernet } from '../../../src/packet/index.js';
import { capturePackets, readPackets, writePackets } from '../../../src/packet/capture/index.js';
import { capture } from '../../../src/testing/arbitraries/index.js';
import { fc, prop } from '../../support/property.js';
import { temporaryFolder } from '../../support/temporaryFolder.js';

const folder = temporaryFolder();
const first = ethernet().ipv4().udp().payload('first');
const second = ethernet().arp().build();

describe('writePackets', () => {
  it.each(['cases.pcap', 'cases.pcapng'])('writes builders, bytes and packets with times to %s', (name) => {
    const path = folder.at(name);
    writePackets(path, [first, second, { data: second, tSec: 1_700_000_000, tNsec: 999_999_999, originalLength: 1500 }, { data: second }]);
    expect([...readPackets(path)]).toEqual([
      { data: first.build(), tSec: 0, tNsec: 0, originalLength: first.build().length },
      { data: second, tSec: 0, tNsec: 1000, originalLength: second.length },
      { data: second, tSec: 1_700_000_000, tNsec: 999_999_999, originalLength: 1500 },
      { data: second, tSec: 0, tNsec: 3000, originalLength: second.length },
    ]);
  });

  it('takes anything that can be gone through, and the packets of another capture', () => {
    const path = folder.at('copy.pcap');
    writePackets(path, readPackets('fixtures/pcaps/mixed.pcap'));
    expect([...readPackets(path)]).toEqual([...readPackets('fixtures/pcaps/mixed.pcap')]);
  });

  it('throws what is wrong, and closes the file', () => {
    expect(() => writePackets(folder.at('no/such/folder.pcap'), [first])).toThrow('folder.pcap');
    expect(() => writePackets(folder.at('times.pcap'), [{ data: second, tSec: 2 ** 32 }])).toThrow();
    const path = folder.at('broken.pcap');
    expect(() => writePackets(path, [first, ethernet().ipv4().udp().payload(70_000)])).toThrow(RangeError);
    // What came before the packet that could not be built is there.
    expect([...readPackets(path)].map(({ data }) => data)).toEqual([first.build()]);
  });
});

describe('capturePackets', () => {
  it('gives the bytes of the file', () => {
    writePackets(folder.at('same.pcap'), [first, second]);
    expect(Buffer.from(capturePackets([first, second])).equals(readFileSync(folder.at('same.pcap')))).toBe(true);
  });

  prop([capture({ maxLength: 5 })], { numRuns: 50 })('and readPackets give back what was drawn', (packets) => {
    expect([...readPackets(capturePackets(packets))]).toEqual(packets.map(({ data, tSec, tNsec }) => ({ data, tSec, tNsec, originalLength: data.length })));
  });
});

describe('readPackets', () => {
  it('gives packets that are the reader\'s own', () => {
    const [one, two] = [...readPackets(capturePackets([first, second]))];
    one!.data.fill(0);
    expect(two!.data).toEqual(second);
  });

  it('gives the packets before a fault, then throws', () => {
    const bytes = capturePackets([first, second]);
    const seen: number[] = [];
    expect(() => {
      for (const { data } of readPackets(bytes.subarray(0, bytes.length - 1))) seen.push(data.length);
    }).toThrow('packet 2');
    expect(seen).toEqual([first.build().length]);
    expect(() => [...readPackets('no/such.pcap')]).toThrow('no/such.pcap');
  });

  prop([fc.uint8Array({ maxLength: 200 })])('throws nothing but Problems, whatever the bytes', (bytes) => {
    try {
      for (const _ of readPackets(bytes)) continue;
    } catch (error) {
      expect((error as Error).name).toBe('ProblemError');
    }
  });
});
