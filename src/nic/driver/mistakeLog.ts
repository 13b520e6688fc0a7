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

/** The first mistakes, and how many there were. */
export class MistakeLog {
  readonly list: BufferMistake[] = [];
  count = 0;

  add(mistake: BufferMistake): void {
    this.count++;
    if (this.list.length < KEPT_MISTAKES) this.list.push(mistake);
  }
}
