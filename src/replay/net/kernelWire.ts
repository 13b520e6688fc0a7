import { errnoName, fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { KernelBpf } from '../kernelBpf.js';
import type { KernelProgram } from '../kernelObject.js';
import type { NetSyscalls } from './netSyscalls.js';
import { waitForFrame } from './packetSocket.js';
import type { PacketSocket } from './packetSocket.js';
import { linkStatistics, VethPair } from './vethPair.js';
import { loadPassProgram, RunCounter, XdpLink } from './xdpLink.js';
import type { XdpMode } from './xdpLink.js';

/** Where a packet can arrive: in the stack behind the program, or on the wire, back at the sender. */
export type Destination = 'stack' | 'wire';

export interface Arrival {
  readonly destination: Destination;
  readonly bytes: Uint8Array;
}

/** Where a frame can be put, and where it can come out. */
export interface Wire {
  /** Frames that were put in. */
  readonly sent: number;
  /**
   * Sends one frame and collects what arrives.
   *
   * @param isAwaited something is expected to arrive, so it is waited for; what arrives unexpectedly is reported nonetheless, by this
   * call or the next
   *
   * Problem: `net-send`.
   */
  send(frame: Uint8Array, isAwaited: boolean): Result<Arrival[]>;
  /** What arrives without being sent; nothing, unless something is wrong. */
  settle(): Arrival[];
}

/** Longest that a packet may take through the kernel, ms. It takes microseconds, if nothing else keeps the CPU. */
const PATIENCE_MS = 1000;
/** And when that many have been waited for in vain. */
const LOSSES_TO_LEARN = 3;
const SHORT_PATIENCE_MS = 5;

/**
 * A veth pair with a program on one end. A frame that is put into the other end is processed before the call that sent it returns,
 * as a rule: the softirq runs at its end, on the same CPU. When the machine is busy it may run later, so arrivals are waited for.
 */
export class KernelWire implements Wire {
  readonly pair: VethPair;
  sent = 0;
  readonly #calls: NetSyscalls;
  readonly #program: KernelProgram;
  readonly #runs: RunCounter;
  readonly #parts: readonly { close(): void }[];
  readonly #sockets: readonly PacketSocket[];
  #runsMissed = 0;
  #losses = 0;

  private constructor(calls: NetSyscalls, pair: VethPair, program: KernelProgram, runs: RunCounter, parts: readonly { close(): void }[]) {
    this.pair = pair;
    this.#calls = calls;
    this.#program = program;
    this.#runs = runs;
    this.#parts = parts;
    this.#sockets = [pair.receiver.socket, pair.sender.socket];
  }

  /**
   * Attaches the program to the receiving end, and what it takes for XDP_TX to the sending one. The pair stays the caller's.
   *
   * Problems: `net-attach`, `net-run-count`, `net-gro`.
   */
  static create(calls: NetSyscalls, kernel: KernelBpf, pair: VethPair, program: KernelProgram, mode: XdpMode): Result<KernelWire> {
    const parts: { close(): void }[] = [];
    const runs = setUp(kernel, pair, program, mode, parts);
    if (runs.ok) return ok(new KernelWire(calls, pair, program, runs.value, parts));
    closeAll(parts);
    return runs;
  }

  send(frame: Uint8Array, isAwaited: boolean): Result<Arrival[]> {
    const error = this.pair.sender.socket.send(frame);
    if (error < 0) return fail({ code: 'net-send', message: `the kernel refused to send a packet of ${frame.length} bytes: ${errnoName(error)}` });
    this.sent++;
    this.#awaitRun();
    const arrivals: Arrival[] = [];
    this.#drain(arrivals);
    if (!isAwaited || arrivals.length > 0) return ok(arrivals);
    this.#wait(() => {
      this.#drain(arrivals);
      return arrivals.length > 0;
    });
    return ok(arrivals);
  }

  settle(): Arrival[] {
    const arrivals: Arrival[] = [];
    waitForFrame(this.#calls, this.#sockets, SHORT_PATIENCE_MS);
    this.#drain(arrivals);
    return arrivals;
  }

  /** How often the kernel ran the program. */
  get programRuns(): number {
    return this.#runs.runs(this.#program.fd);
  }

  /** Counters of the receiving end, by the names of `ethtool -S`, and of `ip -s link` with `link.` before them. Problem: `net-counters`. */
  counters(): Result<Map<string, number>> {
    const { receiver } = this.pair;
    const driver = receiver.ethtool.statistics();
    if (typeof driver === 'number') return fail({ code: 'net-counters', message: `ethtool gives no counters: ${errnoName(driver)}` });
    const link = linkStatistics(receiver);
    if (!link.ok) return link;
    return ok(new Map([...driver, ...[...link.value].map(([name, count]) => [`link.${name}`, count] as const)]));
  }

  close(): void {
    closeAll(this.#parts);
  }

  /** Without this a packet that waits for a busy CPU would count as dropped. */
  #awaitRun(): void {
    const isDone = (): boolean => this.programRuns >= this.sent - this.#runsMissed;
    if (!isDone() && !this.#wait(isDone)) this.#runsMissed = this.sent - this.programRuns;
  }

  /** @returns false when it took too long */
  #wait(isDone: () => boolean): boolean {
    const end = performance.now() + (this.#losses < LOSSES_TO_LEARN ? PATIENCE_MS : SHORT_PATIENCE_MS);
    while (performance.now() < end) {
      waitForFrame(this.#calls, this.#sockets, 1);
      if (isDone()) return true;
    }
    this.#losses++;
    return false;
  }

  #drain(arrivals: Arrival[]): void {
    const { receiver, sender } = this.pair;
    for (const [destination, { socket }] of [['stack', receiver], ['wire', sender]] as const) {
      for (let bytes = socket.receive(); bytes !== undefined; bytes = socket.receive()) arrivals.push({ destination, bytes });
    }
  }
}

function closeAll(parts: readonly { close(): void }[]): void {
  for (const part of parts.toReversed()) part.close();
}

function setUp(kernel: KernelBpf, pair: VethPair, program: KernelProgram, mode: XdpMode, parts: { close(): void }[]): Result<RunCounter> {
  const runs = RunCounter.open(kernel);
  if (!runs.ok) return runs;
  parts.push(runs.value);
  const link = XdpLink.attach(kernel, pair.receiver, program.fd, mode);
  if (!link.ok) return link;
  parts.push(link.value);
  if (mode === 'native') {
    const pass = loadPassProgram(kernel);
    if (!pass.ok) return pass;
    parts.push(pass.value);
    const passLink = XdpLink.attach(kernel, pair.sender, pass.value.fd, mode);
    if (!passLink.ok) return passLink;
    parts.push(passLink.value);
  }
  // A native program switches GRO on (veth_xdp_set), which would merge TCP segments on their way into the stack.
  for (const { ethtool } of [pair.receiver, pair.sender]) {
    const error = ethtool.disableGro();
    if (error < 0) return fail({ code: 'net-gro', message: `GRO can't be switched off: ${errnoName(error)}` });
  }
  return runs;
}
