import type { XdpSock } from '../../umem/index.js';

/** An AF_XDP application on one socket. It owns all chunks when it begins. */
export interface XskApplication {
  /** Puts its chunks on the FILL ring. */
  start(): void;
  /** Something may have happened on the socket's rings. */
  run(): void;
}

/** What an application can ask of the kernel. */
export interface XskKernel {
  /** sendto() on a socket: see XdpSock.sendmsg for the result. */
  send(socket: XdpSock): number;
}

/** Makes an application for a socket. */
export type XskApplicationFactory = (socket: XdpSock, kernel: XskKernel, u8: Uint8Array) => XskApplication;
