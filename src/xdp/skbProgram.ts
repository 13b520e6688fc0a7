import { Owner } from '../memory/index.js';
import {
  fragmentAddress, fragmentCount, fragmentLen, linearBytes, MAX_SKB_FRAGS, metadataBytes, packetBytes, SKB_SHARED_INFO_BYTES, XDP_BUFF_FLAGS, XDP_FLAGS_HAS_FRAGS,
  XDP_MD_DATA, XDP_MD_EGRESS_IFINDEX,
} from '../vm/index.js';
import type { LoadedProgram, Vm } from '../vm/index.js';
import { etherTypeOf, ethTypeTrans, isAddress } from './ethTypeTrans.js';
import { skbFragments } from './skBuff.js';
import type { SkBuff } from './skBuff.js';
import type { SkbMemory } from './skbMemory.js';
import { prepareXdpBuff } from './xdpBuff.js';

/** Instead of what a program returned: it was stopped, as it did what the kernel's verifier forbids. */
export const STOPPED = -1;

/** Runs XDP programs on skbs (bpf_prog_run_generic_xdp, net/core/dev.c, 6.18): those of generic XDP and of entries of DEVMAPs and CPUMAPs behind it. */
export class SkbProgram {
  readonly #vm: Vm;
  readonly #skbs: SkbMemory;
  /** netif_get_rxqueue. Fragments can't grow, as the stack's own queues have no frag_size. */
  readonly #rxq = { ifindex: 0, queueIndex: 0, fragSizeBytes: 0 };
  /** Fragments before the run. */
  readonly #addresses = new Uint32Array(MAX_SKB_FRAGS);
  readonly #lengths = new Uint32Array(MAX_SKB_FRAGS);

  constructor(vm: Vm, skbs: SkbMemory) {
    this.#vm = vm;
    this.#skbs = skbs;
  }

  /**
   * Shows the skb to a program and takes over what that changed: bounds, fragments, metadata, and whom the packet is for.
   *
   * @param egressIfindex device that it is to leave by, for the program of a DEVMAP's entry; else 0
   * @returns what the program returned, or STOPPED
   */
  run(skb: SkBuff, program: LoadedProgram, egressIfindex: number): number {
    const { memory, contextAddress: context } = this.#vm;
    const { u8, u32 } = memory;
    const fragments = skbFragments(u32, skb);
    this.#rxq.ifindex = skb.ifindex;
    // A queue that the driver did not record is 0, whichever it was.
    this.#rxq.queueIndex = skb.rxQueue < 0 ? 0 : skb.rxQueue;
    prepareXdpBuff(u32, context, this.#rxq, skb.head, skb.endBytes + SKB_SHARED_INFO_BYTES, skb.headroomBytes, skb.linearBytes);
    u32[(context + XDP_MD_EGRESS_IFINDEX) >>> 2] = egressIfindex;
    if (fragments > 0) u32[(context + XDP_BUFF_FLAGS) >>> 2] |= XDP_FLAGS_HAS_FRAGS;
    for (let i = 0; i < fragments; i++) {
      this.#addresses[i] = fragmentAddress(u32, skb.sharedInfo, i);
      this.#lengths[i] = fragmentLen(u32, skb.sharedInfo, i);
    }
    const address = skb.origin!.address;
    const wasForHost = isAddress(u8, skb.data, address);
    const wasMulticast = (u8[skb.data] & 1) !== 0;
    const etherType = etherTypeOf(u8, skb.data);

    this.#skbs.moveHead(skb, Owner.stack, Owner.program);
    const fault = this.#vm.run(program.address);
    this.#skbs.moveHead(skb, Owner.program, Owner.stack);

    skb.data = u32[(context + XDP_MD_DATA) >>> 2];
    skb.linearBytes = linearBytes(u32, context);
    skb.metaBytes = metadataBytes(u32, context);
    if (fragments > 0) {
      this.#freeEmptied(skb, fragments);
      skb.fragmentBytes = packetBytes(u32, context) - skb.linearBytes;
    }
    const isChanged = etherType !== etherTypeOf(u8, skb.data) || wasForHost !== isAddress(u8, skb.data, address) || wasMulticast !== ((u8[skb.data] & 1) !== 0);
    if (isChanged) ethTypeTrans(u8, skb, address);
    return fault === 0 ? this.#vm.retval : STOPPED;
  }

  /**
   * Fragments that the program emptied are freed: bpf_xdp_adjust_tail takes them from the end, bpf_xdp_pull_data from the start, so those that are left
   * stand side by side.
   */
  #freeEmptied(skb: SkBuff, fragments: number): void {
    const { memory, contextAddress: context } = this.#vm;
    const kept = fragmentCount(memory.u32, context);
    const firstKept = kept === 0 ? 0 : fragmentAddress(memory.u32, skb.sharedInfo, 0);
    let left = kept;
    for (let i = 0; i < fragments; i++) {
      const address = this.#addresses[i];
      const isFirstKept = left === kept && firstKept >= address && firstKept < address + this.#lengths[i];
      if (left > 0 && (left < kept || isFirstKept)) left--;
      else this.#skbs.freeFragment(skb, address, Owner.stack);
    }
  }
}
