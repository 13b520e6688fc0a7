import type { Problem } from '../base/index.js';
import type { Btf } from './btf/btf.js';

/** What an object file says, as plain data. Nothing here is alive: maps, programs and machines are made from it. */
export interface ObjectSpec {
  /** File name as it is shown in messages. */
  readonly name: string;
  /** Contents of the `license` section, e.g. `Dual MIT/GPL`; empty when there is none. */
  readonly license: string;
  /** Every program of the object, in file order, also those that are not XDP. */
  readonly programs: readonly ProgramSpec[];
  /** Every map, global data sections included, in file order. */
  readonly maps: readonly MapSpec[];
  /** Every global variable. */
  readonly variables: readonly VariableSpec[];
  readonly btf: Btf | undefined;
  /** Contents of `.BTF` as the file has them; `btf` is what they say, with the sizes and offsets that the compiler leaves to the linker. */
  readonly btfBytes: Uint8Array | undefined;
  /** What somebody who runs it should know, but keeps nothing from running; left out when there is nothing. */
  readonly warnings?: readonly Problem[];
}

/** One program: its own instructions and, behind them, every subprogram that it reaches. */
export interface ProgramSpec {
  /** Name of its function. */
  readonly name: string;
  /** ELF section, e.g. `xdp`, `xdp.frags`, `xdp/devmap`. */
  readonly section: string;
  /** `xdp`, or what else the section's name says; only `xdp` programs can run. */
  readonly type: 'xdp' | 'other';
  readonly attachType: 'xdp' | 'devmap' | 'cpumap';
  /** Function of another program whose place it is to take: `freplace/NAME` (BPF_PROG_TYPE_EXT), empty if it is set at load; left out for other programs. */
  readonly replaces?: string;
  /** True for `xdp.frags`: the program can handle packets of several buffers. */
  readonly frags: boolean;
  /** Instructions of 8 bytes. Calls between functions and their addresses are resolved; map references are not. */
  readonly insns: Uint8Array;
  readonly references: readonly MapReference[];
  /** Addresses of functions that it takes; left out when it takes none. */
  readonly functionReferences?: readonly FunctionReference[];
  /** Calls of kernel functions (kfuncs); left out when it makes none. */
  readonly kfuncs?: readonly KfuncReference[];
  /** Addresses of kernel functions that it takes, to ask whether they exist; left out when it takes none. */
  readonly kfuncAddresses?: readonly KfuncReference[];
  /** Instructions that it must not get to; left out when there are none. */
  readonly poisons?: readonly PoisonedInstruction[];
  /** Functions in `insns`, the main one first. */
  readonly functions: readonly FunctionSpec[];
  /** Source lines, sorted by instruction. */
  readonly lines: readonly LineSpec[];
  /** The same for the kernel, offsets counted in instructions of `insns`: one `struct bpf_func_info` a function, or nothing if one has none. */
  readonly funcInfo: Uint8Array;
  /** `struct bpf_line_info` of every line, or nothing if a function's first instruction has no line, which the kernel insists on. */
  readonly lineInfo: Uint8Array;
  /** What was linked into it out of several objects (extension/linkExtensions.ts), by instruction; left out when it comes out of one. */
  readonly parts?: readonly ProgramPart[];
  /** Why this program can't run although the object is sound (a kfunc, a callback, ...); `undefined` when it can. */
  readonly problem: Problem | undefined;
}

/** Instructions that belong together: a program, or one that took the place of a function of it. Reaches to the next part. */
export interface ProgramPart {
  readonly insnIndex: number;
  /** Names of the object and of the program in it. */
  readonly object: string;
  readonly program: string;
  /** Which helpers it may call depends on its own object's licence. */
  readonly license: string;
}

export interface FunctionSpec {
  readonly name: string;
  readonly insnIndex: number;
  /** True for STV_HIDDEN and STV_INTERNAL: as a subprogram it is verified with its callers, like a static one, and not on its own. */
  readonly isHidden: boolean;
}

/** A `lddw` that loads the address of a map (`map`) or of a byte in its first value (`value`). */
export interface MapReference {
  readonly insnIndex: number;
  readonly map: string;
  readonly kind: 'map' | 'value';
  /** Byte offset in the value; 0 for `map`. */
  readonly offBytes: number;
}

/**
 * A `lddw` that loads the address of a function, for a helper to call back (bpf_loop, bpf_for_each_map_elem, bpf_timer_set_callback).
 * In `insns` it is as the kernel takes it: src_reg BPF_PSEUDO_FUNC, imm counted from the next instruction like that of a call.
 */
export interface FunctionReference {
  readonly insnIndex: number;
  readonly kind: 'function';
  /** Where the function begins: `insnIndex` of one of the program's functions. */
  readonly targetInsnIndex: number;
}

/** A call of a kernel function. In `insns` it has src_reg BPF_PSEUDO_KFUNC_CALL and imm 0: numbers are given by whoever knows the kernel's. */
export interface KfuncReference {
  readonly insnIndex: number;
  readonly name: string;
  /** Declared `__weak`: the program can be loaded where the function doesn't exist, and may only not get to this call. */
  readonly isWeak: boolean;
}

/**
 * An instruction that has no meaning on the kernel that the object is loaded for (a field that doesn't exist there). As in libbpf it calls a helper that
 * there isn't, so the kernel refuses the program unless its verifier finds that nothing leads there; here a run that gets there faults.
 */
export interface PoisonedInstruction {
  readonly insnIndex: number;
  /** What is missing, e.g. `CO-RE: field struct iphdr___x.y does not exist in vmlinux`. */
  readonly message: string;
}

/** Source line of the instructions from `insnIndex` to the next entry. */
export interface LineSpec {
  readonly insnIndex: number;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** Definition of a map. Numbers are those of the UAPI. */
export interface MapSpec {
  readonly name: string;
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** What else the type wants, 0 when left out: hash functions of a BLOOM_FILTER. */
  readonly mapExtra?: number;
  /** BTF types of key and value, 0 when unknown. */
  readonly keyTypeId: number;
  readonly valueTypeId: number;
  /** What the kernel keeps in a value for itself, as BTF tells; left out when there is nothing, or the kernel doesn't take it in such a map. */
  readonly valueFields?: readonly ValueField[];
  /** Data section behind the map, e.g. `.rodata`; `undefined` for ordinary maps. */
  readonly dataSection: string | undefined;
  /** First value of a data section map. */
  readonly initialValue: Uint8Array | undefined;
  /** Programs that a PROG_ARRAY holds from the start. */
  readonly initialPrograms: readonly { readonly index: number; readonly program: string }[];
  /** What the inner maps of an ARRAY_OF_MAPS or HASH_OF_MAPS are like; it is no map of the object unless one has its name. */
  readonly innerMap?: MapSpec;
  /** Maps of the object that a map of maps holds from the start; the index is the key, of as many bytes as keys have. */
  readonly initialMaps?: readonly { readonly index: number; readonly map: string }[];
}

/** A part of a map value that only the kernel touches (struct btf_field, include/linux/btf.h): user space reads zeros, and no copy writes it. */
export interface ValueField {
  /** Name of its struct, e.g. `bpf_spin_lock`; `kptr` for a pointer to a kernel object. */
  readonly kind: string;
  readonly offBytes: number;
  readonly sizeBytes: number;
}

/** A global variable: bytes in the value of a data section map. */
export interface VariableSpec {
  readonly name: string;
  readonly map: string;
  readonly offBytes: number;
  readonly sizeBytes: number;
  /** BTF type, 0 when unknown. */
  readonly typeId: number;
}
