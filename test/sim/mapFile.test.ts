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
function filled(object: ObjectSpec, map: string, json: unknown): string[] {
  const { loaded } = simulationOf({ object, nic: { queues: 2 } });
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
