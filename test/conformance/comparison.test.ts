import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../src/memory/index.js';
import { HELPERS } from '../../src/vm/index.js';
import type { HelperFunction } from '../../src/vm/index.js';
import { XDP_TX } from '../../src/xdp/index.js';
import { fixtureCaptures, fixtureObjects, readPackets } from '../support/fixtures.js';
import { kernelOracle } from '../support/kernelOracle.js';
import { declaredExceptions, FIELDS_BY_NATURE, uncomparedPlaces } from './byNature.js';
import { compareMaps, compareRuns } from './compare.js';
import type { Observed, ReadableMap } from './compare.js';
import { Differences } from './differences.js';
import { compareAllMaps, compareCases } from './sequence.js';
import { openKernelSide, openSimulatorSide } from './sides.js';
import type { Side } from './sides.js';
import { subjectsOf } from './variants.js';
import type { Subject } from './variants.js';

// A comparison that can't fail proves nothing: here it has to.

const objects = fixtureObjects();
const subjects = subjectsOf(objects);
const subjectNamed = (name: string): Subject => subjects.find((subject) => subject.name === name)!;
const objectAt = (file: string) => objects.find((object) => object.file === file)!;
const u64s = (...values: bigint[]): Uint8Array => new Uint8Array(BigUint64Array.from(values).buffer);
const key = (index: number): Uint8Array => Uint8Array.of(index, 0, 0, 0);

describe('compareRuns', () => {
  const observed: Observed = {
    errno: 0,
    retval: 2,
    dataOut: Uint8Array.of(1, 2, 3),
    dataOutSize: 3,
    ctxOut: { data: 0, dataEnd: 3, dataMeta: 0, ingressIfindex: 0, rxQueueIndex: 0, egressIfindex: 0 },
    fault: undefined,
  };

  it('finds nothing where all is the same', () => {
    expect(compareRuns(observed, { ...observed, dataOut: observed.dataOut.slice() })).toEqual([]);
  });

  it.each<[string, Partial<Observed>]>([
    ['errno', { errno: 22 }],
    ['retval', { retval: 1 }],
    ['dataOutSize', { dataOutSize: 4 }],
    ['fault', { fault: 'bad-access' }],
    ['dataOut', { dataOut: Uint8Array.of(1, 2, 2) }],
    ['dataOut', { dataOut: Uint8Array.of(1, 2) }],
    ...Object.keys(observed.ctxOut).map((name): [string, Partial<Observed>] => [`ctxOut.${name}`, { ctxOut: { ...observed.ctxOut, [name]: 7 } }]),
  ])('finds another %s', (field, change) => {
    expect(compareRuns(observed, { ...observed, ...change }).map((difference) => difference.field)).toEqual([field]);
  });
});

describe('compareMaps', () => {
  const mapOf = (file: string, name: string, entries: [Uint8Array, Uint8Array][]): ReadableMap => ({
    spec: objectAt(file).spec.maps.find((map) => map.name === name)!,
    entries: () => entries.map(([entryKey, value]) => ({ key: entryKey, value: value.slice() })),
  });
  const fieldsOf = (file: string, name: string, left: [Uint8Array, Uint8Array][], right: [Uint8Array, Uint8Array][]): string[] =>
    compareMaps(objectAt(file), mapOf(file, name, left), mapOf(file, name, right)).map(({ field }) => field);

  it('finds another value, and entries that only one side has', () => {
    const [a, b, c] = [1, 2, 3].map((index): [Uint8Array, Uint8Array] => [key(index), u64s(BigInt(index), 0n)]);
    const fields = fieldsOf('count_hash/count_hash.o', 'packets_by_source', [a, b], [[key(1), u64s(9n, 0n)], c]);
    expect(fields).toEqual(['map packets_by_source[01000000]', 'map packets_by_source[02000000]', 'map packets_by_source[03000000]']);
  });

  it('leaves the order of entries alone', () => {
    const [a, b] = [1, 2].map((index): [Uint8Array, Uint8Array] => [key(index), u64s(BigInt(index), 0n)]);
    expect(fieldsOf('count_hash/count_hash.o', 'packets_by_source', [a, b], [b, a])).toEqual([]);
  });

  it('adds up the values of all CPUs', () => {
    const [file, map] = ['count_percpu/count_percpu.o', 'packets_by_source'];
    expect(fieldsOf(file, map, [[key(1), u64s(3n, 300n, 1n, 60n)]], [[key(1), u64s(0n, 60n, 4n, 300n)]])).toEqual([]);
    expect(fieldsOf(file, map, [[key(1), u64s(3n, 300n, 1n, 60n)]], [[key(1), u64s(3n, 300n, 1n, 61n)]])).toEqual([`map ${map}[01000000]`]);
  });

  it('finds a slot of a PROG_ARRAY that only one side has filled', () => {
    const [file, map] = ['tail_calls/tail_calls.o', 'jmp_table'];
    expect(fieldsOf(file, map, [[key(0), key(81)]], [[key(0), key(2)]])).toEqual([]);
    expect(fieldsOf(file, map, [[key(0), key(81)]], [])).toEqual([`map ${map}[00000000]`]);
  });

  it('compares everything of a value but the fields that differ by nature', () => {
    const [file, map] = ['printk/printk.o', 'last'];
    // ktime_ns; random and cpu; frames
    expect(fieldsOf(file, map, [[key(0), u64s(1n, 2n, 5n)]], [[key(0), u64s(3n, 4n << 32n, 5n)]])).toEqual([]);
    expect(fieldsOf(file, map, [[key(0), u64s(1n, 2n, 5n)]], [[key(0), u64s(1n, 2n, 6n)]])).toEqual([`map ${map}[00000000]`]);
  });
});

describe('differences by nature', () => {
  it('name fields that exist', () => {
    for (const { object, map } of FIELDS_BY_NATURE) expect(uncomparedPlaces(objectAt(object), map)).not.toEqual([]);
  });

  it('have a reason each', () => {
    for (const line of declaredExceptions()) expect(line).toMatch(/: .{10,}$/);
  });
});

describe('Differences', () => {
  it('says where, which field and which bytes', () => {
    const differences = new Differences(['kernel', 'simulator']);
    const left = Uint8Array.from({ length: 20 }, (_, i) => i);
    const right = left.with(17, 0xff);
    differences.add('prog.o, prog, as it is, http.pcap packet 3', [{ field: 'dataOut', left, right }, { field: 'retval', left: 2, right: 1 }]);
    expect(differences.toString().split('\n')).toEqual([
      '2 differences: dataOut 1, retval 1',
      'prog.o, prog, as it is, http.pcap packet 3: dataOut: kernel 20 bytes, simulator 20 bytes',
      '  0x0010  kernel     10 11 12 13',
      '          simulator  10 ff 12 13',
      '                        ^^',
      'prog.o, prog, as it is, http.pcap packet 3: retval: kernel 2, simulator 1',
    ]);
  });

  it('keeps some of each field and counts all', () => {
    const differences = new Differences(['a', 'b']);
    for (let i = 0; i < 1000; i++) differences.add(`packet ${i}`, [{ field: 'retval', left: 1, right: 2 }]);
    differences.add('packet 1000', [{ field: 'errno', left: 0, right: 22 }]);
    expect(differences.count).toBe(1001);
    expect(differences.toString()).toContain('packet 1000: errno: a 0, b 22');
    expect(differences.toString().split('\n').length).toBeLessThan(20);
  });
});

describe(`a helper that is wrong in the simulator is found by comparing with the ${kernelOracle === undefined ? 'right simulator' : 'kernel'}`, () => {
  const packets = fixtureCaptures().flatMap(readPackets);
  const cases = packets.map((packet) => ({ where: `${packet.capture} packet ${packet.number}`, input: { data: packet.data } }));
  const [referenceMemory, brokenMemory] = [new HostMemory(64), new HostMemory(64)];
  const cpus = kernelOracle?.possibleCpus ?? 2;
  const openReference = (subject: Subject): Side =>
    kernelOracle === undefined ? openSimulatorSide(referenceMemory, subject, cpus) : openKernelSide(kernelOracle, subject);

  const LOOKUP = 1;
  const UPDATE = 2;
  const REDIRECT = 23;
  const CSUM_DIFF = 28;
  const ADJUST_HEAD = 44;
  const REDIRECT_MAP = 51;
  const ADJUST_META = 54;
  const ADJUST_TAIL = 65;
  const GET_BUFF_LEN = 188;

  const moreBy4: Sabotage = (right) => (ctx, delta, ...rest) => right(ctx, delta - 4, ...rest);
  const oneMore: Sabotage = (right) => (...r) => right(...r) + 1;
  const seedOneMore: Sabotage = (right) => (from, fromSize, to, toSize, seed) => right(from, fromSize, to, toSize, (seed + 1) | 0);
  const doesNothing: Sabotage = () => () => 0;
  const givesTx: Sabotage = () => () => XDP_TX;

  it.each<[string, string, number, Sabotage, string[]]>([
    ['bpf_csum_diff is off by one', 'csum_diff/csum_diff.o, csum_diff', CSUM_DIFF, seedOneMore, ['dataOut', 'map results[00000000]']],
    ['bpf_map_lookup_elem finds nothing', 'atomics/atomics.o, atomics', LOOKUP, doesNothing, ['map cells[00000000]', 'map cells[01000000]']],
    ['bpf_map_update_elem stores nothing', 'count_hash/count_hash.o, count_hash', UPDATE, doesNothing, ['map packets_by_source[c0000201]']],
    ['bpf_redirect gives ABORTED', 'redirect_self/redirect_self.o, redirect_self', REDIRECT, doesNothing, ['retval']],
    ['bpf_redirect_map gives TX', 'xsk_redirect/xsk_redirect.o, xsk_redirect', REDIRECT_MAP, givesTx, ['retval']],
    ['bpf_xdp_adjust_head moves too far', 'vlan_push/vlan_push.o, vlan_push', ADJUST_HEAD, moreBy4, ['ctxOut.dataEnd', 'dataOut', 'dataOutSize']],
    ['bpf_xdp_adjust_meta moves too far', 'meta_writer/meta_writer.o, meta_writer', ADJUST_META, moreBy4, ['ctxOut.data', 'dataOut']],
    ['bpf_xdp_adjust_tail moves too far', 'adjust_tail/adjust_tail.o, adjust_tail', ADJUST_TAIL, moreBy4, ['ctxOut.dataEnd', 'dataOut', 'dataOutSize']],
    ['bpf_xdp_get_buff_len is off by one', 'frags_pass/frags_pass.o, frags_pass', GET_BUFF_LEN, oneMore, ['map .bss[00000000]']],
  ])('%s', (_, name, id, change, fields) => {
    const subject = subjectNamed(`${name}, as it is`);
    const reference = openReference(subject);
    const broken = withHelper(id, change, () => openSimulatorSide(brokenMemory, subject, cpus));
    const differences = new Differences(['right', 'wrong']);
    try {
      compareCases(subject, reference, broken, cases, differences);
      compareAllMaps(subject, reference, broken, 'after all packets', differences);
    } finally {
      reference.close();
      broken.close();
    }
    expect(differences.fields()).toEqual(expect.arrayContaining(fields));
  });

  it.each<[string, (right: Observed) => Observed, string]>([
    ['verdict', (right) => ({ ...right, retval: right.retval + 1 }), 'retval'],
    ['errno', (right) => ({ ...right, errno: 22 }), 'errno'],
    ['linear part', (right) => ({ ...right, ctxOut: { ...right.ctxOut, dataEnd: right.ctxOut.dataEnd - 1 } }), 'ctxOut.dataEnd'],
  ])('one wrong %s in the midst of all packets', (_, change, field) => {
    const subject = subjectNamed('reflector/reflector.o, reflector, as it is');
    const reference = openReference(subject);
    const right = openSimulatorSide(brokenMemory, subject, cpus);
    const differences = new Differences(['right', 'wrong']);
    let run = 0;
    const wrong: Side = { ...right, run: (input) => (++run === 300 ? change(right.run(input)) : right.run(input)) };
    try {
      compareCases(subject, reference, wrong, cases, differences);
    } finally {
      reference.close();
      right.close();
    }
    expect(differences.count).toBe(1);
    expect(differences.toString()).toContain(`${subject.name}, ${cases[299].where}: ${field}: right `);
  });
});

/** Makes a wrong helper of the right one. */
type Sabotage = (right: HelperFunction) => HelperFunction;

/** Runs `body`; machines that it makes have the helper as `change` makes it. */
function withHelper<T>(id: number, change: Sabotage, body: () => T): T {
  const helper = HELPERS[id]!;
  const support = helper.support!;
  Object.assign(helper, { support: { ...support, make: (context: Parameters<typeof support.make>[0]) => change(support.make(context)) } });
  try {
    return body();
  } finally {
    Object.assign(helper, { support });
  }
}
