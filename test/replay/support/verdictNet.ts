import { fstatSync, writeFileSync } from 'node:fs';
import { errnoName, unwrap } from '../../../src/base/index.js';
import { testRun } from '../../../src/replay/index.js';
import type { KernelBpf } from '../../../src/replay/index.js';
import { loadIntoKernel } from '../../../src/replay/kernelObject.js';
import type { KernelObject, KernelProgram } from '../../../src/replay/kernelObject.js';
import { Ethtool } from '../../../src/replay/net/ethtool.js';
import { KernelTracer } from '../../../src/replay/net/kernelTracer.js';
import type { KernelTraceRecord } from '../../../src/replay/net/kernelTracer.js';
import { attribute, Netlink, text, u32 } from '../../../src/replay/net/netlink.js';
import { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import type { NetSyscalls } from '../../../src/replay/net/netSyscalls.js';
import { PacketSocket, waitForFrame } from '../../../src/replay/net/packetSocket.js';
import { linkStatistics } from '../../../src/replay/net/vethPair.js';
import type { VethEnd } from '../../../src/replay/net/vethPair.js';
import { loadPassProgram, RunCounter, XdpLink } from '../../../src/replay/net/xdpLink.js';
import type { XdpMode } from '../../../src/replay/net/xdpLink.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import {
  TRACE_BULK_TX, TRACE_CPUMAP_ENQUEUE, TRACE_CPUMAP_KTHREAD, TRACE_DEVMAP_XMIT, TRACE_REDIRECT, TRACEPOINTS, XDP_PASS, XDP_TX,
} from '../../../src/xdp/index.js';
import { comparable, DEVICES, fillMaps, INGRESS, movedCounters, RETURN, variablesOf } from './verdictCases.js';
import type { Arrival, MapWriter, VerdictCase, VerdictOutcome } from './verdictCases.js';

const RTM_NEWLINK = 16;
const NLM_F_CREATE = 0x400;
const NLM_F_EXCL = 0x200;
const NLA_F_NESTED = 0x8000;
const IFF_UP = 1;
const IFF_NOARP = 0x80;
const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

/** How long an arrival that must come may take, and how long one is waited for that must not, ms. */
const PATIENCE_MS = 2000;
const QUIET_MS = 1;

/**
 * A host with a program, and what it can redirect to, in three new network namespaces:
 *
 *     sender        host                            neighbours
 *     wire0 ─────── xdp0 (program)   out… ───────── in…
 */
export class VerdictNet {
  readonly #kernel: KernelBpf;
  readonly #calls: NetSyscalls;
  readonly #parts: { close(): void }[] = [];
  readonly #sender: VethEnd;
  readonly #host: NetNamespace;
  readonly #xdp: VethEnd;
  /** Devices of the host that packets can leave by, `xdp0` the first, and where those arrive. */
  readonly #exits: readonly { readonly name: string; readonly end: VethEnd; readonly arrivals: PacketSocket }[];
  readonly #runs: RunCounter;

  /** @param mtu of sender and program */
  constructor(kernel: KernelBpf, calls: NetSyscalls, mtu: number) {
    this.#kernel = kernel;
    this.#calls = calls;
    const places = [0, 1, 2].map(() => this.#place());
    const [sender, host, neighbours] = places as [Place, Place, Place];
    this.#host = host.namespace;
    const pair = (here: Place, name: string, ifindex: number, there: Place, peer: string, mtuBytes: number, hasProgram: boolean, isUp: boolean): [VethEnd, VethEnd] => {
      request(here.netlink, NLM_F_CREATE | NLM_F_EXCL, pairMessage(mtuBytes, name, ifindex, peer, there.namespace.fd));
      const ends: [VethEnd, VethEnd] = [this.#end(here, name, ifindex), this.#end(there, peer, 0)];
      if (hasProgram) this.#attachPass(ends[1]);
      if (!isUp) request(here.netlink, 0, linkMessage(0, 0, attribute(IFLA_IFNAME, text(name))));
      return ends;
    };
    const [xdp, wire] = pair(host, INGRESS.name, INGRESS.ifindex, sender, 'wire0', mtu, true, true);
    this.#xdp = xdp;
    this.#sender = wire;
    this.#exits = [
      { name: INGRESS.name, end: xdp, arrivals: wire.socket },
      ...DEVICES.map(({ name, ifindex, mtu: mtuBytes = mtu, hasPeerProgram, isUp }) => {
        const [out, peer] = pair(host, name, ifindex, neighbours, `in${ifindex}`, mtuBytes, hasPeerProgram, isUp);
        return { name, end: out, arrivals: peer.socket };
      }),
    ];
    this.#runs = unwrap(RunCounter.open(kernel));
    this.#parts.push(this.#runs);
  }

  /** Attaches program `verdict` of an object, with its maps filled, and gives what `body` does with it. */
  attach<T>(object: ObjectSpec, mode: XdpMode, body: (run: (each: VerdictCase) => VerdictOutcome) => T): T {
    const program = unwrap(loadIntoKernel(this.#kernel, object, 'verdict'));
    const parts: { close(): void }[] = [program];
    try {
      this.#host.enter(() => fillMaps(writerOf(program.object)));
      const link = unwrap(XdpLink.attach(this.#kernel, this.#xdp, program.fd, mode));
      parts.push(link);
      // A native program switches GRO on.
      for (const { end } of this.#exits) end.ethtool.disableGro();
      const maps = new Map([...program.object.maps].map(([name, { fd }]) => [this.#kernel.programId(fd), name]));
      const scope = { namespaces: [fstatSync(this.#host.fd).ino], mapIds: [...maps].filter(([, name]) => name.startsWith('cpus')).map(([id]) => id) };
      const tracer = unwrap(KernelTracer.open(this.#kernel, scope));
      parts.push(tracer);
      const programs = programIds(this.#kernel, program);
      return body((each) => this.#run(each, program, tracer, programs, maps));
    } finally {
      for (const part of parts.toReversed()) part.close();
    }
  }

  close(): void {
    for (const part of this.#parts.toReversed()) part.close();
  }

  #run(each: VerdictCase, program: KernelProgram, tracer: KernelTracer, programs: ReadonlyMap<number, string>, maps: ReadonlyMap<number, string>): VerdictOutcome {
    for (const [name, bytes] of variablesOf(each)) unwrap(program.object.writeVariable(name, bytes));
    const before = this.#counters();
    const runsBefore = this.#runs.runs(program.fd);
    const { count } = each;
    if (count === undefined) {
      const error = this.#sender.socket.send(each.frame);
      if (error < 0) throw new Error(`VerdictNet: sending ${each.frame.length} bytes: ${errnoName(error)}`);
    } else {
      const { errno } = this.#host.enter(() => testRun(program, { data: each.frame, ingressIfindex: INGRESS.ifindex, repeat: count, liveFrames: {} }));
      if (errno !== 0) throw new Error(`VerdictNet: BPF_PROG_TEST_RUN with live frames: ${errnoName(-errno)}`);
    }
    const arrivals: Arrival[] = [];
    const traces: KernelTraceRecord[] = [];
    const collect = (): void => {
      traces.push(...tracer.take());
      for (const { where, socket } of this.#places()) {
        for (let bytes = socket.receive(); bytes !== undefined; bytes = socket.receive()) arrivals.push({ where, bytes });
      }
    };
    const start = performance.now();
    const sockets = this.#places().map(({ socket }) => socket);
    for (;;) {
      collect();
      const waited = performance.now() - start;
      const isDone = this.#runs.runs(program.fd) > runsBefore && arrivals.length >= expectedArrivals(each, traces) && !isCpuBusy(traces);
      if (isDone ? waited > QUIET_MS : waited > PATIENCE_MS) break;
      waitForFrame(this.#calls, sockets, QUIET_MS);
    }
    const variable = (name: string): Uint8Array => unwrap(program.object.readVariable(name));
    return comparable({
      arrivals,
      counters: movedCounters(before, this.#counters()),
      traces,
      moveError: new DataView(variable('move_error').buffer).getInt32(0, true),
      length: new DataView(variable('length').buffer).getUint32(0, true),
    }, programs, maps);
  }

  #places(): { readonly where: string; readonly socket: PacketSocket }[] {
    return [{ where: 'stack', socket: this.#xdp.socket }, ...this.#exits.map(({ name, arrivals }) => ({ where: name, socket: arrivals }))];
  }

  /** `ethtool -S` and, with `link.`, `ip -s link` of every device of the host, by `DEVICE COUNTER`. */
  #counters(): Map<string, number> {
    const all = new Map<string, number>();
    for (const { name, end } of this.#exits) {
      const driver = end.ethtool.statistics();
      if (typeof driver === 'number') throw new Error(`VerdictNet: counters of ${name}: ${errnoName(driver)}`);
      for (const [counter, value] of driver) all.set(`${name} ${counter}`, value);
      for (const [counter, value] of unwrap(linkStatistics(end))) all.set(`${name} link.${counter}`, value);
    }
    return all;
  }

  #place(): Place {
    const namespace = unwrap(NetNamespace.create(this.#calls));
    this.#parts.push(namespace);
    const netlink = namespace.enter(() => Netlink.open(this.#calls));
    if (typeof netlink === 'number') throw new Error(`VerdictNet: rtnetlink: ${errnoName(netlink)}`);
    this.#parts.push(netlink);
    namespace.enter(() => writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1'));
    return { namespace, netlink };
  }

  /** Brings an end up. */
  #end({ namespace, netlink }: Place, name: string, ifindex: number): VethEnd {
    const up = netlink.request(RTM_NEWLINK, 0, linkMessage(0, IFF_UP | IFF_NOARP, attribute(IFLA_IFNAME, text(name))));
    if (up.errno < 0) throw new Error(`VerdictNet: bringing up ${name}: ${errnoName(up.errno)}`);
    const index = ifindex === 0 ? Number(ifindexOf(netlink, name)) : ifindex;
    const socket = namespace.enter(() => PacketSocket.open(this.#calls, index));
    if (typeof socket === 'number') throw new Error(`VerdictNet: packet socket: ${errnoName(socket)}`);
    this.#parts.push(socket);
    return { namespace, name, ifindex: index, socket, ethtool: new Ethtool(this.#calls, socket.fd, name), netlink };
  }

  /** A peer with a program has NAPI, so that frames can be sent to it (ndo_xdp_xmit of a veth). */
  #attachPass(end: VethEnd): void {
    const pass = unwrap(loadPassProgram(this.#kernel));
    this.#parts.push(pass, unwrap(XdpLink.attach(this.#kernel, end, pass.fd, 'native')));
    end.ethtool.disableGro();
  }
}

interface Place {
  readonly namespace: NetNamespace;
  readonly netlink: Netlink;
}

function request(netlink: Netlink, flags: number, message: Uint8Array): void {
  const { errno, text: said } = netlink.request(RTM_NEWLINK, flags, message);
  if (errno < 0) throw new Error(`VerdictNet: RTM_NEWLINK: ${errnoName(errno)} ${said}`);
}

function ifindexOf(netlink: Netlink, name: string): number {
  const RTM_GETLINK = 18;
  const { errno, payload } = netlink.request(RTM_GETLINK, 0, linkMessage(0, 0, attribute(IFLA_IFNAME, text(name))));
  if (errno < 0) throw new Error(`VerdictNet: ${name}: ${errnoName(errno)}`);
  return new DataView(payload.buffer, payload.byteOffset).getInt32(4, true);
}

/**
 *     ifinfomsg    0 family  2 type (u16)  4 index (i32)  8 flags (u32)  12 change (u32)
 */
function linkMessage(ifindex: number, flags: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setInt32(4, ifindex, true);
  view.setUint32(8, flags, true);
  view.setUint32(12, IFF_UP | IFF_NOARP, true);
  return Uint8Array.from([header, ...attributes].flatMap((part) => [...part]));
}

function pairMessage(mtu: number, name: string, ifindex: number, peerName: string, peerFd: number): Uint8Array {
  const settings = (own: string): Uint8Array[] => [
    attribute(IFLA_IFNAME, text(own)), attribute(IFLA_MTU, u32(mtu)), attribute(IFLA_NUM_TX_QUEUES, u32(1)), attribute(IFLA_NUM_RX_QUEUES, u32(1)),
  ];
  const peer = linkMessage(0, 0, ...settings(peerName), attribute(IFLA_NET_NS_FD, u32(peerFd)));
  const data = attribute(IFLA_INFO_DATA | NLA_F_NESTED, attribute(VETH_INFO_PEER | NLA_F_NESTED, peer));
  return linkMessage(ifindex, 0, ...settings(name), attribute(IFLA_LINKINFO | NLA_F_NESTED, attribute(IFLA_INFO_KIND, text('veth')), data));
}

function writerOf(object: KernelObject): MapWriter {
  return (map, key, target, program) => {
    const error = unwrap(object.writeEntry(map, key, target, program));
    if (error !== 0) throw new Error(`VerdictNet: entry of ${map}: ${errnoName(error)}`);
  };
}

/** Names of the programs of an object by their ids. */
function programIds(kernel: KernelBpf, { object }: KernelProgram): Map<number, string> {
  return new Map(object.spec.programs.map(({ name }) => [kernel.programId(unwrap(object.loadProgram(name)).fd), name]));
}

/** Arrivals that must come, so that they are waited for: frames that were sent, and verdicts that need nobody's consent. */
function expectedArrivals(each: VerdictCase, traces: readonly KernelTraceRecord[]): number {
  let expected = each.way === RETURN && (each.what === XDP_PASS || (each.what === XDP_TX && each.mode === 'generic')) ? 1 : 0;
  for (const { tracepoint, fields } of traces) {
    const field = (name: string): number => fields[TRACEPOINTS[tracepoint]!.fields.indexOf(name)]!;
    if (tracepoint === TRACE_BULK_TX || tracepoint === TRACE_DEVMAP_XMIT) expected += field('sent');
    // Generic XDP sends what it redirects to a device at once, without a word.
    if (tracepoint === TRACE_REDIRECT && each.mode === 'generic' && each.arrives !== false && field('to_ifindex') !== 0) expected++;
    if (tracepoint === TRACE_CPUMAP_KTHREAD) expected += field('processed') - field('drops') - field('xdp_drop') - field('xdp_redirect');
  }
  return expected;
}

/** Frames are on the queue of a CPU, whose thread hasn't told of them yet. */
function isCpuBusy(traces: readonly KernelTraceRecord[]): boolean {
  let waiting = 0;
  for (const { tracepoint, fields } of traces) {
    const field = (name: string): number => fields[TRACEPOINTS[tracepoint]!.fields.indexOf(name)]!;
    if (tracepoint === TRACE_CPUMAP_ENQUEUE) waiting += field('processed') - field('drops');
    if (tracepoint === TRACE_CPUMAP_KTHREAD) waiting -= field('processed');
  }
  return waiting > 0;
}
