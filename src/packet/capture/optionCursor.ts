import { OPT_ENDOFOPT, OPTION_HEADER_BYTES, OPTION_LENGTH_OFF, padTo4 } from './pcapngFormat.js';

/** Walks the options of a pcapng block. One cursor serves a whole capture: `begin`, then `next` until it answers false. */
export class OptionCursor {
  /** Current option. */
  code = OPT_ENDOFOPT;
  /** Length of its value, without padding. */
  lengthBytes = 0;
  /** Where its value begins. */
  valueOffBytes = 0;
  /** What is wrong with the option list, once `next` has answered false; `undefined` when it ended well. */
  fault: string | undefined;

  readonly #view: DataView;
  #littleEndian = true;
  #posBytes = 0;
  #endBytes = 0;

  constructor(view: DataView) {
    this.#view = view;
  }

  /** The options lie from `fromBytes` up to `endBytes` of the view; `endBytes` may equal `fromBytes`, then there is none. */
  begin(fromBytes: number, endBytes: number, littleEndian: boolean): void {
    this.#posBytes = fromBytes;
    this.#endBytes = endBytes;
    this.#littleEndian = littleEndian;
    this.fault = undefined;
  }

  /** Steps to the next option. A list may end with opt_endofopt or simply with its block. */
  next(): boolean {
    const leftBytes = this.#endBytes - this.#posBytes;
    if (leftBytes === 0) return false;
    if (leftBytes < OPTION_HEADER_BYTES) return this.#fail(`${leftBytes} stray bytes where an option should begin`);
    this.code = this.#view.getUint16(this.#posBytes, this.#littleEndian);
    this.lengthBytes = this.#view.getUint16(this.#posBytes + OPTION_LENGTH_OFF, this.#littleEndian);
    this.valueOffBytes = this.#posBytes + OPTION_HEADER_BYTES;
    if (this.code === OPT_ENDOFOPT) {
      this.#posBytes = this.#endBytes;
      return this.lengthBytes === 0 ? false : this.#fail(`opt_endofopt has ${this.lengthBytes} bytes instead of none`);
    }
    const roomBytes = leftBytes - OPTION_HEADER_BYTES;
    if (padTo4(this.lengthBytes) > roomBytes) {
      return this.#fail(`option ${this.code} claims ${this.lengthBytes} bytes, but only ${roomBytes} are left in its block`);
    }
    this.#posBytes = this.valueOffBytes + padTo4(this.lengthBytes);
    return true;
  }

  /** Whether the current option has the length that its code demands; otherwise the walk ends with a fault. */
  hasLength(lengthBytes: number, name: string): boolean {
    if (this.lengthBytes === lengthBytes) return true;
    this.#posBytes = this.#endBytes;
    return this.#fail(`${name} has ${this.lengthBytes} bytes instead of ${lengthBytes}`);
  }

  #fail(fault: string): false {
    this.fault = fault;
    return false;
  }
}
