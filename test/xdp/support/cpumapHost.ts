import { expect } from 'vitest';
import { Rng, unwrap } from '../../../src/base/index.js';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import { EventQueue } from '../../../src/sim/eventQueue.js';
import { TraceLog } from '../../../src/sim/traceLog.js';
import { Vm } from '../../../src/vm/index.js';
import type { LoadedObject, ObjectSpec, ProgramEntryMap } from '../../../src/vm/index.js';
import { ethTypeTrans, MEM_TYPE_PAGE_POOL, OUTCOMES, prepareXdpBuff, traceLine, VERDICT_COUNT, XDP_REDIRECT, XdpCore } from '../../../src/xdp/index.js';
import type { SkbDevice } from '../../../src/xdp/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { xdpProgram } from '../../support/xdpProgram.js';

/** Where packets come in, on queue 3. */
export const ETH0 = 1;
const QUEUE = 3;
/** A device that takes frames, and is what the only entry of `devices` leads to. */
export const ETH1 = 2;
const CPUS = 4;

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const [CPUMAP, DEVMAP] = [16, 14];
const maps = [map('cpus', CPUMAP, 4, 8, CPUS), map('others', CPUMAP, 4, 8, CPUS), map('devices', DEVMAP, 4, 4, 1), map('seen', 2, 4, 4, 8)];

/** `return bpf_redirect_map(name, key, 0)`. */
export const redirectTo = (name: string, key = 0): string => `r1 = map ${name}\nr2 = ${key}\nr3 = 0\ncall 51\nexit`;

/**
 * `main` redirects to `cpus`, to the CPU that the first byte of the packet names; the other programs are for entries.
 *
 * Maps: `cpus`, `others` (CPUMAP), `devices` (DEVMAP), `seen` (ARRAY of 8 words).
 */
export function cpumapObject(entryPrograms: Readonly<Record<string, string>>): ObjectSpec {
  const main = 'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\nr2 = *(u8 *)(r2 + 0)\nr1 = map cpus\nr3 = 0\ncall 51\nexit\nout: r0 = 1\nexit';
  const object = xdpProgram(main, { maps });
  const entries = Object.entries(entryPrograms).map(([name, text]) => ({
    ...xdpProgram(text, { maps }).programs[0], name, section: 'xdp/cpumap', attachType: 'cpumap' as const,
  }));
  return { ...object, programs: [...object.programs, ...entries] };
}

/** A host whose driver does nothing but hand frames to the core, or skbs to generic XDP, and what can be seen of it. */
export class CpumapHost {
  readonly memory = new HostMemory(64);
  readonly allocator = new PageAllocator(this.memory, 512, { unitBytes: 4096 });
  readonly events = new EventQueue(0);
  readonly environment = { tNs: 0, cpu: 0, possibleCpus: CPUS, rng: new Rng(1), onPrintk: () => {} };
  readonly vm = new Vm({ memory: this.memory, environment: this.environment });
  readonly loaded: LoadedObject;
  readonly core: XdpCore;
  /** Outcomes of packets, with the first byte of each, in order. */
  readonly ends: { readonly outcome: string; readonly firstByte: number; readonly queue: number; readonly cpu: number }[] = [];
  /** Frames that came back, by the way that they took. */
  readonly returned = { direct: 0, ring: 0 };
  readonly #traces: TraceLog;
  readonly #rxq: { readonly ifindex: number; readonly queueIndex: number; readonly fragSizeBytes: number; readonly memId: number };
  readonly #origin: SkbDevice;
  #packetId = 0;
  #tracesTaken = 0;

  constructor(entryPrograms: Readonly<Record<string, string>> = {}) {
    const { allocator, environment } = this;
    this.loaded = unwrap(this.vm.load(cpumapObject(entryPrograms)));
    this.#traces = new TraceLog({ tNs: 0, packetId: 0, get cpu() { return environment.cpu; } });
    this.core = new XdpCore({ vm: this.vm, allocator, scheduler: this.events, tracer: this.#traces });
    const observer = {
      onPacketEnd: (_: number, outcome: number, __: number, queue: number, address: number) =>
        this.ends.push({ outcome: OUTCOMES[outcome].name, firstByte: this.memory.u8[address], queue, cpu: environment.cpu }),
      onFault() {},
      onSocketReady() {},
    };
    this.core.addDevice({ ifindex: ETH0, mtu: 1500 }, observer);
    this.core.addDevice({ ifindex: ETH1, mtu: 1500, xdpFeatures: 4, xdpXmit: (frames, count) => this.#xmit(frames, count) }, observer);
    const memId = this.core.memory.register({
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
    this.#rxq = { ifindex: ETH0, queueIndex: QUEUE, fragSizeBytes: 4096, memId };
    this.#origin = { ifindex: ETH0, address: new Uint8Array(6), genericProgram: this.loaded.program('main'), verdicts: new Float64Array(VERDICT_COUNT), observer };
    expect((this.loaded.maps.get('devices') as ProgramEntryMap).updateEntry(u32(0), ETH1, undefined, 0)).toBe(0);
  }

  /** Sends what it gets at once. */
  #xmit(frames: Uint32Array, count: number): number {
    for (let i = 0; i < count; i++) this.core.dropFrame(frames[i], 3);
    return count;
  }

  /** Puts an entry of a CPUMAP, or by a queue size of 0 takes one out. */
  put(name: string, cpu: number, queueSize: number, program?: string): void {
    expect((this.loaded.maps.get(name) as ProgramEntryMap).updateEntry(u32(cpu), queueSize, program === undefined ? undefined : this.loaded.program(program), 0)).toBe(0);
  }

  /** One NAPI poll on CPU `cpu`: a frame for each byte, which is the packet's first and so the CPU that `main` redirects it to. */
  poll(cpus: readonly number[], cpu = 0): void {
    const { memory, vm, core, environment } = this;
    const main = this.loaded.program('main')!;
    environment.cpu = cpu;
    for (const firstByte of cpus) {
      const page = this.allocator.alloc(Owner.driver);
      const { ledger } = this.allocator;
      ledger.packetId[ledger.indexOf(page)] = ++this.#packetId;
      memory.u8.fill(firstByte, page + 256, page + 256 + 64);
      prepareXdpBuff(memory.u32, vm.contextAddress, this.#rxq, page, 4096, 256, 64);
      expect(vm.run(main.address)).toBe(0);
      expect(vm.retval).toBe(XDP_REDIRECT);
      expect(core.xdpDoRedirect(this.#rxq, main.id)).toBe(0);
    }
    core.xdpDoFlush();
  }

  /** The same packets as skbs, with `main` as program of generic XDP. */
  pollGeneric(cpus: readonly number[], cpu = 0): void {
    const { generic } = this.core;
    this.environment.cpu = cpu;
    for (const firstByte of cpus) {
      const skb = generic.skbs.alloc(512, 256, 'napi')!;
      this.memory.u8.fill(firstByte, skb.data, skb.data + 64);
      skb.linearBytes = 64;
      skb.origin = this.#origin;
      skb.ifindex = ETH0;
      skb.arrivalQueue = QUEUE;
      generic.skbs.setPacket(skb, ++this.#packetId);
      ethTypeTrans(this.memory.u8, skb, this.#origin.address);
      generic.receive(skb);
    }
    generic.releaseStack();
  }

  /** Lets all threads run until they sleep. */
  settle(): void {
    while (this.events.step());
  }

  /** Packets by outcome. */
  get outcomes(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { outcome } of this.ends) counts[outcome] = (counts[outcome] ?? 0) + 1;
    return counts;
  }

  get seen(): number[] {
    return [...this.loaded.maps.get('seen')!.entries()].map(({ value }) => new DataView(value.buffer, value.byteOffset).getUint32(0, true));
  }

  /** Lines of the tracepoints since the last call, of those whose name holds `kind`; maps by their names. */
  takeTraces(kind = 'cpumap'): string[] {
    const { kept } = this.#traces;
    const names = new Map([...this.loaded.maps].map(([name, live]) => [live.id, name]));
    const lines = kept.slice(this.#tracesTaken).map(({ tracepoint, fields }) => traceLine(tracepoint, fields).replace(/map_id=(\d+)/, (_, id: string) => `map=${names.get(Number(id))}`));
    this.#tracesTaken = kept.length;
    return lines.filter((line) => line.split(':')[0]!.includes(kind));
  }

  /** All memory is back, and every hand-over came from the owner. */
  get isClean(): boolean {
    return this.allocator.usedCount === 0 && this.allocator.ledger.violationCount === 0;
  }
}
