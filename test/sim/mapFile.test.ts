import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fillMapFromFile } from '../../src/sim/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { burst, fixture, redirectToSocket, simulate, simulationOf } from '../support/simulate.js';

const directory = mkdtempSync(join(tmpdir(), 'xdp-sim-'));
afterAll(() => rmSync(directory, { recursive: true }));

let files = 0;

function fileOf(json: unknown): string {
  const path = join(directory, `map${files++}.json`);
  writeFileSync(path, JSON.stringify(json));
  return path;
}

/** Fills a map of a fresh simulation with 2 CPUs; gives its entries, as hex. */
function filled(object: ObjectSpec, map: string, json: unknown, program?: string): string[] {
  const { loaded } = simulationOf({ object, ...(program === undefined ? {} : { program }), nic: { queues: 2 } });
  expect(fillMapFromFile(loaded, map, fileOf(json), { possibleCpus: 2, socketCount: 0 })).toBeUndefined();
  const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
  return [...(loaded.maps.get(map)?.entries() ?? [])].map(({ key, value }) => `${hex(key)} ${hex(value)}`);
}

describe('fillMapFromFile', () => {
  it('takes values by their types, and bytes in hex', () => {
    const expected = ['0a000001 07000000000000000900000000000000'];
    expect(filled(fixture('count_hash'), 'packets_by_source', [{ key: '10.0.0.1', value: { packets: 7, bytes: 9 } }])).toEqual(expected);
    expect(filled(fixture('count_hash'), 'packets_by_source', [{ key: '0a000001', value: '07000000000000000900000000000000' }])).toEqual(expected);
  });

  it('gives one value to every CPU, or each its own', () => {
    const one = '07000000000000000900000000000000';
    const other = '01000000000000000200000000000000';
    expect(filled(fixture('count_percpu'), 'packets_by_source', [{ key: '0a000001', value: one }])).toEqual([`0a000001 ${one}${one}`]);
    expect(filled(fixture('count_percpu'), 'packets_by_source', [{ key: '0a000001', values: [one, other] }])).toEqual([`0a000001 ${one}${other}`]);
  });

  it('puts programs into a PROG_ARRAY', () => {
    const hits = (json: unknown): number[] => {
      const path = fileOf(json);
      const run = simulate({
        object: fixture('tail_calls'),
        program: 'xdp_entry',
        frames: burst(1),
        prepare: (loaded) => fillMapFromFile(loaded, 'jmp_table', path, { possibleCpus: 1, socketCount: 0 }),
      });
      return [...(run.simulation.loaded.maps.get('stage_hits')?.entries() ?? [])].map(({ value }) => value[0]);
    };
    // Stages IPv4, UDP, entry. A UDP stage that calls itself ends at the kernel's limit of 33 tail calls, two of which led to it.
    expect(hits([])).toEqual([1, 1, 1]);
    expect(hits([{ key: 0, value: 'stage_udp' }])).toEqual([1, 32, 1]);
  });

  it('puts interfaces and programs into a DEVMAP, CPUs and programs into a CPUMAP', () => {
    const entries = (name: string, map: string, json: unknown): string[] => filled(fixture(name), map, json, name);
    expect(entries('redirect_devmap', 'plain_devices', [{ key: 1, value: 7 }, { key: 2, value: { ifindex: 1 } }, { key: 3, value: '0a000000' }])).toEqual([
      '01000000 07000000', '02000000 01000000', '03000000 0a000000',
    ]);
    const [entry] = entries('redirect_devmap', 'devices', [{ key: 1, value: { ifindex: 7, program: 'egress' } }]);
    expect(entry).toMatch(/^01000000 070000000[1-9]000000$/);
    expect(entries('redirect_devmap_hash', 'stations', [{ key: 0x01000000, value: { ifindex: 3 } }])).toEqual(['00000001 0300000000000000']);
    expect(entries('redirect_cpumap', 'cpus', [{ key: 0, value: { qsize: 192 } }])).toEqual(['00000000 c000000000000000']);
    expect(entries('redirect_cpumap', 'cpus', [{ key: 0, value: { qsize: 192, program: 'on_cpu' } }])[0]).toMatch(/^00000000 c00000000[1-9]000000$/);
  });

  it.each([
    ['redirect_devmap', 'devices', { ifindex: 1, program: 'redirect_plain' }, 'map-update', 'the program must be in SEC("xdp/devmap")'],
    ['redirect_devmap', 'devices', { ifindex: 1, program: 'egress_jumbo' }, 'map-update', 'SEC("xdp.frags/devmap")'],
    ['redirect_devmap', 'devices', { ifindex: 1, program: 'nope' }, 'map-file-program', 'use one of: egress, egress_jumbo'],
    ['redirect_devmap', 'plain_devices', { ifindex: 1, program: 'egress' }, 'map-file-program', 'no room'],
    ['redirect_devmap', 'devices', { qsize: 1 }, 'map-file-shape', '"ifindex":1,"program":"egress"'],
    ['redirect_devmap', 'devices', { ifindex: 1, flags: 2 }, 'map-file-shape', '"ifindex":1'],
    ['redirect_devmap', 'devices', { ifindex: 1.5 }, 'map-file-shape', '"ifindex":1'],
    ['redirect_devmap', 'devices', null, 'map-file-shape', '"ifindex":1'],
    ['redirect_cpumap', 'cpus', { qsize: 20000 }, 'map-update', '16384'],
    ['redirect_cpumap', 'jumbo_cpus', { qsize: 1, program: 'on_cpu' }, 'map-update', 'SEC("xdp.frags/cpumap")'],
  ])('%s, map %s refuses %j', (name, map, value, code, hint) => {
    const { loaded } = simulationOf({ object: fixture(name), program: name });
    expect(fillMapFromFile(loaded, map, fileOf([{ key: 0, value }]), { possibleCpus: 1, socketCount: 0 })).toMatchObject({ code, hint: expect.stringContaining(hint) });
  });

  it('refuses a CPU that is not there', () => {
    const { loaded } = simulationOf({ object: fixture('redirect_cpumap'), program: 'redirect_cpumap' });
    expect(fillMapFromFile(loaded, 'cpus', fileOf([{ key: 1, value: 8 }]), { possibleCpus: 1, socketCount: 0 })).toMatchObject({ code: 'map-update', hint: 'its keys are CPUs, and there are 1, from 0 on' });
  });

  it('puts sockets into an XSKMAP', () => {
    const { loaded, sockets } = simulationOf({ object: redirectToSocket(), nic: { queues: 2 }, xsk: { application: 'rxdrop' } });
    const path = fileOf([{ key: '05000000', value: 'socket 1' }]);
    expect(fillMapFromFile(loaded, 'xsks', path, { possibleCpus: 2, socketCount: sockets.length })).toBeUndefined();
    const slots = [...(loaded.maps.get('xsks')?.entries() ?? [])].map(({ key, value }) => [key[0], value[0]]);
    expect(slots).toEqual([[0, 1], [1, 2], [5, 2]]);
    expect(fillMapFromFile(loaded, 'xsks', fileOf([{ key: '05000000', value: 'socket 2' }]), { possibleCpus: 2, socketCount: 2 })).toMatchObject({
      code: 'map-file-socket', hint: 'use "socket 0" to "socket 1"', where: expect.stringMatching(/, entry 0$/),
    });
  });
});
