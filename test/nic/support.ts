import { unwrap } from '../../src/base/index.js';
import type { Scheduler } from '../../src/base/index.js';
import { HostMemory, PageAllocator } from '../../src/memory/index.js';
import { createNic, IOMMU_READ, IOMMU_WRITE, IOVA_HIGH, WireBatch } from '../../src/nic/index.js';
import type { Iommu, Nic, NicProfile, NicSettings } from '../../src/nic/index.js';
import { Vm } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { nicSettings } from '../support/simulate.js';
import { quietEnvironment } from '../support/xdpProgram.js';

/** A scheduler whose clock the test moves by hand. */
export class ManualScheduler implements Scheduler {
  nowNs = 1000;
  readonly #handlers: ((argument: number) => void)[] = [];
  readonly #events: { readonly tNs: number; readonly handler: number; readonly argument: number }[] = [];

  register(handler: (argument: number) => void): number {
    return this.#handlers.push(handler) - 1;
  }

  schedule(tNs: number, handler: number, argument: number): void {
    this.#events.push({ tNs, handler, argument });
  }

  /** Runs everything that is due until `tNs`, in order, and lets the clock stand there. */
  runUntil(tNs: number): void {
    for (;;) {
      const due = this.#events.filter((event) => event.tNs <= tNs);
      if (due.length === 0) break;
      const next = due.reduce((first, event) => (event.tNs < first.tNs ? event : first));
      this.#events.splice(this.#events.indexOf(next), 1);
      this.nowNs = Math.max(this.nowNs, next.tNs);
      this.#handlers[next.handler](next.argument);
    }
    this.nowNs = tNs;
  }
}

/** Looks at what a driver and its device write into the rings of one queue, as somebody with a probe on the bus would. */
export class RingWatch {
  /** The profile, with a descriptor format that tells this what passes through it. */
  readonly profile: NicProfile;
  /** Low words of the I/O addresses of all RX buffers, in the order in which they were posted: first those of slots 0, 1 … */
  readonly postedIovaLow: number[] = [];
  /** TX slots that the driver found done. */
  txSlotsDone = 0;

  constructor(profile: NicProfile) {
    const { format } = profile;
    this.profile = {
      ...profile,
      format: {
        ...format,
        rxPost: (memory, ring, first, batch) => {
          this.postedIovaLow.push(...batch.iovaLow.subarray(0, batch.count));
          format.rxPost(memory, ring, first, batch);
        },
        txPoll: (memory, ring, first, limit) => {
          const slots = format.txPoll(memory, ring, first, limit);
          this.txSlotsDone += slots;
          return slots;
        },
      },
    };
  }

  /** Host address of the page that was posted as the `n`th, and the I/O address of its first byte. */
  postedPage(iommu: Iommu, n: number): { readonly page: number; readonly iovaLow: number } {
    const iovaLow = this.postedIovaLow[n] & ~0xfff;
    return { page: iommu.translate(IOVA_HIGH, iovaLow, 1, IOMMU_WRITE), iovaLow };
  }

  /** Maps that page anew, at the same I/O address, with other permissions. */
  remap(iommu: Iommu, n: number, permissions: typeof IOMMU_READ | typeof IOMMU_WRITE): void {
    const { page, iovaLow } = this.postedPage(iommu, n);
    iommu.unmapPage(iovaLow);
    if (iommu.mapPage(page, permissions) !== iovaLow) throw new Error('the page got another I/O address');
  }
}

export interface NicBenchOptions {
  readonly object: ObjectSpec;
  readonly settings?: Partial<NicSettings>;
  /** Bytes of host memory that are taken before anything else. */
  readonly reservedBytes?: number;
  readonly pages?: number;
}

/** Packet that reached its end. */
export interface EndedPacket {
  readonly packetId: number;
  readonly outcome: string;
  readonly retval: number;
  readonly queue: number;
  readonly bytes: Uint8Array;
}

/** One NIC with a program, and a wire. */
export class NicBench {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly scheduler = new ManualScheduler();
  readonly nic: Nic;
  readonly ends: EndedPacket[] = [];
  readonly #batch = new WireBatch();
  readonly #wire: number;
  #packets = 0;

  constructor({ object, settings = {}, reservedBytes = 0, pages = 2048 }: NicBenchOptions) {
    this.memory = new HostMemory(Math.ceil(reservedBytes / 2 ** 20) + 32);
    const vm = new Vm({ memory: this.memory, environment: quietEnvironment() });
    const loaded = unwrap(vm.load(object));
    if (reservedBytes > 0) this.memory.reserve('something large', reservedBytes);
    this.allocator = new PageAllocator(this.memory, pages);
    this.nic = unwrap(
      createNic(nicSettings(settings), {
        memory: this.memory,
        allocator: this.allocator,
        scheduler: this.scheduler,
        vm,
        program: loaded.program('main'),
        observer: {
          onPacketEnd: (packetId, outcome, retval, queue, address, lenBytes) => {
            this.ends.push({ packetId, outcome: OUTCOMES[outcome].name, retval, queue, bytes: this.memory.u8.slice(address, address + lenBytes) });
          },
          onApplicationFrame: () => {},
          onFault: () => {},
          onSocketReady: () => {},
        },
      }),
    );
    this.#wire = this.memory.reserve('wire', 64 * 16384);
  }

  /** Up to 64 frames arrive at once; then everything comes to rest. */
  arrive(frames: readonly Uint8Array[]): void {
    frames.forEach((frame, i) => {
      const address = this.#wire + i * 16384;
      this.memory.u8.set(frame, address);
      this.#batch.address[i] = address;
      this.#batch.lenBytes[i] = frame.length;
      this.#batch.packetId[i] = ++this.#packets;
    });
    this.#batch.count = frames.length;
    this.nic.device.receive(this.#batch);
    this.scheduler.runUntil(this.scheduler.nowNs);
  }
}
