import { catchProblem, ok, KERNEL_RELEASES, ProblemError } from '../base/index.js';
import type { KernelRelease, Result } from '../base/index.js';
import { basename, dirname, resolve } from 'node:path';
import { autoMode, checkSettings, findProfile, PROFILES } from '../nic/index.js';
import type { FaultPlan, NicFeature, NicProfile, NicSettings, OffloadSettings } from '../nic/index.js';
import { JsonFields, parseNetwork } from '../vm/index.js';
import type { EngineName, NetworkScenario } from '../vm/index.js';
import { XDP_MODES } from '../xdp/index.js';
import { readJsonFile } from './jsonFile.js';
import type { JsonFileKind } from './jsonFile.js';
import { readNetworkFile } from './networkFile.js';
import { DEFAULT_MAX_HOPS } from './scenario.js';
import type { LinkSpec, PortName } from './scenario.js';
import { xskOf } from './scenarioXsk.js';
import type { NamedXsk } from './scenarioXsk.js';

const CODE = 'scenario-shape';

const FILE_KIND: JsonFileKind = { code: 'scenario-file', noun: 'a scenario file', maxBytes: 64 << 20, shorten: 'put large maps into files of their own' };
const MAX_HOSTS = 256;
/** More objects than a dispatcher has places, and extensions for them. */
const MAX_FILES = 64;
const MAX_QUEUES = 4;
/** Two hosts that answer each other go on until then, with each packet. */
const MAX_HOPS = 65535;
const MAX_RATE_BITS_PER_S = 1e13;
/** An hour: what is on its way longer is no network. */
const MAX_TIME_NS = 3600e9;
const MAX_QUEUE_FRAMES = 1e6;
const MAX_BUDGET = 2 ** 31 - 1;
const MAX_RX_USECS = 1_000_000;
const INT_MAX = 2 ** 31 - 1;

/** Names of hosts and NICs: they stand in `HOST.NIC`, and in file names. */
const NAME = /^[\w-]{1,32}$/;

const SCENARIO_FIELDS = ['$schema', 'schema', 'seed', 'max_hops', 'hosts', 'links'];
const HOST_FIELDS = ['name', 'cpus', 'kernel', 'btf', 'kconfig', 'engine', 'budget', 'network', 'objects', 'nics'];
const OBJECT_FIELDS = ['name', 'file', 'files', 'chain', 'dispatcher', 'set', 'maps', 'map_sizes'];
const NIC_FIELDS = [
  'name', 'ifindex', 'mac', 'profile', 'queues', 'rx_ring', 'tx_ring', 'mtu', 'headroom', 'dma', 'rx_usecs', 'launch_time_queues', 'offloads', 'features', 'faults', 'watchdog_ns',
  'xdp', 'xsk', 'in', 'out',
];
const FAULT_FIELDS = ['kind', 'rate', 'windows', 'duration_ns', 'delay_ns', 'raises_again'];
const LINK_FIELDS = ['between', 'rate_bits_per_s', 'delay_ns', 'loss', 'queue_frames'];
const OFFLOADS: readonly (keyof OffloadSettings)[] = ['rxChecksum', 'rxVlanStrip', 'rxTimestamp', 'rxHash'];
const MODES = ['auto', ...XDP_MODES] as const;
const ENGINES: readonly EngineName[] = ['jit', 'interpreter'];

/** A scenario as a file describes it: plain data, with all paths as they are to be opened. docs/scenario.md explains every field. */
export interface ScenarioFile {
  readonly seed: number;
  readonly maxHops: number;
  readonly hosts: readonly HostFile[];
  readonly links: readonly LinkSpec[];
  /** Paths of all files that it is made of. */
  readonly inputs: readonly string[];
}

export interface HostFile {
  readonly name: string;
  readonly cpus: number;
  readonly kernel: KernelRelease | undefined;
  /** Paths: BTF and configuration of the kernel that the objects are for. */
  readonly btf: string | undefined;
  readonly kconfig: string | undefined;
  readonly engine: EngineName;
  readonly instructionBudget: number | undefined;
  readonly network: NetworkScenario | undefined;
  readonly objects: readonly ObjectFile[];
  readonly nics: readonly NicFile[];
  /** Paths of all files that are read for it. */
  readonly inputs: readonly string[];
}

/** A compiled object, or several that are linked to one, and what its variables and maps hold in the beginning. */
export interface ObjectFile {
  readonly name: string;
  /** Several are chained, or extend each other, as in `sim run`. */
  readonly paths: readonly string[];
  /** Programs of the chain, as `sim run --chain` has them. */
  readonly chain: readonly string[];
  readonly dispatcher: string | undefined;
  /** Variable and value, as `sim run --set` has it. */
  readonly set: readonly (readonly [name: string, text: string])[];
  /** Map and its entries: a path, or the list itself. */
  readonly maps: readonly (readonly [name: string, entries: unknown])[];
  readonly mapSizes: Readonly<Record<string, number>>;
  /** Where it stands in the file. */
  readonly at: string;
}

export interface NicFile {
  readonly name: string;
  readonly mac: Uint8Array | undefined;
  readonly settings: NicSettings;
  /** Name of one of the host's objects. */
  readonly xdp: { readonly object: string; readonly program: string | undefined } | undefined;
  /** Application on a socket of every queue: its name, and how the sockets are made. */
  readonly xsk: NamedXsk | undefined;
  /** Capture that arrives here. */
  readonly input: { readonly path: string; readonly startNs: number } | undefined;
  /** Capture to write what it sends. */
  readonly output: string | undefined;
}

/**
 * Reads a scenario file. Paths in it are relative to it.
 *
 * Problems: `scenario-file-unreadable`, `scenario-file-json`, `nested-too-deep`, those of `parseScenario`.
 */
export function readScenarioFile(path: string): Result<ScenarioFile> {
  const json = readJsonFile(path, FILE_KIND);
  if (!json.ok) return json;
  const scenario = parseScenario(json.value, path, dirname(path));
  return scenario.ok ? ok({ ...scenario.value, inputs: [path, ...scenario.value.inputs] }) : scenario;
}

/**
 * Checks JSON and makes a scenario of it; opens no file but those of networks.
 *
 * @param where names it in problems, e.g. the file
 * @param directory what paths in it are relative to
 *
 * Problems: `scenario-shape` with the path of the field that is wrong, those of `parseNetwork`, `readNetworkFile` and `checkSettings`.
 */
export function parseScenario(json: unknown, where: string, directory: string): Result<ScenarioFile> {
  return catchProblem(() => {
    const fields = new JsonFields(json, `${where}: `, SCENARIO_FIELDS, CODE);
    if (fields.number('schema', 1) !== 1) fields.refuse('schema', 'this is of another version', 'write "schema": 1');
    const hosts = each(fields, 'hosts', HOST_FIELDS, (host) => hostOf(host, directory));
    if (hosts.length === 0) fields.refuse('hosts', 'there is none', 'describe at least one');
    if (hosts.length > MAX_HOSTS) fields.refuse('hosts', `there are ${hosts.length}`, `describe at most ${MAX_HOSTS}`);
    checkUnique(fields, 'hosts', hosts);
    return {
      seed: fields.number('seed', 1),
      maxHops: fields.number('max_hops', DEFAULT_MAX_HOPS, MAX_HOPS),
      hosts,
      links: linksOf(fields, hosts),
      inputs: hosts.flatMap(({ inputs }) => inputs),
    };
  });
}

function each<T>(fields: JsonFields, name: string, known: readonly string[], make: (fields: JsonFields, index: number) => T): T[] {
  return fields.list(name).map((json, index) => make(new JsonFields(json, `${fields.at(name)}[${index}]`, known, CODE), index));
}

function checkUnique(fields: JsonFields, list: string, items: readonly { readonly name: string }[]): void {
  const at = items.findIndex(({ name }, index) => items.findIndex((other) => other.name === name) < index);
  if (at >= 0) fields.refuse(`${list}[${at}].name`, `${JSON.stringify(items[at].name)} occurs twice`, 'give each its own');
}

function nameOf(fields: JsonFields, fallback?: string): string {
  const name = fields.text('name', fallback);
  return NAME.test(name) ? name : fields.refuse('name', `${JSON.stringify(name)} is no name`, 'use up to 32 letters, digits, _ and -');
}

function fileOf(fields: JsonFields, name: string, directory: string): string {
  return resolve(directory, fields.text(name));
}

function textsOf(fields: JsonFields, name: string): string[] {
  return fields.list(name).map((text, index) => (typeof text === 'string' && text !== '' ? text : fields.refuse(`${name}[${index}]`, 'it is no text', 'write "..."')));
}

/** The members of an object that may have any names. */
function membersOf(fields: JsonFields, name: string): [string, unknown][] {
  const value = fields.raw(name) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) return fields.refuse(name, 'it is no JSON object', 'write {"NAME": ...}');
  return Object.entries(value);
}

function hostOf(fields: JsonFields, directory: string): HostFile {
  const name = nameOf(fields);
  const objects = each(fields, 'objects', OBJECT_FIELDS, (object) => objectOf(object, directory));
  checkUnique(fields, 'objects', objects);
  const nics = each(fields, 'nics', NIC_FIELDS, (nic, index) => nicOf(nic, index, objects, directory));
  if (nics.length === 0) fields.refuse('nics', 'there is none', 'describe at least one');
  checkUnique(fields, 'nics', nics);
  const twice = nics.findIndex(({ settings }, index) => nics.findIndex((other) => other.settings.ifindex === settings.ifindex) < index);
  if (twice >= 0) fields.refuse(`nics[${twice}].ifindex`, `${nics[twice].settings.ifindex} occurs twice`, 'give each NIC its own');
  return {
    name,
    cpus: fields.number('cpus', Math.max(...nics.map(({ settings }) => settings.queues)), 256, 1),
    kernel: fields.has('kernel') ? fields.choice('kernel', KERNEL_RELEASES) : undefined,
    btf: fields.has('btf') ? fileOf(fields, 'btf', directory) : undefined,
    kconfig: fields.has('kconfig') ? fileOf(fields, 'kconfig', directory) : undefined,
    engine: fields.choice('engine', ENGINES, 'jit'),
    instructionBudget: fields.has('budget') ? fields.number('budget', undefined, MAX_BUDGET, 1) : undefined,
    network: networkOf(fields, directory),
    objects,
    nics,
    inputs: [
      ...filesOf(['network', 'btf', 'kconfig'].map((name) => fields.raw(name))).map((file) => resolve(directory, file)),
      ...objects.flatMap(({ paths, dispatcher, maps }) => [...paths, ...filesOf([dispatcher]), ...filesOf(maps.map(([, entries]) => entries))]),
      ...nics.flatMap(({ input }) => (input === undefined ? [] : [input.path])),
    ],
  };
}

/** Those of the values that are paths, where a path may stand for what its file holds. */
function filesOf(values: readonly unknown[]): string[] {
  return values.filter((value) => typeof value === 'string');
}

/** A path, or the network itself. */
function networkOf(fields: JsonFields, directory: string): NetworkScenario | undefined {
  if (!fields.has('network')) return undefined;
  const json = fields.raw('network');
  if (typeof json !== 'string') return valueOf(parseNetwork(json, fields.at('network')));
  return valueOf(readNetworkFile(resolve(directory, json))).scenario;
}

function valueOf<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw new ProblemError(result.problem);
}

function objectOf(fields: JsonFields, directory: string): ObjectFile {
  if (fields.has('file') && fields.has('files')) fields.refuse('files', 'there is "file", too', 'keep one of them');
  const paths = fields.has('files') ? textsOf(fields, 'files').map((file) => resolve(directory, file)) : [fileOf(fields, 'file', directory)];
  if (paths.length === 0) fields.refuse('files', 'there is none', 'give one at least');
  if (paths.length > MAX_FILES) fields.refuse('files', `there are ${paths.length}`, `give at most ${MAX_FILES}`);
  return {
    name: nameOf(fields, basename(paths[0]!).replace(/\.\w+$/, '')),
    paths,
    chain: textsOf(fields, 'chain'),
    dispatcher: fields.has('dispatcher') ? fileOf(fields, 'dispatcher', directory) : undefined,
    set: membersOf(fields, 'set').map(([name, value]) => [name, typeof value === 'string' ? value : JSON.stringify(value)]),
    maps: membersOf(fields, 'maps').map(([name, entries]) => [name, typeof entries === 'string' ? resolve(directory, entries) : entries]),
    mapSizes: Object.fromEntries(membersOf(fields, 'map_sizes').map(([name, size]) => {
      const isSize = typeof size === 'number' && Number.isInteger(size) && size >= 1 && size < 2 ** 32;
      return [name, isSize ? size : fields.refuse(`map_sizes.${name}`, `${JSON.stringify(size)} is no size`, 'write a whole number from 1 to 4294967295')];
    })),
    at: fields.path,
  };
}

function nicOf(fields: JsonFields, index: number, objects: readonly ObjectFile[], directory: string): NicFile {
  const name = nameOf(fields);
  const profileName = fields.text('profile', 'plain');
  const profile = findProfile(profileName) ?? fields.refuse('profile', `there is no NIC ${JSON.stringify(profileName)}`, `use one of ${PROFILES.map((known) => known.name).join(', ')}`);
  const xdp = fields.has('xdp') ? xdpOf(new JsonFields(fields.raw('xdp'), fields.at('xdp'), ['object', 'program', 'mode'], CODE), objects, profile) : undefined;
  const settings: NicSettings = {
    profile,
    ifindex: fields.number('ifindex', index + 1, INT_MAX, 1),
    queues: fields.number('queues', Math.min(MAX_QUEUES, profile.queues.max)),
    rxRingSize: fields.number('rx_ring', profile.rxRing.default),
    txRingSize: fields.number('tx_ring', profile.txRing.default),
    mtu: fields.number('mtu', 1500),
    headroomBytes: fields.has('headroom') ? fields.number('headroom') : undefined,
    isDmaCoherent: fields.choice('dma', ['coherent', 'non-coherent'], 'coherent') === 'coherent',
    interruptDelayNs: fields.has('rx_usecs') ? fields.number('rx_usecs', undefined, MAX_RX_USECS) * 1000 : undefined,
    launchTimeQueues: fields.list('launch_time_queues') as readonly number[],
    offloads: offloadsOf(fields),
    features: textsOf(fields, 'features') as readonly NicFeature[],
    faults: faultsOf(fields),
    xdpMode: xdp?.mode,
  };
  const wrong = checkSettings(settings);
  if (wrong !== undefined) throw new ProblemError({ ...wrong, where: `${fields.path}, ${wrong.where}` });
  return {
    name,
    mac: fields.has('mac') ? fields.mac('mac') : undefined,
    settings,
    xdp,
    xsk: fields.has('xsk') ? xskOf(fields, CODE) : undefined,
    input: inputOf(fields, directory),
    output: fields.has('out') ? fileOf(fields, 'out', directory) : undefined,
  };
}

function xdpOf(fields: JsonFields, objects: readonly ObjectFile[], profile: NicProfile) {
  const only = objects.length === 1 ? objects[0].name : undefined;
  const object = fields.text('object', only);
  const known = objects.map(({ name }) => name);
  if (!known.includes(object)) fields.refuse('object', `the host has no object ${JSON.stringify(object)}`, known.length === 0 ? 'list it in "objects" of the host' : `use one of ${known.join(', ')}`);
  const mode = fields.choice('mode', MODES, 'auto');
  return { object, program: fields.has('program') ? fields.text('program') : undefined, mode: mode === 'auto' ? autoMode(profile) : mode };
}

function inputOf(fields: JsonFields, directory: string): NicFile['input'] {
  if (!fields.has('in')) return undefined;
  if (typeof fields.raw('in') === 'string') return { path: fileOf(fields, 'in', directory), startNs: 0 };
  const input = new JsonFields(fields.raw('in'), fields.at('in'), ['capture', 'start_ns'], CODE);
  return { path: fileOf(input, 'capture', directory), startNs: input.number('start_ns', 0, MAX_TIME_NS) };
}

function offloadsOf(fields: JsonFields): Partial<OffloadSettings> {
  if (!fields.has('offloads')) return {};
  const offloads = new JsonFields(fields.raw('offloads'), fields.at('offloads'), OFFLOADS, CODE);
  return Object.fromEntries(OFFLOADS.filter((name) => offloads.has(name)).map((name) => [name, offloads.boolean(name, true)]));
}

/** Values are checked with the other settings of the NIC. */
function faultsOf(fields: JsonFields): FaultPlan | undefined {
  if (!fields.has('faults') && !fields.has('watchdog_ns')) return undefined;
  const faults = each(fields, 'faults', FAULT_FIELDS, (fault) => ({
    kind: fault.text('kind'),
    ...(fault.has('rate') ? { rate: fault.probability('rate') } : {}),
    ...(fault.has('windows') ? { windows: windowsOf(fault) } : {}),
    ...(fault.has('duration_ns') ? { durationNs: fault.number('duration_ns', undefined, MAX_TIME_NS) } : {}),
    ...(fault.has('delay_ns') ? { delayNs: fault.number('delay_ns', undefined, MAX_TIME_NS) } : {}),
    ...(fault.has('raises_again') ? { raisesAgain: fault.boolean('raises_again', false) } : {}),
  }));
  return { faults: faults as FaultPlan['faults'], ...(fields.has('watchdog_ns') ? { watchdogNs: fields.number('watchdog_ns', undefined, MAX_TIME_NS, 1) } : {}) };
}

function windowsOf(fields: JsonFields): { fromNs: number; toNs: number }[] {
  return each(fields, 'windows', ['from_ns', 'to_ns'], (window) => ({
    fromNs: window.number('from_ns', 0, MAX_TIME_NS),
    toNs: window.has('to_ns') ? window.number('to_ns', undefined, MAX_TIME_NS) : Infinity,
  }));
}

function linksOf(fields: JsonFields, hosts: readonly HostFile[]): LinkSpec[] {
  const places = new Map<string, string>();
  for (const [i, host] of hosts.entries()) {
    for (const [j, { name, input }] of host.nics.entries()) if (input !== undefined) places.set(`${host.name}.${name}`, fields.at(`hosts[${i}].nics[${j}].in`));
  }
  return each(fields, 'links', LINK_FIELDS, (link) => {
    const ends = link.list('between');
    if (ends.length !== 2) link.refuse('between', `a link has two ends, not ${ends.length}`, 'write ["HOST.NIC", "HOST.NIC"]');
    const between = ends.map((end, at) => {
      const port = portOf(link, `between[${at}]`, end, hosts);
      const place = places.get(end as string);
      if (place !== undefined) link.refuse(`between[${at}]`, `there is something at ${end as string} already (${place})`, 'a NIC has one wire: a link, or a capture that arrives');
      places.set(end as string, link.at(`between[${at}]`));
      return port;
    });
    return {
      between: between as [PortName, PortName],
      rateBitsPerS: link.number('rate_bits_per_s', 0, MAX_RATE_BITS_PER_S),
      delayNs: link.number('delay_ns', 0, MAX_TIME_NS),
      loss: link.probability('loss', 0),
      queueFrames: link.has('queue_frames') ? link.number('queue_frames', undefined, MAX_QUEUE_FRAMES) : undefined,
    };
  });
}

function portOf(fields: JsonFields, name: string, end: unknown, hosts: readonly HostFile[]): PortName {
  const [host, nic, ...rest] = typeof end === 'string' ? end.split('.') : [];
  const isKnown = rest.length === 0 && hosts.find((each) => each.name === host)?.nics.some((each) => each.name === nic) === true;
  if (isKnown) return { host, nic };
  const known = hosts.flatMap((each) => each.nics.map((each2) => `${each.name}.${each2.name}`));
  return fields.refuse(name, `there is no NIC ${JSON.stringify(end)}`, `use one of ${known.slice(0, 20).join(', ')}`);
}
