import { describe, expect, it } from 'vitest';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { TestMachine, textObject } from '../support/differential.js';

const CELLS = map('cells', 2, 4, 32, 1);
const RING = map('ring', 27, 0, 0, 4096);

/** The dynptr at r10 - 16 over the value of `cells`, whose address is in r7; then `text`. */
const overValue = (text: string): string => `*(u32 *)(r10 - 20) = 0
r1 = map cells
r2 = r10
r2 += -20
call 1
r7 = r0
r1 = r7
r2 = 32
r3 = 0
r4 = r10
r4 += -16
call 197
${text}`;

const AT = 'r1 = r10\nr1 += -16';
const read = 'r1 = r10\nr1 += -32\nr2 = 8\nr3 = r10\nr3 += -16\nr4 = 0\nr5 = 0\ncall 201\nexit';
const reserve = `r1 = map ring\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall 198`;

const run = (text: string) => new TestMachine(textObject(text, [CELLS, RING])).run({ data: bytes(64) });

describe('dynptrs', () => {
  it('give what their memory holds', () => {
    expect(run(overValue(`*(u64 *)(r7 + 0) = 77\n${AT}\nr2 = 0\nr3 = 8\ncall 203\nr0 = *(u64 *)(r0 + 0)\nexit`))).toMatchObject({ retval: 77, fault: undefined });
    expect(run(overValue(read))).toMatchObject({ retval: 0, fault: undefined });
  });

  it('are gone when a program writes over one of their bytes, or makes one up', () => {
    expect(run(overValue(`*(u8 *)(r10 - 1) = 9\n${read}`)).fault).toMatchObject({ name: 'bad-helper-argument', helperId: 201, register: 3 });
    expect(run(`*(u64 *)(r10 - 16) = 0\n*(u64 *)(r10 - 8) = 0\n${read}`).fault).toMatchObject({ name: 'bad-helper-argument', register: 3 });
  });

  it('are gone when the run is over', () => {
    const text = `r6 = *(u32 *)(r1 + 0)\nr8 = *(u8 *)(r6 + 0)\nif r8 == 0 goto reading\n${overValue('r0 = 2\nexit')}\nreading:\n${read}`;
    const machine = new TestMachine(textObject(text, [CELLS]));
    expect(machine.run({ data: new Uint8Array(64).fill(1) })).toMatchObject({ retval: 2, fault: undefined });
    // Its bytes still stand on the stack.
    expect(machine.run({ data: new Uint8Array(64) }).fault).toMatchObject({ name: 'bad-helper-argument', register: 3 });
  });

  it('are made on the stack, over memory of a map', () => {
    expect(run(overValue('r0 = 0\nexit').replace('r4 += -16', 'r4 += -12')).fault).toMatchObject({ helperId: 197, register: 4 });
    expect(run('r1 = r10\nr1 += -32\nr2 = 8\nr3 = 0\nr4 = r10\nr4 += -16\ncall 197\nexit').fault).toMatchObject({ helperId: 197, register: 1 });
  });

  it('over a record have to be given back, once', () => {
    expect(run(`${reserve}\nr0 = 2\nexit`).fault?.message).toContain('has not given back the ring buffer dynptr');
    const submit = `${AT}\nr2 = 0\ncall 199`;
    expect(run(`${reserve}\n${submit}\nr0 = 2\nexit`)).toMatchObject({ retval: 2, fault: undefined });
    expect(run(`${reserve}\n${submit}\n${submit}\nr0 = 2\nexit`).fault).toMatchObject({ helperId: 199, register: 1 });
    expect(run(`${reserve}\n${reserve}\nr0 = 2\nexit`).fault).toMatchObject({ helperId: 198, register: 4 });
  });
});
