import { describe, expect, it } from 'vitest';
import { EAGAIN, EINVAL, unwrap } from '../../../src/base/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import { RingBuf } from '../../../src/vm/maps/ringBuf.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { fc } from '../../support/property.js';
import { TestMachine, testEnvironment, textObject } from '../support/differential.js';
import { KernelRing } from '../support/kernelRings.js';

const RINGBUF = 27;
const SIZE = 4096;
const DATA_BYTES = 256;

const ring = (sizeBytes = SIZE) => map('ring', RINGBUF, 0, 0, sizeBytes);

/** What a program does with the ring; `hold` counts from the oldest record that it holds. */
type Step =
  | { readonly op: 'output'; readonly size: number; readonly flags: number }
  | { readonly op: 'record'; readonly size: number; readonly end: 132 | 133; readonly flags: number }
  /** Two records, of which the second is given back first. */
  | { readonly op: 'pair'; readonly size: number; readonly end: 132 | 133; readonly flags: number }
  | { readonly op: 'query'; readonly what: number };

const size = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0, max: DATA_BYTES }) }, fc.constantFrom(1, 7, 8, 9));
const recordSize = fc.oneof(size, fc.constantFrom(600, 1000, 2048, 4072, 4080, 4088, 4089, 8192, 0x3fffffff, 0x40000000));
const flags = fc.oneof({ weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 3) }, fc.constantFrom(4, 0x80000000, 0x100000000));
const end = fc.constantFrom(132 as const, 132 as const, 133 as const);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ op: fc.constant('output' as const), size, flags }),
  fc.record({ op: fc.constant('record' as const), size: recordSize, end, flags }),
  fc.record({ op: fc.constant('pair' as const), size, end, flags }),
  fc.record({ op: fc.constant('query' as const), what: fc.constantFrom(0, 1, 2, 3, 4, 0x100000000) }),
);

let label = 0;

/** The step as text. Every number that a helper gives is mixed into r9; r8 marks what is written. */
function textOf(each: Step): string {
  const mix = 'r9 *= 31\nr9 += r0\nr8 += 1';
  const at = ++label;
  switch (each.op) {
    case 'output':
      return `*(u64 *)(r10 - 8) = r8\nr1 = map ring\nr2 = r10\nr2 += -${DATA_BYTES}\nr3 = ${each.size}\nr4 = ${each.flags} ll\ncall 130\n${mix}`;
    case 'record':
      return [
        `r1 = map ring\nr2 = ${each.size}\nr3 = 0\ncall 131\nr6 = r0\nr0 = 0\nif r6 == 0 goto none${at}`,
        each.size >= 8 ? '*(u64 *)(r6 + 0) = r8' : '',
        `r1 = r6\nr2 = ${each.flags} ll\ncall ${each.end}\nr0 = 1\nnone${at}:\n${mix}`,
      ].join('\n');
    case 'pair':
      return [
        `r1 = map ring\nr2 = ${each.size}\nr3 = 0\ncall 131\nr6 = r0\nr0 = 2\nif r6 == 0 goto none${at}`,
        `r1 = map ring\nr2 = 16\nr3 = 0\ncall 131\nr7 = r0\nif r7 == 0 goto one${at}`,
        '*(u64 *)(r7 + 8) = r8',
        `r1 = r7\nr2 = ${each.flags} ll\ncall 132\none${at}:\nr1 = r6\nr2 = ${each.flags} ll\ncall ${each.end}\nr0 = 3\nnone${at}:\n${mix}`,
      ].join('\n');
    case 'query':
      return `r1 = map ring\nr2 = ${each.what} ll\ncall 134\n${mix}`;
  }
}

function programOf(steps: readonly Step[]): string {
  const clear = Array.from({ length: DATA_BYTES / 8 }, (_, i) => `*(u64 *)(r10 - ${8 * (i + 1)}) = ${i * 3 + 1}`);
  return ['r9 = 0', 'r8 = 1', ...clear, ...steps.map(textOf), 'r0 = r9', 'r1 = r9', 'r1 >>= 32', 'r0 ^= r1', 'exit'].join('\n');
}

function machineOf(text: string, sizeBytes = SIZE, onEvent?: (record: Uint8Array) => void) {
  const environment = testEnvironment(onEvent === undefined ? {} : { onEvent: (_map, record) => onEvent(record.slice()) });
  const machine = new TestMachine(textObject(text, [ring(sizeBytes)]), environment);
  return { machine, live: machine.loaded.maps.get('ring') as RingBuf };
}

function consumed(live: RingBuf): string[] {
  const records: string[] = [];
  live.consume((record) => records.push(Buffer.from(record).toString('hex')));
  return records;
}

describe('the ring against a plain list', () => {
  it('gives the same records in the same order, and has room when the list has', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ size: fc.integer({ min: 0, max: 1500 }), isDiscarded: fc.boolean(), op: fc.constantFrom('reserve', 'reserve', 'commit', 'commitNewest', 'consume') }), { maxLength: 120 }), (run) => {
        const { machine, live } = machineOf('r0 = 0\nexit');
        const { memory } = machine;
        interface Record { address: number; lenBytes: number; fill: number; size: number; state: 'busy' | 'ready' | 'discarded' }
        const list: Record[] = [];
        const used = (records: readonly Record[]): number => records.reduce((sum, { lenBytes }) => sum + lenBytes, 0);
        run.forEach(({ size: sizeBytes, isDiscarded, op }, index) => {
          if (op === 'reserve') {
            const lenBytes = Math.ceil((sizeBytes + 8) / 8) * 8;
            const address = live.reserve(sizeBytes);
            expect(address !== 0).toBe(used(list) + lenBytes < SIZE);
            if (address === 0) return;
            const fill = index & 255;
            memory.u8.fill(fill, address, address + sizeBytes);
            list.push({ address, lenBytes, fill, size: sizeBytes, state: 'busy' });
          } else if (op === 'consume') {
            const firstBusy = list.findIndex(({ state }) => state === 'busy');
            const gone = list.splice(0, firstBusy < 0 ? list.length : firstBusy);
            expect(consumed(live)).toEqual(gone.filter(({ state }) => state === 'ready').map(({ fill, size: length }) => Buffer.alloc(length, fill).toString('hex')));
          } else {
            const busy = list.filter(({ state }) => state === 'busy');
            const record = op === 'commit' ? busy[0] : busy.at(-1);
            if (record === undefined) return;
            live.commit(record.address, 0, isDiscarded);
            record.state = isDiscarded ? 'discarded' : 'ready';
          }
          expect(live.query(0)).toBe(used(list));
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('bpf_ringbuf helpers', () => {
  const reserve = (sizeBytes: number): string => `r1 = map ring\nr2 = ${sizeBytes}\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr6 = r0`;
  const end32 = 'out:\nr0 = 0\nexit';

  it('a record is touched within its size only', () => {
    for (const [access, fault] of [['*(u8 *)(r6 + 15) = 1', undefined], ['*(u8 *)(r6 + 16) = 1', 'bad-access'], ['*(u8 *)(r6 - 1) = 1', 'bad-access'], ['r1 = *(u64 *)(r6 + 9)', 'bad-access']] as const) {
      const { machine } = machineOf(`${reserve(16)}\n${access}\nr1 = r6\nr2 = 0\ncall 132\n${end32}`);
      expect([access, machine.run({ data: bytes(64) }).fault?.name]).toEqual([access, fault]);
    }
  });

  it('a record that was given back is out of reach, and can be given back once', () => {
    for (const after of ['*(u8 *)(r6 + 0) = 1', 'r1 = r6\nr2 = 0\ncall 132', 'r1 = r6\nr2 = 0\ncall 133']) {
      const { machine } = machineOf(`${reserve(16)}\nr1 = r6\nr2 = 0\ncall 132\n${after}\n${end32}`);
      expect(machine.run({ data: bytes(64) }).fault?.name).toMatch(/bad-access|bad-helper-argument/);
    }
  });

  it('only the start of a record can be given back', () => {
    const { machine } = machineOf(`${reserve(16)}\nr1 = r6\nr1 += 8\nr2 = 0\ncall 132\n${end32}`);
    expect(machine.run({ data: bytes(64) }).fault).toMatchObject({ name: 'bad-helper-argument', register: 1 });
  });

  it('a run that keeps its record is a leak; the record is discarded and the ring goes on', () => {
    const { machine, live } = machineOf(`${reserve(16)}\n${end32}`);
    for (let i = 0; i < 3; i++) {
      expect(machine.run({ data: bytes(64) }).fault).toMatchObject({ name: 'reference-leak', message: expect.stringContaining('ring buffer record') });
    }
    expect(consumed(live)).toEqual([]);
    expect([live.consumerPos, live.producerPos]).toEqual([72, 72]);
  });

  it('without a reader the ring fills', () => {
    const text = `r1 = map ring\nr2 = r10\nr2 += -${DATA_BYTES}\nr3 = ${DATA_BYTES}\nr4 = 0\ncall 130\nexit`;
    const { machine } = machineOf(text);
    const results = Array.from({ length: 17 }, () => machine.run({ data: bytes(64) }).retval | 0);
    expect(results).toEqual([...Array.from({ length: 15 }, () => 0), -EAGAIN, -EAGAIN]);
  });

  it('whoever listens gets every record at once, and the ring never fills', () => {
    const seen: string[] = [];
    const text = `*(u64 *)(r10 - 8) = 7\nr1 = map ring\nr2 = r10\nr2 += -8\nr3 = 5\nr4 = 0\ncall 130\nr1 = map ring\nr2 = 0\ncall 134\nexit`;
    const { machine } = machineOf(text, SIZE, (record) => seen.push(Buffer.from(record).toString('hex')));
    for (let i = 0; i < 1000; i++) expect(machine.run({ data: bytes(64) }).retval).toBe(0);
    expect(seen).toEqual(Array.from({ length: 1000 }, () => '0700000000'));
  });

  it('a reader waits for the oldest record', () => {
    const seen: number[] = [];
    const text = programOf([{ op: 'pair', size: 24, end: 132, flags: 0 }]);
    const { machine } = machineOf(text, SIZE, (record) => seen.push(record.length));
    machine.run({ data: bytes(64) });
    expect(seen).toEqual([24, 16]);
  });

  it('refuses flags that are none', () => {
    const text = 'r1 = map ring\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 4\ncall 130\nexit';
    expect(machineOf(text).machine.run({ data: bytes(64) }).retval | 0).toBe(-EINVAL);
  });
});

withKernel('bpf_ringbuf helpers, against the kernel', (kernel) => {
  it('the same results, positions and bytes of the ring', { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(fc.array(fc.record({ steps: fc.array(step, { minLength: 1, maxLength: 8 }), runs: fc.integer({ min: 1, max: 9 }), consumes: fc.boolean() }), { minLength: 1, maxLength: 4 }), (rounds) => {
        const programs = rounds.map(({ steps }, index) => ({ ...textObject(programOf(steps), [ring()]).programs[0]!, name: `p${index}` }));
        const spec = { ...textObject('r0 = 0\nexit', [ring()]), programs };
        const machine = new TestMachine(spec, testEnvironment({ possibleCpus: kernel.possibleCpus }));
        const ours = machine.loaded.maps.get('ring') as RingBuf;
        const object = new KernelObject(kernel, spec);
        const theirs = new KernelRing(unwrap(object.map('ring')).fd, SIZE);
        try {
          rounds.forEach(({ runs, consumes }, index) => {
            const program = unwrap(object.loadProgram(`p${index}`));
            for (let run = 0; run < runs; run++) {
              const result = machine.run({ data: bytes(64) }, `p${index}`);
              expect(result.fault?.message).toBeUndefined();
              expect(result.retval).toBe(testRun(program, { data: bytes(64) }).retval);
            }
            if (consumes) expect(consumed(ours)).toEqual(theirs.consume().map((record) => Buffer.from(record).toString('hex')));
            expect([ours.consumerPos, ours.producerPos]).toEqual([theirs.consumerPos, theirs.producerPos]);
            const data = machine.memory.u8.subarray(ours.dataAddress, ours.dataAddress + SIZE);
            expect(Buffer.from(data).equals(Buffer.from(theirs.data))).toBe(true);
          });
        } finally {
          theirs.close();
          object.close();
        }
      }),
      { numRuns: 60 },
    );
  });
});
