/**
 * Memory that an application has mapped: rings, or its packet memory. The views are of all memory that there is; the mapping begins at
 * `offBytes` of them.
 */
export interface Mapping {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  /** Where the mapping begins in the views; a multiple of 4096. */
  readonly offBytes: number;
  readonly lenBytes: number;
  /** Its address as system calls name it. In the simulator that is `offBytes`. */
  readonly address: bigint;
}

/**
 * The system calls that an AF_XDP application makes. The simulator answers them (`AfXdp`), and so can a real kernel, so that an application, the
 * library over this (`xsk/`) and a test run on both.
 *
 * Values are bytes as in C. Results are 0 or more, or a negated errno.
 */
export interface XskSyscalls {
  /** socket(AF_XDP, type, protocol): a file descriptor. */
  socket(type: number, protocol: number): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** Writes to `value`, whose length is the `optlen` that goes in; gives the one that comes out. */
  getsockopt(fd: number, level: number, name: number, value: Uint8Array): number;
  /** bind() with a struct sockaddr_xdp, or what a test takes for one. */
  bind(fd: number, address: Uint8Array): number;
  /** mmap() of a ring. @param offBytes XDP_PGOFF_RX_RING and its kin. @returns the mapping or a negated errno */
  mmap(fd: number, lenBytes: number, offBytes: number): Mapping | number;
  /** Anonymous memory for packets, zeroed, a whole number of pages. */
  mmapAnonymous(lenBytes: number): Mapping;
  munmap(mapping: Mapping): void;
  /** sendto() with neither message nor address. @param flags MSG_* */
  sendto(fd: number, flags: number): number;
  recvfrom(fd: number, flags: number): number;
  /** poll() of one descriptor with a timeout of 0: what has happened, POLL*. */
  poll(fd: number, events: number): number;
  /** No system call: the application is about to use the byte at this index of its memory. Where somebody listens, use after a hand-over is found. */
  accessed?(offBytes: number): void;
}
