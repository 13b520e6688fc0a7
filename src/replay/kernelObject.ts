/// <reference lib="esnext.disposable" preserve="true" />
import { closeSync } from 'node:fs';
import { E2BIG, EACCES, EINVAL, ENOSPC, EPERM, errnoName, fail, ok, toHex } from '../base/index.js';
import type { Result } from '../base/index.js';
import { initialKey, isDeviceBound, isMapOfMapsType } from '../vm/index.js';
import type { MapSpec, ObjectSpec, ProgramSpec, VariableSpec } from '../vm/index.js';
import type { KernelBpf } from './kernelBpf.js';
import { loadKernelBtf } from './kernelBtf.js';
import type { KernelBtf } from './kernelBtf.js';
import { createKernelMap } from './kernelMap.js';
import type { KernelMap } from './kernelMap.js';
import { relocate } from './relocate.js';
import {
  BPF_F_XDP_DEV_BOUND_ONLY, BPF_F_XDP_HAS_FRAGS, BPF_MAP_TYPE_PROG_ARRAY, BPF_MAP_TYPE_XSKMAP, BPF_PROG_TYPE_XDP, BPF_XDP, BPF_XDP_CPUMAP, BPF_XDP_DEVMAP,
} from './uapi.js';
import { describeInsn, readVerifierLog } from './verifierLog.js';
import type { VerifierProblem } from './verifierLog.js';

const ATTACH_TYPES = { xdp: BPF_XDP, devmap: BPF_XDP_DEVMAP, cpumap: BPF_XDP_CPUMAP } as const;
/** Room for the log of a large program; when even this is too small the kernel keeps the end, where the reason is. */
const LOG_BYTES = 4 << 20;

/** A program that the running kernel has accepted, and a handle on everything that was loaded with it. */
export interface KernelProgram {
  readonly name: string;
  readonly spec: ProgramSpec;
  readonly fd: number;
  /** Its object in the kernel: the maps and the other programs. */
  readonly object: KernelObject;
  /** Closes the object, and with it this program. */
  close(): void;
  [Symbol.dispose](): void;
}

export interface LoadOptions {
  /** First values of global variables, by name; read-only ones can be set only here. */
  readonly variables?: Readonly<Record<string, Uint8Array>>;
  /** Device for programs that can only be loaded for one (`isDeviceBound`). */
  readonly ifindex?: number;
}

/**
 * Loads one program of an object, with the maps it refers to and the programs that those maps hold from the start.
 *
 * Fails with `no-such-program`, `unsupported-program-type`, `unsupported-map-type`, `no-such-variable`, `variable-size`,
 * `kernel-map-create`, `kernel-map-fill`, `kernel-map-too-big`, `kernel-map-needs-btf`, `kernel-kfunc-missing`, `kernel-program-needs-device`, the program's own problem if it has one, or a VerifierProblem of code
 * `kernel-program-refused`.
 */
export function loadIntoKernel(kernel: KernelBpf, spec: ObjectSpec, programName: string, options: LoadOptions = {}): Result<KernelProgram> {
  const object = new KernelObject(kernel, spec, options);
  const program = object.loadProgram(programName);
  if (!program.ok) object.close();
  return program;
}

/** An object file in the kernel. Maps and programs are loaded when something needs them, and share one lifetime. */
export class KernelObject {
  readonly kernel: KernelBpf;
  readonly spec: ObjectSpec;
  /** Maps that have been created, by name. */
  readonly maps: ReadonlyMap<string, KernelMap>;
  readonly #maps = new Map<string, KernelMap>();
  readonly #programs = new Map<string, KernelProgram>();
  readonly #variables: Readonly<Record<string, Uint8Array>>;
  readonly #ifindex: number | undefined;
  #btf: KernelBtf | undefined;
  #socketFd: number | undefined;
  /** PROG_ARRAYs that were created and don't hold their first programs yet. */
  #unfilled: KernelMap[] = [];

  constructor(kernel: KernelBpf, spec: ObjectSpec, options: LoadOptions = {}) {
    this.kernel = kernel;
    this.spec = spec;
    this.maps = this.#maps;
    this.#variables = options.variables ?? {};
    this.#ifindex = options.ifindex;
  }

  /** The object's types in the kernel, or why they are not there; `undefined` when it has none. They are loaded when they are asked for. */
  get btf(): KernelBtf | undefined {
    this.#btf ??= loadKernelBtf(this.kernel, this.spec);
    return this.#btf;
  }

  /** Loads a program of the object, once. Problems: see `loadIntoKernel`. */
  loadProgram(name: string): Result<KernelProgram> {
    const loaded = this.#programs.get(name);
    if (loaded !== undefined) return this.#withFilledProgArrays(loaded);

    const spec = this.spec.programs.find((candidate) => candidate.name === name);
    if (spec === undefined) {
      const names = this.spec.programs.map((candidate) => candidate.name).join(', ');
      return fail({ code: 'no-such-program', message: `there is no program ${name}`, where: this.spec.name, hint: `choose one of: ${names}` });
    }
    if (spec.type !== 'xdp') {
      return fail({
        code: 'unsupported-program-type',
        message: `program ${name} is in section ${spec.section}, and only XDP programs can be replayed`,
        where: this.spec.name,
      });
    }
    if (spec.problem !== undefined) return fail(spec.problem);
    const program = this.#loadSpec(spec);
    return program.ok ? this.#withFilledProgArrays(program.value) : program;
  }

  /** A map of the object by name; it is created if nothing needed it so far. */
  map(name: string): Result<KernelMap> {
    const existing = this.#maps.get(name);
    if (existing !== undefined) return ok(existing);

    const spec = this.spec.maps.find((candidate) => candidate.name === name);
    if (spec === undefined) {
      const names = this.spec.maps.map((candidate) => candidate.name).join(', ');
      return fail({ code: 'no-such-map', message: `there is no map ${name}`, where: this.spec.name, hint: `choose one of: ${names}` });
    }
    const initialValue = this.#initialValue(spec);
    if (!initialValue.ok) return initialValue;
    const map = createKernelMap(this.kernel, spec, this.spec.name, this.btf, initialValue.value);
    if (!map.ok) return map;
    this.#maps.set(name, map.value);
    for (const { index, map: innerName } of spec.initialMaps ?? []) {
      const put = this.putMap(name, initialKey(spec.keySize, index), innerName);
      if (!put.ok) return put;
    }
    if (spec.type === BPF_MAP_TYPE_PROG_ARRAY && spec.initialPrograms.length > 0) this.#unfilled.push(map.value);
    return map;
  }

  /** Puts a program of this object into a PROG_ARRAY. */
  putProgram(mapName: string, index: number, programName: string): Result<void> {
    // First the map, then the program, so that the map's own first programs are in it before this one.
    const map = this.map(mapName);
    if (!map.ok) return map;
    const program = this.loadProgram(programName);
    return program.ok ? this.#putFd(mapName, u32(index), program.value.fd) : program;
  }

  /** Puts a map of this object into a map of maps. */
  putMap(mapName: string, key: Uint8Array, innerName: string): Result<void> {
    const map = this.map(mapName);
    if (!map.ok) return map;
    const inner = this.map(innerName);
    return inner.ok ? this.#putFd(mapName, key, inner.value.fd) : inner;
  }

  /** Fills a slot of an XSKMAP with the object's socket (`xskSocket`). */
  putXskSocket(mapName: string, index: number): Result<void> {
    const map = this.map(mapName);
    if (!map.ok) return map;
    if (map.value.spec.type !== BPF_MAP_TYPE_XSKMAP) throw new TypeError(`putXskSocket: map ${mapName} is no XSKMAP`);
    const fd = this.xskSocket();
    return fd.ok ? this.#putFd(mapName, u32(index), fd.value) : fd;
  }

  /**
   * Writes an entry of a DEVMAP, DEVMAP_HASH or CPUMAP: ifindex or queue size and, in values of 8 bytes, a program of this object.
   *
   * @returns 0 or a negated errno
   */
  writeEntry(mapName: string, key: Uint8Array, target: number, programName: string | undefined): Result<number> {
    const map = this.map(mapName);
    if (!map.ok) return map;
    const value = new Uint8Array(map.value.spec.valueSize);
    value.set(u32(target));
    if (programName !== undefined) {
      const program = this.loadProgram(programName);
      if (!program.ok) return program;
      value.set(u32(program.value.fd), 4);
    }
    return ok(map.value.updateBytes(key, value, 0));
  }

  /** A program that has been loaded, by its name. */
  loadedProgram(name: string): KernelProgram | undefined {
    return this.#programs.get(name);
  }

  /** Name of a loaded program of this object by its id. */
  programName(id: number): string | undefined {
    return [...this.#programs.values()].find(({ fd }) => this.kernel.programId(fd) === id)?.name;
  }

  /**
   * File descriptor of an AF_XDP socket for the slots of XSKMAPs. It is bound to no queue, so it takes no packet, but a program that
   * redirects to it gets XDP_REDIRECT, as with a real one. One does for all slots, as a program can't tell them apart.
   */
  xskSocket(): Result<number> {
    const fd = this.#socketFd ?? this.kernel.xskSocket();
    if (fd < 0) return fail({ code: 'kernel-xsk-socket', message: `the kernel gave no AF_XDP socket: ${errnoName(fd)}`, where: this.spec.name });
    this.#socketFd = fd;
    return ok(fd);
  }

  /** Bytes of a global variable now. */
  readVariable(name: string): Result<Uint8Array> {
    const variable = this.#variable(name);
    if (!variable.ok) return variable;
    const value = this.#dataSection(variable.value);
    if (!value.ok) return value;
    const { offBytes, sizeBytes } = variable.value;
    return ok(value.value.slice(offBytes, offBytes + sizeBytes));
  }

  /** Sets a global variable; a read-only one can be set only at load, by `LoadOptions.variables`. */
  writeVariable(name: string, bytes: Uint8Array): Result<void> {
    const variable = this.#variable(name);
    if (!variable.ok) return variable;
    const sized = checkSize(variable.value, bytes, this.spec.name);
    if (!sized.ok) return sized;
    const value = this.#dataSection(variable.value);
    if (!value.ok) return value;
    value.value.set(bytes, variable.value.offBytes);
    const map = this.#maps.get(variable.value.map)!;
    const result = map.updateBytes(new Uint8Array(map.spec.keySize), value.value, 0);
    if (result === 0) return ok(undefined);
    return fail({
      code: 'variable-read-only',
      message: `the kernel refused to set variable ${name}: ${errnoName(result)}`,
      where: `${this.spec.name}, map ${variable.value.map}`,
      hint: 'give the values of read-only variables when the program is loaded',
    });
  }

  /** Closes every file descriptor: programs, maps, sockets. */
  close(): void {
    for (const program of this.#programs.values()) closeSync(program.fd);
    for (const map of this.#maps.values()) map.close();
    this.#btf?.close();
    if (this.#socketFd !== undefined) closeSync(this.#socketFd);
    this.#programs.clear();
    this.#btf = undefined;
    this.#socketFd = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #loadSpec(spec: ProgramSpec): Result<KernelProgram> {
    const isBound = isDeviceBound(spec);
    if (isBound && this.#ifindex === undefined) {
      const message = `program ${spec.name} asks its device about packets (bpf_xdp_metadata_rx_*), so it can be loaded for a device only`;
      return fail({ code: 'kernel-program-needs-device', message, where: this.spec.name, hint: 'compare it with sim replay --net, which has one' });
    }
    for (const reference of spec.references) {
      const map = this.map(reference.map);
      if (!map.ok) return map;
    }
    const kfuncs = this.kernel.functions.idsOf([...(spec.kfuncs ?? []), ...(spec.kfuncAddresses ?? [])], `${this.spec.name}, program ${spec.name}`);
    if (!kfuncs.ok) return kfuncs;
    const btfFd = this.btf?.fd;
    const fields = {
      type: BPF_PROG_TYPE_XDP,
      insns: relocate(spec, (name) => this.#maps.get(name)!.fd, (name) => kfuncs.value.get(name)),
      license: this.spec.license,
      flags: (spec.frags ? BPF_F_XDP_HAS_FRAGS : 0) | (isBound ? BPF_F_XDP_DEV_BOUND_ONLY : 0),
      ifindex: isBound ? this.#ifindex : undefined,
      name: spec.name,
      expectedAttachType: ATTACH_TYPES[spec.attachType],
      btf: btfFd === undefined ? undefined : { fd: btfFd, funcInfo: spec.funcInfo, lineInfo: spec.lineInfo },
    };
    const fd = this.kernel.progLoad({ ...fields, log: undefined });
    if (fd < 0) return fail(this.#explainRefusal(spec, fields, fd));

    const close = (): void => this.close();
    const program: KernelProgram = { name: spec.name, spec, fd, object: this, close, [Symbol.dispose]: close };
    this.#programs.set(spec.name, program);
    return ok(program);
  }

  /** Asks once more, with a log: a log costs time, so a program that is fine is loaded without. */
  #explainRefusal(spec: ProgramSpec, fields: Omit<Parameters<KernelBpf['progLoad']>[0], 'log'>, errno: number): VerifierProblem {
    const buffer = this.kernel.syscalls.buffer(LOG_BYTES);
    const fd = this.kernel.progLoad({ ...fields, log: buffer });
    if (fd >= 0) closeSync(fd);
    const end = buffer.bytes.indexOf(0);
    const log = new TextDecoder().decode(buffer.bytes.subarray(0, end < 0 ? undefined : end));
    const { reason, insnIndex } = readVerifierLog(log);
    const hint = refusalHint(errno, log);
    return {
      code: 'kernel-program-refused',
      message: `the kernel refused program ${spec.name}: ${errnoName(errno)}${reason === '' ? '' : `, ${reason}`}`,
      where: `${this.spec.name}, section ${spec.section}${insnIndex === undefined ? '' : `, ${describeInsn(spec, insnIndex)}`}`,
      log,
      ...(hint === undefined ? {} : { hint }),
    };
  }

  #withFilledProgArrays(program: KernelProgram): Result<KernelProgram> {
    const filled = this.#fillProgArrays();
    return filled.ok ? ok(program) : filled;
  }

  /** A program that goes into an array may bring new arrays with it, so this goes on until none is left. */
  #fillProgArrays(): Result<void> {
    for (;;) {
      const map = this.#unfilled.pop();
      if (map === undefined) return ok(undefined);
      for (const { index, program } of map.spec.initialPrograms) {
        const put = this.putProgram(map.spec.name, index, program);
        if (!put.ok) return put;
      }
    }
  }

  #putFd(mapName: string, key: Uint8Array, fd: number): Result<void> {
    const map = this.map(mapName);
    if (!map.ok) return map;
    const result = map.value.updateBytes(key, u32(fd), 0);
    if (result === 0) return ok(undefined);
    const hint = isMapOfMapsType(map.value.spec.type) && result === -EINVAL ? INNER_MAP_HINT : PUT_HINTS.get(result);
    return fail({
      code: 'kernel-map-fill',
      message: `the kernel refused to fill slot ${slotText(key)} of map ${mapName}: ${errnoName(result)}`,
      where: this.spec.name,
      ...(hint === undefined ? {} : { hint }),
    });
  }

  #initialValue(spec: MapSpec): Result<Uint8Array | undefined> {
    if (spec.initialValue === undefined) return ok(undefined);
    const value = spec.initialValue.slice();
    for (const [name, bytes] of Object.entries(this.#variables)) {
      const variable = this.#variable(name);
      if (!variable.ok) return variable;
      if (variable.value.map !== spec.name) continue;
      const sized = checkSize(variable.value, bytes, this.spec.name);
      if (!sized.ok) return sized;
      value.set(bytes, variable.value.offBytes);
    }
    return ok(value);
  }

  #variable(name: string): Result<VariableSpec> {
    const variable = this.spec.variables.find((candidate) => candidate.name === name);
    if (variable !== undefined) return ok(variable);
    const names = this.spec.variables.map((candidate) => candidate.name).join(', ');
    return fail({
      code: 'no-such-variable',
      message: `there is no global variable ${name}`,
      where: this.spec.name,
      hint: names === '' ? 'the object has no global variables' : `choose one of: ${names}`,
    });
  }

  #dataSection(variable: VariableSpec): Result<Uint8Array> {
    const map = this.map(variable.map);
    return map.ok ? ok(map.value.lookupBytes(new Uint8Array(map.value.spec.keySize))!) : map;
  }
}

const PUT_HINTS = new Map([
  [-E2BIG, 'the index is past the end of the map'],
  [-EINVAL, 'all programs of a PROG_ARRAY must be of one kind: type, attach type and xdp.frags'],
]);

const INNER_MAP_HINT = 'inner maps must have the type, key size, value size and flags of the inner definition, arrays its max_entries too';

/** An index as a number, other keys in hex. */
function slotText(key: Uint8Array): string {
  return key.length === 4 ? String(new DataView(key.buffer, key.byteOffset).getUint32(0, true)) : toHex(key);
}

function checkSize(variable: VariableSpec, bytes: Uint8Array, where: string): Result<void> {
  if (bytes.length === variable.sizeBytes) return ok(undefined);
  return fail<void>({
    code: 'variable-size',
    message: `variable ${variable.name} has ${variable.sizeBytes} bytes, and ${bytes.length} were given`,
    where,
  });
}

function refusalHint(errno: number, log: string): string | undefined {
  if (errno === -EPERM && log === '') return 'run it as root, or with CAP_BPF and CAP_NET_ADMIN';
  if (errno === -EINVAL && log.includes('cannot call GPL-restricted function')) return 'give the object a GPL compatible license';
  if (errno === -E2BIG) return 'the program is too complex for the verifier';
  return errno === -EACCES || errno === -EINVAL || errno === -ENOSPC ? 'the whole log is in the field log (of a case: --json)' : undefined;
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
