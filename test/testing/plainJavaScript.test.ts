import { describe, expect, it } from 'vitest';
import '../../src/testing/vitest/index.js';
import { unwrap } from '../../src/base/index.js';
import { ethernet } from '../../src/packet/index.js';
import * as arbitraries from '../../src/testing/arbitraries/index.js';
import { createTestNetwork, createTestNic, loadProgram, metadataContract } from '../../src/testing/index.js';
import * as matchers from '../../src/testing/matchers/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';

type Loose = (...args: readonly unknown[]) => unknown;

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;
const data = ethernet().ipv4({ src: '192.0.2.1' }).udp({ dst: 53 }).pad().build();
const contract = metadataContract('c', { a: 'u32' });

/** What a test may give by mistake. Each is made anew: nothing that was left in it counts. */
const GARBAGE: readonly (() => unknown)[] = [
  () => undefined, () => null, () => 5, () => -1, () => NaN, () => 7n, () => true, () => '', () => 'x', () => [], () => [undefined], () => ({}), () => ({ a: 1 }), () => ({ hosts: 5 }), () => new Map([[1, 2]]),
  () => Promise.resolve(1), () => () => 1, () => new Uint8Array(3), () => Symbol('s'), () => Object.create(null) as object, () => ({ ok: false, problem: { message: 'no' } }), () => new Date(0),
];

/** V8's own words for what nobody has looked at. */
const RAW = /Cannot (?:read|convert|destructure|set|mix|use|access)|is not (?:a function|iterable|defined|a constructor|an object)|undefined or null|Symbol value|Invalid (?:array|typed array|time)|Maximum call|reading '/;

/** Calls it with each kind of garbage in each place, the other arguments being right. @returns what V8 said of it */
function rawErrors(make: () => Loose, right: readonly unknown[]): string[] {
  const raw: string[] = [];
  for (let place = 0; place < Math.max(1, right.length); place++) {
    for (const garbage of GARBAGE) {
      const call = make();
      const args = right.map((each, i) => (i === place ? garbage() : each));
      try {
        call(...args);
      } catch (error) {
        if (!(error instanceof Error) || RAW.test(error.message)) raw.push(`argument ${place}, ${String(garbage)}: ${String(error)}`);
      }
    }
  }
  return raw;
}

const program = loadProgram(object('count_hash'));
program.testRun({ data });
const run = program.testRun({ data });
const map = (): ReturnType<typeof program.maps.get> => program.maps.get('packets_by_source');
const nic = createTestNic(object('xsk_redirect'), { profile: 'ice' });
const [packet] = nic.receive(data);
const umem = unwrap(XskUmem.create(nic.syscalls, nic.syscalls.mmapAnonymous(65536), 65536));

describe('what plain JavaScript gives in place of what is meant is told in words of ours', () => {
  it.each<[string, () => Loose, readonly unknown[]]>([
    ['loadProgram', () => loadProgram as Loose, [object('count_hash'), {}]],
    ['TestProgram.testRun', () => program.testRun.bind(program) as Loose, [{ data }]],
    ['ProgramMaps.get', () => program.maps.get.bind(program.maps) as Loose, ['packets_by_source']],
    ['ProgramMap.get', () => map().get.bind(map()) as Loose, ['192.0.2.1']],
    ['ProgramMap.has', () => map().has.bind(map()) as Loose, ['192.0.2.1']],
    ['ProgramMap.set', () => map().set.bind(map()) as Loose, ['192.0.2.1', { packets: 1 }]],
    ['ProgramMap.delete', () => map().delete.bind(map()) as Loose, ['192.0.2.1']],
    ['ProgramMap.sum', () => map().sum.bind(map()) as Loose, ['192.0.2.1']],
    ['ProgramGlobals.get', () => program.globals.get.bind(program.globals) as Loose, ['x']],
    ['ProgramGlobals.set', () => program.globals.set.bind(program.globals) as Loose, ['x', 1]],
    ['createTestNic', () => createTestNic as Loose, [object('reflector'), {}]],
    ['createTestNetwork', () => createTestNetwork as Loose, [{ hosts: {} }]],
    ['TestNetwork.nic', () => nic.network.nic.bind(nic.network) as Loose, ['host.eth0']],
    ['TestNetwork.settle', () => nic.network.settle.bind(nic.network) as Loose, [0]],
    ['TestNic.receive', () => nic.receive.bind(nic) as Loose, [data, 0]],
    ['metadataContract', () => metadataContract as Loose, ['name', { a: 'u32' }]],
    ['XskUmem.create', () => XskUmem.create as Loose, [nic.syscalls, nic.syscalls.mmapAnonymous(4096), 4096, {}]],
    ['XskSocket.create', () => XskSocket.create as Loose, [umem, nic.ifindex, 0, {}]],
    ['XskSocket.createShared', () => XskSocket.createShared as Loose, [umem, nic.ifindex, 0, {}]],
  ])('%s', (_, make, right) => {
    expect(rawErrors(make, right)).toEqual([]);
  });

  it.each(['profile', 'queues', 'mtu', 'mode', 'xsk', 'driver', 'mac', 'settings', 'program', 'seed', 'cpus', 'kernel', 'network', 'globals', 'maps', 'applicationBytes'])('createTestNic, %s', (name) => {
    expect(rawErrors(() => ((value: unknown) => createTestNic(object('count_hash'), { [name]: value })) as Loose, [undefined])).toEqual([]);
  });

  it.each(['program', 'kernel', 'tNs', 'seed', 'cpus', 'network', 'globals', 'instructionBudget'])('loadProgram, %s', (name) => {
    expect(rawErrors(() => ((value: unknown) => loadProgram(object('count_hash'), { [name]: value })) as Loose, [undefined])).toEqual([]);
  });

  it.each(['data', 'meta', 'ctx', 'repeat'])('testRun, %s', (name) => {
    expect(rawErrors(() => ((value: unknown) => program.testRun({ data, [name]: value })) as Loose, [undefined])).toEqual([]);
  });

  it.each(['objects', 'nics', 'cpus', 'kernel', 'network', 'globals', 'maps', 'applicationBytes'])('createTestNetwork, %s of a host', (name) => {
    expect(rawErrors(() => ((value: unknown) => createTestNetwork({ hosts: { a: { objects: { fw: object('count_hash') }, nics: { eth0: {} }, [name]: value } } })) as Loose, [undefined])).toEqual([]);
  });

  const SUBJECTS: Readonly<Record<keyof typeof matchers, readonly unknown[]>> = {
    toHaveVerdict: [run, 'XDP_PASS'], toDropPacket: [run], toPassPacket: [run], toTransmitPacket: [run], toAbortPacket: [run], toRedirectPacket: [run, {}], toEndAs: [packet, 'stack'], toRunWithin: [run, 100],
    toEqualPacket: [run, data, {}], toHaveValidChecksums: [run], toHaveElement: [map(), '192.0.2.1', { packets: 2 }], toHaveSum: [map(), '192.0.2.1', { packets: 2 }], toHaveCounter: [nic, 'rx_bytes', 1],
    toHaveLogged: [run, 'x'], toHaveNoLeaks: [nic], toHaveMetadata: [run, contract, {}], toKeepContract: [program, contract, 'struct value'], toHaveNoXskFindings: [nic, {}], toHaveXskFinding: [nic, 'lost-chunk'],
  };

  // The network is shut down by the last one.
  it.each(Object.entries(SUBJECTS).sort(([a], [b]) => Number(a === 'toHaveNoLeaks') - Number(b === 'toHaveNoLeaks')))('%s', (name, right) => {
    const matcher = matchers[name as keyof typeof matchers] as unknown as (...args: readonly unknown[]) => matchers.MatcherResult;
    expect(rawErrors(() => (...args) => matcher(...args).message(), right)).toEqual([]);
  });

  it.each(['packet', 'packetBytes', 'mutatedPacket', 'anyFrame', 'flow', 'capture', 'ringOperations'] as const)('arbitrary %s', (name) => {
    expect(rawErrors(() => arbitraries[name] as Loose, [undefined])).toEqual([]);
  });

  it.each<[string, () => unknown, string]>([
    ['packet', () => arbitraries.packet({ protocol: ['udp'] } as object), 'packet: there is no option protocol; did you mean protocols? use some of: protocols, ipVersions, '],
    ['flow', () => arbitraries.flow({ exchanges: 3 } as object), 'flow: there is no option exchanges; did you mean maxExchanges? use some of: protocols, maxExchanges'],
    ['capture', () => arbitraries.capture({ maxlength: 3 } as object), 'capture: there is no option maxlength; did you mean maxLength? use some of: '],
    ['ringOperations', () => arbitraries.ringOperations({ chunk: 3 } as object), 'ringOperations: there is no option chunk; did you mean chunks? use some of: '],
  ])('arbitrary %s names an option that there is not, which was left out in silence', (_, call, message) => {
    expect(call).toThrow(message);
  });
});
