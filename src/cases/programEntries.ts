import { fromHex, toHex } from '../base/index.js';
import { BPF_F_WRONLY, mapTypeName } from '../vm/index.js';
import type { MapSpec } from '../vm/index.js';

// A value of a DEVMAP, DEVMAP_HASH or CPUMAP in a case file: its bytes in hex, or those of the ifindex or queue size and, behind a blank, the
// name of a program: `0100000000000000`, `01000000 egress`.

const TARGET_BYTES = 4;

/** What a value says. */
export interface EntryValue {
  /** Ifindex or queue size. */
  readonly target: number;
  readonly program: string | undefined;
}

/** True for maps whose entries can name programs. */
export function hasProgramEntries(spec: MapSpec): boolean {
  return ['DEVMAP', 'DEVMAP_HASH', 'CPUMAP'].includes(mapTypeName(spec.type));
}

/** Reads a value; `undefined` when it is none. Which programs there are is not its affair. */
export function parseEntryValue({ valueSize }: MapSpec, text: string): EntryValue | undefined {
  const named = /^([0-9a-fA-F]{8}) (\S+)$/.exec(text);
  const bytes = fromHex(named === null ? text : named[1]);
  if (bytes === undefined) return undefined;
  const target = () => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (named !== null) return valueSize === 8 ? { target: target(), program: named[2] } : undefined;
  // No program has an id or file descriptor that a case could know.
  return bytes.length === valueSize && bytes.subarray(TARGET_BYTES).every((byte) => byte === 0) ? { target: target(), program: undefined } : undefined;
}

/** Writes a value as a map gives it. */
export function formatEntryValue(value: Uint8Array, programName: (id: number) => string | undefined): string {
  const id = value.length === 8 ? new DataView(value.buffer, value.byteOffset).getUint32(TARGET_BYTES, true) : 0;
  return id === 0 ? toHex(value) : `${toHex(value.subarray(0, TARGET_BYTES))} ${programName(id) ?? `program ${id}`}`;
}

/** True for those that a case can judge: user space may read them. */
export function isJudgedEntryMap(spec: MapSpec): boolean {
  return hasProgramEntries(spec) && (spec.flags & BPF_F_WRONLY) === 0;
}
