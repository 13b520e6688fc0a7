import { basename } from 'node:path';
import { release } from 'node:os';
import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { CASE_CPU } from '../../cases/index.js';
import { checkSettings, findProfile } from '../../nic/index.js';
import type { NicSettings } from '../../nic/index.js';
import { openCapture } from '../../packet/index.js';
import type { CaptureReader } from '../../packet/index.js';
import { createSimulation } from '../../sim/index.js';
import type { Simulation } from '../../sim/index.js';
import { loadObjectFile } from '../../vm/index.js';
import type { LoadedObject, ObjectSpec } from '../../vm/index.js';
import { VERDICT_OTHER, verdictName } from '../../xdp/index.js';
import { thisHost } from '../bpfSyscall.js';
import type { Host } from '../bpfSyscall.js';
import { CpuBinding } from '../cpuBinding.js';
import type { KernelBpf } from '../kernelBpf.js';
import type { KernelProgram } from '../kernelObject.js';
import { probeKernel } from '../kernelSupport.js';
import { compareCounters, compareRuns, compareState } from './compareSides.js';
import { loadTwin } from './kernelTwin.js';
import { KernelWire } from './kernelWire.js';
import { runInLockstep } from './lockstep.js';
import type { NetReport } from './netReport.js';
import { natureNotes } from './natureNotes.js';
import { NetSyscalls } from './netSyscalls.js';
import { TraceTwin } from './traceTwin.js';
import { VethPair } from './vethPair.js';
import { WireCapture } from './wireCapture.js';
import type { XdpMode } from './xdpLink.js';

/** What `sim replay --net` can be told. */
export interface NetReplayOptions {
  /** A path, or an object that is loaded already. */
  readonly object: string | ObjectSpec;
  /** A path, or a capture that is open already; the caller closes that. */
  readonly pcap: string | CaptureReader;
  /** May be left out when the object has one XDP program. */
  readonly program?: string | undefined;
  /** One of NET_MODES; default `native`. */
  readonly mode?: string | undefined;
  /** Of both ends, bytes; default 1500. Longer packets are left out on both sides. */
  readonly mtu?: number | undefined;
  /** Seed of the simulator; the kernel has none. */
  readonly seed?: number | undefined;
  /** Variables and map entries before the first packet: they are set in the simulator, and the kernel gets a copy. */
  readonly prepare?: ((loaded: LoadedObject) => Problem | undefined) | undefined;
  /** Parts that differ by nature (time, random numbers) and are not judged: `maps.NAME`, `globals.NAME`. */
  readonly exclude?: readonly string[] | undefined;
  readonly onProgress?: ((packets: number) => void) | undefined;
  /** Default: this machine. */
  readonly host?: Host | undefined;
}

export const NET_MODES: readonly XdpMode[] = ['native', 'generic'];
const DEFAULT_MODE = 'native';
const DEFAULT_MTU = 1500;
const RING_SIZE = 256;

/**
 * Plays a capture through a real veth pair with the program attached, and through the simulated one, packet by packet; compares where
 * each packet ended and with which bytes, then maps, variables, runs of the program and counters.
 *
 * It works in network namespaces of its own that nobody else can see, and that the kernel removes as soon as this call, or the
 * process, is over, however it ends.
 *
 * Problems: those of `probeKernel` (`kernel-not-linux`, `kernel-no-koffi`, `kernel-no-privilege`, ...), of `loadIntoKernel`
 * (`kernel-program-refused`, ...), of the object, the capture and the settings, `kernel-cpu-not-allowed`, `net-no-namespace`,
 * `net-no-netlink`, `net-no-veth`, `net-no-packet-socket`, `net-ipv6`, `net-link`, `net-attach`, `net-run-count`, `net-gro`, `net-noise`,
 * `net-send`, `net-trace`, `net-counters`, `capture-without-packets`, `unknown-mode`, `unknown-part`.
 */
export async function replayOverVeth(options: NetReplayOptions): Promise<Result<NetReport>> {
  const { host = thisHost, mtu = DEFAULT_MTU, mode = DEFAULT_MODE } = options;
  if (!isXdpMode(mode)) return fail({ code: 'unknown-mode', where: '--mode', message: `there is no '${mode}'`, hint: `use one of: ${NET_MODES.join(', ')}` });
  const object = typeof options.object === 'string' ? loadObjectFile(options.object) : ok(options.object);
  if (!object.ok) return object;
  const problem = checkSettings(vethSettings(mtu, mode, 1)) ?? checkExclude(options.exclude ?? [], object.value);
  if (problem !== undefined) return fail(problem);
  const capture = typeof options.pcap === 'string' ? openCapture(options.pcap) : ok(options.pcap);
  if (!capture.ok) return capture;
  try {
    const kernel = await probeKernel(host);
    if (!kernel.ok) return kernel;
    const calls = new NetSyscalls(await host.importKoffi(), host.arch);
    // Softirqs run on the CPU that raised them: so the program runs on this one, too.
    const bound = new CpuBinding(kernel.value.syscalls, CASE_CPU).run(() => replayBound({ ...options, mode, mtu }, object.value, capture.value, kernel.value, calls));
    return bound.ok ? bound.value : bound;
  } finally {
    if (typeof options.pcap === 'string') capture.value.close();
  }
}

function isXdpMode(mode: string): mode is XdpMode {
  return NET_MODES.some((each) => each === mode);
}

/** A misspelt name would leave out nothing, and nobody would notice. */
function checkExclude(exclude: readonly string[], object: ObjectSpec): Problem | undefined {
  const parts = [
    ...object.maps.filter((map) => map.dataSection === undefined).map(({ name }) => `maps.${name}`),
    ...object.variables.map(({ name }) => `globals.${name}`),
  ];
  const unknown = exclude.find((part) => !parts.includes(part));
  if (unknown === undefined) return undefined;
  const hint = parts.length === 0 ? 'the object has neither maps nor variables' : `use one of: ${parts.join(', ')}`;
  return { code: 'unknown-part', where: object.name, message: `there is no '${unknown}' to leave out`, hint };
}

function vethSettings(mtu: number, xdpMode: XdpMode, ifindex: number): NicSettings {
  const profile = findProfile('veth');
  if (profile === undefined) throw new Error('replayOverVeth: there is no profile veth');
  return { profile, queues: 1, rxRingSize: RING_SIZE, txRingSize: RING_SIZE, mtu, interruptDelayNs: 0, xdpMode, ifindex };
}

type SettledOptions = NetReplayOptions & { readonly mode: XdpMode; readonly mtu: number };

/** Both sides, ready to run; `parts` gets what must be closed. */
interface Sides {
  readonly simulation: Simulation;
  readonly program: KernelProgram;
  readonly wire: KernelWire;
  readonly traces: TraceTwin;
}

function openSides(options: SettledOptions, object: ObjectSpec, kernel: KernelBpf, calls: NetSyscalls, parts: { close(): void }[]): Result<Sides> {
  const { mode, mtu } = options;
  const pair = VethPair.create(calls, mtu);
  if (!pair.ok) return pair;
  parts.push(pair.value);
  const simulation = createSimulation({
    object,
    program: options.program,
    nic: vethSettings(mtu, mode, pair.value.receiver.ifindex),
    seed: options.seed ?? 1,
    cpus: 1,
    readsEvents: false,
    prepare: options.prepare,
  });
  if (!simulation.ok) return simulation;
  const { loaded, program: { spec } } = simulation.value;
  const { namespace, ifindex } = pair.value.receiver;
  // Inside the namespace, because a program that is bound to the device finds it by its ifindex there.
  const program = namespace.enter(() => loadTwin(kernel, loaded, spec.name, ifindex));
  if (!program.ok) return program;
  parts.push(program.value);
  const wire = KernelWire.create(calls, kernel, pair.value, program.value, mode);
  if (!wire.ok) return wire;
  parts.push(wire.value);
  const traces = TraceTwin.open(kernel, pair.value.receiver, program.value, loaded);
  if (!traces.ok) return traces;
  parts.push(traces.value);
  return ok({ simulation: simulation.value, program: program.value, wire: wire.value, traces: traces.value });
}

function replayBound(options: SettledOptions, object: ObjectSpec, reader: CaptureReader, kernel: KernelBpf, calls: NetSyscalls): Result<NetReport> {
  const { mode, mtu, exclude = [], onProgress = () => {} } = options;
  const parts: { close(): void }[] = [];
  try {
    const sides = openSides(options, object, kernel, calls, parts);
    if (!sides.ok) return sides;
    const { simulation, program, wire, traces } = sides.value;
    const capture = new WireCapture(reader, mtu);
    const result = runInLockstep(simulation, capture, wire, onProgress, traces);
    if (!result.ok) return result;
    const { passed, tooShort, tooLong } = capture;
    const read = passed + tooShort + tooLong;
    const captureName = typeof options.pcap === 'string' ? options.pcap : 'capture';
    if (read === 0) {
      return fail({ code: 'capture-without-packets', where: captureName, message: 'the capture holds no packets', hint: 'capture again while there is traffic' });
    }
    const { differences } = result.value;
    compareState(simulation, program.object, exclude, differences);
    const programRuns = compareRuns(simulation, wire, differences);
    const counters = compareCounters(simulation, result.value, wire, mode);
    if (!counters.ok) return counters;
    return ok({
      schema: 1,
      backend: 'veth',
      kernel: release(),
      object: object.name,
      program: program.name,
      capture: basename(captureName),
      mode,
      mtu,
      packets: { read, sent: wire.sent, too_short: tooShort, too_long: tooLong, unseen: result.value.unseen },
      ends: { simulator: result.value.simulator.ends, kernel: result.value.kernel.ends },
      verdicts: verdictCounts(simulation),
      program_runs: programRuns,
      tracepoints: traces.compared,
      counters: counters.value,
      differences: differences.kept,
      difference_count: differences.count,
      excluded: exclude,
      by_nature: natureNotes(simulation.loaded.programs.map(({ spec }) => spec), mode),
      ok: differences.count === 0,
    });
  } finally {
    for (const part of parts.toReversed()) part.close();
  }
}

function verdictCounts({ nic }: Simulation): Record<string, number> {
  return Object.fromEntries([...nic.driver.verdicts].map((count, index) => [index === VERDICT_OTHER ? 'other' : verdictName(index), count]));
}
