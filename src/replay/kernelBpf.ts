import { ENOENT } from '../base/index.js';
import type { KernelBuffer, Syscalls } from './bpfSyscall.js';
import { KernelFunctions } from './kernelFunctions.js';
import { TestRunBuffers } from './testRunBuffers.js';
import {
  BPF_BTF_LOAD, BPF_MAP_CREATE, BPF_MAP_DELETE_ELEM, BPF_MAP_FREEZE, BPF_MAP_GET_NEXT_KEY, BPF_MAP_LOOKUP_BATCH, BPF_MAP_LOOKUP_ELEM,
  BPF_MAP_UPDATE_ELEM, BPF_OBJ_GET_INFO_BY_FD, BPF_OBJ_NAME_MAX, BPF_PROG_LOAD,
} from './uapi.js';

export interface MapCreateFields {
  readonly type: number;
  readonly keySize: number;
  readonly valueSize: number;
  readonly maxEntries: number;
  readonly flags: number;
  /** Default 0. */
  readonly mapExtra?: number | undefined;
  /** A map like those that a map of maps is to hold; default -1, which is none. */
  readonly innerMapFd?: number | undefined;
  readonly name: string;
  /** Types of key and value; `undefined`: unknown. */
  readonly btf?: { readonly fd: number; readonly keyTypeId: number; readonly valueTypeId: number } | undefined;
}

export interface ProgLoadFields {
  readonly type: number;
  readonly insns: Uint8Array;
  readonly license: string;
  readonly flags: number;
  readonly name: string;
  readonly expectedAttachType: number;
  /** Device that the program is bound to; default 0, which is none. */
  readonly ifindex?: number | undefined;
  /** Functions and source lines, as ProgramSpec has them; `undefined`: unknown. */
  readonly btf?: { readonly fd: number; readonly funcInfo: Uint8Array; readonly lineInfo: Uint8Array } | undefined;
  /** Where the verifier writes its log; `undefined`: no log. */
  readonly log: KernelBuffer | undefined;
}

/** Where BPF_MAP_LOOKUP_BATCH writes to. */
export interface MapBatch {
  readonly position: KernelBuffer;
  readonly keysAddress: number;
  readonly valuesAddress: number;
  /** Entries that there is room for. */
  readonly count: number;
}

const AF_XDP = 44;
const SOCK_RAW = 3;
/** Largest part of union bpf_attr that is used here, up to 6.18. */
const ATTR_BYTES = 152;
/** Start of struct bpf_prog_info: type and id. */
const PROG_INFO_BYTES = 8;
const BPF_LOG_LEVEL1 = 1;
/** Sizes of struct bpf_func_info and struct bpf_line_info. */
const FUNC_INFO_BYTES = 8;
const LINE_INFO_BYTES = 16;
const NO_BYTES = new Uint8Array(0);

/**
 * The running kernel: one method a command of bpf(2). Results are a file descriptor or 0, or a negated errno; nothing throws.
 * Layouts are those of union bpf_attr (include/uapi/linux/bpf.h); a field that isn't written is zero, which is its default.
 */
export class KernelBpf {
  readonly syscalls: Syscalls;
  /** CPUs that per-CPU maps have values for. */
  readonly possibleCpus: number;
  readonly testRunBuffers: TestRunBuffers;
  readonly functions = new KernelFunctions();
  readonly #attr: KernelBuffer;
  readonly #info: KernelBuffer;
  /** Instructions, information and license of the program or types that are being loaded; a field, so that it outlives the call. */
  #text: KernelBuffer;

  constructor(syscalls: Syscalls, possibleCpus: number) {
    this.syscalls = syscalls;
    this.possibleCpus = possibleCpus;
    this.testRunBuffers = new TestRunBuffers(syscalls);
    this.#attr = syscalls.buffer(ATTR_BYTES);
    this.#info = syscalls.buffer(PROG_INFO_BYTES);
    this.#text = syscalls.buffer(0);
  }

  // ── BPF_MAP_CREATE ──
  //
  //     0 map_type  4 key_size  8 value_size  12 max_entries  16 map_flags  20 inner_map_fd  24 numa_node
  //     28 map_name[16]  44 map_ifindex  48 btf_fd  52 btf_key_type_id  56 btf_value_type_id
  //     64 map_extra (u64)
  mapCreate(fields: MapCreateFields): number {
    const { view } = this.#clearAttr();
    view.setUint32(0, fields.type, true);
    view.setUint32(4, fields.keySize, true);
    view.setUint32(8, fields.valueSize, true);
    view.setUint32(12, fields.maxEntries, true);
    view.setUint32(16, fields.flags, true);
    // Other types don't look at it.
    view.setInt32(20, fields.innerMapFd ?? -1, true);
    this.#writeName(28, fields.name);
    if (fields.btf !== undefined) {
      view.setUint32(48, fields.btf.fd, true);
      view.setUint32(52, fields.btf.keyTypeId, true);
      view.setUint32(56, fields.btf.valueTypeId, true);
    }
    view.setUint32(64, fields.mapExtra ?? 0, true);
    return this.syscalls.bpf(BPF_MAP_CREATE, this.#attr, 72);
  }

  // ── BPF_MAP_{LOOKUP,UPDATE,DELETE}_ELEM, BPF_MAP_GET_NEXT_KEY ──
  //
  //     0 map_fd  8 key (address)  16 value or next_key (address)  24 flags (u64)
  mapLookup(fd: number, key: KernelBuffer, value: KernelBuffer): number {
    return this.#element(BPF_MAP_LOOKUP_ELEM, fd, key.address, value.address, 0);
  }

  mapUpdate(fd: number, key: KernelBuffer, value: KernelBuffer, flags: number): number {
    return this.#element(BPF_MAP_UPDATE_ELEM, fd, key.address, value.address, flags);
  }

  mapDelete(fd: number, key: KernelBuffer): number {
    return this.#element(BPF_MAP_DELETE_ELEM, fd, key.address, 0, 0);
  }

  /** @param key `undefined`: the first key is wanted */
  mapGetNextKey(fd: number, key: KernelBuffer | undefined, nextKey: KernelBuffer): number {
    return this.#element(BPF_MAP_GET_NEXT_KEY, fd, key === undefined ? 0 : key.address, nextKey.address, 0);
  }

  #element(command: number, fd: number, keyAddress: number, valueAddress: number, flags: number): number {
    const { view } = this.#clearAttr();
    view.setUint32(0, fd, true);
    setAddress(view, 8, keyAddress);
    setAddress(view, 16, valueAddress);
    view.setUint32(24, flags, true);
    return this.syscalls.bpf(command, this.#attr, 32);
  }

  // ── BPF_MAP_LOOKUP_BATCH ──
  //
  //     0 in_batch (address)  8 out_batch (address)  16 keys (address)  24 values (address)  32 count  36 map_fd  40 elem_flags
  //    48 flags
  /**
   * Reads up to `count` entries at once.
   *
   * @param batch `position` holds where to go on, and then where the next call goes on: as large as a key, 4 bytes at least
   * @param isFirst begins anew, whatever `position` holds
   * @returns how many were read, and a negated errno: ENOENT after the last entry
   */
  mapLookupBatch(fd: number, batch: MapBatch, isFirst: boolean): { readonly count: number; readonly errno: number } {
    const { view } = this.#clearAttr();
    setAddress(view, 0, isFirst ? 0 : batch.position.address);
    setAddress(view, 8, batch.position.address);
    setAddress(view, 16, batch.keysAddress);
    setAddress(view, 24, batch.valuesAddress);
    view.setUint32(32, batch.count, true);
    view.setUint32(36, fd, true);
    const errno = this.syscalls.bpf(BPF_MAP_LOOKUP_BATCH, this.#attr, 56);
    return { count: errno === 0 || errno === -ENOENT ? view.getUint32(32, true) : 0, errno };
  }

  // ── BPF_MAP_FREEZE ──
  //
  //     0 map_fd
  mapFreeze(fd: number): number {
    const { view } = this.#clearAttr();
    view.setUint32(0, fd, true);
    return this.syscalls.bpf(BPF_MAP_FREEZE, this.#attr, 4);
  }

  // ── BPF_PROG_LOAD ──
  //
  //     0 prog_type  4 insn_cnt  8 insns (address)  16 license (address)  24 log_level  28 log_size  32 log_buf (address)
  //     40 kern_version  44 prog_flags  48 prog_name[16]  64 prog_ifindex  68 expected_attach_type  72 prog_btf_fd
  //     76 func_info_rec_size  80 func_info (address)  88 func_info_cnt  92 line_info_rec_size  96 line_info (address)
  //    104 line_info_cnt
  progLoad(fields: ProgLoadFields): number {
    const { insns, btf } = fields;
    const license = new TextEncoder().encode(`${fields.license}\0`);
    const funcInfo = btf?.funcInfo ?? NO_BYTES;
    const lineInfo = btf?.lineInfo ?? NO_BYTES;
    const address = this.#writeText(insns, funcInfo, lineInfo, license);
    const { view } = this.#clearAttr();
    view.setUint32(0, fields.type, true);
    view.setUint32(4, insns.length / 8, true);
    setAddress(view, 8, address);
    setAddress(view, 16, address + insns.length + funcInfo.length + lineInfo.length);
    if (fields.log !== undefined) {
      view.setUint32(24, BPF_LOG_LEVEL1, true);
      view.setUint32(28, fields.log.bytes.length, true);
      setAddress(view, 32, fields.log.address);
    }
    view.setUint32(44, fields.flags, true);
    this.#writeName(48, fields.name);
    view.setUint32(64, fields.ifindex ?? 0, true);
    view.setUint32(68, fields.expectedAttachType, true);
    if (btf !== undefined) {
      view.setUint32(72, btf.fd, true);
      view.setUint32(76, FUNC_INFO_BYTES, true);
      setAddress(view, 80, address + insns.length);
      view.setUint32(88, funcInfo.length / FUNC_INFO_BYTES, true);
      view.setUint32(92, LINE_INFO_BYTES, true);
      setAddress(view, 96, address + insns.length + funcInfo.length);
      view.setUint32(104, lineInfo.length / LINE_INFO_BYTES, true);
    }
    return this.syscalls.bpf(BPF_PROG_LOAD, this.#attr, 108);
  }

  // ── BPF_OBJ_GET_INFO_BY_FD ──
  //
  //     0 bpf_fd  4 info_len  8 info (address)          struct bpf_prog_info: 0 type  4 id
  /** Id of a program, or a negated errno. */
  programId(fd: number): number {
    const { view } = this.#clearAttr();
    view.setUint32(0, fd, true);
    view.setUint32(4, this.#info.bytes.length, true);
    setAddress(view, 8, this.#info.address);
    this.#info.bytes.fill(0);
    const error = this.syscalls.bpf(BPF_OBJ_GET_INFO_BY_FD, this.#attr, 16);
    return error < 0 ? error : this.#info.view.getUint32(4, true);
  }

  // ── BPF_BTF_LOAD ──
  //
  //     0 btf (address)  8 btf_log_buf (address)  16 btf_size  20 btf_log_size  24 btf_log_level
  /** @param log where the kernel says what is wrong with the types; `undefined`: no log */
  btfLoad(bytes: Uint8Array, log: KernelBuffer | undefined): number {
    const address = this.#writeText(bytes);
    const { view } = this.#clearAttr();
    setAddress(view, 0, address);
    view.setUint32(16, bytes.length, true);
    if (log !== undefined) {
      setAddress(view, 8, log.address);
      view.setUint32(20, log.bytes.length, true);
      view.setUint32(24, BPF_LOG_LEVEL1, true);
    }
    return this.syscalls.bpf(BPF_BTF_LOAD, this.#attr, 28);
  }

  /** An AF_XDP socket that is bound to nothing: enough to fill a slot of an XSKMAP. */
  xskSocket(): number {
    return this.syscalls.socket(AF_XDP, SOCK_RAW, 0);
  }

  /** Puts parts one behind the other; returns the address of the first. */
  #writeText(...parts: readonly Uint8Array[]): number {
    const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
    if (this.#text.bytes.length < sizeBytes) this.#text = this.syscalls.buffer(sizeBytes);
    let at = 0;
    for (const part of parts) {
      this.#text.bytes.set(part, at);
      at += part.length;
    }
    return this.#text.address;
  }

  #clearAttr(): KernelBuffer {
    this.#attr.bytes.fill(0);
    return this.#attr;
  }

  /** Names are for people and cut to fit; the kernel takes letters, digits, `_` and `.` only (bpf_obj_name_cpy). */
  #writeName(offBytes: number, name: string): void {
    const text = name.replace(/[^A-Za-z0-9_.]/g, '_').slice(0, BPF_OBJ_NAME_MAX);
    new TextEncoder().encodeInto(text, this.#attr.bytes.subarray(offBytes, offBytes + BPF_OBJ_NAME_MAX));
  }
}

/** Writes an address into a `__aligned_u64` field. */
export function setAddress(view: DataView, offBytes: number, address: number): void {
  view.setUint32(offBytes, address % 2 ** 32, true);
  view.setUint32(offBytes + 4, Math.floor(address / 2 ** 32), true);
}
