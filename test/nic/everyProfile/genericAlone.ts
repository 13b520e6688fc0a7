import { unwrap } from '../../../src/base/index.js';
import { HostMemory, Owner, PageAllocator } from '../../../src/memory/index.js';
import type { NicSettings } from '../../../src/nic/index.js';
import { headroomOf, rxLayout } from '../../../src/nic/index.js';
import { Vm, XskMap } from '../../../src/vm/index.js';
import type { LoadedProgram, ObjectSpec } from '../../../src/vm/index.js';
import { ethTypeTrans, skbFragments, SkbMemory, SkbProgram, VERDICT_COUNT } from '../../../src/xdp/index.js';
import type { SkbDevice, SkBuff } from '../../../src/xdp/index.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { fillDevmap } from './mixedProgram.js';

const ETH_HLEN = 14;
const VLAN_TAG = 0x8100;
/** A head that a piece of a page became may have any room behind the packet, between what it needs and a page. */
const PAGE_END = 4096 - 320;

/** What a program did with one skb, and what it left. */
export interface GenericResult {
  readonly retval: number;
  readonly bytes: Uint8Array;
  readonly meta: Uint8Array;
}

/** The reference: the program by itself on skbs as the profile's driver makes them, without any NIC. */
export class GenericAlone {
  readonly #memory = new HostMemory(24);
  readonly #allocator: PageAllocator;
  readonly #vm: Vm;
  readonly #skbs: SkbMemory;
  readonly #runner: SkbProgram;
  readonly #program: LoadedProgram;
  readonly #settings: NicSettings;
  readonly #origin: SkbDevice;

  constructor(object: ObjectSpec, settings: NicSettings, hasSockets: boolean) {
    this.#allocator = new PageAllocator(this.#memory, 64);
    this.#vm = new Vm({ memory: this.#memory, environment: quietEnvironment(), engine: 'interpreter' });
    const loaded = unwrap(this.#vm.load(object));
    this.#program = loaded.program('main')!;
    fillDevmap(loaded, []);
    const sockets = loaded.maps.get('xsks');
    if (hasSockets && sockets instanceof XskMap) {
      const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
      sockets.setQueues((id) => id);
      for (let queue = 0; queue < settings.queues; queue++) sockets.updateBytes(word(queue), word(queue + 1), 0);
    }
    this.#skbs = new SkbMemory(this.#memory, this.#allocator);
    this.#runner = new SkbProgram(this.#vm, this.#skbs);
    this.#settings = settings;
    const observer = { onPacketEnd() {}, onFault() {}, onSocketReady() {} };
    this.#origin = { ifindex: settings.ifindex, address: Uint8Array.from([2, 0, 0, 0, 0, 1]), genericProgram: this.#program, verdicts: new Float64Array(VERDICT_COUNT), observer };
  }

  /** What the program may leave of a frame that came in at a queue: more than one thing where the room behind the packet is not known. */
  run(wire: Uint8Array, queue: number): readonly GenericResult[] {
    const { recordsRxQueue } = this.#settings.profile.skb;
    const frame = this.received(wire);
    const rooms = this.#isPiece(frame.length) ? ['least', 'most'] : ['own'];
    return rooms.map((room) => {
      const skb = this.#prepared(frame);
      if (room === 'least') skb.endBytes = skb.headroomBytes + Math.ceil(skb.linearBytes / 64) * 64;
      if (room === 'most') skb.endBytes = PAGE_END;
      if (room !== 'own') this.#memory.u8.fill(0, skb.sharedInfo, skb.sharedInfo + 320);
      skb.origin = this.#origin;
      skb.ifindex = this.#settings.ifindex;
      if (recordsRxQueue) skb.rxQueue = queue;
      ethTypeTrans(this.#memory.u8, skb, this.#origin.address);
      const retval = this.#runner.run(skb, this.#program, 0);
      const address = this.#skbs.linearAddress(skb);
      const { lenBytes, metaBytes } = skb;
      const bytes = this.#memory.u8.slice(address, address + lenBytes);
      const meta = this.#memory.u8.slice(address - metaBytes, address);
      this.#skbs.free(skb);
      return { retval, bytes, meta };
    });
  }

  /** The program gets the packet as a piece of a page of the system's pool, whose size depends on those before it. */
  #isPiece(lenBytes: number): boolean {
    return this.#program.spec.frags && !this.#fitsAsItIs(lenBytes) && 256 + Math.ceil(lenBytes / 64) * 64 + 320 <= 2048;
  }

  /** One buffer with headroom enough: nothing is copied. */
  #fitsAsItIs(lenBytes: number): boolean {
    const { how, copyBytes } = this.#settings.profile.skb;
    const headroomBytes = headroomOf(this.#settings);
    return how === 'buffer' && lenBytes > copyBytes && lenBytes <= rxLayout(this.#settings.profile, headroomBytes).packetBytes && this.#bufferHeadroom >= 256;
  }

  get #bufferHeadroom(): number {
    return rxLayout(this.#settings.profile, headroomOf(this.#settings)).packetOffBytes;
  }

  /** The skb as the program gets it. */
  #prepared(frame: Uint8Array): SkBuff {
    const { profile } = this.#settings;
    const { how, copyBytes, headroomBytes, headBytes, spareBytes, allocation } = profile.skb;
    const layout = rxLayout(profile, headroomOf(this.#settings));
    const { u8, u32 } = this.#memory;
    const isCopied = frame.length <= copyBytes;
    let skb: SkBuff;
    let inHead: number;
    if (how === 'buffer' && !isCopied) {
      const page = this.#allocator.alloc(Owner.driver);
      const buffers = { recycle: (buffer: number, from: Owner) => this.#allocator.free(buffer, from) };
      inHead = Math.min(frame.length, layout.packetBytes);
      skb = this.#skbs.build(page, layout.frameSizeBytes, buffers, layout.packetOffBytes, inHead);
    } else {
      inHead = isCopied ? frame.length : ETH_HLEN;
      skb = this.#skbs.alloc(headroomBytes + Math.max(inHead, headBytes) + spareBytes, headroomBytes, allocation)!;
      skb.linearBytes = inHead;
    }
    u8.set(frame.subarray(0, inHead), skb.data);
    for (let off = inHead; off < frame.length; off += 4096) {
      const part = frame.subarray(off, off + 4096);
      const page = this.#allocator.alloc(Owner.stack);
      u8.set(part, page);
      this.#skbs.addFragment(skb, page, part.length, { recycle: (buffer, from) => this.#allocator.free(buffer, from) });
    }
    if (skb.headroomBytes >= 256 && skbFragments(u32, skb) === 0) return skb;
    const isReady = this.#program.spec.frags ? this.#skbs.copyToPages(skb) : this.#skbs.expandForXdp(skb);
    if (!isReady) throw new Error('GenericAlone: out of memory');
    return skb;
  }

  /** The frame as the driver gets it: without its tag when the device strips tags. */
  received(wire: Uint8Array): Uint8Array {
    return this.tagOf(wire) === undefined ? wire : Uint8Array.from([...wire.subarray(0, 12), ...wire.subarray(16)]);
  }

  /** The tag that the device takes out of a frame; `undefined`: it takes none. */
  tagOf(wire: Uint8Array): Uint8Array | undefined {
    const { profile, offloads } = this.#settings;
    const strips = offloads?.rxVlanStrip ?? profile.offloads.rxVlanStrip;
    return strips && wire.length >= 18 && ((wire[12] << 8) | wire[13]) === VLAN_TAG ? wire.slice(12, 16) : undefined;
  }

  /** The packet as it leaves the device: with its tag again, where the device can insert it. */
  sent(wire: Uint8Array, left: Uint8Array): Uint8Array {
    const tag = this.tagOf(wire);
    return tag === undefined || !this.#settings.profile.offloads.txVlanInsert ? left : Uint8Array.from([...left.subarray(0, 12), ...tag, ...left.subarray(12)]);
  }
}
