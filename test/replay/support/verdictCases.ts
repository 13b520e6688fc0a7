import { toHex } from '../../../src/base/index.js';
import { traceLine, TRACE_CPUMAP_KTHREAD, TRACEPOINTS } from '../../../src/xdp/index.js';

/** The device that packets come in by, and its program's. */
export const INGRESS = { name: 'xdp0', ifindex: 2 } as const;

/** A device of the host besides that. */
export interface VerdictDevice {
  readonly name: string;
  readonly ifindex: number;
  /** Left out: that of the ingress device. */
  readonly mtu?: number;
  /** Whether XDP frames can be sent to its peer. */
  readonly hasPeerProgram: boolean;
  readonly isUp: boolean;
}

export const DEVICES: readonly VerdictDevice[] = [
  { name: 'out', ifindex: 3, hasPeerProgram: true, isUp: true },
  { name: 'out2', ifindex: 4, hasPeerProgram: true, isUp: true },
  { name: 'small', ifindex: 5, mtu: 1000, hasPeerProgram: true, isUp: true },
  { name: 'down', ifindex: 6, hasPeerProgram: true, isUp: false },
  { name: 'plain', ifindex: 7, hasPeerProgram: false, isUp: true },
];
/** Every network namespace has one, which is down when it is new; XDP frames can't be sent to it. */
export const LOOPBACK: VerdictDevice = { name: 'lo', ifindex: 1, mtu: 65_536, hasPeerProgram: false, isUp: false };
const OUT = 3;
const OUT2 = 4;
const SMALL = 5;
const DOWN = 6;
const PLAIN = 7;

/** Values of `way` in verdicts.c. */
export const RETURN = 0;
export const BY_IFINDEX = 1;
export const BY_DEVMAP = 2;
export const BY_DEVMAP_HASH = 3;
export const BY_MANY = 4;
export const BY_XSKMAP = 5;
/** And the CPUMAPs behind it, see `CPUMAPS`. */
export const BY_CPUMAP = 6;

const BPF_F_BROADCAST = 8;
const BPF_F_EXCLUDE_INGRESS = 16;

/** Writes an entry of a DEVMAP, DEVMAP_HASH or CPUMAP. */
export type MapWriter = (map: string, key: Uint8Array, target: number, program?: string) => void;

/** Keys of `devices`: where they lead, and through which program. */
const DEVMAP_ENTRIES: readonly (readonly [key: number, ifindex: number, program?: string])[] = [
  [0, OUT], [1, PLAIN], [2, DOWN], [3, SMALL], [4, INGRESS.ifindex],
  [5, OUT, 'devmap_pass'], [6, OUT, 'devmap_drop'], [7, OUT, 'devmap_abort'], [8, OUT, 'devmap_tx'], [9, OUT, 'devmap_unknown'],
];
const DEVMAP_HASH_ENTRIES: typeof DEVMAP_ENTRIES = [[1000, OUT], [1001, DOWN], [1002, OUT, 'devmap_pass'], [1003, OUT, 'devmap_drop']];
/** Those that can't be sent to are passed over by a broadcast. */
const MANY_ENTRIES: typeof DEVMAP_ENTRIES = [[0, OUT], [1, DOWN], [2, INGRESS.ifindex], [5, OUT2], [7, OUT, 'devmap_drop']];
/** Each has an entry for CPU 0. */
const CPUMAPS: readonly (readonly [map: string, program?: string])[] = [
  ['cpus'], ['cpus_pass', 'cpumap_pass'], ['cpus_drop', 'cpumap_drop'], ['cpus_abort', 'cpumap_abort'], ['cpus_tx', 'cpumap_tx'], ['cpus_unknown', 'cpumap_unknown'],
  ['cpus_forward', 'cpumap_forward'],
];
const CPU_QUEUE_SIZE = 64;

export function fillMaps(write: MapWriter): void {
  for (const [key, ifindex, program] of DEVMAP_ENTRIES) write('devices', u32(key), ifindex, program);
  for (const [key, ifindex, program] of DEVMAP_HASH_ENTRIES) write('devices_by_key', u32(key), ifindex, program);
  for (const [key, ifindex, program] of MANY_ENTRIES) write('many', u32(key), ifindex, program);
  for (const [map, program] of CPUMAPS) write(map, u32(0), CPU_QUEUE_SIZE, program);
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}

/** What one packet meets. */
export interface VerdictCase {
  readonly mode: 'native' | 'generic';
  readonly name: string;
  readonly way: number;
  /** Verdict, ifindex or key. */
  readonly what: number;
  readonly flags: number;
  readonly headBy: number;
  readonly metaBy: number;
  readonly tailBy: number;
  readonly frame: Uint8Array;
  /** Frames that come at once; left out: one. */
  readonly count?: number;
  /** False: a redirect that is accepted brings nothing forth, and isn't waited for. */
  readonly arrives?: boolean;
}

/** Variables of the program. */
export function variablesOf({ way, what, flags, headBy, metaBy, tailBy }: VerdictCase): [string, Uint8Array][] {
  const i32 = (value: number): Uint8Array => new Uint8Array(Int32Array.of(value).buffer);
  return [
    ['way', u32(way)], ['what', u32(what)], ['flags', new Uint8Array(BigUint64Array.of(BigInt(flags)).buffer)],
    ['head_by', i32(headBy)], ['meta_by', i32(metaBy)], ['tail_by', i32(tailBy)], ['move_error', i32(0)], ['length', u32(0)],
  ];
}

/** Ways that a packet can take: name, way, what, flags, whether it arrives if a redirect is accepted. */
const WAYS: readonly (readonly [name: string, way: number, what: number, flags?: number, arrives?: boolean])[] = [
  ['XDP_ABORTED', RETURN, 0], ['XDP_DROP', RETURN, 1], ['XDP_PASS', RETURN, 2], ['XDP_TX', RETURN, 3], ['XDP_REDIRECT without a helper', RETURN, 4],
  ['5', RETURN, 5], ['100', RETURN, 100], ['-1', RETURN, 0xffffffff],
  ['bpf_redirect', BY_IFINDEX, OUT], ['bpf_redirect to itself', BY_IFINDEX, INGRESS.ifindex], ['bpf_redirect with flags', BY_IFINDEX, OUT, 1],
  ['bpf_redirect to an unknown interface', BY_IFINDEX, 9999], ['bpf_redirect to interface 0', BY_IFINDEX, 0], ['bpf_redirect to lo', BY_IFINDEX, LOOPBACK.ifindex],
  ['bpf_redirect to a device without ndo_xdp_xmit', BY_IFINDEX, PLAIN], ['bpf_redirect to a device that is down', BY_IFINDEX, DOWN],
  ['bpf_redirect to a small MTU', BY_IFINDEX, SMALL],
  ['devmap', BY_DEVMAP, 0], ['devmap, without ndo_xdp_xmit', BY_DEVMAP, 1], ['devmap, down', BY_DEVMAP, 2], ['devmap, small MTU', BY_DEVMAP, 3], ['devmap, itself', BY_DEVMAP, 4],
  ['devmap, program passes', BY_DEVMAP, 5], ['devmap, program drops', BY_DEVMAP, 6, 0, false], ['devmap, program aborts', BY_DEVMAP, 7, 0, false],
  ['devmap, program returns XDP_TX', BY_DEVMAP, 8, 0, false], ['devmap, program returns 100', BY_DEVMAP, 9, 0, false],
  ...[0, 1, 2, 3].map((fallback) => [`devmap, no entry, fallback ${fallback}`, BY_DEVMAP, 15, fallback] as const),
  ['devmap, key out of range, fallback 2', BY_DEVMAP, 99, 2], ['devmap, flag 4', BY_DEVMAP, 0, 4], ['devmap, EXCLUDE_INGRESS alone', BY_DEVMAP, 0, BPF_F_EXCLUDE_INGRESS],
  ['devmap_hash', BY_DEVMAP_HASH, 1000], ['devmap_hash, down', BY_DEVMAP_HASH, 1001], ['devmap_hash, program passes', BY_DEVMAP_HASH, 1002],
  ['devmap_hash, program drops', BY_DEVMAP_HASH, 1003, 0, false], ['devmap_hash, no entry, fallback 2', BY_DEVMAP_HASH, 5, 2],
  ['broadcast', BY_MANY, 0, BPF_F_BROADCAST], ['broadcast, excluding ingress', BY_MANY, 99, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS],
  ['cpumap', BY_CPUMAP, 0], ['cpumap, program passes', BY_CPUMAP + 1, 0], ['cpumap, program drops', BY_CPUMAP + 2, 0], ['cpumap, program aborts', BY_CPUMAP + 3, 0],
  ['cpumap, program returns XDP_TX', BY_CPUMAP + 4, 0], ['cpumap, program returns 100', BY_CPUMAP + 5, 0], ['cpumap, program redirects', BY_CPUMAP + 6, 0],
  ['cpumap, no entry, fallback 1', BY_CPUMAP, 9, 1], ['cpumap, BROADCAST', BY_CPUMAP, 0, BPF_F_BROADCAST],
  ...[0, 1, 2, 3].map((fallback) => [`xskmap, no socket, fallback ${fallback}`, BY_XSKMAP, 0, fallback] as const),
];

/** What the program moves before: bytes of head, metadata, tail. */
const MOVES: readonly (readonly [name: string, head: number, meta: number, tail: number])[] = [
  ['', 0, 0, 0], ['head -8', -8, 0, 0], ['head -200', -200, 0, 0], ['head -216', -216, 0, 0], ['head +6', 6, 0, 0], ['meta -8', 0, -8, 0], ['meta -216', 0, -216, 0],
  ['tail -4', 0, 0, -4],
];

/** A frame that no protocol takes. */
export function frameOf(lenBytes: number): Uint8Array {
  const frame = Uint8Array.from({ length: lenBytes }, (_, i) => (i * 3) & 0xff);
  frame.set([0x88, 0xb5], 12);
  return frame;
}

/** Sizes of frames at which limits lie: the smallest, those of a MTU of 1000 with a VLAN tag, of 1500, and what fits into no buffer of 2048. */
const FRAME_SIZES: readonly number[] = [14, 64, 1018, 1019, 1514, 3014];
/** With multi-buffer programs also what takes several buffers. */
const LARGE_FRAME_SIZES: readonly number[] = [60, 1514, 3014, 9014];
const USUAL_BYTES = 60;

/** Every way with every size of frame, and every way with everything that can be moved before. */
export function verdictCases(mode: 'native' | 'generic', isMultiBuffer: boolean): VerdictCase[] {
  const [unmoved, ...moved] = MOVES;
  const sizes = isMultiBuffer ? LARGE_FRAME_SIZES : FRAME_SIZES;
  return WAYS.flatMap((each) => [
    ...sizes.map((size) => verdictCase(mode, each, size, unmoved!)),
    ...(isMultiBuffer ? [] : moved.map((move) => verdictCase(mode, each, USUAL_BYTES, move))),
  ]);
}

/** Ways whose frames wait for a flush, which several frames share. */
const BULK_WAYS: readonly string[] = [
  'bpf_redirect', 'bpf_redirect to itself', 'bpf_redirect to a small MTU', 'bpf_redirect to a device that is down', 'devmap, program passes', 'devmap, program drops', 'devmap, program aborts', 'devmap_hash',
  'broadcast',
];
/** Around the size of a bulk, and of a poll. */
const BURSTS: readonly number[] = [1, 15, 16, 17, 33, 64, 65, 100];

/** Bursts, for native mode: generic XDP has no bulks. */
export function burstCases(): VerdictCase[] {
  return WAYS.filter(([name]) => BULK_WAYS.includes(name)).flatMap((way) =>
    BURSTS.flatMap((count) => [USUAL_BYTES, 1100].map((size): VerdictCase => {
      const each = verdictCase('native', way, size, MOVES[0]!);
      return { ...each, name: `${each.name}, ${count} times`, count };
    })));
}

function verdictCase(mode: VerdictCase['mode'], [way, kind, what, flags = 0, arrives]: (typeof WAYS)[number], size: number, [move, headBy, metaBy, tailBy]: (typeof MOVES)[number]): VerdictCase {
  const name = `${way}, ${size} bytes${move === '' ? '' : `, ${move}`}`;
  return { mode, name, way: kind, what, flags, headBy, metaBy, tailBy, frame: frameOf(size), ...(arrives === undefined ? {} : { arrives }) };
}

/** A frame that came out somewhere: `stack`, or the name of the device that it left by. */
export interface Arrival {
  readonly where: string;
  readonly bytes: Uint8Array;
}

/** What became of a packet, in words that can be compared. */
export interface VerdictOutcome {
  readonly arrivals: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
  readonly traces: readonly string[];
  readonly moveError: number;
  readonly length: number;
}

export interface RawOutcome {
  readonly arrivals: readonly Arrival[];
  readonly counters: Readonly<Record<string, number>>;
  readonly traces: readonly { readonly tracepoint: number; readonly fields: readonly number[] }[];
  readonly moveError: number;
  readonly length: number;
}

type Names = ReadonlyMap<number, string>;

/** @param programs their names by id, as those of both sides are not the same */
export function comparable(raw: RawOutcome, programs: Names, maps: Names): VerdictOutcome {
  return {
    ...raw,
    counters: Object.fromEntries(Object.entries(raw.counters).sort(([a], [b]) => (a < b ? -1 : 1))),
    arrivals: raw.arrivals.map(({ where, bytes }) => `${where}: ${bytes.length} bytes ${toHex(bytes)}`).sort(),
    traces: raw.traces.filter((trace) => !isIdle(trace)).map((trace) => named(trace, programs, maps)),
  };
}

/** The thread of a CPUMAP tells of rounds in which it found nothing, too; when it makes them is a matter of scheduling. */
function isIdle({ tracepoint, fields }: RawOutcome['traces'][number]): boolean {
  return tracepoint === TRACE_CPUMAP_KTHREAD && fields[TRACEPOINTS[tracepoint]!.fields.indexOf('processed')] === 0;
}

/** The line of trace_pipe with names for ids. `sched` says whether the thread had slept, which is a matter of scheduling. */
function named({ tracepoint, fields }: RawOutcome['traces'][number], programs: Names, maps: Names): string {
  return traceLine(tracepoint, fields)
    .replace(/\b(prog|map)_id=(\d+)/g, (_, kind: string, id: string) => `${kind}_id=${(kind === 'prog' ? programs : maps).get(Number(id)) ?? id}`)
    .replace(/ sched=\d/, '');
}

/** Without the counters of the device that packets come in by: frames of BPF_PROG_TEST_RUN don't come in by it. */
export function withoutIngress(outcome: VerdictOutcome): VerdictOutcome {
  return { ...outcome, counters: Object.fromEntries(Object.entries(outcome.counters).filter(([name]) => !name.startsWith(`${INGRESS.name} `) || name.includes('xdp_xmit'))) };
}

/** Counters that moved, and by how much. */
export function movedCounters(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...after].map(([name, value]): [string, number] => [name, value - (before.get(name) ?? 0)]).filter(([, moved]) => moved !== 0));
}
