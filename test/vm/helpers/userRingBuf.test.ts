import { describe, expect, it } from 'vitest';
import { E2BIG, EINVAL, ENOSPC, unwrap } from '../../../src/base/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { loadObjectFile, VM_BUDGET } from '../../../src/vm/index.js';
import type { BpfMap } from '../../../src/vm/index.js';
import type { UserRingBuf } from '../../../src/vm/maps/userRingBuf.js';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { TestMachine, testEnvironment } from '../support/differential.js';
import { KernelUserRing } from '../support/kernelRings.js';

const NAME = 'user_ringbuf';
const SIZE = 4096;
const DROP = 0;
const PASS = 1;
const LATER = 2;

const object = () => unwrap(loadObjectFile(`fixtures/programs/${NAME}/${NAME}.o`));

function machineWithRing() {
  const machine = new TestMachine(object(), testEnvironment());
  return { machine, ring: machine.loaded.maps.get('commands') as UserRingBuf, results: machine.loaded.maps.get('results')! };
}

function command(what: number, port = 0): Uint8Array {
  const sample = Buffer.alloc(8);
  sample.writeUInt32LE(what);
  sample.writeUInt32LE(port, 4);
  return sample;
}

const resultsOf = (map: Pick<BpfMap, 'entries'>): bigint[] => [...map.entries()].map(({ value }) => Buffer.from(value).readBigInt64LE());

describe('USER_RINGBUF', () => {
  it('gives its samples to the program, up to the one at which it stops', () => {
    const { machine, ring, results } = machineWithRing();
    for (const each of [command(DROP, 53), command(PASS), command(LATER), command(DROP, 99), Uint8Array.of(1, 2, 3)]) expect(ring.produce(each)).toBe(0);
    machine.run({ data: bytes(64) }, NAME);
    expect(resultsOf(results)).toEqual([3n, 3n, 0n, 0n, BigInt(-EINVAL)]);
    expect(ring.consumerPos).toBe(48);
    machine.run({ data: bytes(64) }, NAME);
    expect(resultsOf(results)).toEqual([2n, 1n, 1n, BigInt(-E2BIG), BigInt(-EINVAL)]);
    expect(ring.consumerPos).toBe(ring.producerPos);
    expect(machine.loaded.readVariable('dropped_port')).toEqual({ ok: true, value: 99 });
  });

  it('has room for as much as it is large', () => {
    const { machine, ring } = machineWithRing();
    expect(ring.produce(new Uint8Array(SIZE - 7))).toBe(-E2BIG);
    expect(ring.produce(new Uint8Array(SIZE - 8))).toBe(0);
    expect(ring.produce(new Uint8Array(0))).toBe(-ENOSPC);
    machine.run({ data: bytes(64) }, NAME);
    expect(ring.produce(new Uint8Array(0))).toBe(0);
  });

  it('a program that is stopped in its callback leaves nothing behind', () => {
    const spec = object();
    const machine = new TestMachine(spec, testEnvironment());
    const ring = machine.loaded.maps.get('commands') as UserRingBuf;
    machine.memory.u32[(machine.vm.stateAddress + VM_BUDGET) >>> 2] = 60;
    ring.produce(command(DROP, 1));
    expect(machine.run({ data: bytes(64) }, NAME).fault?.name).toBe('instruction-budget');
    expect(ring.isBusy).toBe(false);
    machine.memory.u32[(machine.vm.stateAddress + VM_BUDGET) >>> 2] = 100_000;
    expect(machine.run({ data: bytes(64) }, NAME).fault).toBeUndefined();
  });
});

withKernel('USER_RINGBUF, against the kernel', (kernel) => {
  const header = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 40 }) },
    fc.constantFrom(0x80000008, 0x40000008, 0xc0000010, 0x40000000, 4080, 4088, 4089, 8192, 0x00ffffff, 0x01000000, 0x3fffffff, 0xffffffff),
  );
  const sample = fc.record({ header, what: fc.integer({ min: 0, max: 3 }), advance: fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.constantFrom(-8, 8, 4, 1, 5000, -16)) });

  it('drains the same samples, and minds the same mistakes of user space', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.array(sample, { maxLength: 12 }), { minLength: 1, maxLength: 12 }), (rounds) => {
        const { machine, ring, results } = machineWithRing();
        using theirs = new KernelObject(kernel, object());
        const program = unwrap(theirs.loadProgram(NAME));
        const theirRing = new KernelUserRing(unwrap(theirs.map('commands')).fd, SIZE);
        let producerPos = 0;
        for (const samples of rounds) {
          for (const { header: len, what, advance } of samples) {
            const at = producerPos % SIZE & ~7;
            const record = Buffer.alloc(24);
            record.writeUInt32LE(len);
            record.writeUInt32LE(what, 8);
            record.writeUInt32LE(what * 1000, 12);
            // The ring goes on at its beginning.
            record.forEach((byte, i) => {
              theirRing.data[(at + i) % SIZE] = byte;
              machine.memory.u8[ring.dataAddress + ((at + i) % SIZE)] = byte;
            });
            producerPos = Math.max(0, producerPos + Math.ceil(((len & 0x3fffffff) % 4096 + 8) / 8) * 8 + advance);
          }
          theirRing.producerPos = producerPos;
          ring.producerPos = producerPos;
          const expected = testRun(program, { data: bytes(64) });
          const mine = machine.run({ data: bytes(64) }, NAME);
          expect([mine.fault?.message, mine.retval]).toEqual([undefined, expected.retval]);
          expect(resultsOf(results)).toEqual(resultsOf(unwrap(theirs.map('results'))));
          expect(ring.consumerPos).toBe(theirRing.consumerPos);
          expect(Buffer.from(machine.memory.u8.subarray(ring.dataAddress, ring.dataAddress + SIZE)).equals(Buffer.from(theirRing.data))).toBe(true);
        }
        theirRing.close();
      }),
      { numRuns: 150 },
    );
  });
});
