import { beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { i40eFormat, iceFormat, igbFormat, igcFormat, ixgbeFormat, mlx5Format, r8169V2Format, virtioSplitFormat } from '../../src/nic/index.js';
import type { DescriptorFormat, Limit, NicProfile, NicSettings } from '../../src/nic/index.js';
import { plainFormat } from '../../src/nic/device/formats/plain.js';
import { openCapture } from '../../src/packet/index.js';
import type { AuditReport } from '../../src/sim/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { fixture, nicSettings, returning, simulationOf } from '../support/simulate.js';

/** Fixtures that show every verdict, every way out, and every change of a packet; none looks at the hints of a descriptor. */
const OBJECTS = [
  'reflector', 'switch_drop', 'dnat', 'aborter', 'adjust_tail', 'return_77', 'pull_data', 'vlan_push', 'meta_writer', 'frags_pass',
  'redirect_self', 'redirect_devmap', 'redirect_cpumap', 'xsk_redirect',
].map((name) => [name, fixture(name)] as const);

const anyRing: Limit = { min: 2, max: 8192, default: 512, errno: 22, reason: 'a limit of the test' };
const plain = nicSettings().profile;

/** The plain NIC with other descriptors. */
const withFormat = (format: DescriptorFormat, more: Partial<NicProfile> = {}): NicProfile => ({
  ...plain, name: `plain with descriptors of ${format.name}`, format, rxRing: anyRing, txRing: anyRing, headroom: { ...anyRing, max: 512, default: 256 }, ...more,
});

const FORMATS: readonly DescriptorFormat[] = [plainFormat, r8169V2Format, igbFormat, igcFormat, ixgbeFormat, i40eFormat, iceFormat, mlx5Format, virtioSplitFormat];

/** Drivers with half pages have less room in a buffer, so what programs see of headroom and tailroom differs. */
const splitPages: Partial<NicProfile> = { bufferModel: 'split_page', frameSizeBytes: 2048, headroom: { ...anyRing, max: 512, default: 192 }, refillThreshold: 16 };
const OTHER_BUFFERS: readonly (readonly [string, NicProfile])[] = [
  ['igb with split pages', withFormat(igbFormat, splitPages)],
  ['ixgbe with split pages', withFormat(ixgbeFormat, splitPages)],
  ['igc with split pages of 4096', withFormat(igcFormat, { bufferModel: 'split_page' })],
  ['plain with fragments of pages', withFormat(plainFormat, { bufferModel: 'page_pool_frag', frameSizeBytes: 2048, headroom: { ...anyRing, max: 512, default: 128 } })],
];

interface Played {
  /** Everything that somebody outside of the NIC learns of each packet, by packet. */
  readonly ends: readonly string[];
  readonly audit: AuditReport;
}

function play(profile: NicProfile, [name, object]: readonly [string, ObjectSpec], program: string, more: Partial<NicSettings>, capture = 'mixed'): Played {
  const simulation = simulationOf({
    object, program, nic: { profile, queues: 2, ...more }, ...(name === 'xsk_redirect' ? { xsk: { application: 'l2fwd', rings: { rx: 256, tx: 256, fill: 256, completion: 256 }, chunkCount: 256 } } : {}),
  });
  const { u8 } = simulation.memory;
  const hex = (address: number, bytes: number): string => Buffer.from(u8.subarray(address, address + bytes)).toString('hex');
  const ends: string[] = [];
  const applicationFrames: string[] = [];
  const reader = unwrap(openCapture(`fixtures/pcaps/${capture}.pcap`));
  const { audit } = unwrap(simulation.run(reader, {
    onPacketEnd({ packetId, outcome, retval, queue, address, lenBytes, metaBytes }) {
      ends[packetId] = `${packetId} ${OUTCOMES[outcome].name} ${retval} queue ${queue}: ${hex(address - metaBytes, metaBytes)} ${hex(address, lenBytes)}`;
    },
    onApplicationFrame: ({ packetId, queue, address, lenBytes }) => applicationFrames.push(`${packetId} from queue ${queue}: ${hex(address, lenBytes)}`),
  }));
  reader.close();
  return { ends: [...ends.filter(Boolean), ...applicationFrames.sort()], audit };
}

/** XDP programs of an object that can be attached to a device. */
const programsOf = (object: ObjectSpec): string[] => object.programs.filter(({ attachType, problem }) => attachType === 'xdp' && problem === undefined).map(({ name }) => name).slice(0, 3);

const failures = ({ checks }: AuditReport) => checks.filter(({ ok }) => !ok);

/** Ring sizes that the format can have: virtio and mlx5 count modulo powers of two. */
const sizesOf = (format: DescriptorFormat): readonly number[] => (format === virtioSplitFormat || format === mlx5Format ? [64, 256] : [64, 200]);

describe.each([true, false])('every fixture, DMA coherent: %s', (isDmaCoherent) => {
  const reference = new Map<string, readonly string[]>();

  beforeAll(() => {
    for (const subject of OBJECTS) {
      for (const program of programsOf(subject[1])) {
        const { ends, audit } = play(plain, subject, program, { isDmaCoherent: true });
        expect(ends.length).toBeGreaterThanOrEqual(280);
        expect(failures(audit)).toEqual([]);
        reference.set(`${subject[0]} ${program}`, ends);
      }
    }
    expect(reference.size).toBeGreaterThanOrEqual(OBJECTS.length);
  });

  it.each(FORMATS)('$name: verdicts, outcomes and bytes are those of the plain descriptors, and the audit is clean', (format) => {
    for (const subject of OBJECTS) {
      for (const program of programsOf(subject[1])) {
        for (const size of sizesOf(format)) {
          const { ends, audit } = play(withFormat(format), subject, program, { isDmaCoherent, rxRingSize: size, txRingSize: size });
          expect(failures(audit)).toEqual([]);
          const expected = reference.get(`${subject[0]} ${program}`)!;
          expect(ends.filter((end, i) => end !== expected[i]), `${subject[0]}, ${program}, rings of ${size}`).toEqual([]);
          expect(ends.length).toBe(expected.length);
        }
      }
    }
  });

  it.each(FORMATS)('$name: jumbo frames of several buffers come, and go out again, as with the plain descriptors', (format) => {
    for (const [verdict, outcome] of [[2, 'stack'], [3, 'tx']] as const) {
      const subject = [outcome, returning(verdict, { frags: true })] as const;
      const jumbo = { mtu: 9000, isDmaCoherent, rxRingSize: 256, txRingSize: 256 };
      const expected = play(plain, subject, 'main', { ...jumbo, isDmaCoherent: true }, 'jumbo');
      const found = play(withFormat(format), subject, 'main', jumbo, 'jumbo');
      expect(found.ends).toEqual(expected.ends);
      expect(Math.max(...found.ends.map((end) => end.length))).toBeGreaterThan(2 * 4096);
      expect([...failures(expected.audit), ...failures(found.audit)]).toEqual([]);
    }
  });

  it.each(OTHER_BUFFERS)('%s: every packet ends once, and the audit is clean', (_, profile) => {
    for (const subject of OBJECTS) {
      for (const program of programsOf(subject[1])) {
        for (const size of sizesOf(profile.format)) {
          const { audit } = play(profile, subject, program, { isDmaCoherent, rxRingSize: size, txRingSize: size });
          expect(failures(audit), `${subject[0]}, ${program}, rings of ${size}`).toEqual([]);
        }
      }
    }
  });
});
