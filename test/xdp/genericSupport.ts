import { NEWEST_KERNEL, unwrap } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { HostMemory, Owner, PageAllocator } from '../../src/memory/index.js';
import { EventQueue } from '../../src/sim/eventQueue.js';
import { Vm } from '../../src/vm/index.js';
import type { LoadedObject, ObjectSpec } from '../../src/vm/index.js';
import { ethTypeTrans, NO_TRACER, OUTCOMES, VERDICT_COUNT, XdpCore } from '../../src/xdp/index.js';
import type { SkbDevice, SkBuff, XdpTracer, XdpXmitDevice } from '../../src/xdp/index.js';
import { quietEnvironment } from '../support/xdpProgram.js';

/** The device that packets come in by, and another. */
export const ETH0 = 2;
export const ETH1 = 3;
export const ADDRESS = Uint8Array.from([2, 0, 0, 0, 0, 1]);

export interface SkbSpec {
  readonly bytes: Uint8Array;
  readonly headroomBytes?: number;
  readonly spareBytes?: number;
  /** Bytes in the head; the rest lies in fragments of this many bytes. */
  readonly linearBytes?: number;
  readonly fragmentBytes?: number;
  readonly rxQueue?: number;
  readonly allocation?: 'kmalloc' | 'napi';
}

/** A host with two devices and a program on the first, and what can be seen of it. */
export class GenericHost {
  readonly memory = new HostMemory(64);
  readonly allocator: PageAllocator;
  readonly events = new EventQueue(0);
  readonly vm: Vm;
  readonly core: XdpCore;
  readonly loaded: LoadedObject;
  readonly origin: SkbDevice;
  /** `OUTCOME: N bytes`, with `copy` before those of copies; frames by the device that they left by; tracepoints. */
  readonly ends: string[] = [];
  readonly sent: { readonly ifindex: number; readonly bytes: Uint8Array; readonly vlanTci: number }[] = [];
  readonly traces: string[] = [];
  readonly passed: { readonly bytes: Uint8Array; readonly meta: Uint8Array; readonly protocol: number; readonly packetType: number }[] = [];
  /** Devices whose rings are full. */
  readonly full = new Set<number>();
  #packetId = 0;

  constructor(object: ObjectSpec, { program = 'main', kernel = NEWEST_KERNEL as KernelRelease, unitBytes = 4096, devices = [{ ifindex: ETH0, mtu: 1500 }, { ifindex: ETH1, mtu: 1500 }] as readonly XdpXmitDevice[] } = {}) {
    this.allocator = new PageAllocator(this.memory, 512, { unitBytes });
    this.vm = new Vm({ memory: this.memory, environment: { ...quietEnvironment(), kernel } });
    this.loaded = unwrap(this.vm.load(object));
    const tracer: XdpTracer = {
      ...NO_TRACER,
      xdpException: (ifindex, progId, act) => this.traces.push(`exception ${ifindex} ${this.#nameOf(progId)} ${act}`),
      xdpRedirect: (ifindex, progId, err, toIfindex, mapId, mapIndex) => this.traces.push(`redirect ${ifindex} ${this.#nameOf(progId)} ${err} to ${toIfindex} ${mapId === 0x7fffffff ? 'without map' : mapIndex}`),
      xdpCpumapEnqueue: (_, cpu, processed, drops, toCpu) => this.traces.push(`enqueue ${cpu} ${processed} ${drops} to ${toCpu}`),
    };
    this.core = new XdpCore({ vm: this.vm, allocator: this.allocator, scheduler: this.events, tracer });
    const observer = {
      onPacketEnd: (_: number, outcome: number, retval: number, __: number, address: number, lenBytes: number, metaBytes: number) => {
        this.ends.push(`${OUTCOMES[outcome].name}: ${lenBytes} bytes${metaBytes === 0 ? '' : `, ${metaBytes} of metadata`}, ${retval}`);
        this.#seen = { bytes: this.memory.u8.slice(address, address + lenBytes), meta: this.memory.u8.slice(address - metaBytes, address) };
      },
      onCopyEnd: (_: number, outcome: number, __: number, ___: number, lenBytes: number) => this.ends.push(`copy ${OUTCOMES[outcome].name}: ${lenBytes} bytes`),
      onFault: () => this.ends.push('fault'),
      onSocketReady: () => this.ends.push('socket woken'),
    };
    this.origin = { ifindex: ETH0, address: ADDRESS, genericProgram: this.loaded.program(program)!, verdicts: new Float64Array(VERDICT_COUNT), observer };
    for (const device of devices) this.core.addDevice({ ...device, startXmit: (skb) => this.#startXmit(device.ifindex, skb) }, observer);
  }

  #seen = { bytes: new Uint8Array(0), meta: new Uint8Array(0) };

  #nameOf(progId: number): string {
    return this.loaded.programs.find(({ id }) => id === progId)?.spec.name ?? String(progId);
  }

  #startXmit(ifindex: number, skb: SkBuff): boolean {
    if (this.full.has(ifindex)) return false;
    const { skbs } = this.core.generic;
    const address = skbs.linearAddress(skb);
    this.sent.push({ ifindex, bytes: this.memory.u8.slice(address, address + skb.lenBytes), vlanTci: skb.vlanTci });
    skbs.move(skb, Owner.stack, Owner.txRing);
    skbs.free(skb, Owner.txRing);
    return true;
  }

  skb({ bytes, headroomBytes = 64, spareBytes = 0, linearBytes = bytes.length, fragmentBytes = 2048, rxQueue = -1, allocation = 'napi' }: SkbSpec): SkBuff {
    const { skbs } = this.core.generic;
    const { u8 } = this.memory;
    const skb = skbs.alloc(headroomBytes + linearBytes + spareBytes, headroomBytes, allocation)!;
    u8.set(bytes.subarray(0, linearBytes), skb.data);
    skb.linearBytes = linearBytes;
    for (let off = linearBytes; off < bytes.length; off += fragmentBytes) {
      const part = bytes.subarray(off, off + fragmentBytes);
      const page = this.allocator.alloc(Owner.stack);
      u8.set(part, page + 128);
      skbs.addFragment(skb, page + 128, part.length, { recycle: (buffer, from) => this.allocator.free(buffer, from) });
    }
    skb.origin = this.origin;
    skb.ifindex = ETH0;
    skb.rxQueue = rxQueue;
    skbs.setPacket(skb, ++this.#packetId);
    ethTypeTrans(u8, skb, ADDRESS);
    return skb;
  }

  /** Hands a packet to the stack; what it passes up is in `passed`. */
  receive(spec: SkbSpec): void {
    const skb = this.skb(spec);
    const { generic } = this.core;
    generic.receive(skb);
    if (this.ends.at(-1)?.startsWith('stack') === true) this.passed.push({ ...this.#seen, protocol: skb.protocol, packetType: skb.packetType });
    generic.releaseStack();
    while (this.events.step());
  }

  /** All memory is back, and every hand-over came from the owner. */
  get isClean(): boolean {
    return this.allocator.usedCount === 0 && this.allocator.ledger.violationCount === 0;
  }
}

/** A frame for the device whose bytes count up. */
export function frameOf(lenBytes: number, etherType = 0x88b5): Uint8Array {
  const frame = Uint8Array.from({ length: lenBytes }, (_, i) => (i * 7) & 0xff);
  frame.set(ADDRESS);
  frame.set([etherType >> 8, etherType & 0xff], 12);
  return frame;
}
