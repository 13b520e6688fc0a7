import type { XdpSock } from '../../umem/index.js';

/** The application's end of the rings of one socket. */
export interface AppRings {
  readonly umemAddress: number;
  /** Gives every chunk to the kernel, as many as the FILL ring takes. */
  fillAll(): void;
  /** Puts one chunk of the application on the FILL ring; false when the ring is full. */
  fill(offBytes: number): boolean;
  /** Takes the oldest packet: its UMEM offset, -1 for none; its length is in `lenBytes` then. */
  receive(): number;
  lenBytes: number;
  /** Queues a packet to be sent; false when the ring is full. */
  send(offBytes: number, lenBytes: number): boolean;
  /** Takes the oldest address of COMPLETION, -1 for none. */
  reclaim(): number;
  readonly toSend: number;
}

export function appRings(socket: XdpSock): AppRings {
  const { umem, rx, tx, pool } = socket;
  if (umem === undefined || rx === undefined || tx === undefined || pool === undefined) throw new Error('appRings: the socket is not bound');
  const fill = pool.fill.ring;
  const completion = pool.completion.ring;
  const { u32 } = fill;
  const rings: AppRings = {
    umemAddress: umem.address,
    lenBytes: 0,
    fillAll() {
      for (let chunk = 0; chunk < umem.sizeBytes; chunk += umem.chunkSizeBytes) if (!rings.fill(chunk)) return;
    },
    fill(offBytes) {
      const chunk = offBytes - (offBytes % umem.chunkSizeBytes);
      if (fill.used >= fill.size) return false;
      u32[fill.entryWord(fill.producer)] = chunk;
      fill.producer += 1;
      return true;
    },
    receive() {
      const { ring } = rx;
      if (ring.isEmpty) return -1;
      const word = ring.entryWord(ring.consumer);
      rings.lenBytes = u32[word + 2];
      ring.consumer += 1;
      return u32[word];
    },
    send(offBytes, lenBytes) {
      const { ring } = tx;
      if (ring.used >= ring.size) return false;
      const word = ring.entryWord(ring.producer);
      u32[word] = offBytes;
      u32[word + 1] = 0;
      u32[word + 2] = lenBytes;
      u32[word + 3] = 0;
      ring.producer += 1;
      return true;
    },
    reclaim() {
      if (completion.isEmpty) return -1;
      const offBytes = u32[completion.entryWord(completion.consumer)];
      completion.consumer += 1;
      return offBytes;
    },
    get toSend() {
      return tx.ring.used;
    },
  };
  return rings;
}
