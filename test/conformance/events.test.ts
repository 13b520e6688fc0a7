import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { KernelObject, testRun } from '../../src/replay/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { loadObjectFile } from '../../src/vm/index.js';
import type { RingBuf } from '../../src/vm/index.js';
import { fixtureCaptures, readPackets } from '../support/fixtures.js';
import { withKernel } from '../support/kernelOracle.js';
import { TestMachine, testEnvironment } from '../vm/support/differential.js';
import { KernelPerfEvent, KernelRing } from '../vm/support/kernelRings.js';

// What programs send to user space, record by record: the reader of the kernel's rings and perf events beside that of the simulator's.

const RINGS = [['ringbuf_events', 'events'], ['aya_log_new', 'AYA_LOGS']] as const;
const PERF_EVENTS = [['perf_events', 'samples'], ['aya_log_old', 'AYA_LOGS']] as const;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const fixture = (name: string) => unwrap(loadObjectFile(`fixtures/programs/${name}/${name}.o`));

withKernel('events of every packet, as the running kernel sends them', (kernel) => {
  const packets = fixtureCaptures().flatMap((name) => readPackets(name));

  it.each(RINGS)('%s: the records of ring %s, and its bytes', { timeout: 60_000 }, (name, mapName) => {
    const spec = fixture(name);
    const machine = new TestMachine(spec, testEnvironment({ possibleCpus: kernel.possibleCpus }));
    const ours = machine.loaded.maps.get(mapName) as RingBuf;
    using object = new KernelObject(kernel, spec);
    const theirs = new KernelRing(unwrap(object.map(mapName)).fd, ours.spec.maxEntries);
    const program = unwrap(object.loadProgram(name));
    let records = 0;
    packets.forEach(({ data }, index) => {
      testRun(program, { data });
      machine.run({ data }, name);
      // Now and then nobody reads for a while.
      if (Math.floor(index / 40) % 2 === 1) return;
      const expected = theirs.consume().map(hex);
      const read: string[] = [];
      records += ours.consume((record) => read.push(hex(record)));
      expect(read).toEqual(expected);
      expect([ours.consumerPos, ours.producerPos]).toEqual([theirs.consumerPos, theirs.producerPos]);
      expect(hex(machine.memory.u8.subarray(ours.dataAddress, ours.dataAddress + ours.spec.maxEntries))).toBe(hex(theirs.data));
    });
    expect(records).toBeGreaterThan(200);
    theirs.close();
  });

  it.each(PERF_EVENTS)('%s: the samples of %s', { timeout: 60_000 }, (name, mapName) => {
    const spec = fixture(name);
    const seen: string[] = [];
    const machine = new TestMachine(spec, testEnvironment({ possibleCpus: kernel.possibleCpus, onEvent: (_map, bytes) => seen.push(hex(bytes)) }));
    using object = new KernelObject(kernel, spec);
    const event = new KernelPerfEvent(0, 32);
    expect(unwrap(object.map(mapName)).updateBytes(new Uint8Array(4), new Uint8Array(Int32Array.of(event.fd).buffer), 0)).toBe(0);
    const program = unwrap(object.loadProgram(name));
    let samples = 0;
    unwrap(new CpuBinding(kernel.syscalls, 0).run(() => {
      for (const { data } of packets) {
        testRun(program, { data });
        machine.run({ data }, name);
        // What fills a sample up, 7 bytes at most, is left as it was in the kernel's ring.
        const theirs = event.samples().map(hex);
        expect(seen.map((sample) => sample.length)).toEqual(theirs.map((sample) => sample.length));
        seen.forEach((sample, i) => expect(theirs[i]!.startsWith(sample.replace(/(00){0,7}$/, ''))).toBe(true));
        samples += theirs.length;
        seen.length = 0;
      }
    }));
    const [results] = [...machine.loaded.maps].filter(([map]) => map === 'results').map(([, map]) => [...map.entries()].map(({ value }) => hex(value)));
    expect([...unwrap(object.map('results')).entries()].map(({ value }) => hex(value))).toEqual(results);
    expect(samples).toBeGreaterThan(200);
    event.close();
  });
});
