import type { TestRunInput } from '../../xdp/index.js';
import type { CorpusPacket } from './corpus.js';
import type { Draw } from './draw.js';
import { MUTATIONS } from './mutations.js';

/** One packet as it is given to a program. */
export interface DifferentialCase {
  readonly input: TestRunInput;
  /** The packet that it was made from. */
  readonly packet: CorpusPacket;
  /** Names of what was done to it. */
  readonly mutations: readonly string[];
}

const MAX_MUTATIONS = 3;
/**
 * One case in so many is repeated on its buffer. For `repeat` over 1 the kernel builds its XDP dispatcher anew, which takes 25 ms
 * (bpf_prog_change_xdp in bpf_test_run, net/bpf/test_run.c): as long as thousands of other cases.
 */
const REPEATED_ONE_IN = 500;
/** Largest metadata that the kernel takes: XDP_PACKET_HEADROOM less struct xdp_frame. */
const MAX_META_BYTES = 216;
/** Largest length that a program can ask for; what is between is refused. */
const MAX_ASKED_META_BYTES = 252;

/**
 * Cases for one visit to a program: by turns a packet as it is and a mutation of some packet.
 *
 * @param first index of the first packet that is sent as it is; the next visit goes on behind the last
 */
export function drawCases(packets: readonly CorpusPacket[], first: number, count: number, draw: Draw): DifferentialCase[] {
  return Array.from({ length: count }, (_, i) => {
    if (i % 2 === 1) return mutatedCase(packets, draw);
    const packet = packets[(first + i / 2) % packets.length];
    return { input: { data: packet.data }, packet, mutations: [] };
  });
}

function mutatedCase(packets: readonly CorpusPacket[], draw: Draw): DifferentialCase {
  const packet = draw.oneOf(packets);
  const mutations: string[] = [];
  let data = packet.data;
  for (let left = draw.between(0, MAX_MUTATIONS); left > 0; left--) {
    const mutation = draw.oneOf(MUTATIONS);
    data = mutation.apply(data, draw, packets);
    mutations.push(mutation.name);
  }
  const { input, changes } = drawContext(data, draw);
  return { input, packet, mutations: [...mutations, ...changes] };
}

type Context = { -readonly [Name in keyof TestRunInput]: TestRunInput[Name] };

/** Gives the packet to the program in a more or less unusual way; most ways are valid, some are not. */
function drawContext(packet: Uint8Array, draw: Draw): { input: TestRunInput; changes: string[] } {
  const changes: string[] = [];
  const input: Context = { data: packet };
  if (draw.oneIn(4)) {
    const metaBytes = draw.oneIn(4) ? draw.between(0, MAX_ASKED_META_BYTES) : 4 * draw.between(0, MAX_META_BYTES / 4);
    input.data = joined(draw.bytes(metaBytes), packet);
    input.metaBytes = metaBytes;
    changes.push(`${metaBytes} bytes of metadata`);
  }
  if (draw.oneIn(6)) {
    const { length } = input.data;
    const low = input.metaBytes ?? 0;
    input.dataEnd = draw.oneIn(2) ? draw.between(low, length) : draw.between(low, Math.min(length, low + 80));
    changes.push(`linear part of ${input.dataEnd} bytes`);
  }
  if (draw.oneIn(REPEATED_ONE_IN)) {
    input.repeat = draw.between(2, 3);
    changes.push(`repeat ${input.repeat}`);
  }
  if (draw.oneIn(12)) {
    input.repeat = draw.below(2);
    changes.push(`repeat ${input.repeat}`);
  }
  if (draw.oneIn(12)) {
    input.dataSizeOut = draw.below(input.data.length + 20);
    changes.push(`room for ${input.dataSizeOut} bytes of output`);
  }
  if (draw.oneIn(6)) {
    input.ingressIfindex = 1;
    changes.push('from loopback');
  }
  if (draw.oneIn(24)) changes.push(draw.oneOf(INVALID)(input, draw));
  return { input, changes };
}

/** What the kernel refuses. Each says what it did. */
const INVALID: readonly ((input: Context, draw: Draw) => string)[] = [
  (input, draw) => {
    input.dataEnd = input.data.length + draw.between(1, 9);
    return 'end of the linear part behind the end';
  },
  (input, draw) => {
    input.dataEnd = draw.below((input.metaBytes ?? 0) + 1);
    return 'end of the linear part in the metadata';
  },
  (input, draw) => {
    input.dataMeta = draw.between(1, 8);
    return `data_meta ${input.dataMeta}`;
  },
  (input, draw) => {
    input.egressIfindex = draw.between(1, 2);
    return `egress_ifindex ${input.egressIfindex}`;
  },
  (input, draw) => {
    input.ingressIfindex = 0;
    input.rxQueueIndex = draw.between(1, 3);
    return `queue ${input.rxQueueIndex} without an interface`;
  },
  (input, draw) => {
    input.ingressIfindex = 1;
    input.rxQueueIndex = draw.between(1, 3);
    return `queue ${input.rxQueueIndex} of loopback, which has one`;
  },
];

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const all = new Uint8Array(first.length + second.length);
  all.set(first);
  all.set(second, first.length);
  return all;
}

/** `dns.pcap packet 3, tagged, repeat 2: 58 bytes`. */
export function describeCase({ input, packet, mutations }: DifferentialCase): string {
  return `${[`${packet.capture} packet ${packet.number}`, ...mutations].join(', ')}: ${input.data.length} bytes`;
}
