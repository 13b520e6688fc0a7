import { describe, expect, it } from 'vitest';
import { Rng, unwrap } from '../../src/base/index.js';
import { SimulatorBackend, startStateOf } from '../../src/cases/index.js';
import type { CaseBackend } from '../../src/cases/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { KernelBackend } from '../../src/replay/index.js';
import { isMapOfMaps, loadObjectFile, Vm } from '../../src/vm/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { ARP, runOn } from './support.js';

/** ARP has no IP protocol: the program looks for 0. */
const NO_PROTOCOL = '00000000';
const ONE_PACKET = [{ key: '00000000', value: '0100000000000000' }];

function expectInnerMaps(backend: CaseBackend): void {
  const [empty, filled] = runOn('map_in_map_array', [
    { data_in: ARP },
    { data_in: ARP, maps: { counters_by_protocol: [{ key: NO_PROTOCOL, value: 'udp_counters' }] } },
  ], backend);
  expect(empty!.observed).toMatchObject({ globals: { missing: 1 }, maps: { udp_counters: [] } });
  expect(filled!.observed).toMatchObject({ globals: { missing: 0 }, maps: { udp_counters: ONE_PACKET, tcp_counters: [] } });
}

describe('cases with maps of maps', () => {
  it('name a map of the object as the value', () => expectInnerMaps(new SimulatorBackend()));

  it.each(['missing', '.bss', 'counters_by_protocol'])('%s as the value is refused', (value) => {
    const [result] = runOn('map_in_map_array', [{ data_in: ARP, maps: { counters_by_protocol: [{ key: NO_PROTOCOL, value }] } }]);
    const problem = `map counters_by_protocol: value ${value} is no map that can be in it; use one of icmp_counters, tcp_counters, udp_counters`;
    expect(result).toMatchObject({ ok: false, problem });
  });

  it('are recorded with what the object does not put in itself', () => {
    const object = unwrap(loadObjectFile('fixtures/programs/map_in_map_hash/map_in_map_hash.o'));
    const vm = new Vm({ memory: new HostMemory(16), environment: { tNs: 0, cpu: 0, possibleCpus: 1, rng: new Rng(1), onPrintk: () => {} } });
    const loaded = unwrap(vm.load(object));
    expect(startStateOf(loaded).maps).toBeUndefined();
    const outer = loaded.maps.get('sources_by_protocol')!;
    if (!isMapOfMaps(outer)) throw new TypeError('no map of maps');
    expect(outer.setMap(Uint8Array.of(47, 0, 0, 0), loaded.maps.get('tcp_sources')!)).toBe(0);
    // A map that the object doesn't have can't be named.
    expect(outer.setMap(Uint8Array.of(50, 0, 0, 0), unwrap(loaded.createMap({ ...outer.template, name: 'made' })))).toBe(0);
    expect(startStateOf(loaded).maps).toEqual({ sources_by_protocol: [{ key: '2f000000', value: 'tcp_sources' }] });
  });
});

withKernel('cases with maps of maps, in the kernel', (kernel) => {
  it('name a map of the object as the value', () => expectInnerMaps(new KernelBackend(kernel)));
});
