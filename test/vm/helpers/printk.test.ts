import { describe, expect, it } from 'vitest';
import { bprintf } from '../../../src/vm/helpers/bprintf.js';
import type { BprintfArguments } from '../../../src/vm/helpers/bprintf.js';
import { withKernel } from '../../support/kernelOracle.js';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { fc } from '../../support/property.js';
import { TestMachine, expectSameAsKernel, testEnvironment, textObject } from '../support/differential.js';
import { PRINTK_CASES, PRINTK_DATA } from './printkCases.js';

const DATA_ADDRESS = 0x10000n;

function latin1(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text, 'latin1'));
}

function argumentsOf(values: readonly (bigint | 'data')[]): BprintfArguments {
  const u64 = (index: number): bigint => BigInt.asUintN(64, values[index] === 'data' ? DATA_ADDRESS : (values[index] ?? 0n));
  return { count: 3, u64, read: (index, sizeBytes) => (u64(index) === DATA_ADDRESS ? latin1(PRINTK_DATA).subarray(0, sizeBytes) : new Uint8Array(0)) };
}

describe('bprintf formats as the kernel does', () => {
  it.each(PRINTK_CASES)('%j', (format, values, returned, line) => {
    const result = bprintf(latin1(format), argumentsOf(values));
    expect(result.returned).toBe(returned);
    expect(result.line).toBe(line === undefined ? '' : Buffer.from(line, 'latin1').toString('utf8'));
  });
});

describe('bprintf', () => {
  it('has room for 512 bytes of arguments', () => {
    const long = { count: 3, u64: () => 1n, read: (_: number, sizeBytes: number) => new Uint8Array(sizeBytes).fill(0x61) };
    expect(bprintf(latin1('%s'), long)).toEqual({ returned: 511, line: 'a'.repeat(511) });
    expect(bprintf(latin1('%s %d'), long).returned).toBe(-28);
    expect(bprintf(latin1('%d %s'), long).returned).toBe(509);
  });

  it('shows addresses as they are, which the kernel hashes', () => {
    expect(bprintf(latin1('%p %pK'), argumentsOf([0x1234n, 0x5678n])).line).toBe('0000000000001234 0000000000005678');
  });
});

/** Stores text at r10 + off, four bytes at a time. */
function storeText(text: string, off: number): string {
  const padded = Buffer.alloc(Math.ceil((text.length + 1) / 4) * 4);
  padded.write(text, 'latin1');
  return Array.from({ length: padded.length / 4 }, (_, i) => `*(u32 *)(r10 ${off + i * 4}) = ${padded.readInt32LE(i * 4)}`).join('\n');
}

/** `return bpf_trace_printk(format, size, 7, -7, third)`; `third` is the address of "text" unless it is given. */
function printing(format: string, size = format.length + 1, third = 'r10\nr5 += -8'): string {
  return `${storeText(format, -96)}\n${storeText('text', -8)}\nr1 = r10\nr1 += -96\nr2 = ${size}\nr3 = 7\nr4 = -7\nr5 = ${third}\ncall 6\nexit`;
}

describe('bpf_trace_printk', () => {
  const print = (text: string) => {
    const lines: string[] = [];
    const machine = new TestMachine(textObject(text), testEnvironment({ onPrintk: (line) => lines.push(line) }));
    const { retval, fault } = machine.run({ data: bytes(64) });
    return { returned: retval | 0, lines, fault: fault?.name };
  };

  it('gives the line to the environment', () => {
    expect(print(printing('%d %d %s'))).toEqual({ returned: 9, lines: ['7 -7 text'], fault: undefined });
  });

  it('leaves out a newline at the end, but counts it', () => {
    expect(print(printing('%d\n'))).toEqual({ returned: 2, lines: ['7'], fault: undefined });
  });

  it('ends the format at its first NUL', () => {
    expect(print(printing('x\0%y'))).toEqual({ returned: 1, lines: ['x'], fault: undefined });
  });

  it('refuses a format without NUL, and one that is wrong', () => {
    expect(print(printing('%d %d', 5))).toEqual({ returned: -22, lines: [], fault: undefined });
    expect(print(printing('%y'))).toEqual({ returned: -22, lines: [], fault: undefined });
  });

  it('prints nothing for a string that is nowhere, and zeros for an address that is nowhere', () => {
    const text = (format: string): string => printing(format).replace('r3 = 7', 'r3 = 0x123456789 ll');
    expect(print(text('<%s>')).lines).toEqual(['<>']);
    expect(print(text('<%pI4>')).lines).toEqual(['<0.0.0.0>']);
  });

  it('stops a program whose format lies outside its memory', () => {
    expect(print('r1 = 0\nr2 = 4\ncall 6\nexit').fault).toBe('bad-helper-argument');
    expect(print('r1 = r10\nr1 += -8\nr2 = 9\ncall 6\nexit').fault).toBe('bad-helper-argument');
    expect(print('r1 = r10\nr1 += -8\nr2 = 0\ncall 6\nexit').fault).toBe('bad-helper-argument');
  });
});

withKernel('bpf_trace_printk against the kernel', (kernel) => {
  const piece = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom('%d', '%5u', '%-08x', '%llx', '%lu', '%+d', '%pi4', '%px', '%c', '%X', '%%', '%05lld', '%pB') },
    { weight: 1, arbitrary: fc.constantFrom('%s', '%pks', '%pI6', '%', 'l', 'd', '5', ' ', '-', '|', 'x', 'p', 'K', '\n', '\x01', '\xe9') },
  );

  it('any format is taken or refused alike, and gives a line of the same length', () => {
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 9 }).map((pieces) => pieces.join('')), (format) => {
        // What %s and its like get here is the address of nothing: neither prints anything for it.
        expectSameAsKernel(kernel, textObject(printing(format, format.length + 1, '66')), { data: bytes(64) });
      }),
      { numRuns: 150 },
    );
  }, 60_000);
});
