import { VM_STACK_FRAME_BYTES } from '../layout.js';
import { PACKET, PACKET_END, UNKNOWN } from './values.js';
import type { Value } from './values.js';

export const SLOT_BYTES = 8;
export const SLOTS = VM_STACK_FRAME_BYTES / SLOT_BYTES;
export const REGISTERS = 11;

/** What is known at one place: registers, then slots of the stack frame, lowest first; and of the packet. */
export class State {
  readonly values: Value[];
  /** Bytes from `data` that are known to lie before `data_end`. */
  packetBytes: number;

  constructor(values: Value[], packetBytes: number) {
    this.values = values;
    this.packetBytes = packetBytes;
  }

  copy(): State {
    return new State(this.values.slice(), this.packetBytes);
  }
}

/** The slot that an aligned access of 8 bytes at this offset from r10 covers. */
export function slotAt(offset: number): number | undefined {
  return offset % SLOT_BYTES === 0 && offset >= -VM_STACK_FRAME_BYTES && offset < 0 ? REGISTERS + (offset + VM_STACK_FRAME_BYTES) / SLOT_BYTES : undefined;
}

export function forgetStack(state: State): void {
  state.values.fill(UNKNOWN, REGISTERS);
}

/** The packet may have moved. */
export function forgetPacket(state: State): void {
  state.packetBytes = 0;
  for (let i = 0; i < state.values.length; i++) {
    const { kind } = state.values[i]!;
    if (kind === PACKET || kind === PACKET_END) state.values[i] = UNKNOWN;
  }
}

export function forgetName(state: State, name: number): void {
  for (let i = 0; i < state.values.length; i++) {
    const value = state.values[i]!;
    if (value.kind === PACKET && value.name === name) state.values[i] = { ...value, name: 0, fromName: 0, nameBytes: 0 };
  }
}
