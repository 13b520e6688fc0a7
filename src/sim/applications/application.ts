import type { XskSocket } from '../../xsk/index.js';

/** An AF_XDP application on one socket, which is bound and in the XSKMAPs. It has all chunks of its UMEM when it begins. What it throws comes out of the run. */
export interface XskApplication {
  /** Before the first packet: puts chunks on FILL, if it wants to receive. Nothing may be sent yet. */
  start(): void;
  /** Once after `start`, then whenever something may have happened on the socket's rings, and at the times that it asked for. */
  run(): void;
}

/** What an application has besides its socket. */
export interface XskApplicationHost {
  /** Virtual time, ns. */
  readonly nowNs: number;
  /**
   * Calls `run` at this time, too. Of several requests that are open the earliest counts.
   *
   * @param tNs virtual time, from now on; Infinity: never
   * @throws RangeError for a time that is none, or has passed
   */
  wakeAt(tNs: number): void;
}

/** Makes an application for a socket. */
export type XskApplicationFactory = (socket: XskSocket, host: XskApplicationHost) => XskApplication;
