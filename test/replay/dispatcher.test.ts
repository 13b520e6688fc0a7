import { expect, it } from 'vitest';
import { Rng, unwrap } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { isMapOfMapsType } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { createDispatcher, orderChain, XDP_PASS } from '../../src/xdp/index.js';
import type { DispatcherProgram } from '../../src/xdp/index.js';
import type { Observed } from '../conformance/compare.js';
import { openKernelSide, openSimulatorSide } from '../conformance/sides.js';
import type { Side } from '../conformance/sides.js';
import { fixtureCaptures, fixtureObjects, readPackets } from '../support/fixtures.js';
import { withKernel } from '../support/kernelOracle.js';
import { byByte, libxdpDispatcher } from '../xdp/dispatcher/support.js';

// Two oracles. The linked object goes into the kernel as it is, libxdp's dispatcher with its programs inside, and both sides get the same packets. And
// each program goes into the kernel alone, as its author compiled it: what a chain must do follows from their verdicts, one after the other. Neither needs BPF_PROG_TYPE_EXT, which
// not every machine lets root load.

const SEED = 1;
const CHAINS = 25;
const PACKETS = 60;

const subjectOf = (spec: ObjectSpec, program: string) => ({ name: spec.name, object: { file: spec.name, spec }, program, variant: { name: '' } });

/** A chain of 1 to 10 programs that return bytes of the packet, with random priorities and chain call actions. */
function randomChain(rng: Rng): DispatcherProgram[] {
  return Array.from({ length: 1 + rng.below(10) }, () => ({
    object: byByte(rng.below(16)),
    program: 'by_byte',
    priority: rng.below(4) * 20,
    chainCallActions: [0, 1, 2, 3, 4].filter(() => rng.below(3) > 0),
  }));
}

/** Verdicts mostly, and now and then any byte. */
const randomPacket = (rng: Rng): Uint8Array => Uint8Array.from({ length: 14 + rng.below(60) }, () => (rng.below(12) === 0 ? rng.below(256) : rng.below(5)));

/** What libxdp's dispatcher does with a verdict: a shift of 64 bits finds it. */
const goesOn = (actions: readonly number[], verdict: number): boolean => [...actions, 31].includes(verdict & 63);

/** The verdict and packet of a chain whose programs run one by one. */
function runOneByOne(sides: readonly Side[], chain: readonly { readonly chainCallActions: readonly number[] }[], packet: Uint8Array): Pick<Observed, 'retval' | 'dataOut'> {
  let dataOut = packet;
  for (const [place, side] of sides.entries()) {
    const ran = side.run({ data: dataOut });
    dataOut = ran.dataOut;
    if (!goesOn(chain[place].chainCallActions, ran.retval)) return { retval: ran.retval, dataOut };
  }
  return { retval: XDP_PASS, dataOut };
}

// What user space reads out of a map of maps are ids.
const contentsOf = (side: Side): [string, string[]][] =>
  side.maps.filter(({ spec }) => !isMapOfMapsType(spec.type)).map((map) => [map.spec.name, [...map.entries()].map(({ key, value }) => `${Buffer.from(key).toString('hex')}=${Buffer.from(value).toString('hex')}`)]);

withKernel('dispatcher chains, as the running kernel runs them', (kernel) => {
  const memory = new HostMemory(64);

  it.each([['libxdp\'s dispatcher', libxdpDispatcher()], ['the built-in dispatcher', undefined]])('%s: same verdicts, bytes, maps', { timeout: 120_000 }, (_, dispatcher) => {
    const rng = new Rng(SEED);
    const verdicts = new Set<number>();
    for (let i = 0; i < CHAINS; i++) {
      const programs = randomChain(rng);
      const linked = unwrap(createDispatcher(programs, { dispatcher }));
      const chain = unwrap(orderChain(programs));
      const theirs = openKernelSide(kernel, subjectOf(linked, 'xdp_dispatcher'));
      const alone = chain.map(({ object, program }) => openKernelSide(kernel, subjectOf(object, program.name)));
      const ours = openSimulatorSide(memory, subjectOf(linked, 'xdp_dispatcher'), kernel.possibleCpus, { engine: i % 2 === 0 ? 'jit' : 'interpreter' });
      try {
        for (let packet = 0; packet < PACKETS; packet++) {
          const data = randomPacket(rng);
          const { retval, dataOut, fault } = ours.run({ data });
          expect(fault).toBeUndefined();
          const inKernel = theirs.run({ data });
          expect({ retval, dataOut }, `chain ${i}, packet ${packet}`).toEqual({ retval: inKernel.retval, dataOut: inKernel.dataOut });
          expect({ retval, dataOut }, `chain ${i}, packet ${packet}`).toEqual(runOneByOne(alone, chain, data));
          verdicts.add(retval);
        }
        expect(contentsOf(ours)).toEqual(contentsOf(theirs));
      } finally {
        for (const side of [theirs, ours, ...alone]) side.close();
      }
    }
    expect([...verdicts]).toEqual(expect.arrayContaining([0, 1, 2, 3, 4]));
    expect([...verdicts].some((verdict) => verdict > 63)).toBe(true);
  });

  it('chains of fixture programs over every packet of the fixtures', { timeout: 120_000 }, () => {
    const objects = new Map(fixtureObjects().map(({ file, spec }) => [file, spec]));
    const chains: DispatcherProgram[][] = [
      ['count_hash', 'vlan_push', 'switch_drop'], ['adjust_tail', 'count_hash', 'reflector'], ['switch_drop', 'store_bytes', 'csum_diff', 'lru_count'],
      ['subprogs', 'map_in_map_array', 'count_hash'],
    ].map((names) => names.map((name, place) => ({ object: objects.get(`${name}/${name}.o`)!, program: firstXdp(objects.get(`${name}/${name}.o`)!), priority: place, chainCallActions: [1, 2, 3] })));
    const packets = fixtureCaptures().flatMap((name) => readPackets(name)).filter(({ data }) => data.length < 3000);
    for (const programs of chains) {
      const linked = unwrap(createDispatcher(programs, { dispatcher: libxdpDispatcher() }));
      const theirs = openKernelSide(kernel, subjectOf(linked, 'xdp_dispatcher'));
      const ours = openSimulatorSide(memory, subjectOf(linked, 'xdp_dispatcher'), kernel.possibleCpus, { engine: 'jit' });
      const sides = [theirs, ours];
      try {
        for (const { capture, number, data } of packets) {
          const [inKernel, here] = sides.map((side) => side.run({ data }));
          expect({ ...here, fault: undefined }, `${linked.name}, ${capture} ${number}: ${here.fault}`).toEqual({ ...inKernel, durationNs: undefined });
        }
        expect(contentsOf(ours).map(sorted)).toEqual(contentsOf(theirs).map(sorted));
      } finally {
        for (const side of sides) side.close();
      }
    }
  });
});

withKernel('a chain with tail calls, its programs one by one in the kernel', (kernel) => {
  // Tail calls out of functions need types there, which a linked object doesn't have.
  it('gives the same verdicts and bytes', () => {
    const objects = new Map(fixtureObjects().map(({ file, spec }) => [file, spec]));
    const chain = ['tail_calls', 'count_hash', 'vlan_push'].map((name, priority) => {
      const object = objects.get(`${name}/${name}.o`)!;
      return { object, program: firstXdp(object), priority, chainCallActions: [XDP_PASS] };
    });
    const linked = unwrap(createDispatcher(chain));
    const ours = openSimulatorSide(new HostMemory(64), subjectOf(linked, 'xdp_dispatcher'), kernel.possibleCpus, { engine: 'jit' });
    const alone = chain.map(({ object, program }) => openKernelSide(kernel, subjectOf(object, program)));
    try {
      for (const { capture, number, data } of fixtureCaptures().flatMap((name) => readPackets(name)).filter((packet) => packet.data.length < 3000)) {
        const { retval, dataOut, fault } = ours.run({ data });
        expect({ retval, dataOut, fault }, `${capture} ${number}`).toEqual({ ...runOneByOne(alone, chain, data), fault: undefined });
      }
    } finally {
      for (const side of [ours, ...alone]) side.close();
    }
  });
});

const firstXdp = ({ programs }: ObjectSpec): string => programs.find(({ type }) => type === 'xdp')!.name;
const sorted = ([name, entries]: [string, string[]]): [string, string[]] => [name, [...entries].sort()];
