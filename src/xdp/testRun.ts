import { EINVAL, ENOMEM, ENOSPC } from '../base/index.js';
import { PAGE_BYTES } from '../memory/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  ETH_HLEN,
  isDeviceBound,
  linearBytes,
  MAX_SKB_FRAGS,
  metadataBytes,
  metaMaxBytes,
  packetBytes,
  SKB_SHARED_INFO_BYTES,
  XDP_MD_DATA,
  XDP_MD_DATA_END,
  XDP_MD_DATA_META,
} from '../vm/index.js';
import type { Fault, LoadedProgram, Vm } from '../vm/index.js';
import { addFragment, gatherPacket, prepareXdpBuff, sharedInfoAddress, startFragments, XDP_PACKET_HEADROOM } from './xdpBuff.js';

/** Bytes of packet that lie in the first page, metadata before it; what is beyond comes in fragments of a page each. */
const LINEAR_MAX = PAGE_BYTES - XDP_PACKET_HEADROOM - SKB_SHARED_INFO_BYTES;
/** Metadata that fits before a packet at the usual headroom: 256 less struct xdp_frame. */
const META_MAX = 216;

/** Interface that a packet comes from when none is given. */
const LOOPBACK_IFINDEX = 1;

/** What BPF_PROG_TEST_RUN takes for XDP. */
export interface TestRunInput {
  /** Metadata (if any) and packet. */
  readonly data: Uint8Array;
  /** Bytes of metadata at the start of `data` (`ctx_in.data`). */
  readonly metaBytes?: number;
  /** End of the linear part, counted from the start of `data` (`ctx_in.data_end`). */
  readonly dataEnd?: number;
  /** `ctx_in.data_meta`: must be 0. */
  readonly dataMeta?: number;
  /** 0 or left out: loopback. */
  readonly ingressIfindex?: number;
  readonly rxQueueIndex?: number;
  /** `ctx_in.egress_ifindex`: must be 0. */
  readonly egressIfindex?: number;
  /** Runs on the same buffer; 0 counts as 1. */
  readonly repeat?: number;
  /** Room for output (`data_size_out`); unlimited when left out or 0. */
  readonly dataSizeOut?: number;
}

/** struct xdp_md as BPF_PROG_TEST_RUN gives it back: offsets from the start of `dataOut`. */
export interface TestRunContext {
  readonly data: number;
  readonly dataEnd: number;
  readonly dataMeta: number;
  readonly ingressIfindex: number;
  readonly rxQueueIndex: number;
  readonly egressIfindex: number;
}

export interface TestRunResult {
  /** 0, or the errno with which the system call fails (positive). */
  readonly errno: number;
  /** Lower half of r0. */
  readonly retval: number;
  /** Metadata, linear part and fragments. */
  readonly dataOut: Uint8Array;
  /** Full size of the output, also when `dataSizeOut` cut it; `dataSizeOut` itself when not even the fragments had room. */
  readonly dataOutSize: number;
  readonly ctxOut: TestRunContext;
  /** What the program did wrong, if the kernel's verifier would have had to stop it. */
  readonly fault: Fault | undefined;
}

const NO_CONTEXT: TestRunContext = { data: 0, dataEnd: 0, dataMeta: 0, ingressIfindex: 0, rxQueueIndex: 0, egressIfindex: 0 };

/**
 * BPF_PROG_TEST_RUN for XDP (bpf_prog_test_run_xdp, net/bpf/test_run.c, 6.18): the same buffer, the same limits, the same errno.
 */
export class TestRunner {
  readonly #memory: HostMemory;
  readonly #vm: Vm;
  /** The first page and a page for each fragment. */
  readonly #pages: number;
  readonly #gathered: number;
  /** Metadata that a packet may have. */
  readonly #metaMax: number;

  constructor(memory: HostMemory, vm: Vm) {
    this.#memory = memory;
    this.#vm = vm;
    this.#metaMax = Math.min(META_MAX, metaMaxBytes(vm.environment.kernel));
    this.#pages = memory.reserve('test_run frame', (MAX_SKB_FRAGS + 1) * PAGE_BYTES, PAGE_BYTES);
    this.#gathered = memory.reserve('test_run output', (MAX_SKB_FRAGS + 1) * PAGE_BYTES);
  }

  run(program: LoadedProgram, input: TestRunInput): TestRunResult {
    const errno = program.spec.attachType === 'xdp' && !isDeviceBound(program.spec) ? checkInput(input, this.#metaMax) : EINVAL;
    if (errno !== 0) return refused(errno);
    this.#prepare(input);
    const vm = this.#vm;
    const { address } = program;
    let retval = 0;
    for (let left = Math.max(1, input.repeat ?? 1); left > 0; left--) {
      if (vm.run(address) !== 0) return { ...refused(0), fault: vm.fault() };
      retval = vm.retval;
    }
    const output = this.#output();
    const room = input.dataSizeOut || output.length;
    if (output.length > room) return this.#cutOutput(output, room, retval);
    return { errno: 0, retval, dataOut: output, dataOutSize: output.length, ctxOut: this.#context(input), fault: undefined };
  }

  /**
   * What bpf_test_finish gives when there is too little room, and then there is no ctx_out. It keeps room for all fragments and cuts
   * the linear part before them. Where the fragments alone don't fit it writes nothing: verdict 0, size and bytes as they were.
   */
  #cutOutput(output: Uint8Array, room: number, retval: number): TestRunResult {
    const context = this.#vm.contextAddress;
    const { u32 } = this.#memory;
    const fragBytes = packetBytes(u32, context) - linearBytes(u32, context);
    const dataOut = new Uint8Array(room);
    const result = { errno: ENOSPC, dataOut, ctxOut: NO_CONTEXT, fault: undefined };
    if (fragBytes > room) return { ...result, retval: 0, dataOutSize: room };
    dataOut.set(output.subarray(0, room - fragBytes));
    dataOut.set(output.subarray(output.length - fragBytes), room - fragBytes);
    return { ...result, retval, dataOutSize: output.length };
  }

  #prepare(input: TestRunInput): void {
    const { u8, u32 } = this.#memory;
    const context = this.#vm.contextAddress;
    const page = this.#pages;
    const metaBytes = input.metaBytes ?? 0;
    const linear = linearPart(input);
    // Metadata takes its room from the headroom: the packet itself always begins at the same place.
    const headroomBytes = XDP_PACKET_HEADROOM - metaBytes;
    const ifindex = input.ingressIfindex || LOOPBACK_IFINDEX;
    // The kernel sets frag_size for the loopback's queue. Of another device it takes the queue that the core registered, not the driver's.
    const rxq = { ifindex, queueIndex: input.rxQueueIndex ?? 0, fragSizeBytes: ifindex === LOOPBACK_IFINDEX ? PAGE_BYTES : 0 };
    // kzalloc in bpf_test_init: a program that moves the bounds outwards sees zeros, not an earlier packet.
    u8.fill(0, page, page + PAGE_BYTES);
    u8.set(input.data.subarray(0, linear), page + headroomBytes);
    prepareXdpBuff(u32, context, rxq, page, PAGE_BYTES, headroomBytes, linear);
    u32[(context + XDP_MD_DATA) >>> 2] = page + XDP_PACKET_HEADROOM;
    if (linear === input.data.length) return;
    const sharedInfo = sharedInfoAddress(page, PAGE_BYTES);
    startFragments(u32, context, sharedInfo);
    for (let off = linear, i = 1; off < input.data.length; off += PAGE_BYTES, i++) {
      const part = input.data.subarray(off, off + PAGE_BYTES);
      u8.set(part, page + i * PAGE_BYTES);
      addFragment(u32, sharedInfo, page + i * PAGE_BYTES, part.length);
    }
  }

  /** A copy of metadata and packet. */
  #output(): Uint8Array {
    const { u8, u32 } = this.#memory;
    const context = this.#vm.contextAddress;
    const start = gatherPacket(this.#memory, context, this.#gathered);
    return u8.slice(start, start + metadataBytes(u32, context) + packetBytes(u32, context));
  }

  #context(input: TestRunInput): TestRunContext {
    const { u32 } = this.#memory;
    const word = this.#vm.contextAddress >>> 2;
    const start = u32[word + XDP_MD_DATA_META / 4];
    // The kernel hands its copy of ctx_in back with new offsets: an interface that wasn't given stays 0, whatever the program saw.
    return {
      data: u32[word + XDP_MD_DATA / 4] - start,
      dataEnd: u32[word + XDP_MD_DATA_END / 4] - start,
      dataMeta: 0,
      ingressIfindex: input.ingressIfindex ?? 0,
      rxQueueIndex: input.rxQueueIndex ?? 0,
      egressIfindex: 0,
    };
  }
}

/** Bytes of metadata and packet in the first page. */
function linearPart({ data, metaBytes = 0, dataEnd = data.length }: TestRunInput): number {
  return Math.min(dataEnd, LINEAR_MAX + metaBytes);
}

function checkInput(input: TestRunInput, metaMax: number): number {
  const { data, metaBytes = 0, dataEnd = data.length, dataMeta = 0, rxQueueIndex = 0, ingressIfindex = 0, egressIfindex = 0 } = input;
  if (dataMeta !== 0 || egressIfindex !== 0) return EINVAL;
  if (metaBytes % 4 !== 0 || metaBytes < 0 || metaBytes > metaMax) return EINVAL;
  if (dataEnd < metaBytes || dataEnd > data.length) return EINVAL;
  if (data.length - metaBytes < ETH_HLEN) return EINVAL;
  // The loopback, which is also taken without a device, has one queue; how many another device has is for its host to know.
  if (ingressIfindex <= LOOPBACK_IFINDEX && rxQueueIndex !== 0) return EINVAL;
  if (data.length > linearPart(input) + MAX_SKB_FRAGS * PAGE_BYTES) return ENOMEM;
  return 0;
}

function refused(errno: number): TestRunResult {
  return { errno, retval: 0, dataOut: new Uint8Array(0), dataOutSize: 0, ctxOut: NO_CONTEXT, fault: undefined };
}
