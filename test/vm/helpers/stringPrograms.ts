import type { MapSpec, ObjectSpec } from '../../../src/vm/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { textObject } from '../support/differential.js';

const ARRAY = 2;
const BPF_F_RDONLY_PROG = 1 << 7;

/** Bytes of every packet here. */
const PACKET_BYTES = 512;
const TEXT_BYTES = 64;
/** Where the text of a question begins; before it stand the answers, its length and the flags. */
const TEXT_AT = 64;

/** A packet that begins with these bytes. */
export function packetOf(bytes: Uint8Array): Uint8Array {
  const packet = new Uint8Array(PACKET_BYTES);
  packet.set(bytes);
  return packet;
}

/** Leaves the packet in r6, `size` bytes of which may be touched. */
const packetIn = (size: number): string => `r6 = *(u32 *)(r1 + 0)
r7 = *(u32 *)(r1 + 4)
r2 = r6
r2 += ${size}
r0 = -1
if r2 > r7 goto out
`;

/** Copies `size` bytes, a multiple of 8, by way of r1. */
function copy(toRegister: string, to: number, fromRegister: string, from: number, size: number): string {
  const at = (register: string, off: number): string => `*(u64 *)(${register} ${off < 0 ? '-' : '+'} ${Math.abs(off)})`;
  return Array.from({ length: size / 8 }, (_, i) => `r1 = ${at(fromRegister, from + i * 8)}\n${at(toRegister, to + i * 8)} = r1`).join('\n');
}

export interface Question {
  readonly text: string;
  readonly flags: number;
}

export function questionBytes({ text, flags }: Question): Uint8Array {
  const packet = packetOf(new Uint8Array(0));
  const bytes = Buffer.from(text, 'latin1').subarray(0, TEXT_BYTES);
  packet.set(bytes, TEXT_AT);
  packet[32] = Math.max(0, bytes.length - 1);
  packet[33] = flags;
  return packet;
}

/** `packet[16..23] = *res; return bpf_strtol(text, length + 1, flags, &res)`. */
export function askingStrtox(id: number): ObjectSpec {
  return textObject(`${packetIn(TEXT_AT + TEXT_BYTES)}${copy('r10', -80, 'r6', TEXT_AT, TEXT_BYTES)}
r1 = r10
r1 += -80
r2 = *(u8 *)(r6 + 32)
r2 &= ${TEXT_BYTES - 1}
r2 += 1
r3 = *(u8 *)(r6 + 33)
r4 = 77
*(u64 *)(r10 - 8) = r4
r4 = r10
r4 += -8
call ${id}
r1 = *(u64 *)(r10 - 8)
*(u64 *)(r6 + 16) = r1
out: exit`);
}

/** `return bpf_strncmp(packet, size, right)`. */
export function comparing(right: Uint8Array, size: number): ObjectSpec {
  return withRodata(`${packetIn(8)}${copy('r10', -8, 'r6', 0, 8)}
r1 = r10
r1 += -8
r2 = ${size}
r3 = map rodata
call 182
out: exit`, right);
}

/** `return bpf_snprintf(str, strSize, format, values, sizeof(values))`, all on the stack; `packet[256..503] = str`. */
export function formatting(format: Uint8Array, values: readonly bigint[], strSize: number): ObjectSpec {
  const stores = values.map((value, index) => `r1 = 0x${value.toString(16)} ll\n*(u64 *)(r10 - ${(values.length - index) * 8}) = r1`).join('\n');
  const data = values.length === 0 ? 'r4 = 0' : `r4 = r10\nr4 += -${values.length * 8}`;
  const clear = Array.from({ length: 31 }, (_, i) => `*(u64 *)(r10 - ${400 - i * 8}) = 0`).join('\n');
  return withRodata(`${packetIn(PACKET_BYTES)}${stores}
${clear}
r1 = r10
r1 += -400
r2 = ${strSize}
r3 = map rodata
${data}
r5 = ${values.length * 8}
call 165
${copy('r6', 256, 'r10', -400, 248)}
out: exit`, format);
}

/** An object whose `rodata` is global data that programs can only read: `r1 = map rodata` is the address of its first byte. */
export function withRodata(program: string, bytes: Uint8Array, maps: readonly MapSpec[] = []): ObjectSpec {
  const rodata = map('rodata', ARRAY, 4, bytes.length, 1, { flags: BPF_F_RDONLY_PROG, dataSection: '.rodata', initialValue: bytes });
  const spec = textObject(program, [rodata, ...maps]);
  const programs = spec.programs.map((each) => ({
    ...each,
    references: each.references.map((reference) => (reference.map === 'rodata' ? { ...reference, kind: 'value' as const } : reference)),
  }));
  return { ...spec, programs };
}
