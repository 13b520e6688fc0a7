import { BPF_CALL, BPF_JMP, BPF_PSEUDO_HELPER, decode, INSN_BYTES } from '../../vm/index.js';
import type { ProgramSpec } from '../../vm/index.js';
import type { XdpMode } from './xdpLink.js';

interface Note {
  /** Helpers that let a program see it (include/uapi/linux/bpf.h). */
  readonly helpers: readonly number[];
  /** Kernel functions that do. */
  readonly kfuncs?: readonly string[];
  readonly modes: readonly XdpMode[];
  /** It takes a program that handles packets of several buffers. */
  readonly ofFrags?: boolean;
  readonly text: string;
}

/** What the two sides can't agree on by nature. `docs/replay-net.md` has the numbers. */
const NOTES: readonly Note[] = [
  { helpers: [5, 118, 125, 160, 208], modes: ['native', 'generic'], text: 'the program reads a clock, and the two sides have different ones' },
  { helpers: [7], modes: ['native', 'generic'], text: 'the program draws random numbers, and the kernel draws others' },
  { helpers: [110, 204, 205], modes: ['native', 'generic'], text: 'the program makes SYN cookies, and the kernel draws the secrets of its own at boot' },
  {
    helpers: [69, 84, 85, 99, 163],
    modes: ['native', 'generic'],
    text: 'the program asks about the network, and the two sides have different ones: a namespace with a veth, and a NIC alone',
  },
  {
    helpers: [65],
    modes: ['native'],
    text: 'the program calls bpf_xdp_adjust_tail: what a packet can grow depends on the buffer that the kernel found for it',
  },
  {
    helpers: [65],
    modes: ['generic'],
    ofFrags: true,
    text: 'the program calls bpf_xdp_adjust_tail and handles packets of several buffers: what a packet can grow depends on the pieces of pages that others took before, and Linux 6.18 forgets in skb->len that fragments got shorter',
  },
  { helpers: [], kfuncs: ['bpf_xdp_metadata_rx_hash'], modes: ['native'], text: 'the program asks for the hash, and the kernel keys its own at random' },
  { helpers: [], kfuncs: ['bpf_xdp_pull_data'], modes: ['native', 'generic'], text: 'the program calls bpf_xdp_pull_data: how much can be pulled depends on the buffer that the kernel found for the packet' },
];

/** Says which differences can come from no fault of either side, as far as the programs' calls tell. */
export function natureNotes(programs: readonly ProgramSpec[], mode: XdpMode): string[] {
  const called = new Set(programs.flatMap(({ insns }) => [...helperCalls(insns)]));
  const calledKfuncs = new Set(programs.flatMap(({ kfuncs = [] }) => kfuncs.map(({ name }) => name)));
  const isCalled = ({ helpers, kfuncs = [] }: Note): boolean => helpers.some((id) => called.has(id)) || kfuncs.some((name) => calledKfuncs.has(name));
  const hasFrags = programs.some(({ frags }) => frags);
  return NOTES.filter((note) => note.modes.includes(mode) && isCalled(note) && (hasFrags || note.ofFrags !== true)).map(({ text }) => text);
}

function* helperCalls(insns: Uint8Array): IterableIterator<number> {
  for (let index = 0; index < insns.length / INSN_BYTES; index++) {
    const { opcode, src, imm } = decode(insns, index);
    if (opcode === (BPF_JMP | BPF_CALL) && src === BPF_PSEUDO_HELPER) yield imm;
  }
}
