// Where things lie in host memory, for everything that both TypeScript and the WASM interpreter touch.
//
// This file is compiled twice, by tsc and by the AssemblyScript compiler, so it holds nothing but plain integer constants.

// ── struct xdp_md (include/uapi/linux/bpf.h), and behind it, out of the program's reach, what struct xdp_buff adds ──
//
//     0 data  4 data_end  8 data_meta  12 ingress_ifindex  16 rx_queue_index  20 egress_ifindex
//     24 data_hard_start  28 frame_sz  32 flags  36 rxq frag_size
export const XDP_MD_DATA = 0;
export const XDP_MD_DATA_END = 4;
export const XDP_MD_DATA_META = 8;
export const XDP_MD_INGRESS_IFINDEX = 12;
export const XDP_MD_RX_QUEUE_INDEX = 16;
export const XDP_MD_EGRESS_IFINDEX = 20;
export const XDP_MD_BYTES = 24;
export const XDP_BUFF_HARD_START = 24;
export const XDP_BUFF_FRAME_SZ = 28;
export const XDP_BUFF_FLAGS = 32;
export const XDP_BUFF_RXQ_FRAG_SIZE = 36;
export const XDP_BUFF_BYTES = 64;

/** xdp_buff flag: the packet goes on in the fragments of its skb_shared_info. */
export const XDP_FLAGS_HAS_FRAGS = 1;

/** Bytes that struct xdp_frame takes at data_hard_start (x86-64, 6.18). */
export const XDP_FRAME_BYTES = 40;
/** SKB_DATA_ALIGN(sizeof(struct skb_shared_info)): tailroom that every XDP buffer keeps free. */
export const SKB_SHARED_INFO_BYTES = 320;
/** CONFIG_MAX_SKB_FRAGS of a distribution kernel. */
export const MAX_SKB_FRAGS = 17;
/** ETH_HLEN. */
export const ETH_HLEN = 14;

// ── skb_shared_info, at data_hard_start + frame_sz - 320 ──
//
//     0 nr_frags  4 xdp_frags_size (bytes in all fragments)  16 frags[17] of { u32 address, u32 length }
export const SHINFO_NR_FRAGS = 0;
export const SHINFO_FRAGS_SIZE = 4;
export const SHINFO_FRAGS = 16;
export const SHINFO_FRAG_BYTES = 8;

// ── state of one virtual machine ──
//
//     0 r0..r10 (u64 each)   96 fault record   160 counters and tables   176 where the machine stands
//     256 saved frames   1024 stack of 8 frames, the first one on top
export const VM_REGS = 0;
export const VM_FAULT_CODE = 96;
export const VM_FAULT_PC = 100;
export const VM_FAULT_PROGRAM = 104;
export const VM_FAULT_ADDR_LO = 108;
export const VM_FAULT_ADDR_HI = 112;
export const VM_FAULT_SIZE = 116;
export const VM_FAULT_IS_WRITE = 120;
export const VM_FAULT_REG = 124;
export const VM_FAULT_HELPER = 128;
/** u32: instructions one run may execute. */
export const VM_BUDGET = 160;
/** u32: number of rows of the access table, and its address. */
export const VM_ACCESS_COUNT = 164;
export const VM_ACCESS_TABLE = 168;
/** u32: instructions that the last run executed. */
export const VM_EXECUTED = 172;
/** u32: index of the next instruction (during a helper call: of the call), and the program block that it is in. */
export const VM_PC = 176;
export const VM_PROGRAM = 180;
/** u32: frames below the main program's, and tail calls made so far. */
export const VM_DEPTH = 184;
export const VM_TAIL_CALLS = 188;
/** u32: address of the xdp_md of this run. */
export const VM_CONTEXT = 192;
/** u32: lowest stack address that the current frame may touch. */
export const VM_STACK_BOTTOM = 196;
/** u32: index of the access table's row that was hit last. */
export const VM_LAST_ROW = 200;
/** u32: how many more may_goto may fall through. */
export const VM_MAY_GOTO = 204;
/** u32: depth at which `exit` hands control back: 0, or that of the function which a helper calls back. */
export const VM_BASE_DEPTH = 208;
/** u32: 1 once the fault record names its place, so that the helpers around a callback leave it alone. */
export const VM_IS_STOPPED = 212;
/** u32: instructions that the engine has executed and not yet added to VM_EXECUTED, during a helper call. */
export const VM_PENDING = 216;
/** i64, translated programs: instructions left of the budget. */
export const VM_FUEL = 224;
export const VM_FRAMES = 256;
export const VM_FRAME_BYTES = 64;
/** Saved frame of a caller: r6..r9 (u64 each), then u32 index of the instruction to return to and u32 program block. */
export const FRAME_REGS = 0;
export const FRAME_PC = 32;
export const FRAME_PROGRAM = 36;
export const VM_STACK = 1024;
export const VM_STACK_FRAME_BYTES = 512;
export const VM_MAX_FRAMES = 8;
export const VM_STATE_BYTES = 5120;

/** What single-stepping gives while the program has not ended; every fault code is positive, 0 is the end. */
export const VM_RUNNING = -1;

/** In VM_FAULT_CODE during a helper call: it has called back, so the engine has to look at VM_EXECUTED again. */
export const VM_CALLED_BACK = -2;

/** may_goto that one run may fall through (BPF_MAX_LOOPS; from 6.15 on the kernel limits the time instead, to 250 ms). */
export const MAY_GOTO_MAX = 8388608;
/** Tail calls that one run may make (MAX_TAIL_CALL_CNT, include/linux/bpf.h). */
export const MAX_TAIL_CALL_CNT = 33;

// ── access table: what a program may touch besides its context, stack and packet; rows sorted by start ──
//
//     0 start  4 end (first byte behind)  8 stride  12 value bytes  16 flags
//
// An access is fine when it lies inside one value: (address - start) mod stride + size <= value bytes.
export const ACCESS_START = 0;
export const ACCESS_END = 4;
export const ACCESS_STRIDE = 8;
export const ACCESS_VALUE_BYTES = 12;
export const ACCESS_FLAGS = 16;
export const ACCESS_ROW_BYTES = 32;
export const ACCESS_MAX_ROWS = 4096;
export const ACCESS_WRITABLE = 1;

// ── struct bpf_map: what a map pointer in a register points to; no program may read it ──
export const BPF_MAP_TYPE_PROG_ARRAY = 3;
export const MAP_ID = 0;
export const MAP_TYPE = 4;
export const MAP_KEY_SIZE = 8;
export const MAP_VALUE_SIZE = 12;
export const MAP_MAX_ENTRIES = 16;
/** PROG_ARRAY: address of max_entries u32 slots, each the address of a program block or 0. */
export const MAP_DATA = 20;
export const MAP_BLOCK_BYTES = 32;

// ── struct bpf_prog: one loaded program ──
export const PROG_ID = 0;
export const PROG_INSN_COUNT = 4;
export const PROG_INSNS = 8;
/** Bytes of xdp_md that it may read: all in the program of a DEVMAP's entry, else all before egress_ifindex (xdp_is_valid_access). */
export const PROG_CONTEXT_BYTES = 12;
/** Place of the translated program in the table of tail calls, 0 before it is translated. */
export const PROG_ENTRY = 16;
export const PROG_BLOCK_BYTES = 24;

// ── how a helper's result gets into r0; the loader writes it into the offset field of the call instruction ──
/** The one helper that the engines carry out themselves. */
export const BPF_FUNC_TAIL_CALL = 12;
/** The helper returns an int: sign-extended to 64 bits. */
export const RETURN_INT = 0;
/** The helper returns a u32 or a pointer: zero-extended. */
export const RETURN_U32 = 1;
/** The helper has written all 64 bits of r0 itself. */
export const RETURN_U64 = 2;

// ── fault codes ──
export const FAULT_NONE = 0;
/** Load or store outside everything that the program may touch. */
export const FAULT_ACCESS = 1;
/** Store to read-only memory (`.rodata`). */
export const FAULT_READ_ONLY = 2;
/** Context access that the kernel refuses: a store, or a load that is not 4 bytes at a field. */
export const FAULT_CONTEXT = 3;
/** More instructions than the budget. */
export const FAULT_BUDGET = 4;
/** More than 8 frames of bpf-to-bpf calls. */
export const FAULT_CALL_DEPTH = 5;
/** Program counter left the program, or points into the middle of a lddw. */
export const FAULT_PC = 6;
/** Instruction that is not in the table. */
export const FAULT_INSTRUCTION = 7;
/** A helper got an argument that the verifier would have refused. */
export const FAULT_HELPER_ARGUMENT = 8;
/** Atomic operation on an address that is not a multiple of its size, or on packet or context memory. */
export const FAULT_ATOMIC = 9;
/** The program ended and still held something that it has to give back: a socket, a ring buffer record, a lock. */
export const FAULT_REFERENCE_LEAK = 10;
/** A helper was called between bpf_spin_lock and bpf_spin_unlock. */
export const FAULT_CALL_UNDER_LOCK = 11;
