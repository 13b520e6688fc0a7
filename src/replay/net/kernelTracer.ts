import { closeSync } from 'node:fs';
import { ENOENT, errnoName, fail, ok, unwrap } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { assemble } from '../../vm/index.js';
import type { KernelTypes } from '../../vm/index.js';
import { TRACEPOINTS, XDP_REDIRECT, XDP_TX } from '../../xdp/index.js';
import type { KernelBuffer } from '../bpfSyscall.js';
import { setAddress } from '../kernelBpf.js';
import type { KernelBpf } from '../kernelBpf.js';
import { BPF_MAP_TYPE_QUEUE } from '../uapi.js';

const BPF_RAW_TRACEPOINT_OPEN = 17;
const BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21;
const BPF_PROG_TYPE_RAW_TRACEPOINT = 17;
const BPF_MAP_TYPE_UNSPEC = 0;
const BPF_MAP_TYPE_DEVMAP = 14;
const BPF_MAP_TYPE_DEVMAP_HASH = 25;
const INT_MAX = 0x7fffffff;

/** Records that may wait to be read. */
const QUEUE_RECORDS = 4096;
/**
 * A record: u32 each.
 *
 *     0 index in TRACEPOINTS   4 CPU   8 namespace or map   12 what the program read, at most 9
 */
const RECORD_BYTES = 48;
const VALUES_OFF = 12;
/** Where the program builds it, from the frame pointer, and where it puts pointers that it follows. */
const RECORD_FP = -RECORD_BYTES;
const POINTER_FP = RECORD_FP - 8;

/** A tracepoint of the kernel was hit. */
export interface KernelTraceRecord {
  /** Index in TRACEPOINTS. */
  readonly tracepoint: number;
  readonly cpu: number;
  /** Values in the order of the tracepoint's `fields`. */
  readonly fields: readonly number[];
}

/** Whose tracepoints are recorded; those of the machine's other devices and maps are not. */
export interface TraceScope {
  /** Inode numbers of network namespaces. */
  readonly namespaces: readonly number[];
  /** Ids of CPUMAPs. */
  readonly mapIds: readonly number[];
}

/** What a program reads: an argument of the tracepoint, or a u32 behind it, by the members on the way. */
type Source = { readonly argument: number } | { readonly argument: number; readonly behind: readonly (readonly [struct: string, member: string])[] };

const IFINDEX = ['net_device', 'ifindex'] as const;
const NAMESPACE = [['net_device', 'nd_net'], ['net', 'ns'], ['ns_common', 'inum']] as const;
const PROG_ID = [['bpf_prog', 'aux'], ['bpf_prog_aux', 'id']] as const;

interface Probe {
  readonly name: string;
  /** What tells whether it is wanted: the namespace of the device in this argument, or the map of this id. */
  readonly scope: { readonly device: number } | { readonly mapId: number };
  readonly sources: readonly Source[];
  /** Makes the record's fields out of what was read and the CPU. */
  fields(values: DataView, cpu: number): number[];
}

/** Arguments of xdp_redirect and xdp_redirect_err: dev, prog, tgt, err, map_type, map_id, index. */
const REDIRECT: Omit<Probe, 'name'> = {
  scope: { device: 0 },
  sources: [
    { argument: 1, behind: PROG_ID }, { argument: 0, behind: [IFINDEX] }, { argument: 3 }, { argument: 4 }, { argument: 5 }, { argument: 6 },
    // struct bpf_dtab_netdev begins with hlist_node, so not by name: see `offsetOf`.
    { argument: 2, behind: [['bpf_dtab_netdev', 'dev'], IFINDEX] }, { argument: 2 },
  ],
  fields(values) {
    const [progId, ifindex, err, mapType, mapId, index, targetIfindex, target] = Array.from({ length: 8 }, (_, i) => values.getInt32(i * 4, true)) as [
      number, number, number, number, number, number, number, number,
    ];
    const isByIfindex = mapType === BPF_MAP_TYPE_UNSPEC && mapId === INT_MAX;
    const isDevmap = mapType === BPF_MAP_TYPE_DEVMAP || mapType === BPF_MAP_TYPE_DEVMAP_HASH;
    const toIfindex = isByIfindex ? index : isDevmap && target !== 0 ? targetIfindex : 0;
    return [progId, XDP_REDIRECT, ifindex, err, toIfindex, mapId, isByIfindex ? 0 : index];
  },
};

/** In the order of TRACEPOINTS. Arguments as in `btf_trace_xdp_*` of 6.18, fields as TP_fast_assign fills them. */
const PROBES: readonly Probe[] = [
  {
    name: 'xdp_exception', scope: { device: 0 },
    sources: [{ argument: 1, behind: PROG_ID }, { argument: 2 }, { argument: 0, behind: [IFINDEX] }],
    fields: (values) => [values.getInt32(0, true), values.getUint32(4, true), values.getInt32(8, true)],
  },
  {
    name: 'xdp_bulk_tx', scope: { device: 0 },
    sources: [{ argument: 0, behind: [IFINDEX] }, { argument: 1 }, { argument: 2 }, { argument: 3 }],
    fields: (values) => [values.getInt32(0, true), XDP_TX, values.getInt32(8, true), values.getInt32(4, true), values.getInt32(12, true)],
  },
  { name: 'xdp_redirect', ...REDIRECT },
  { name: 'xdp_redirect_err', ...REDIRECT },
  {
    name: 'xdp_cpumap_kthread', scope: { mapId: 0 },
    sources: [
      { argument: 0 }, { argument: 1 }, { argument: 2 }, { argument: 3 },
      { argument: 4, behind: [['xdp_cpumap_stats', 'pass']] }, { argument: 4, behind: [['xdp_cpumap_stats', 'drop']] }, { argument: 4, behind: [['xdp_cpumap_stats', 'redirect']] },
    ],
    fields(values, cpu) {
      const [mapId, processed, drops, sched, pass, drop, redirect] = Array.from({ length: 7 }, (_, i) => values.getUint32(i * 4, true)) as [
        number, number, number, number, number, number, number,
      ];
      return [mapId, XDP_REDIRECT, cpu, drops, processed, sched, pass, drop, redirect];
    },
  },
  {
    name: 'xdp_cpumap_enqueue', scope: { mapId: 0 },
    sources: [{ argument: 0 }, { argument: 1 }, { argument: 2 }, { argument: 3 }],
    fields: (values, cpu) => [values.getInt32(0, true), XDP_REDIRECT, cpu, values.getUint32(8, true), values.getUint32(4, true), values.getInt32(12, true)],
  },
  {
    name: 'xdp_devmap_xmit', scope: { device: 0 },
    sources: [{ argument: 0, behind: [IFINDEX] }, { argument: 1, behind: [IFINDEX] }, { argument: 2 }, { argument: 3 }, { argument: 4 }],
    fields: (values) => [
      values.getInt32(0, true), XDP_REDIRECT, values.getInt32(4, true), values.getInt32(12, true), values.getInt32(8, true), values.getInt32(16, true),
    ],
  },
];

/**
 * Records the tracepoints of XDP in the running kernel: a program of type RAW_TRACEPOINT on each, which puts what it finds into a map of type
 * QUEUE. Nothing stays behind: the kernel detaches them with the last file descriptor.
 */
export class KernelTracer {
  readonly #kernel: KernelBpf;
  readonly #queueFd: number;
  readonly #fds: readonly number[];
  readonly #attr: KernelBuffer;
  readonly #record: KernelBuffer;

  private constructor(kernel: KernelBpf, queueFd: number, fds: readonly number[]) {
    this.#kernel = kernel;
    this.#queueFd = queueFd;
    this.#fds = fds;
    this.#attr = kernel.syscalls.buffer(32);
    this.#record = kernel.syscalls.buffer(RECORD_BYTES);
  }

  /** Problems: `net-trace`, and those of `loadKernelTypes` for a kernel without BTF. */
  static open(kernel: KernelBpf, scope: TraceScope): Result<KernelTracer> {
    const types = kernel.functions.types();
    if (!types.ok) return types;
    const fds: number[] = [];
    const queueFd = kernel.mapCreate({ type: BPF_MAP_TYPE_QUEUE, keySize: 0, valueSize: RECORD_BYTES, maxEntries: QUEUE_RECORDS, flags: 0, name: 'traces' });
    if (queueFd < 0) return fail(traceProblem('make a map of type QUEUE', queueFd));
    fds.push(queueFd);
    for (const [index, probe] of PROBES.entries()) {
      // Without any, the program would be one that ends at once, and the verifier refuses what is never reached.
      if (wantedBy(probe, scope).length === 0) continue;
      const error = attach(kernel, probe, programText(index, probe, scope, types.value, queueFd), fds);
      if (error >= 0) continue;
      fds.forEach((fd) => closeSync(fd));
      return fail(traceProblem(`trace ${probe.name}`, error));
    }
    return ok(new KernelTracer(kernel, queueFd, fds));
  }

  /**
   * Takes out what was recorded since the last call, in its order.
   *
   *     attr    0 map_fd  8 key (address)  16 value (address)  24 flags
   */
  take(): KernelTraceRecord[] {
    const records: KernelTraceRecord[] = [];
    const { view, bytes } = this.#attr;
    for (;;) {
      bytes.fill(0);
      view.setUint32(0, this.#queueFd, true);
      setAddress(view, 16, this.#record.address);
      const error = this.#kernel.syscalls.bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, this.#attr, 32);
      if (error === -ENOENT) return records;
      if (error < 0) throw new Error(`KernelTracer.take: ${errnoName(error)}`);
      if (records.length === QUEUE_RECORDS) throw new Error('KernelTracer.take: more records than the queue holds: some may be lost');
      const record = this.#record.view;
      const tracepoint = record.getUint32(0, true);
      const cpu = record.getUint32(4, true);
      const values = new DataView(record.buffer, VALUES_OFF, RECORD_BYTES - VALUES_OFF);
      records.push({ tracepoint, cpu, fields: PROBES[tracepoint]!.fields(values, cpu) });
    }
  }

  close(): void {
    for (const fd of this.#fds) closeSync(fd);
  }
}

function traceProblem(what: string, errno: number): { code: string; message: string; hint: string } {
  return { code: 'net-trace', message: `the kernel refused to ${what}: ${errnoName(errno)}`, hint: 'it takes CAP_BPF and CAP_PERFMON, and Linux 5.18 or later' };
}

/**
 * Loads a program and puts it onto its tracepoint.
 *
 *     BPF_RAW_TRACEPOINT_OPEN    0 name (address)  8 prog_fd
 *
 * @returns 0 or a negated errno; `fds` gets what is to be closed
 */
function attach(kernel: KernelBpf, { name }: Probe, text: string, fds: number[]): number {
  const programFd = kernel.progLoad({
    type: BPF_PROG_TYPE_RAW_TRACEPOINT, insns: unwrap(assemble(text)), license: 'GPL', flags: 0, name: name.slice(0, 15), expectedAttachType: 0, log: undefined,
  });
  if (programFd < 0) return programFd;
  fds.push(programFd);
  const nameBytes = new TextEncoder().encode(`${name}\0`);
  const nameBuffer = kernel.syscalls.buffer(nameBytes.length);
  nameBuffer.bytes.set(nameBytes);
  const attr = kernel.syscalls.buffer(16);
  setAddress(attr.view, 0, nameBuffer.address);
  attr.view.setUint32(8, programFd, true);
  const linkFd = kernel.syscalls.bpf(BPF_RAW_TRACEPOINT_OPEN, attr, 16);
  if (linkFd < 0) return linkFd;
  fds.push(linkFd);
  return 0;
}

function wantedBy({ scope }: Probe, { namespaces, mapIds }: TraceScope): readonly number[] {
  return 'device' in scope ? namespaces : mapIds;
}

/** The program of a tracepoint: fills the record, looks whether it is wanted, and puts it into the queue. */
function programText(index: number, probe: Probe, wanted: TraceScope, types: KernelTypes, queueFd: number): string {
  const { scope, sources } = probe;
  return `
    r6 = r1
    ${Array.from({ length: RECORD_BYTES / 8 }, (_, i) => `*(u64 *)(r10 ${RECORD_FP + i * 8}) = 0`).join('\n')}
    *(u32 *)(r10 ${RECORD_FP}) = ${index}
    call 8
    *(u32 *)(r10 ${RECORD_FP + 4}) = r0
    ${'device' in scope ? readBehind(types, scope.device, NAMESPACE, RECORD_FP + 8) : readArgument(scope.mapId, RECORD_FP + 8)}
    r1 = *(u32 *)(r10 ${RECORD_FP + 8})
    ${wantedBy(probe, wanted).map((id) => `if w1 == ${id | 0} goto wanted`).join('\n')}
    goto end
    wanted:
    ${sources
      .map((source, i) => {
        const to = RECORD_FP + VALUES_OFF + i * 4;
        return 'behind' in source ? readBehind(types, source.argument, source.behind, to) : readArgument(source.argument, to);
      })
      .join('\n')}
    r1 = map[fd:${queueFd}]
    r2 = r10
    r2 += ${RECORD_FP}
    r3 = 0
    call 87
    end:
    r0 = 0
    exit`;
}

function readArgument(argument: number, toFp: number): string {
  return `
    r1 = *(u64 *)(r6 +${argument * 8})
    *(u32 *)(r10 ${toFp}) = r1`;
}

/** Follows pointers with bpf_probe_read_kernel, which reads zeros where there is nothing. */
function readBehind(types: KernelTypes, argument: number, path: readonly (readonly [string, string])[], toFp: number): string {
  let text = `r3 = *(u64 *)(r6 +${argument * 8})`;
  let offBytes = 0;
  for (const [i, [struct, member]] of path.entries()) {
    offBytes += offsetOf(types, struct, member);
    const isLast = i === path.length - 1;
    if (!isLast && !isPointer(types, struct, member)) continue;
    text += `
      r3 += ${offBytes}
      r1 = r10
      r1 += ${isLast ? toFp : POINTER_FP}
      r2 = ${isLast ? 4 : 8}
      call 113
      ${isLast ? '' : `r3 = *(u64 *)(r10 ${POINTER_FP})`}`;
    offBytes = 0;
  }
  return text;
}

interface Place {
  readonly offBytes: number;
  readonly typeId: number;
}

function offsetOf(types: KernelTypes, struct: string, member: string): number {
  return placeOf(types, struct, member).offBytes;
}

/** A member that is embedded, possible_net_t for one, is no pointer, but one that begins with a pointer counts as one. */
function isPointer(types: KernelTypes, struct: string, member: string): boolean {
  let type = types.type(types.resolve(placeOf(types, struct, member).typeId));
  while (type.kind === 'struct' && type.members.length === 1) type = types.type(types.resolve(type.members[0]!.typeId));
  return type.kind === 'ptr';
}

/** Where a member lies in a struct of the running kernel, also within unnamed structs and unions. */
function placeOf(types: KernelTypes, struct: string, member: string): Place {
  const id = types.find('struct', struct);
  const place = id === undefined ? undefined : findMember(types, id, member);
  if (place === undefined) throw new Error(`KernelTracer: the running kernel has no ${struct}.${member}`);
  return place;
}

function findMember(types: KernelTypes, typeId: number, name: string): Place | undefined {
  const type = types.type(types.resolve(typeId));
  if (type.kind !== 'struct' && type.kind !== 'union') return undefined;
  for (const member of type.members) {
    if (member.name === name) return { offBytes: member.bitOffset / 8, typeId: member.typeId };
    if (member.name !== '') continue;
    const inner = findMember(types, member.typeId, name);
    if (inner !== undefined) return { ...inner, offBytes: inner.offBytes + member.bitOffset / 8 };
  }
  return undefined;
}

if (PROBES.some(({ name }, index) => TRACEPOINTS[index]?.name !== name)) throw new Error('KernelTracer: PROBES and TRACEPOINTS differ');
