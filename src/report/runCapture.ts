import { basename } from 'node:path';
import { closestTo, fail, ok, ProblemError } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { startStateOf } from '../cases/index.js';
import { autoMode, checkSettings, findProfile, PROFILES } from '../nic/index.js';
import type { NicFeature, NicSettings, OffloadSettings, XdpDriverFactory } from '../nic/index.js';
import { openCapture } from '../packet/index.js';
import { checkChainMode, checkNesting, createSimulation, fillMapFromFile, loadRunObject, readNetworkFile, watchAll } from '../sim/index.js';
import { loadTargetKernel } from '../vm/index.js';
import { KERNEL_QUIRKS } from '../umem/index.js';
import type { XdpSock } from '../umem/index.js';
import type { EngineName, LoadedObject } from '../vm/index.js';
import { XDP_MODES } from '../xdp/index.js';
import type { XdpMode } from '../xdp/index.js';
import { contractOfStruct, metadataMaxBytes } from '../xdp/index.js';
import { CaptureOutput } from './captureOutput.js';
import { ChecksumWatcher } from './checksumWatcher.js';
import { eventTypes } from './eventReport.js';
import { parseFaultPlan } from './faultOption.js';
import { parseInnerMaps } from './innerMapOption.js';
import { MetadataWatcher } from './metadataWatcher.js';
import { recordCases } from './recordCases.js';
import { parseRingMoments, RingsAtWatcher } from './ringsAt.js';
import { runReport } from './runReport.js';
import type { RunReport } from './runReport.js';
import { RunWatcher } from './runWatcher.js';
import { checkXskOptions, readXskOptions, withXskFlags } from './xskOption.js';
import type { XskOptions } from './xskOption.js';

/** What `sim run` can be told. Numbers may be out of range: that is a Problem, not a crash. */
export interface RunOptions extends XskOptions {
  /** Path, or paths of objects that are chained or extend each other (sim/runObject.ts). */
  readonly object: string | readonly string[];
  readonly pcap: string;
  readonly program?: string | undefined;
  readonly chain?: readonly string[] | undefined;
  readonly dispatcher?: string | undefined;
  readonly nic: string;
  readonly mode: string;
  readonly engine: string;
  /** Default: 4, or as many as the NIC has. */
  readonly queues?: number | undefined;
  /** Default: one for each queue. */
  readonly cpus?: number | undefined;
  /** Default: the profile's. */
  readonly rxRing?: number | undefined;
  readonly txRing?: number | undefined;
  readonly mtu: number;
  /** Bytes before the packet. Default: the profile's. */
  readonly headroom?: number | undefined;
  /** `checksum` or `none`: the private contract about XDP_TX. Default: the profile's. */
  readonly xdpTxContract?: string | undefined;
  /** Default: the profile's moderation. */
  readonly rxUsecs?: number | undefined;
  /** Transmit queues that are set up for launch times. Default: none. */
  readonly launchTimeQueue?: readonly number[] | undefined;
  /** `coherent` or `non-coherent`. */
  readonly dma: string;
  /** `NAME=on|off`: offloads that are switched otherwise than the driver does. */
  readonly offload?: readonly string[] | undefined;
  /** What else is switched on in the device: a name of NIC_FEATURES. */
  readonly feature?: readonly string[] | undefined;
  /** A driver of one's own; left out: the model's. */
  readonly driver?: XdpDriverFactory | undefined;
  /** `KIND:key=value,...`: faults of the NIC (faultOption.ts). */
  readonly fault?: readonly string[] | undefined;
  /** Period of the driver's watchdog: a number and ns, us, ms or s. */
  readonly watchdog?: string | undefined;
  readonly seed: number;
  /** `VAR=VALUE` and `NAME=FILE`. */
  readonly set: readonly string[];
  readonly map: readonly string[];
  /** `NAME=N`: max_entries of maps, in place of the object's own. */
  readonly mapSize?: readonly string[] | undefined;
  /** `NAME=MAP` or `NAME=TYPE:KEY:VALUE:ENTRIES`: inner maps of maps of maps, in place of the object's own (innerMapOption.ts). */
  readonly innerMap?: readonly string[] | undefined;
  /** Paths: BTF and configuration of the kernel that the object is for. */
  readonly btf?: string | undefined;
  readonly kconfig?: string | undefined;
  /** Release whose rules hold, one of KERNEL_RELEASES; default: the newest. */
  readonly kernel?: string | undefined;
  /** JSON file of the network around the host. */
  readonly network?: string | undefined;
  /** `MAP=TYPE`: how events of a RINGBUF or PERF_EVENT_ARRAY are decoded (eventReport.ts). */
  readonly event?: readonly string[] | undefined;
  readonly instructionBudget?: number | undefined;
  /** Directory for captures by destination. */
  readonly out?: string | undefined;
  /** `TIME[,TIME]` or `packet:N`: when the rings of AF_XDP sockets are looked at (ringsAt.ts). */
  readonly ringsAt?: string | undefined;
  /** `struct NAME` of the object: read the metadata of packets by it. */
  readonly meta?: string | undefined;
  /** Look at the checksums of every packet that goes on its way. */
  readonly verifyChecksums?: boolean | undefined;
  /** Case file to write: each packet by itself (recordCases.ts). */
  readonly recordCases?: string | undefined;
}

export const RUN_DEFAULTS = { nic: 'plain', mode: 'auto', engine: 'jit', queues: 4, mtu: 1500, dma: 'coherent', seed: 1, xsk: 'auto' } as const;

/** Values of `--mode`: `auto` is what `ip link set DEV xdp` chooses. */
export const MODES: readonly string[] = ['auto', ...XDP_MODES];
const TX_CONTRACTS = ['checksum', 'none'];
const DMA_MODES = ['coherent', 'non-coherent'];
const OFFLOADS = ['rxChecksum', 'rxVlanStrip', 'rxTimestamp', 'rxHash'];
const ENGINES: readonly EngineName[] = ['jit', 'interpreter'];

/** One second: whoever waits longer for an interrupt wants none. */
const MAX_RX_USECS = 1_000_000;

/** Mends an object whose instructions make no sense, which is all that has no hint of its own. */
const REBUILD_HINT = 'the object is damaged; build it anew with clang -O2 -g -target bpf -c';

/**
 * The main job: plays a capture through a NIC with a program attached, and reports.
 *
 * @param onProgress called now and then with the number of packets so far
 * @param onSlow called once, when the program uses up its instruction budget again and again
 * @returns the report, or the Problem of the first input that can't be used
 */
export function runCapture(options: RunOptions, onProgress?: (packets: number) => void, onSlow: () => void = () => {}): Result<RunReport> {
  const settings = nicSettings(options);
  if (!settings.ok) return settings;
  const wrongXsk = checkXskOptions(options);
  if (wrongXsk !== undefined) return fail(wrongXsk);
  const maxEntries = mapSizes(options);
  if (!maxEntries.ok) return maxEntries;
  const innerMaps = parseInnerMaps(options.innerMap ?? [], options.recordCases !== undefined);
  if (!innerMaps.ok) return innerMaps;
  const target = loadTargetKernel(options);
  if (!target.ok) return target;
  const loaded = loadRunObject(options, { ...target.value, maxEntries: maxEntries.value, innerMaps: innerMaps.value });
  if (!loaded.ok) return loaded;
  const { object, program, chain } = loaded.value;
  const objectPath = typeof options.object === 'string' && chain === undefined ? options.object : undefined;
  if (options.recordCases !== undefined && objectPath === undefined) return fail({ code: 'chain-option', where: '--record-cases', message: 'a case is of one object as its file has it', hint: 'record the cases of each object by itself' });
  const inDevice = checkChainMode(chain, settings.value.xdpMode, '--mode');
  if (inDevice !== undefined) return fail(inDevice);
  const types = eventTypes(object, options.event ?? []);
  if (!types.ok) return types;
  const contract = options.meta === undefined ? ok(undefined) : contractOfStruct(object.btf, options.meta, metadataMaxBytes(target.value.kernel));
  if (!contract.ok) return fail({ ...contract.problem, where: '--meta' });
  const network = options.network === undefined ? ok(undefined) : readNetworkFile(options.network);
  if (!network.ok) return network;
  const xsk = readXskOptions(options, object);
  if (!xsk.ok) return xsk;
  const moments = options.ringsAt === undefined ? ok(undefined) : parseRingMoments(options.ringsAt);
  if (!moments.ok) return moments;
  const capture = openCapture(options.pcap);
  if (!capture.ok) return capture;
  try {
    const cpus = options.cpus ?? settings.value.queues;
    const simulation = createSimulation({
      object,
      program,
      nic: settings.value,
      driver: options.driver,
      seed: options.seed,
      cpus,
      kernel: target.value.kernel,
      network: network.value?.scenario,
      xsk: xsk.value.spec,
      xskQuirks: options.xskQuirks === true ? KERNEL_QUIRKS : undefined,
      xskMemlockBytes: options.xskMemlock,
      prepare: (loaded, sockets) => prepareObject(options, loaded, cpus, sockets),
      instructionBudget: options.instructionBudget,
      engine: options.engine as EngineName,
    });
    if (!simulation.ok) return fail({ hint: REBUILD_HINT, ...withXskFlags(simulation.problem) });
    const around = network.value === undefined ? {} : { network: network.value.json };
    const state = options.recordCases === undefined ? {} : { ...startStateOf(simulation.value.loaded), ...around };
    const output = options.out === undefined ? undefined : CaptureOutput.create(options.out, simulation.value.memory, settings.value.profile.name, options.pcap);
    if (output !== undefined && !output.ok) return output;
    const watcher = new RunWatcher(simulation.value.vm, onSlow);
    const { u8 } = simulation.value.memory;
    const metadata = contract.value && new MetadataWatcher(contract.value, u8);
    const checksums = options.verifyChecksums === true ? new ChecksumWatcher(u8) : undefined;
    const ringsAt = moments.value && new RingsAtWatcher(simulation.value, moments.value);
    const watchers = [ringsAt, checksums, metadata, watcher, output?.value].filter((each) => each !== undefined);
    const result = simulation.value.run(capture.value, watchAll(watchers), onProgress);
    const outputProblem = output?.value.close();
    if (!result.ok) return result;
    if (outputProblem !== undefined) return fail(outputProblem);
    if (result.value.packetsReceived === 0) {
      return fail({ code: 'capture-without-packets', where: options.pcap, message: 'the capture holds no packets', hint: 'capture again while there is traffic' });
    }
    if (options.recordCases !== undefined && objectPath !== undefined) {
      const recorded = recordCases(options.recordCases, { object, objectPath, mapSizes: maxEntries.value, capturePath: options.pcap, program: simulation.value.program.spec.name, kernel: target.value.kernel, state });
      if (!recorded.ok) return recorded;
    }
    const { seed, engine } = options;
    return ok(runReport(simulation.value, result.value, {
      capture: basename(options.pcap), seed, engine, kernel: target.value.kernel, mode: settings.value.xdpMode ?? 'native', cpus, xskApplication: xsk.value.name, longestOverLength: watcher.longestOverLength, hasNetwork: network.value !== undefined, eventTypes: types.value,
      checksums: checksums?.report(),
      metadata: metadata?.report(),
      ringsAt: ringsAt?.finish(result.value.packetsReceived),
      chain,
    }));
  } catch (error) {
    // What a driver of one's own threw.
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  } finally {
    capture.value.close();
  }
}

/** Checks what can be checked without reading a file. */
function nicSettings(options: RunOptions): Result<NicSettings> {
  const profile = findProfile(options.nic);
  if (profile === undefined) return choice('unknown-nic', '--nic', options.nic, PROFILES.map(({ name }) => name));
  if (!MODES.includes(options.mode)) return choice('unknown-mode', '--mode', options.mode, MODES);
  const xdpMode = options.mode === 'auto' ? autoMode(profile) : (options.mode as XdpMode);
  if (!(ENGINES as readonly string[]).includes(options.engine)) return choice('unknown-engine', '--engine', options.engine, ENGINES);
  for (const [name, value, low, high] of [
    ['--seed', options.seed, 0, 2 ** 32 - 1],
    ['--cpus', options.cpus ?? 1, 1, 256],
    ['--budget', options.instructionBudget ?? 1, 1, 2 ** 31 - 1],
    ['--rx-usecs', options.rxUsecs ?? 0, 0, MAX_RX_USECS],
  ] as const) {
    if (!Number.isInteger(value) || value < low || value > high) {
      return fail({ code: 'bad-number', where: name, message: `${value} is out of range`, hint: `use a whole number from ${low} to ${high}` });
    }
  }
  if (options.xdpTxContract !== undefined && !TX_CONTRACTS.includes(options.xdpTxContract)) return choice('unknown-tx-contract', '--xdp-tx-contract', options.xdpTxContract, TX_CONTRACTS);
  if (options.xdpTxContract === 'checksum' && xdpMode !== 'native') {
    return fail({ code: 'tx-contract-mode', where: '--xdp-tx-contract', message: `only the driver's own XDP_TX honours the contract, and on ${profile.name} the program is to run in ${xdpMode} mode`, hint: 'leave it out, or run the program natively, on a NIC whose driver can' });
  }
  if (!DMA_MODES.includes(options.dma)) return choice('unknown-dma-mode', '--dma', options.dma, DMA_MODES);
  const offloads = parseOffloads(options.offload ?? []);
  if (!offloads.ok) return offloads;
  const faults = parseFaultPlan(options.fault ?? [], options.watchdog);
  if (!faults.ok) return faults;
  const settings = {
    profile,
    queues: options.queues ?? Math.min(RUN_DEFAULTS.queues, profile.queues.max),
    rxRingSize: options.rxRing ?? profile.rxRing.default,
    txRingSize: options.txRing ?? profile.txRing.default,
    mtu: options.mtu,
    headroomBytes: options.headroom,
    isDmaCoherent: options.dma === 'coherent',
    hasTxContract: options.xdpTxContract === undefined ? undefined : options.xdpTxContract === 'checksum',
    offloads: offloads.value,
    faults: faults.value,
    launchTimeQueues: options.launchTimeQueue,
    interruptDelayNs: options.rxUsecs === undefined ? undefined : options.rxUsecs * 1000,
    ifindex: 1,
    xdpMode,
    features: options.feature as readonly NicFeature[] | undefined,
  };
  const problem = checkSettings(settings);
  return problem === undefined ? ok(settings) : fail(problem);
}

/** `NAME=on|off`. */
function parseOffloads(texts: readonly string[]): Result<Partial<OffloadSettings>> {
  const offloads: Record<string, boolean> = {};
  for (const text of texts) {
    const [name, ...values] = text.split('=');
    const value = values.join('=');
    if (!OFFLOADS.includes(name)) return choice('unknown-offload', '--offload', name, OFFLOADS);
    if (value !== 'on' && value !== 'off') return fail({ code: 'bad-offload', where: '--offload', message: `${text} says neither on nor off`, hint: `write --offload ${name}=off` });
    if (Object.hasOwn(offloads, name)) return fail({ code: 'bad-offload', where: '--offload', message: `${name} is there twice`, hint: 'keep one of them' });
    offloads[name] = value === 'on';
  }
  return ok(offloads);
}

function choice(code: string, where: string, value: string, known: readonly string[]): Result<never> {
  const meant = closestTo(value, known);
  return fail({ code, where, message: `there is no '${value}'`, hint: meant === undefined ? `use one of: ${known.join(', ')}` : `did you mean ${meant}?` });
}

/** Sets global variables (`VAR=VALUE`) and fills maps (`NAME=FILE`), before the first packet; the first problem ends it. */
export function prepareObject(options: Pick<RunOptions, 'set' | 'map'>, loaded: LoadedObject, cpus: number, sockets: readonly XdpSock[]): Problem | undefined {
  for (const text of options.set) {
    const pair = splitPair('--set', text, 'VAR=VALUE');
    if (!pair.ok) return pair.problem;
    const tooDeep = checkNesting(pair.value[1], `--set ${pair.value[0]}`);
    if (tooDeep !== undefined) return tooDeep;
    const noBool = checkBool(loaded, pair.value[0], pair.value[1]);
    if (noBool !== undefined) return noBool;
    const set = loaded.setVariable(pair.value[0], pair.value[1]);
    if (!set.ok) return { where: '--set', hint: `write --set ${pair.value[0]}=VALUE with a value of that type`, ...set.problem };
  }
  for (const text of options.map) {
    const pair = splitPair('--map', text, 'NAME=FILE');
    if (!pair.ok) return pair.problem;
    const problem = fillMapFromFile(loaded, pair.value[0], pair.value[1], { possibleCpus: cpus, socketCount: sockets.length });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** A `bool` is true or false: any other number in its byte is undefined behaviour in C. */
function checkBool(loaded: LoadedObject, name: string, text: string): Problem | undefined {
  const { btf, variables } = loaded.spec;
  const variable = variables.find((candidate) => candidate.name === name);
  if (btf === undefined || variable === undefined) return undefined;
  const type = btf.type(btf.resolve(variable.typeId));
  if (type.kind !== 'int' || !type.bool || /^\s*(true|false|0|1)\s*$/.test(text)) return undefined;
  return { code: 'value-wrong-shape', where: '--set', message: `variable ${name} is a bool and can't be ${JSON.stringify(text.slice(0, 60))}`, hint: `write --set ${name}=VALUE with true or false` };
}

/** What `--map-size` says, by map name. */
function mapSizes({ mapSize = [] }: RunOptions): Result<Record<string, number>> {
  const sizes: [string, number][] = [];
  for (const text of mapSize) {
    const pair = splitPair('--map-size', text, 'NAME=N');
    if (!pair.ok) return pair;
    const [name, size] = pair.value;
    if (!/^\d{1,10}$/.test(size) || Number(size) < 1 || Number(size) > 0xffffffff) {
      return fail({ code: 'bad-number', where: '--map-size', message: `'${size}' is no size for map ${name}`, hint: 'use a whole number from 1 to 4294967295' });
    }
    sizes.push([name, Number(size)]);
  }
  return ok(Object.fromEntries(sizes));
}

function splitPair(where: string, text: string, shape: string): Result<readonly [string, string]> {
  const at = text.indexOf('=');
  if (at <= 0) return fail({ code: 'bad-pair', where, message: text.startsWith('=') ? `'${text}' has no name before the '='` : `'${text}' has no '='`, hint: `write ${where} ${shape}` });
  return ok([text.slice(0, at), text.slice(at + 1)]);
}
