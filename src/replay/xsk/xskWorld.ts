import type { XskSyscalls } from '../../umem/index.js';

/** One end of a wire: a device with one queue, and a program on it that redirects every packet to slot 0 of an XSKMAP. */
export interface XskEnd {
  readonly calls: XskSyscalls;
  readonly ifindex: number;
  /** Puts a socket into slot 0. */
  attach(fd: number): void;
  /** Somebody else sends a frame out of this end: 14 bytes or more, and no more than the MTU allows. It is lost where a link is down. */
  send(frame: Uint8Array): void;
  /** `ip link set up` or `down`. */
  setUp(isUp: boolean): void;
}

/** Two ends of a wire, real or simulated. */
export interface XskWorld {
  readonly ends: readonly [XskEnd, XskEnd];
  /** Time passes, so that what is on its way arrives. */
  wait(): void;
}
