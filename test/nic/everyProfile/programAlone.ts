import { unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { headroomOf, rxLayout } from '../../../src/nic/index.js';
import type { NicSettings, RxLayout } from '../../../src/nic/index.js';
import { metadataBytes, packetBytes, Vm, XDP_MD_DATA, XDP_MD_DATA_META, XskMap } from '../../../src/vm/index.js';
import type { LoadedProgram, ObjectSpec } from '../../../src/vm/index.js';
import { addFragment, convertBuffToFrame, gatherPacket, prepareXdpBuff, sharedInfoAddress, startFragments } from '../../../src/xdp/index.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { fillDevmap } from './mixedProgram.js';

const PAGE_BYTES = 4096;
const FRAMES_MAX = 18;
const VLAN_TAG = 0x8100;

/** What a program did with one packet, and what it left. */
export interface ProgramResult {
  /** -1: it was stopped. */
  readonly retval: number;
  readonly bytes: Uint8Array;
  readonly meta: Uint8Array;
  /** The packet could be made an xdp_frame. */
  readonly fitsFrame: boolean;
}

/** The reference: the program by itself on buffers that are laid out as the profile's driver does it, without any NIC. Interpreted. */
export class ProgramAlone {
  readonly #memory: HostMemory;
  readonly #vm: Vm;
  readonly #program: LoadedProgram;
  readonly #settings: NicSettings;
  readonly #layout: RxLayout;
  readonly #pages: number;
  readonly #gathered: number;

  constructor(object: ObjectSpec, settings: NicSettings, hasSockets: boolean) {
    this.#memory = new HostMemory(24);
    this.#vm = new Vm({ memory: this.#memory, environment: quietEnvironment(), engine: 'interpreter' });
    const loaded = unwrap(this.#vm.load(object));
    this.#program = loaded.program('main')!;
    if (loaded.maps.has('devices')) fillDevmap(loaded, []);
    const sockets = loaded.maps.get('xsks');
    if (hasSockets && sockets instanceof XskMap) {
      const word = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
      sockets.setQueues((id) => id);
      for (let queue = 0; queue < settings.queues; queue++) sockets.updateBytes(word(queue), word(queue + 1), 0);
    }
    this.#settings = settings;
    this.#layout = rxLayout(settings.profile, headroomOf(settings));
    this.#pages = this.#memory.reserve('buffers', FRAMES_MAX * PAGE_BYTES, PAGE_BYTES);
    this.#gathered = this.#memory.reserve('gathered', FRAMES_MAX * PAGE_BYTES);
  }

  /** Runs the program on the frame as it comes out of the device: without its tag when that strips tags. */
  run(wire: Uint8Array, queue: number): ProgramResult {
    const memory = this.#memory;
    const { u8, u32 } = memory;
    const { profile, ifindex } = this.#settings;
    const { frameSizeBytes, packetOffBytes, packetBytes: firstBytes, deviceOffBytes, deviceBytes } = this.#layout;
    const context = this.#vm.contextAddress;
    const frame = this.received(wire);
    const first = this.#pages;
    // What lies around a packet is nobody's business: a program that sees it must see the same nothing every time.
    u8.fill(0, first, first + FRAMES_MAX * PAGE_BYTES);
    const linear = Math.min(frame.length, firstBytes);
    u8.set(frame.subarray(0, linear), first + packetOffBytes);
    prepareXdpBuff(u32, context, { ifindex, queueIndex: queue, fragSizeBytes: profile.xdp.growsFragments === false ? 0 : frameSizeBytes }, first, frameSizeBytes, packetOffBytes, linear);
    if (!profile.xdp.hasMetadata) u32[(context + XDP_MD_DATA_META) >>> 2] = first + packetOffBytes + 1;
    if (frame.length > linear) {
      const sharedInfo = sharedInfoAddress(first, frameSizeBytes);
      startFragments(u32, context, sharedInfo);
      for (let off = linear, i = 1; off < frame.length; off += deviceBytes, i++) {
        const part = frame.subarray(off, off + deviceBytes);
        const address = first + i * frameSizeBytes + deviceOffBytes;
        u8.set(part, address);
        addFragment(u32, sharedInfo, address, part.length);
      }
    }
    const retval = this.#vm.run(this.#program.address) === 0 ? this.#vm.retval : -1;
    const metaBytes = metadataBytes(u32, context);
    const start = gatherPacket(memory, context, this.#gathered) + metaBytes;
    const data = u32[(context + XDP_MD_DATA) >>> 2];
    const meta = u8.slice(start - metaBytes, start);
    const bytes = u8.slice(start, start + packetBytes(u32, context));
    const fitsFrame = convertBuffToFrame(u32, first, frameSizeBytes, data - metaBytes, data, data, 0);
    return { retval, bytes, meta, fitsFrame };
  }

  /** The frame as the driver gets it. */
  received(wire: Uint8Array): Uint8Array {
    const { profile, offloads } = this.#settings;
    const strips = offloads?.rxVlanStrip ?? profile.offloads.rxVlanStrip;
    const isTagged = wire.length >= 18 && ((wire[12] << 8) | wire[13]) === VLAN_TAG;
    return strips && isTagged ? Uint8Array.from([...wire.subarray(0, 12), ...wire.subarray(16)]) : wire;
  }
}
