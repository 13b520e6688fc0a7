import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { dumpFilled } from '../../src/cases/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { KernelDumper } from '../../src/replay/kernelDump.js';
import { KernelObject } from '../../src/replay/index.js';
import { mapTypeName, Vm } from '../../src/vm/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { testEnvironment, textObject } from '../vm/support/differential.js';
import { u32 } from '../vm/maps/support/liveMap.js';
import { map } from './support/kernelPrograms.js';

const [ARRAY, PERCPU_ARRAY] = [2, 6];

withKernel('dumps of large arrays', (kernel) => {
  it.each([[ARRAY, 4], [ARRAY, 12], [PERCPU_ARRAY, 4]])('type %i, values of %i bytes: what is not zero, the same here and there', (type, valueSize) => {
    const spec = map('large', type, 4, valueSize, 150_000);
    const object = textObject('r0 = 2\nexit', [spec]);
    using theirs = new KernelObject(kernel, object);
    const kernelMap = unwrap(theirs.map('large'));
    const vm = new Vm({ memory: new HostMemory(64), environment: testEnvironment({ possibleCpus: kernel.possibleCpus }) });
    const ours = unwrap(vm.load(object)).maps.get('large')!;
    const dumper = new KernelDumper(kernel);
    expect([mapTypeName(type), dumper.dump(kernelMap).count, dumpFilled(ours).count]).toEqual([mapTypeName(type), 0, 0]);
    // In the first portion and the last, at their borders, none in the second.
    for (const index of [0, 5, 65_535, 131_072, 149_999]) {
      const value = new Uint8Array(kernelMap.userValueBytes);
      value[valueSize - 1] = index & 0xff || 1;
      expect([ours.updateBytes(u32(index), value, 0), kernelMap.updateBytes(u32(index), value, 0)]).toEqual([0, 0]);
    }
    const { count, keys, values } = dumper.dump(kernelMap);
    const dump = dumpFilled(ours);
    expect([dump.count, Buffer.from(dump.keys), Buffer.from(dump.values)]).toEqual([5, Buffer.from(keys), Buffer.from(values)]);
    expect(count).toBe(5);
  });
});
