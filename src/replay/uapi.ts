/** Numbers of include/uapi/linux/bpf.h that this folder hands to the kernel. */

// enum bpf_cmd
export const BPF_MAP_CREATE = 0;
export const BPF_MAP_LOOKUP_ELEM = 1;
export const BPF_MAP_UPDATE_ELEM = 2;
export const BPF_MAP_DELETE_ELEM = 3;
export const BPF_MAP_GET_NEXT_KEY = 4;
export const BPF_PROG_LOAD = 5;
export const BPF_PROG_TEST_RUN = 10;
export const BPF_OBJ_GET_INFO_BY_FD = 15;
export const BPF_BTF_LOAD = 18;
export const BPF_MAP_FREEZE = 22;
export const BPF_MAP_LOOKUP_BATCH = 24;

// enum bpf_map_type
export const BPF_MAP_TYPE_PROG_ARRAY = 3;
export const BPF_MAP_TYPE_PERF_EVENT_ARRAY = 4;
export const BPF_MAP_TYPE_PERCPU_HASH = 5;
export const BPF_MAP_TYPE_PERCPU_ARRAY = 6;
export const BPF_MAP_TYPE_STACK_TRACE = 7;
export const BPF_MAP_TYPE_CGROUP_ARRAY = 8;
export const BPF_MAP_TYPE_LRU_PERCPU_HASH = 10;
export const BPF_MAP_TYPE_ARRAY_OF_MAPS = 12;
export const BPF_MAP_TYPE_HASH_OF_MAPS = 13;
export const BPF_MAP_TYPE_DEVMAP = 14;
export const BPF_MAP_TYPE_SOCKMAP = 15;
export const BPF_MAP_TYPE_CPUMAP = 16;
export const BPF_MAP_TYPE_XSKMAP = 17;
export const BPF_MAP_TYPE_SOCKHASH = 18;
export const BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE = 21;
export const BPF_MAP_TYPE_QUEUE = 22;
export const BPF_MAP_TYPE_STACK = 23;
export const BPF_MAP_TYPE_DEVMAP_HASH = 25;
export const BPF_MAP_TYPE_ARENA = 33;

// Flags of BPF_MAP_CREATE
export const BPF_F_NO_PREALLOC = 1 << 0;
export const BPF_F_RDONLY_PROG = 1 << 7;

// enum bpf_prog_type, enum bpf_attach_type
export const BPF_PROG_TYPE_XDP = 6;
export const BPF_XDP_DEVMAP = 33;
export const BPF_XDP_CPUMAP = 35;
export const BPF_XDP = 37;

/** Flag of BPF_PROG_LOAD: the program can handle packets of several buffers. */
export const BPF_F_XDP_HAS_FRAGS = 1 << 5;

/** Flag of BPF_PROG_LOAD: the program is for one device, which it may ask about packets, but runs on the CPU. */
export const BPF_F_XDP_DEV_BOUND_ONLY = 1 << 6;

/** Flag of BPF_PROG_TEST_RUN: the verdict is carried out. */
export const BPF_F_TEST_XDP_LIVE_FRAMES = 1 << 1;

// src_reg of the instruction that loads 64 immediate bits
export const BPF_PSEUDO_MAP_FD = 1;
export const BPF_PSEUDO_MAP_VALUE = 2;
/** BPF_LD | BPF_IMM | BPF_DW. */
export const OPCODE_LDDW = 0x18;

/** Longest name of a map or program, without the closing NUL (BPF_OBJ_NAME_LEN - 1). */
export const BPF_OBJ_NAME_MAX = 15;
