import { expect } from 'vitest';
import { hasChange } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import type { XskFindingCode } from '../../src/umem/index.js';
import type { XskSocket } from '../../src/xsk/index.js';
import type { Bed, BedKind, BedWishes, Mode } from './bed.js';
import { Endpoint } from './endpoint.js';
import type { EndpointConfig } from './endpoint.js';
import type { Packet } from './packet.js';
import { Receiver } from './receiver.js';
import type { ReceiverOptions } from './receiver.js';
import { Sender } from './sender.js';
import type { SenderOptions } from './sender.js';

type Config = Omit<EndpointConfig, 'mode' | 'isBusyPolled' | 'prefixBytes'>;

/** One way from an application to another. */
export interface Flow {
  readonly sender: Sender;
  readonly receiver: Receiver;
}

/** Longer than any sequence of steps. */
const MAX_STEPS = 100_000;

/** One case in one mode: makes what it needs, and cleans it up. */
export class XskTest {
  readonly kind: BedKind;
  readonly mode: Mode;
  readonly isBusyPolled: boolean;
  readonly #beds: Bed[] = [];
  readonly #endpoints: Endpoint[] = [];

  constructor(kind: BedKind, mode: Mode, isBusyPolled: boolean) {
    this.kind = kind;
    this.mode = mode;
    this.isBusyPolled = isBusyPolled;
  }

  get kernel(): KernelRelease {
    return this.kind.kernel;
  }

  get isZeroCopy(): boolean {
    return this.mode === 'ZC';
  }

  /** Descriptors that the kernel finds fault with come back. */
  get completesInvalid(): boolean {
    return hasChange(this.kernel, 'completesInvalid') && !this.isZeroCopy;
  }

  /** Behind a bad descriptor of a packet the rest of it is thrown away with it. */
  get drainsInvalid(): boolean {
    return hasChange(this.kernel, 'drainsInvalid') && !this.isZeroCopy;
  }

  /** Two hosts. */
  bed(wishes: BedWishes = {}): Bed {
    const bed = this.kind.open(this.mode, wishes, this.isBusyPolled);
    this.#beds.push(bed);
    return bed;
  }

  /** An application on one of them, which only sends or only receives, unless it is told otherwise: what only sends has no RX ring, and no chunks on FILL. */
  endpoint(bed: Bed, side: 'sender' | 'receiver', config: Config = {}): Endpoint {
    const end = bed.ends[side === 'sender' ? 0 : 1];
    const byDefault = side === 'sender' ? { rxSize: 0, fill: [] } : { txSize: 0 };
    const prefixBytes = this.isZeroCopy ? this.kind.zeroCopyPrefixBytes : 0;
    const endpoint = new Endpoint(bed, end, { ...byDefault, ...config, mode: this.mode, prefixBytes, isBusyPolled: this.isBusyPolled });
    endpoint.putSockets();
    this.#endpoints.push(endpoint);
    return endpoint;
  }

  closeEndpoint(endpoint: Endpoint): void {
    this.#endpoints.splice(this.#endpoints.indexOf(endpoint), 1);
    endpoint.close();
  }

  sender(endpoint: Endpoint, stream: readonly Packet[], options: Omit<SenderOptions, 'completesInvalid'> = {}): Sender {
    return new Sender(endpoint, stream, { completesInvalid: this.completesInvalid, ...options });
  }

  /** A stream from one application to another. What isn't valid must not arrive. */
  flow(from: Endpoint, to: Endpoint, stream: readonly Packet[], options: FlowOptions = {}): Flow {
    return {
      sender: this.sender(from, stream, { ...options.sender, socket: options.fromSocket }),
      receiver: new Receiver(to, options.expected ?? stream.filter(({ isValid }) => isValid), { ...options.receiver, socket: options.toSocket }),
    };
  }

  /** Two hosts, an application on each, a stream from one to the other, checked. */
  sendAndReceive(stream: readonly Packet[], { bed: wishes, tx, rx, ...options }: WholeOptions = {}): Flow {
    const bed = this.bed(wishes);
    const to = this.endpoint(bed, 'receiver', rx);
    const from = this.endpoint(bed, 'sender', tx);
    const flow = this.flow(from, to, stream, options);
    this.run(bed, [flow]);
    return flow;
  }

  /** Lets packets flow until all have arrived or nothing moves any more, and checks that they did as they should. */
  run(bed: Bed, flows: readonly Flow[]): void {
    this.drive(bed, flows);
    for (const { sender, receiver } of flows) {
      expect(receiver.mistakes).toEqual([]);
      expect(sender.mistakes).toEqual([]);
      expect(receiver.received).toBe(receiver.expectedCount);
      expect(sender.isDone).toBe(true);
      this.#checkCompletion(sender.endpoint, sender.hasInvalid);
    }
  }

  /**
   * Everything that was sent has come back, in its order, with two exceptions: what is invalid comes back at once, and may overtake what the NIC has not sent
   * yet; and in zero-copy mode sockets of one queue take turns.
   */
  #checkCompletion({ owedAddresses, completedAddresses, sockets }: Endpoint, hasInvalid: boolean): void {
    const isOrdered = !hasInvalid && (sockets.length === 1 || !this.isZeroCopy);
    const inOrder = (addresses: readonly number[]): readonly number[] => (isOrdered ? addresses : [...addresses].sort((a, b) => a - b));
    expect(inOrder(completedAddresses)).toEqual(inOrder(owedAddresses));
  }

  /** The same without a check. */
  drive(bed: Bed, flows: readonly Flow[]): void {
    const isDone = (): boolean => flows.every(({ sender, receiver }) => sender.isDone && receiver.isDone);
    for (let idle = 0, steps = 0; idle < bed.patience && !isDone(); steps++) {
      if (steps > MAX_STEPS) throw new Error('XskTest.drive: it does not end');
      let hasMoved = false;
      for (const { sender } of flows) hasMoved = sender.step() || hasMoved;
      bed.settle(idle > 0);
      for (const { receiver } of flows) hasMoved = receiver.step() || hasMoved;
      idle = hasMoved ? 0 : idle + 1;
    }
    // What should not be there has time to come.
    for (const each of [true, true]) {
      bed.settle(each);
      for (const { receiver } of flows) receiver.step();
    }
  }

  /** Closes everything after a failure. */
  abandon(): void {
    for (const bed of this.#beds) bed.close();
    for (const endpoint of this.#endpoints.toReversed()) endpoint.close();
  }

  /** Ends everything, and compares what the simulator found. @param expected what the applications did wrong or left undone, sorted */
  close(expected: readonly XskFindingCode[]): void {
    // The simulator looks at sockets that are still there.
    const verdicts = this.#beds.map((bed) => bed.close());
    for (const endpoint of this.#endpoints.toReversed()) endpoint.close();
    for (const { wrong, findings } of verdicts) {
      expect(wrong).toEqual([]);
      if (findings !== undefined) expect(findings).toEqual(expected);
    }
  }
}

export interface FlowOptions {
  /** Left out: what is valid of the stream. */
  readonly expected?: readonly Packet[];
  readonly sender?: Omit<SenderOptions, 'completesInvalid' | 'socket'>;
  readonly receiver?: Omit<ReceiverOptions, 'socket'>;
  readonly fromSocket?: XskSocket;
  readonly toSocket?: XskSocket;
}

export interface WholeOptions extends Omit<FlowOptions, 'fromSocket' | 'toSocket'> {
  readonly bed?: BedWishes;
  readonly tx?: Config;
  readonly rx?: Config;
}
