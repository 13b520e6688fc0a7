import { expect } from 'vitest';
import { Rng, unwrap } from '../../../src/base/index.js';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { EventQueue } from '../../../src/sim/eventQueue.js';
import { TraceLog } from '../../../src/sim/traceLog.js';
import { Vm } from '../../../src/vm/index.js';
import type { LoadedObject, ProgramEntryMap } from '../../../src/vm/index.js';
import {
  addFragment, frameBytes, frameData, MEM_TYPE_PAGE_POOL, NETDEV_XDP_ACT_NDO_XMIT, NETDEV_XDP_ACT_NDO_XMIT_SG, Outcome, OUTCOMES,
  prepareXdpBuff, sharedInfoAddress, startFragments, traceLine, XdpCore,
} from '../../../src/xdp/index.js';
import type { XdpXmitDevice } from '../../../src/xdp/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { xdpProgram } from '../../support/xdpProgram.js';

const HEADROOM = 256;
const QUEUE = 3;
const [DEVMAP, XSKMAP, DEVMAP_HASH] = [14, 17, 25];
const maps = [map('devices', DEVMAP, 4, 8, 8), map('hash', DEVMAP_HASH, 4, 8, 8), map('xsks', XSKMAP, 4, 4, 4), map('seen', 2, 4, 4, 8)];

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);

/** `return bpf_redirect(ifindex, 0)`. */
export const redirectTo = (ifindex: number): string => `r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`;
/** `return bpf_redirect_map(name, key, flags)`. */
export const redirectMap = (name: string, key = 0, flags = 0): string => `r1 = map ${name}\nr2 = ${key}\nr3 = ${flags}\ncall 51\nexit`;

/** What a device got by one call of ndo_xdp_xmit. */
export interface XmitCall {
  readonly ifindex: number;
  readonly count: number;
  readonly isFlushed: boolean;
  /** First byte of each frame that it took. */
  readonly sent: readonly number[];
}

/** A device of the test. */
export class TestDevice implements XdpXmitDevice {
  readonly ifindex: number;
  mtu = 1500;
  isUp = true;
  xdpFeatures: number = NETDEV_XDP_ACT_NDO_XMIT | NETDEV_XDP_ACT_NDO_XMIT_SG;
  xmitFailure: Outcome = Outcome.txRingFull;
  /** Frames that it takes of each call, or a negated errno that it gives. */
  room = Infinity;
  /** Frames that it has taken and not given back. */
  readonly held: number[] = [];
  readonly #host: RedirectHost;

  constructor(host: RedirectHost, ifindex: number) {
    this.#host = host;
    this.ifindex = ifindex;
  }

  xdpXmit(frames: Uint32Array, count: number, flags: number): number {
    const { memory } = this.#host;
    const sent = this.room < 0 ? this.room : Math.min(count, this.room);
    const taken = [...frames.subarray(0, Math.max(0, sent))];
    this.held.push(...taken);
    this.#host.xmits.push({ ifindex: this.ifindex, count, isFlushed: flags === 1, sent: taken.map((frame) => memory.u8[frameData(memory.u32, frame)]) });
    return sent;
  }

  /** All frames that it holds have been sent: each ends, and goes back. */
  complete(): void {
    const { core, memory } = this.#host;
    for (const frame of this.held.splice(0)) {
      core.endSentFrame(frame, Outcome.redirect, 0, frameData(memory.u32, frame), frameBytes(memory.u32, frame));
      core.memory.returnFrame(frame, Owner.redirect, false);
    }
  }
}

export interface SeenEnd {
  readonly packetId: number;
  readonly outcome: string;
  readonly bytes: Uint8Array;
}

/** A host whose driver hands packets to the core, and devices that do what the test says. Packet n is filled with the byte n. */
export class RedirectHost {
  readonly memory = new HostMemory(16);
  readonly allocator = new PageAllocator(this.memory, 256);
  readonly environment = { tNs: 0, cpu: 0, possibleCpus: 2, rng: new Rng(1), onPrintk: () => {} };
  readonly vm = new Vm({ memory: this.memory, environment: this.environment });
  readonly loaded: LoadedObject;
  readonly core: XdpCore;
  readonly ends: SeenEnd[] = [];
  readonly copies: SeenEnd[] = [];
  readonly xmits: XmitCall[] = [];
  readonly faults: number[] = [];
  /** Buffers that came back, by the way that they took. */
  readonly returned = { direct: 0, ring: 0 };
  /** Errors of the packets, in order. */
  readonly errors: number[] = [];
  readonly #devices = new Map<number, TestDevice>();
  readonly #traces: TraceLog;
  readonly #memId: number;
  #packetId = 0;
  #tracesTaken = 0;

  /** @param programs `main` is the device's, the others are for entries of DEVMAPs */
  constructor(programs: Readonly<Record<string, string>>, ifindexes: readonly number[] = [1, 2, 3]) {
    const { allocator, environment, memory } = this;
    const compiled = Object.entries(programs).map(([name, text]) => {
      const program = xdpProgram(text, { maps, frags: true }).programs[0];
      return name === 'main' ? program : { ...program, name, section: 'xdp.frags/devmap', attachType: 'devmap' as const };
    });
    this.loaded = unwrap(this.vm.load({ ...xdpProgram('r0 = 0\nexit', { maps }), programs: compiled }));
    this.#traces = new TraceLog({ tNs: 0, packetId: 0, get cpu() { return environment.cpu; } });
    this.core = new XdpCore({ vm: this.vm, allocator, scheduler: new EventQueue(0), tracer: this.#traces });
    const see = (packetId: number, outcome: number, address: number, lenBytes: number): SeenEnd =>
      ({ packetId, outcome: OUTCOMES[outcome].name, bytes: memory.u8.slice(address, address + lenBytes) });
    for (const ifindex of ifindexes) {
      const device = new TestDevice(this, ifindex);
      this.#devices.set(ifindex, device);
      this.core.addDevice(device, {
        onPacketEnd: (packetId, outcome, _retval, _queue, address, lenBytes) => this.ends.push(see(packetId, outcome, address, lenBytes)),
        onCopyEnd: (packetId, outcome, _queue, address, lenBytes) => this.copies.push(see(packetId, outcome, address, lenBytes)),
        onFault: (packetId) => this.faults.push(packetId),
        onSocketReady() {},
      });
    }
    this.#memId = this.core.memory.register({
      memType: MEM_TYPE_PAGE_POOL,
      giveUp() {},
      recycleDirect: (buffer, from) => {
        this.returned.direct++;
        allocator.free(buffer, from);
      },
      recycle: (buffer, from) => {
        this.returned.ring++;
        allocator.free(buffer, from);
      },
    });
  }

  device(ifindex: number): TestDevice {
    return this.#devices.get(ifindex)!;
  }

  put(name: string, key: number, ifindex: number, program?: string): void {
    expect((this.loaded.maps.get(name) as ProgramEntryMap).updateEntry(u32(key), ifindex, program === undefined ? undefined : this.loaded.program(program), 0)).toBe(0);
  }

  /** `count` packets come in on interface 1, queue 3, and `main` runs on them; no flush. One that can't be redirected is dropped. */
  receive(count: number, { lenBytes = 64, fragmentBytes = 0, headroomBytes = HEADROOM, program = 'main' } = {}): void {
    const { memory, vm, core, allocator } = this;
    const { ledger } = allocator;
    const { address, id } = this.loaded.program(program)!;
    const rxq = { ifindex: 1, queueIndex: QUEUE, fragSizeBytes: 4096, memId: this.#memId };
    for (let i = 0; i < count; i++) {
      const packetId = ++this.#packetId;
      const page = allocator.alloc(Owner.driver);
      ledger.packetId[ledger.indexOf(page)] = packetId;
      memory.u8.fill(packetId, page + headroomBytes, page + headroomBytes + lenBytes);
      prepareXdpBuff(memory.u32, vm.contextAddress, rxq, page, 4096, headroomBytes, lenBytes);
      let fragment = 0;
      if (fragmentBytes > 0) {
        fragment = allocator.alloc(Owner.driver);
        memory.u8.fill(packetId, fragment, fragment + fragmentBytes);
        startFragments(memory.u32, vm.contextAddress, sharedInfoAddress(page, 4096));
        addFragment(memory.u32, sharedInfoAddress(page, 4096), fragment, fragmentBytes);
      }
      expect(vm.run(address)).toBe(0);
      const error = core.xdpDoRedirect(rxq, id);
      this.errors.push(error);
      if (error === 0) continue;
      this.ends.push({ packetId, outcome: OUTCOMES[core.redirectFailure].name, bytes: memory.u8.slice(page + headroomBytes, page + headroomBytes + lenBytes) });
      allocator.free(page, Owner.driver);
      if (fragment !== 0) allocator.free(fragment, Owner.driver);
    }
  }

  /** The end of the poll; devices hold what they took. */
  flush(): void {
    this.core.xdpDoFlush();
  }

  /** One whole poll, and everything that was sent comes back. */
  poll(count: number, options?: Parameters<RedirectHost['receive']>[1]): void {
    this.receive(count, options);
    this.flush();
    for (const device of this.#devices.values()) device.complete();
  }

  /** Packets that have come in. */
  get packetCount(): number {
    return this.#packetId;
  }

  get outcomes(): Record<string, number> {
    return countBy(this.ends);
  }

  get copyOutcomes(): Record<string, number> {
    return countBy(this.copies);
  }

  get seen(): number[] {
    return [...this.loaded.maps.get('seen')!.entries()].map(({ value }) => new DataView(value.buffer, value.byteOffset).getUint32(0, true));
  }

  /** Lines of the tracepoints since the last call, with names for ids of maps and programs. */
  takeTraces(): string[] {
    const { kept } = this.#traces;
    const mapNames = new Map([...this.loaded.maps].map(([name, live]) => [live.id, name]));
    const lines = kept.slice(this.#tracesTaken).map(({ tracepoint, fields }) => traceLine(tracepoint, fields)
      .replace(/map_id=(\d+)/, (_, id: string) => `map=${mapNames.get(Number(id)) ?? id}`)
      .replace(/prog_id=(\d+)/, (_, id: string) => `prog=${this.vm.program(Number(id))?.spec.name}`));
    this.#tracesTaken = kept.length;
    return lines;
  }

  /** All memory is back, and every hand-over came from the owner. */
  get isClean(): boolean {
    return this.allocator.usedCount === 0 && this.allocator.ledger.violationCount === 0;
  }
}

function countBy(ends: readonly SeenEnd[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { outcome } of ends) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
