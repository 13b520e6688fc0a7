import type { OwnerLedger } from '../../memory/index.js';

/** What a driver did with a buffer that the kernel's rules forbid. */
export interface BufferMistake {
  /** Stable name in kebab case. */
  readonly code: 'direct-recycle-outside-napi' | 'foreign-page' | 'fragment-returned-twice' | 'freed-but-not-given-up' | 'given-up-twice';
  /** What happened and what to call instead, one sentence without a full stop at its end. */
  readonly message: string;
  /** Host address that the driver named. */
  readonly buffer: number;
  /** Packet (1-based) that the buffer carried, 0 when it carried none. */
  readonly packetId: number;
}

/** More mistakes than these are only counted. */
const KEPT_MISTAKES = 32;

/** The first mistakes with the buffers of one ledger, and how many there were. */
export class MistakeLog {
  readonly list: BufferMistake[] = [];
  count = 0;
  readonly #ledger: OwnerLedger;

  constructor(ledger: OwnerLedger) {
    this.#ledger = ledger;
  }

  /** @param what goes on after the name of the buffer, as in `was freed twice` */
  add(code: BufferMistake['code'], buffer: number, what: string): void {
    this.count++;
    if (this.list.length >= KEPT_MISTAKES) return;
    const unit = this.#ledger.indexOf(buffer);
    const packetId = this.#ledger.packetId[unit] ?? 0;
    const packet = packetId === 0 ? '' : ` (packet ${packetId})`;
    this.list.push({ code, buffer, packetId, message: `${this.#ledger.unitName} ${unit}${packet} ${what}` });
  }
}
