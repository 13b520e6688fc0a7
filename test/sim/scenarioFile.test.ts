import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import type { Result } from '../../src/base/index.js';
import { createScenario, loadScenario, parseScenario, readScenarioFile, XSK_DEFAULTS } from '../../src/sim/index.js';
import type { ScenarioFile } from '../../src/sim/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();
const EXAMPLE = 'fixtures/scenarios/load-balancer.json';

/** The smallest scenario: one NIC. */
const nic = (more: object = {}) => ({ name: 'eth0', ...more });
const host = (more: object = {}) => ({ name: 'a', nics: [nic()], ...more });
const scenario = (more: object = {}) => ({ hosts: [host()], ...more });
const withNic = (more: object) => scenario({ hosts: [host({ nics: [nic(more)] })] });
const twoNics = (links: readonly unknown[], more: object = {}) => scenario({ hosts: [host({ nics: [nic(more), nic({ name: 'eth1' })] })], links });

const parse = (json: unknown): ScenarioFile => unwrap(parseScenario(json, 'lab.json', '/lab'));

describe('parseScenario', () => {
  it('fills in what is left out', () => {
    const file = parse(scenario());
    expect(file).toMatchObject({ seed: 1, maxHops: 64, links: [], hosts: [{ name: 'a', cpus: 4, engine: 'jit', kernel: undefined, network: undefined, objects: [] }] });
    expect(file.hosts[0].nics).toMatchObject([{ name: 'eth0', xdp: undefined, xsk: undefined, input: undefined, output: undefined, settings: { queues: 4, mtu: 1500, ifindex: 1, isDmaCoherent: true } }]);
    expect(file.hosts[0].nics[0].settings.profile.name).toBe('plain');
  });

  it('takes everything that there is', () => {
    const file = parse({
      $schema: 'x', schema: 1, seed: 7, max_hops: 3,
      hosts: [
        {
          name: 'a', cpus: 2, kernel: '6.6', engine: 'interpreter', budget: 1000, network: { routes: [] },
          objects: [{ file: 'p/prog.o', set: { port: 53, address: '10.0.0.1' }, maps: { table: [], other: 'other.json' }, map_sizes: { table: 9 } }],
          nics: [
            {
              name: 'eth0', ifindex: 9, mac: '02:00:00:00:00:05', profile: 'ixgbe', queues: 2, rx_ring: 128, tx_ring: 256, mtu: 1400, dma: 'non-coherent', rx_usecs: 20,
              offloads: { rxChecksum: false }, faults: [{ kind: 'crc', rate: 0.5, windows: [{ from_ns: 5, to_ns: 9 }, {}] }], watchdog_ns: 2e9,
              xdp: { object: 'prog', program: 'main', mode: 'native' }, xsk: 'l2fwd', in: { capture: 'in.pcap', start_ns: 44 }, out: '/out.pcapng',
            },
            { name: 'eth1', in: 'b.pcap', xdp: {} },
            { name: 'eth2' },
          ],
        },
        host({ name: 'b' }),
      ],
      links: [{ between: ['a.eth2', 'b.eth0'], rate_bits_per_s: 1e10, delay_ns: 9, loss: 0.25, queue_frames: 0 }],
    });
    const [first] = file.hosts;
    expect(first).toMatchObject({ cpus: 2, kernel: '6.6', engine: 'interpreter', instructionBudget: 1000, network: { routes: [] } });
    expect(first.objects).toEqual([
      { name: 'prog', paths: ['/lab/p/prog.o'], chain: [], dispatcher: undefined, set: [['port', '53'], ['address', '10.0.0.1']], maps: [['table', []], ['other', '/lab/other.json']], mapSizes: { table: 9 }, at: 'lab.json: hosts[0].objects[0]' },
    ]);
    expect(first.nics[0]).toMatchObject({
      mac: Uint8Array.of(2, 0, 0, 0, 0, 5), xdp: { object: 'prog', program: 'main', mode: 'native' }, xsk: { name: 'l2fwd' }, input: { path: '/lab/in.pcap', startNs: 44 }, output: '/out.pcapng',
      settings: {
        ifindex: 9, queues: 2, rxRingSize: 128, txRingSize: 256, mtu: 1400, isDmaCoherent: false, interruptDelayNs: 20_000, offloads: { rxChecksum: false }, xdpMode: 'native',
        faults: { faults: [{ kind: 'crc', rate: 0.5, windows: [{ fromNs: 5, toNs: 9 }, { fromNs: 0, toNs: Infinity }] }], watchdogNs: 2e9 },
      },
    });
    expect(first.nics[0].settings.launchTimeQueues).toEqual([]);
    expect(first.nics[1]).toMatchObject({ xdp: { object: 'prog', program: undefined }, input: { path: '/lab/b.pcap', startNs: 0 }, settings: { ifindex: 2 } });
    expect(file).toMatchObject({ seed: 7, maxHops: 3, links: [{ between: [{ host: 'a', nic: 'eth2' }, { host: 'b', nic: 'eth0' }], rateBitsPerS: 1e10, delayNs: 9, loss: 0.25, queueFrames: 0 }] });
  });

  it('takes queues that are set up for launch times, and checks them with the rest', () => {
    const read = (nic: Record<string, unknown>): Result<unknown> => parseScenario(withNic(nic), 'lab.json', '/lab');
    expect(read({ profile: 'igc', launch_time_queues: [0, 3] })).toMatchObject({ ok: true, value: { hosts: [{ nics: [{ settings: { launchTimeQueues: [0, 3] } }] }] } });
    for (const nic of [{ profile: 'igc', launch_time_queues: [4] }, { profile: 'igc', launch_time_queues: ['0'] }, { profile: 'ice', launch_time_queues: [0] }]) {
      expect(read(nic)).toMatchObject({ ok: false, problem: { code: 'nic-launch-time' } });
    }
    expect(read({ profile: 'igc', launch_time_queues: 0 }).ok).toBe(false);
  });

  it('takes an AF_XDP application by its name, with its options, and with settings of its sockets', () => {
    const xskOf = (xsk: unknown): unknown => {
      const { name, spec } = unwrap(parseScenario(withNic({ xsk }), 'lab.json', '/lab')).hosts[0].nics[0].xsk!;
      return [name, { ...spec, application: undefined }];
    };
    expect(xskOf('l2fwd')).toEqual(['l2fwd', { txMetadataBytes: 0 }]);
    expect(xskOf('txonly:count=5,metadata=both')).toEqual(['txonly', { txMetadataBytes: 24 }]);
    expect(xskOf({ application: 'echo' })).toEqual(['echo', { ...XSK_DEFAULTS }]);
    expect(xskOf({ application: 'txonly:metadata=both', mode: 'zerocopy', rings: { rx: 16, comp: 32 }, frames: 64, frame_size: 3000, headroom: 5, unaligned: true, need_wakeup: true, sg: true, sw_csum: true })).toEqual([
      'txonly',
      { mode: 'zerocopy', rings: { rx: 16, tx: 2048, fill: 4096, completion: 32 }, chunkCount: 64, chunkSizeBytes: 3000, headroomBytes: 5, isUnaligned: true, usesNeedWakeup: true, hasSg: true, txMetadataBytes: 24, hasTxSwCsum: true },
    ]);
    expect(xskOf({ application: 'l2fwd', rings: 64, tx_metadata: 32 })).toEqual(['l2fwd', { ...XSK_DEFAULTS, rings: { rx: 64, tx: 64, fill: 64, completion: 64 }, txMetadataBytes: 32 }]);
  });

  it.each<[string, unknown, string]>([
    ['no object', [], 'lab.json: it is no JSON object; write {...} with $schema, schema, seed, max_hops, hosts, links'],
    ['a program by its name', withNic({ xdp: 'reflector' }), 'lab.json: hosts[0].nics[0].xdp: it is no JSON object; write {...} with object, program, mode'],
    ['a misspelt section', scenario({ host: [] }), 'lab.json: there is no field "host"; use $schema, schema, seed, max_hops, hosts, links'],
    ['another version', scenario({ schema: 2 }), 'lab.json: schema: this is of another version; write "schema": 1'],
    ['more hops than end soon, where two hosts answer each other', scenario({ max_hops: 65536 }), 'lab.json: max_hops: 65536 is out of range; write a whole number from 0 to 65535'],
    ['no hosts', {}, 'lab.json: hosts: there is none; describe at least one'],
    ['hosts that are no list', { hosts: {} }, 'lab.json: hosts: it is no list; write [...]'],
    ['a host without a name', scenario({ hosts: [{ nics: [nic()] }] }), 'lab.json: hosts[0].name: it is missing; write "..."'],
    ['a name with a dot', scenario({ hosts: [host({ name: 'a.b' })] }), 'lab.json: hosts[0].name: "a.b" is no name; use up to 32 letters, digits, _ and -'],
    ['two hosts of one name', scenario({ hosts: [host(), host()] }), 'lab.json: hosts[1].name: "a" occurs twice; give each its own'],
    ['a host without NICs', scenario({ hosts: [{ name: 'a' }] }), 'lab.json: hosts[0].nics: there is none; describe at least one'],
    ['two NICs of one name', scenario({ hosts: [host({ nics: [nic(), nic()] })] }), 'lab.json: hosts[0].nics[1].name: "eth0" occurs twice; give each its own'],
    ['two NICs of one number', scenario({ hosts: [host({ nics: [nic({ ifindex: 2 }), nic({ name: 'eth1' })] })] }), 'lab.json: hosts[0].nics[1].ifindex: 2 occurs twice; give each NIC its own'],
    ['an unknown field of a NIC', withNic({ ring: 5 }), 'lab.json: hosts[0].nics[0]: there is no field "ring"'],
    ['an unknown profile', withNic({ profile: 'e1000' }), 'lab.json: hosts[0].nics[0].profile: there is no NIC "e1000"; use one of plain,'],
    ['a setting beyond the limit of the profile', withNic({ queues: 5000 }), 'lab.json: hosts[0].nics[0], NIC plain: '],
    ['a fault that there is not', withNic({ faults: [{ kind: 'flood' }] }), 'lab.json: hosts[0].nics[0], fault flood: there is no such fault'],
    ['an object that the host has not', withNic({ xdp: { object: 'lb' } }), 'lab.json: hosts[0].nics[0].xdp.object: the host has no object "lb"; list it in "objects" of the host'],
    ['no object where there are two', scenario({ hosts: [host({ objects: [{ file: 'a.o' }, { file: 'b.o' }], nics: [nic({ xdp: {} })] })] }), 'lab.json: hosts[0].nics[0].xdp.object: it is missing; write "..."'],
    ['two objects of one name', scenario({ hosts: [host({ objects: [{ file: 'x/a.o' }, { file: 'y/a.o' }] })] }), 'lab.json: hosts[0].objects[1].name: "a" occurs twice'],
    ['a mode that there is not', scenario({ hosts: [host({ objects: [{ file: 'a.o' }], nics: [nic({ xdp: { mode: 'fast' } })] })] }), 'lab.json: hosts[0].nics[0].xdp.mode: there is no "fast"; use one of auto, native, generic, offload'],
    ['an AF_XDP application that there is not', withNic({ xsk: 'l2fw' }), 'lab.json: hosts[0].nics[0].xsk: there is no \'l2fw\'; did you mean l2fwd?'],
    ['an AF_XDP application without a name', withNic({ xsk: {} }), 'lab.json: hosts[0].nics[0].xsk.application: it is missing; write "..."'],
    ['an unknown setting of sockets', withNic({ xsk: { application: 'echo', ring: 5 } }), 'lab.json: hosts[0].nics[0].xsk: there is no field "ring"; use application, mode, rings,'],
    ['a ring that there is not', withNic({ xsk: { application: 'echo', rings: { completion: 5 } } }), 'lab.json: hosts[0].nics[0].xsk.rings: there is no field "completion"; use rx, tx, fill, comp'],
    ['a mode of sockets that there is not', withNic({ xsk: { application: 'echo', mode: 'zero' } }), 'lab.json: hosts[0].nics[0].xsk.mode: there is no "zero"; use one of auto, copy, zerocopy'],
    ['no chunks', withNic({ xsk: { application: 'echo', frames: 0 } }), 'lab.json: hosts[0].nics[0].xsk.frames: 0 is out of range; write a whole number from 1 to 1048576'],
    ['a map size that is none', scenario({ hosts: [host({ objects: [{ file: 'a.o', map_sizes: { m: 0 } }] })] }), 'lab.json: hosts[0].objects[0].map_sizes.m: 0 is no size'],
    ['a network that is wrong', scenario({ hosts: [host({ network: { routes: [{ to: 'x' }] } })] }), 'lab.json: hosts[0].network: routes[0].to: "x" is no network'],
    ['a link with one end', twoNics([{ between: ['a.eth0'] }]), 'lab.json: links[0].between: a link has two ends, not 1'],
    ['a link to nowhere', twoNics([{ between: ['a.eth0', 'a.eth7'] }]), 'lab.json: links[0].between[1]: there is no NIC "a.eth7"; use one of a.eth0, a.eth1'],
    ['a link to a number', twoNics([{ between: [5, 'a.eth1'] }]), 'lab.json: links[0].between[0]: there is no NIC 5'],
    ['a link to itself', twoNics([{ between: ['a.eth0', 'a.eth0'] }]), 'lab.json: links[0].between[1]: there is something at a.eth0 already (lab.json: links[0].between[0]); a NIC has one wire'],
    ['a link where a capture arrives', twoNics([{ between: ['a.eth0', 'a.eth1'] }], { in: 'x.pcap' }), 'lab.json: links[0].between[0]: there is something at a.eth0 already (lab.json: hosts[0].nics[0].in)'],
    ['a rate that is none', twoNics([{ between: ['a.eth0', 'a.eth1'], rate_bits_per_s: 0.5 }]), 'lab.json: links[0].rate_bits_per_s: 0.5 is out of range; write a whole number from 0 to 10000000000000'],
    ['a loss that is none', twoNics([{ between: ['a.eth0', 'a.eth1'], loss: 1.5 }]), 'lab.json: links[0].loss: 1.5 is no probability; write a number from 0 to 1'],
    ['a delay of a day', twoNics([{ between: ['a.eth0', 'a.eth1'], delay_ns: 86400e9 }]), 'lab.json: links[0].delay_ns: 86400000000000 is out of range'],
  ])('refuses %s', (_what, json, message) => {
    const result = parseScenario(json, 'lab.json', '/lab');
    if (result.ok) throw new Error('it was taken');
    const { where, message: what, hint } = result.problem;
    expect(`${where}: ${what}; ${hint}`).toContain(message);
  });
});

describe('readScenarioFile', () => {
  it('paths are relative to the file', () => {
    const file = unwrap(readScenarioFile(EXAMPLE));
    expect(file.hosts[0].objects[0].paths).toEqual([resolve('fixtures/programs/load_balancer/load_balancer.o')]);
    expect(file.hosts[0].nics[0].input?.path).toBe(resolve('fixtures/pcaps/mixed.pcap'));
  });

  it('a file that can not be read, or is no JSON', () => {
    expect(readScenarioFile('nowhere.json')).toMatchObject({ ok: false, problem: { code: 'scenario-file-unreadable', where: 'nowhere.json' } });
    expect(readScenarioFile('src')).toMatchObject({ ok: false, problem: { code: 'scenario-file-unreadable', message: 'is no plain file' } });
    expect(readScenarioFile(folder.write('bad.json', '{"hosts": ['))).toMatchObject({ ok: false, problem: { code: 'scenario-file-json' } });
    expect(readScenarioFile(folder.write('deep.json', '['.repeat(1000)))).toMatchObject({ ok: false, problem: { code: 'nested-too-deep' } });
  });
});

describe('loadScenario', () => {
  const balancer = (object: object): ScenarioFile =>
    unwrap(parseScenario(scenario({ hosts: [host({ objects: [{ file: 'load_balancer.o', ...object }], nics: [nic({ xdp: { program: 'to_servers' } }), nic({ name: 'eth1' })] })] }), 'lab.json', 'fixtures/programs/load_balancer'));
  const problemOf = (object: object): object => {
    const created = createScenario(unwrap(loadScenario(balancer(object))).spec);
    return created.ok ? {} : created.problem;
  };

  it('says which NIC has sockets that the kernel refuses', () => {
    const file = unwrap(parseScenario(scenario({ hosts: [host(), host({ name: 'b', nics: [nic({ xsk: { application: 'echo', frame_size: 3000 } })] })] }), 'lab.json', '/lab'));
    expect(createScenario(unwrap(loadScenario(file)).spec)).toMatchObject({ ok: false, problem: { code: 'xsk-umem-reg', where: 'host b, NIC eth0, UMEM', message: expect.stringContaining('EINVAL, frameSize 3000') } });
  });

  it('fills maps by the names of NICs', () => {
    const { hosts } = unwrap(createScenario(unwrap(loadScenario(balancer({ maps: { ports: [{ key: 0, value: 'eth1' }, { key: 3, value: { ifindex: 'eth0' } }] } }))).spec));
    const ports = hosts[0].objects.get('load_balancer')!.maps.get('ports')!;
    expect([0, 1, 3].map((key) => ports.lookupBytes(new Uint8Array(Uint32Array.of(key).buffer))?.[0])).toEqual([2, undefined, 1]);
  });

  it('says where in the file a map or variable is wrong', () => {
    expect(problemOf({ maps: { ports: [{ key: 0, value: 'eth0' }, { key: 1, value: 'eth9' }] } })).toMatchObject({ where: 'host a, lab.json: hosts[0].objects[0].maps.ports[1]' });
    expect(problemOf({ maps: { doors: [] } })).toMatchObject({ code: 'unknown-map', where: 'host a, lab.json: hosts[0].objects[0].maps.doors' });
    expect(problemOf({ maps: { ports: {} } })).toMatchObject({ code: 'map-file-shape', where: 'host a, lab.json: hosts[0].objects[0].maps.ports' });
    expect(problemOf({ maps: { ports: 'nowhere.json' } })).toMatchObject({ code: 'map-file-unreadable' });
    expect(problemOf({ set: { nothing: 1 } })).toMatchObject({ code: 'unknown-variable', where: 'host a, lab.json: hosts[0].objects[0].set.nothing' });
  });

  it('an object or a capture that is not there', () => {
    expect(loadScenario(parse(scenario({ hosts: [host({ objects: [{ file: 'nowhere.o' }] })] })))).toMatchObject({ ok: false, problem: { where: '/lab/nowhere.o' } });
    expect(loadScenario(parse(withNic({ in: 'nowhere.pcap' })))).toMatchObject({ ok: false, problem: { where: '/lab/nowhere.pcap' } });
  });
});
