import { describe, expect, it } from 'vitest';
import { ParsedFrame, parseFrame } from '../../../src/nic/device/parseFrame.js';
import { defaultRssKey, Rss, RSS_KEY_MICROSOFT, spreadIndirection } from '../../../src/nic/device/rss.js';
import * as frames from '../../packet/support/frames.js';
import { XDP_RSS_L3_IPV4, XDP_RSS_L3_IPV6, XDP_RSS_L4, XDP_RSS_L4_TCP, XDP_RSS_L4_UDP, XDP_RSS_TYPE_NONE } from '../../../src/vm/index.js';
import { fc, prop } from '../../support/property.js';

const rss = new Rss(RSS_KEY_MICROSOFT, 4);

/** "Verifying the RSS hash calculation", Microsoft: source, destination, hash of the addresses, hash with ports. */
const IPV4_VECTORS: readonly (readonly [string, string, number, number])[] = [
  ['66.9.149.187:2794', '161.142.100.80:1766', 0x323e8fc2, 0x51ccc178],
  ['199.92.111.2:14230', '65.69.140.83:4739', 0xd718262a, 0xc626b0ea],
  ['24.19.198.95:12898', '12.22.207.184:38024', 0xd2d0a5de, 0x5c2b394a],
  ['38.27.205.30:48228', '209.142.163.6:2217', 0x82989176, 0xafc7327f],
  ['153.39.163.191:44251', '202.188.127.2:1303', 0x5d1809c5, 0x10e828a2],
];
const IPV6_VECTORS: readonly (readonly [string, string, number, number])[] = [
  ['3ffe25010200 1fff 0000000000000007 2794', '3ffe25010200 0003 0000000000000001 1766', 0x2cc18cd5, 0x40207d3d],
  ['3ffe05010008 0000 026097fffe40efab 14230', 'ff0200000000 0000 0000000000000001 4739', 0x0f0c461c, 0xdde51bbf],
  ['3ffe19004545 0003 0200f8fffe2167cf 44251', 'fe8000000000 0000 0200f8fffe2167cf 38024', 0x4b61e985, 0x02d1feef],
];

const TCP = 6;
const UDP = 17;

function endpoint4(text: string): { address: number[]; port: number[] } {
  const [address, port] = text.split(':');
  return { address: address.split('.').map(Number), port: [Number(port) >> 8, Number(port) & 255] };
}

function endpoint6(text: string): { address: number[]; port: number[] } {
  const parts = text.split(' ');
  return { address: [...Buffer.from(parts.slice(0, 3).join(''), 'hex')], port: [Number(parts[3]) >> 8, Number(parts[3]) & 255] };
}

const ETHERNET = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

function ipv4(vector: readonly [string, string, number, number], protocol: number, { tags = [] as number[], fragment = 0, options = [] as number[] } = {}): Uint8Array {
  const [source, destination] = [endpoint4(vector[0]), endpoint4(vector[1])];
  const header = [0x45 + options.length / 4, 0, 0, 60, 0, 1, fragment >> 8, fragment & 255, 64, protocol, 0, 0];
  return Uint8Array.from([...ETHERNET, ...tags, 8, 0, ...header, ...source.address, ...destination.address, ...options, ...source.port, ...destination.port, ...Array<number>(16)].map((byte) => byte ?? 0));
}

function ipv6(vector: readonly [string, string, number, number], nextHeader: number): Uint8Array {
  const [source, destination] = [endpoint6(vector[0]), endpoint6(vector[1])];
  return Uint8Array.from([...ETHERNET, 0x86, 0xdd, 0x60, 0, 0, 0, 0, 20, nextHeader, 64, ...source.address, ...destination.address, ...source.port, ...destination.port, ...new Uint8Array(16)]);
}

const hash = (frame: Uint8Array): number => rss.hashFrame(frame, 0, frame.length) >>> 0;

describe('Toeplitz hash', () => {
  it.each(IPV4_VECTORS)('%s to %s', (source, destination, l3, l4) => {
    const vector = [source, destination, l3, l4] as const;
    const [from, to] = [endpoint4(source), endpoint4(destination)];
    const input = Uint8Array.from([...from.address, ...to.address, ...from.port, ...to.port]);
    expect([rss.toeplitz(input, 8), rss.toeplitz(input, 12)]).toEqual([l3, l4]);
    expect([hash(ipv4(vector, TCP)), hash(ipv4(vector, UDP)), hash(ipv4(vector, 1))]).toEqual([l4, l4, l3]);
  });

  it.each(IPV6_VECTORS)('%s to %s', (source, destination, l3, l4) => {
    const vector = [source, destination, l3, l4] as const;
    expect([hash(ipv6(vector, TCP)), hash(ipv6(vector, UDP)), hash(ipv6(vector, 58))]).toEqual([l4, l4, l3]);
  });

  prop([fc.uint8Array({ minLength: 52, maxLength: 52 }), fc.uint8Array({ minLength: 36, maxLength: 36 }), fc.integer({ min: 0, max: 36 })])(
    'is the xor of the key windows at the set bits',
    (key, input, len) => {
      let bits = BigInt(0);
      for (const byte of key) bits = (bits << 8n) | BigInt(byte);
      let expected = 0;
      for (let bit = 0; bit < len * 8; bit++) {
        if ((input[bit >> 3] & (0x80 >> (bit & 7))) === 0) continue;
        expected ^= Number((bits >> BigInt(52 * 8 - 32 - bit)) & 0xffffffffn);
      }
      expect(new Rss(key, 1).toeplitz(input, len)).toBe(expected >>> 0);
    },
  );
});

describe('hashFrame', () => {
  const vector = IPV4_VECTORS[0];
  const [, , l3, l4] = vector;

  it('looks behind one and two VLAN tags, not behind three', () => {
    const tag = [0x81, 0, 0, 5];
    expect(hash(ipv4(vector, TCP, { tags: tag }))).toBe(l4);
    expect(hash(ipv4(vector, TCP, { tags: [0x88, 0xa8, 0, 9, ...tag] }))).toBe(l4);
    expect(hash(ipv4(vector, TCP, { tags: [...tag, ...tag, ...tag] }))).toBe(0);
  });

  it('knows ports behind IPv4 options', () => {
    expect(hash(ipv4(vector, TCP, { options: [1, 1, 1, 1] }))).toBe(l4);
  });

  it.each([[0x2000, 'first'], [0x20b9, 'middle'], [0x00b9, 'last'], [0x1f00, 'last, offset in the upper byte']])('fragment field %i (%s): addresses only', (fragment) => {
    expect(hash(ipv4(vector, UDP, { fragment }))).toBe(l3);
  });

  it("don't fragment is no fragment", () => {
    expect(hash(ipv4(vector, UDP, { fragment: 0x4000 }))).toBe(l4);
  });

  it('all fragments of an IPv6 packet go by their addresses', () => {
    expect(hash(frames.ipv6Fragment)).toBe(rss.toeplitz(frames.ipv6Fragment.subarray(22), 32));
  });

  it.each([['ARP', frames.arpRequest], ['LLDP', frames.lldp], ['LLC', frames.llc]])('%s is not hashed', (_, frame) => {
    expect(hash(frame)).toBe(0);
  });

  it('knows what it hashed', () => {
    const typeOf = (frame: Uint8Array): number => (hash(frame), rss.hashType);
    expect([typeOf(ipv4(vector, TCP)), typeOf(ipv4(vector, UDP)), typeOf(ipv4(vector, 1))]).toEqual([XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_TCP, XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_UDP, XDP_RSS_L3_IPV4]);
    expect([typeOf(ipv6(IPV6_VECTORS[0], UDP)), typeOf(ipv6(IPV6_VECTORS[0], 58)), typeOf(frames.arpRequest)]).toEqual([XDP_RSS_L3_IPV6 | XDP_RSS_L4 | XDP_RSS_L4_UDP, XDP_RSS_L3_IPV6, XDP_RSS_TYPE_NONE]);
  });

  it('a cut frame is hashed by what is whole of it', () => {
    const frame = ipv4(vector, TCP);
    const at = (len: number): number => rss.hashFrame(frame, 0, len) >>> 0;
    expect([14, 33, 34, 37, 38].map(at)).toEqual([0, 0, l3, l3, l4]);
    const tagged = ipv4(vector, TCP, { tags: [0x81, 0, 0, 5] });
    expect([14, 17, 18, 37, 38, 42].map((len) => rss.hashFrame(tagged, 0, len) >>> 0)).toEqual([0, 0, 0, 0, l3, l4]);
  });

  prop([fc.uint8Array({ minLength: 14, maxLength: 90 })])('reads no byte behind the frame', (frame) => {
    const padded = (fill: number): Uint8Array => Uint8Array.from([...frame, ...new Uint8Array(60).fill(fill)]);
    expect(rss.hashFrame(padded(0), 0, frame.length)).toBe(rss.hashFrame(padded(0xff), 0, frame.length));
  });
});

describe('hash by choice', () => {
  const vector = IPV4_VECTORS[0];
  const [, , l3, l4] = vector;

  it('UDP goes by its addresses until its ports are asked for; TCP does not', () => {
    const intel = new Rss(RSS_KEY_MICROSOFT, 4, { hashesUdpPorts: false });
    const hashOf = (frame: Uint8Array): number => intel.hashFrame(frame, 0, frame.length) >>> 0;
    expect([hashOf(ipv4(vector, UDP)), intel.hashType]).toEqual([l3, XDP_RSS_L3_IPV4]);
    expect([hashOf(ipv4(vector, TCP)), intel.hashType]).toEqual([l4, XDP_RSS_L3_IPV4 | XDP_RSS_L4 | XDP_RSS_L4_TCP]);
    expect(hashOf(ipv6(IPV6_VECTORS[0], UDP))).toBe(IPV6_VECTORS[0][2]);
    intel.hashesUdpPorts = true;
    expect(hashOf(ipv4(vector, UDP))).toBe(l4);
  });

  it('is the same for a frame that was parsed before', () => {
    const frame = ipv4(vector, TCP);
    const parsed = new ParsedFrame();
    parseFrame(frame, 0, frame.length, parsed);
    expect(rss.hashParsed(frame, 0, parsed) >>> 0).toBe(l4);
  });

  it.each([['version', 0x65], ['header length', 0x44], ['header length', 0x4f]])('an IPv4 header whose %s makes no sense is not hashed', (_, first) => {
    const frame = ipv4(vector, TCP);
    frame[14] = first;
    expect([hash(frame), rss.hashType]).toEqual([0, XDP_RSS_TYPE_NONE]);
  });
});

describe('key', () => {
  prop([fc.constantFrom(40, 52), fc.uint8Array({ minLength: 52, maxLength: 52 }), fc.uint8Array({ minLength: 36, maxLength: 36 })])(
    'can be set, and hashes as if it had been there from the start',
    (keyBytes, random, input) => {
      const key = random.subarray(0, keyBytes);
      const device = new Rss(defaultRssKey(keyBytes), 4);
      expect(device.setKey(key)).toEqual({ ok: true, value: undefined });
      expect(device.key).toEqual(key);
      expect(device.toeplitz(input, 36)).toBe(new Rss(key, 4).toeplitz(input, 36));
    },
  );

  it.each([[40, 39], [40, 52], [52, 40], [40, 0]])('of a device with %i bytes is refused with %i bytes (EINVAL) and stays', (deviceBytes, keyBytes) => {
    const device = new Rss(defaultRssKey(deviceBytes), 4);
    expect(device.setKey(new Uint8Array(keyBytes))).toMatchObject({ ok: false, problem: { code: 'rss-key-length', message: expect.stringContaining('EINVAL') } });
    expect(device.key).toEqual(defaultRssKey(deviceBytes));
  });

  it('is a copy', () => {
    const key = Uint8Array.from(RSS_KEY_MICROSOFT);
    const device = new Rss(key, 1);
    key.fill(0);
    expect(device.key).toEqual(RSS_KEY_MICROSOFT);
  });

  it('by default hashes like the key of 40 bytes when it is longer', () => {
    expect(new Rss(defaultRssKey(52), 4).hashFrame(ipv4(IPV4_VECTORS[0], TCP), 0, 54) >>> 0).toBe(0x51ccc178);
    expect(defaultRssKey(52).subarray(40)).toEqual(RSS_KEY_MICROSOFT.subarray(0, 12));
  });
});

describe('indirection table', () => {
  it('has 128 entries that go round the queues', () => {
    const { indirection } = new Rss(RSS_KEY_MICROSOFT, 3);
    expect(indirection.length).toBe(128);
    expect([...indirection.subarray(0, 7)]).toEqual([0, 1, 2, 0, 1, 2, 0]);
  });

  it('is entered by the low 7 bits of the hash, also of a negative one', () => {
    const table = new Rss(RSS_KEY_MICROSOFT, 64);
    expect([table.queueFor(0), table.queueFor(0x51ccc178), table.queueFor(-1), table.queueFor(0x80000001 | 0)]).toEqual([0, 0x78 % 64, 127 % 64, 1]);
  });

  it('may be filled in blocks', () => {
    const blocks = new Rss(RSS_KEY_MICROSOFT, 4, { spread: 'blocks' });
    expect([0, 31, 32, 63, 64, 127].map((hashed) => blocks.queueFor(hashed))).toEqual([0, 0, 1, 1, 2, 3]);
    expect(spreadIndirection(8, 3, 'blocks')).toEqual([0, 0, 0, 1, 1, 1, 2, 2]);
    expect(spreadIndirection(8, 3, 'interleaved')).toEqual([0, 1, 2, 0, 1, 2, 0, 1]);
  });

  prop([fc.integer({ min: 1, max: 2048 }), fc.integer({ min: 1, max: 300 }), fc.constantFrom('interleaved' as const, 'blocks' as const), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })])(
    'of any size is entered by the hash modulo its size',
    (indirectionSize, queues, spread, hashed) => {
      const table = new Rss(RSS_KEY_MICROSOFT, queues, { indirectionSize, spread });
      expect(table.queueFor(hashed)).toBe(spreadIndirection(indirectionSize, queues, spread)[(hashed >>> 0) % indirectionSize]);
    },
  );

  it('can be set as a whole', () => {
    const table = new Rss(RSS_KEY_MICROSOFT, 4, { indirectionSize: 8 });
    expect(table.setIndirection([3, 3, 3, 3, 0, 0, 0, 1])).toEqual({ ok: true, value: undefined });
    expect([...table.indirection]).toEqual([3, 3, 3, 3, 0, 0, 0, 1]);
    expect([table.queueFor(3), table.queueFor(7), table.queueFor(-1), table.queueFor(12)]).toEqual([3, 1, 1, 0]);
  });

  it.each<[string, number[], string]>([
    ['too few entries', [0, 0, 0], 'rss-indirection-size'],
    ['too many entries', [0, 0, 0, 0, 0], 'rss-indirection-size'],
    ['a queue that is not there', [0, 1, 2, 0], 'rss-queue'],
    ['a negative queue', [0, -1, 0, 0], 'rss-queue'],
    ['half a queue', [0, 0.5, 0, 0], 'rss-queue'],
  ])('with %s is refused (EINVAL) and stays', (_, entries, code) => {
    const table = new Rss(RSS_KEY_MICROSOFT, 2, { indirectionSize: 4 });
    expect(table.setIndirection(entries)).toMatchObject({ ok: false, problem: { code, message: expect.stringContaining('EINVAL') } });
    expect([...table.indirection]).toEqual([0, 1, 0, 1]);
  });

  it('a key that is too short is a programmer error', () => {
    expect(() => new Rss(new Uint8Array(39), 1)).toThrow(RangeError);
  });
});
