import { readFileSync } from 'node:fs';
import { describe, expect } from 'vitest';
import { parseScenario } from '../../src/sim/index.js';
import { fc, prop } from '../support/property.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const example = JSON.parse(readFileSync('fixtures/scenarios/load-balancer.json', 'utf8')) as Json;
/** The example with every field that there is somewhere. */
const rich: Json = {
  ...(example as { [name: string]: Json }),
  seed: 3, max_hops: 5,
  hosts: [
    {
      name: 'a', cpus: 2, kernel: '6.6', engine: 'jit', budget: 5, network: { interfaces: [{ ifindex: 9 }] }, objects: [{ file: 'x.o', set: { a: 1 }, maps: { m: [] }, map_sizes: { m: 4 } }],
      nics: [{ name: 'eth0', mac: '02:00:00:00:00:01', faults: [{ kind: 'crc', windows: [{ from_ns: 1, to_ns: 2 }] }], watchdog_ns: 5, offloads: { rxChecksum: true }, features: ['lro'], xdp: { mode: 'native' }, xsk: 'rxdrop', out: 'o' }, { name: 'eth1', in: { capture: 'c', start_ns: 1 } }],
    },
    ...((example as { hosts: Json[] }).hosts),
  ],
};

/** Paths of all values in it. */
function paths(json: Json, path: (string | number)[] = []): (string | number)[][] {
  if (typeof json !== 'object' || json === null) return [path];
  const members: [string | number, Json][] = Array.isArray(json) ? json.map((each, i) => [i, each]) : Object.entries(json);
  return [path, ...members.flatMap(([name, each]) => paths(each, [...path, name]))];
}

function replaced(json: Json, [name, ...rest]: (string | number)[], value: Json): Json {
  if (name === undefined) return value;
  if (Array.isArray(json)) return json.map((each, i) => (i === name ? replaced(each, rest, value) : each));
  return { ...(json as { [name: string]: Json }), [name]: replaced((json as { [name: string]: Json })[name], rest, value) };
}

const value = fc.oneof(
  fc.jsonValue() as fc.Arbitrary<Json>,
  fc.constantFrom<Json>(-1, 0, 0.5, 1e9, 2 ** 31, 2 ** 32, 2 ** 53, 1e300, '', '.', 'eth0', 'a.eth0', '__proto__', 'constructor', '../x', '\0', [], {}, [[]], null, true, JSON.parse('{"toString":1}') as Json, ['lro', 5], 'x'.repeat(1000)),
);
const mutations = fc.array(fc.tuple(fc.constantFrom(...paths(rich)), value), { minLength: 1, maxLength: 3 });

describe('a scenario file that somebody has tampered with', () => {
  prop([mutations], { numRuns: 3000 })('is taken, or refused with a place and what to do', (list) => {
    let json: Json = rich;
    for (const [path, each] of list) {
      try {
        json = replaced(json, path, each);
      } catch {
        // An earlier mutation took the place away.
      }
    }
    const result = parseScenario(json, 'lab.json', '/lab');
    if (result.ok) return;
    const { code, where, message, hint } = result.problem;
    for (const text of [code, where, message, hint]) expect(text).toBeTruthy();
    expect(where).toContain('lab.json');
  });
});
