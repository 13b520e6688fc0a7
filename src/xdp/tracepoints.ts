import { verdictName } from './verdict.js';

/**
 * Hears the tracepoints of XDP (include/trace/events/xdp.h, 6.18). Those of `xdp_redirect_map` and `xdp_redirect_map_err` are other names of
 * `xdp_redirect` and `xdp_redirect_err`, which nothing raises any more.
 */
export interface XdpTracer {
  /** An action that came to nothing: XDP_ABORTED, a number that is no action, XDP_TX that could not be sent; in some drivers a failed redirect. */
  xdpException(ifindex: number, progId: number, act: number): void;
  /** A driver that sends XDP_TX in bulks (veth) has sent one. */
  xdpBulkTx(ifindex: number, sent: number, drops: number, err: number): void;
  /**
   * A redirect was accepted (`err` 0, `xdp_redirect`) or refused (`err` negative, `xdp_redirect_err`).
   *
   * @param toIfindex device that it goes to, also one that doesn't exist, and with BPF_F_BROADCAST that of the key's entry; 0 where the key has none,
   * and for a map that is no DEVMAP
   * @param mapId REDIRECT_WITHOUT_MAP for bpf_redirect, 0 when no helper was called
   * @param mapIndex key in the map; 0 for bpf_redirect
   */
  xdpRedirect(ifindex: number, progId: number, err: number, toIfindex: number, mapId: number, mapIndex: number): void;
  /** A bulk of frames went to a device's ndo_xdp_xmit. */
  xdpDevmapXmit(fromIfindex: number, toIfindex: number, sent: number, drops: number, err: number): void;
  /** A bulk of frames went onto the queue of another CPU. */
  xdpCpumapEnqueue(mapId: number, cpu: number, processed: number, drops: number, toCpu: number): void;
  /** The thread of a CPUMAP's entry went through a batch. */
  xdpCpumapKthread(mapId: number, cpu: number, processed: number, drops: number, sched: number, pass: number, drop: number, redirect: number): void;
}

/** `map_id` of a redirect by bpf_redirect: INT_MAX, which no map has. */
export const REDIRECT_WITHOUT_MAP = 0x7fffffff;

/** Traces nothing. */
export const NO_TRACER: XdpTracer = {
  xdpException() {},
  xdpBulkTx() {},
  xdpRedirect() {},
  xdpDevmapXmit() {},
  xdpCpumapEnqueue() {},
  xdpCpumapKthread() {},
};

/** A tracepoint, as its record and its line in trace_pipe have it. */
export interface Tracepoint {
  readonly name: string;
  /** Members of its record (`struct trace_event_raw_*` of the kernel's BTF), in order. */
  readonly fields: readonly string[];
  /** What its line in trace_pipe begins with, behind the tracepoint's name. */
  readonly prefix: string;
  /** Fields in the order of the line. */
  readonly printed: readonly string[];
  /** When it is hit, as the end of a sentence. */
  readonly when: string;
}

export const TRACE_EXCEPTION = 0;
export const TRACE_BULK_TX = 1;
export const TRACE_REDIRECT = 2;
export const TRACE_REDIRECT_ERR = 3;
export const TRACE_CPUMAP_KTHREAD = 4;
export const TRACE_CPUMAP_ENQUEUE = 5;
export const TRACE_DEVMAP_XMIT = 6;

const REDIRECT_FIELDS = ['prog_id', 'act', 'ifindex', 'err', 'to_ifindex', 'map_id', 'map_index'];
const REDIRECT_PRINTED = ['prog_id', 'act', 'ifindex', 'to_ifindex', 'err', 'map_id', 'map_index'];

/** All of them, in the order of the header; the index is the TRACE_ constant. */
export const TRACEPOINTS: readonly Tracepoint[] = [
  {
    name: 'xdp_exception', fields: ['prog_id', 'act', 'ifindex'],
    prefix: '', printed: ['prog_id', 'act', 'ifindex'],
    when: 'a verdict came to nothing: `XDP_ABORTED`, a number that is no verdict, `XDP_TX` that failed, in many drivers a redirect that failed',
  },
  {
    name: 'xdp_bulk_tx', fields: ['ifindex', 'act', 'drops', 'sent', 'err'],
    prefix: '', printed: ['ifindex', 'act', 'sent', 'drops', 'err'],
    when: 'veth has handed a bulk of at most 16 `XDP_TX` frames to its peer',
  },
  {
    name: 'xdp_redirect', fields: REDIRECT_FIELDS,
    prefix: '', printed: REDIRECT_PRINTED,
    when: 'a redirect was accepted: the frame waits for the flush, or, with generic XDP, is sent',
  },
  {
    name: 'xdp_redirect_err', fields: REDIRECT_FIELDS,
    prefix: '', printed: REDIRECT_PRINTED,
    when: 'a redirect was refused; `err` says why',
  },
  {
    name: 'xdp_cpumap_kthread', fields: ['map_id', 'act', 'cpu', 'drops', 'processed', 'sched', 'xdp_pass', 'xdp_drop', 'xdp_redirect'],
    prefix: 'kthread ', printed: ['cpu', 'map_id', 'act', 'processed', 'drops', 'sched', 'xdp_pass', 'xdp_drop', 'xdp_redirect'],
    when: 'the thread of a CPUMAP entry has handled a batch of at most 8',
  },
  {
    name: 'xdp_cpumap_enqueue', fields: ['map_id', 'act', 'cpu', 'drops', 'processed', 'to_cpu'],
    prefix: 'enqueue ', printed: ['cpu', 'map_id', 'act', 'processed', 'drops', 'to_cpu'],
    when: 'a bulk of at most 8 frames went onto the queue of a CPUMAP entry',
  },
  {
    name: 'xdp_devmap_xmit', fields: ['from_ifindex', 'act', 'to_ifindex', 'drops', 'sent', 'err'],
    prefix: 'ndo_xdp_xmit ', printed: ['from_ifindex', 'to_ifindex', 'act', 'sent', 'drops', 'err'],
    when: 'a bulk of at most 16 frames went to a device (ndo_xdp_xmit); `drops` counts what it did not take and what the program of the entry dropped',
  },
];

/**
 * A record as trace_pipe prints it, without task, CPU and time: `xdp_redirect_err: prog_id=7 action=REDIRECT ifindex=3 to_ifindex=9 err=-100 …`.
 *
 * @param index in TRACEPOINTS
 * @param fields values in the order of its `fields`
 */
export function traceLine(index: number, fields: readonly number[]): string {
  const tracepoint = TRACEPOINTS[index]!;
  const text = tracepoint.printed.map((name) => {
    const value = fields[tracepoint.fields.indexOf(name)]!;
    return name === 'act' ? `action=${actionText(value)}` : `${name}=${value}`;
  });
  return `${tracepoint.name}: ${tracepoint.prefix}${text.join(' ')}`;
}

/** The action without its XDP_, or in hex when it is none (__print_symbolic). */
function actionText(act: number): string {
  const name = verdictName(act);
  return name.startsWith('XDP_') ? name.slice(4) : `0x${(act >>> 0).toString(16)}`;
}
