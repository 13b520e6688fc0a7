import { fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { openCapture } from '../packet/index.js';
import type { CaptureReader } from '../packet/index.js';
import { loadTargetKernel } from '../vm/index.js';
import type { LoadedObject, ObjectSpec } from '../vm/index.js';
import type { XdpSock } from '../umem/index.js';
import type { ChainLink } from '../xdp/index.js';
import type { HostNicSpec, HostSpec } from './createHost.js';
import { fillMap, fillMapFromFile } from './mapFile.js';
import type { MapHost } from './mapFile.js';
import { checkChainMode, loadRunObject } from './runObject.js';
import type { ScenarioSpec, TrafficSpec } from './scenario.js';
import type { HostFile, NicFile, ObjectFile, ScenarioFile } from './scenarioFile.js';

/** A scenario whose files are open. */
export interface LoadedScenario {
  readonly spec: ScenarioSpec;
  /** The programs of the chains that objects are, by `HOST.OBJECT`. */
  readonly chains: ReadonlyMap<string, readonly ChainLink[]>;
  /** Closes the captures. */
  close(): void;
}

/** Opens what a scenario file names. Problems: those of `loadTargetKernel`, `loadRunObject` and `openCapture`; `chain-offload`. */
export function loadScenario(file: ScenarioFile): Result<LoadedScenario> {
  const hosts: Omit<HostSpec, 'seed'>[] = [];
  const chains = new Map<string, readonly ChainLink[]>();
  for (const host of file.hosts) {
    const spec = hostSpec(host, chains);
    if (!spec.ok) return spec;
    hosts.push(spec.value);
  }
  const traffic: TrafficSpec[] = [];
  const readers: CaptureReader[] = [];
  const close = (): void => readers.forEach((reader) => reader.close());
  for (const host of file.hosts) {
    for (const { name, input } of host.nics) {
      if (input === undefined) continue;
      const opened = openCapture(input.path);
      if (!opened.ok) {
        close();
        return opened;
      }
      readers.push(opened.value);
      traffic.push({ to: { host: host.name, nic: name }, reader: opened.value, startNs: input.startNs });
    }
  }
  const { seed, maxHops, links } = file;
  return ok({ spec: { seed, maxHops, hosts, links, traffic }, chains, close });
}

function hostSpec(host: HostFile, chains: Map<string, readonly ChainLink[]>): Result<Omit<HostSpec, 'seed'>> {
  const target = loadTargetKernel(host);
  if (!target.ok) return target;
  const objects: [string, ObjectSpec][] = [];
  for (const { name, paths, chain, dispatcher, mapSizes, at } of host.objects) {
    const loaded = loadRunObject({ object: paths, chain, dispatcher }, { ...target.value, maxEntries: mapSizes });
    if (!loaded.ok) return fail(loaded.problem.where === '--chain' ? { ...loaded.problem, where: `${at}.chain` } : { where: at, ...loaded.problem });
    const { object, chain: links } = loaded.value;
    objects.push([name, object]);
    if (links === undefined) continue;
    chains.set(`${host.name}.${name}`, links);
    for (const nic of host.nics) {
      const inDevice = nic.xdp?.object === name ? checkChainMode(links, nic.settings.xdpMode, `host ${host.name}, NIC ${nic.name}`) : undefined;
      if (inDevice !== undefined) return fail(inDevice);
    }
  }
  const { name, cpus, kernel, engine, instructionBudget, network } = host;
  return ok({
    name, cpus, kernel, engine, instructionBudget, network,
    objects: Object.fromEntries(objects),
    nics: host.nics.map((nic) => nicSpec(nic)),
    prepare: (loaded, sockets) => prepareHost(host, loaded, sockets),
  });
}

function nicSpec({ name, mac, settings, xdp, xsk }: NicFile): HostNicSpec {
  return { name, mac, settings, xdp, xsk: xsk?.spec };
}

/** Sets variables and fills maps; the first problem ends it. */
function prepareHost({ objects, nics, cpus }: HostFile, loaded: ReadonlyMap<string, LoadedObject>, sockets: readonly XdpSock[]): Problem | undefined {
  const interfaces = new Map(nics.map(({ name, settings }) => [name, settings.ifindex]));
  const mapHost: MapHost = { possibleCpus: cpus, socketCount: sockets.length, interfaces };
  for (const object of objects) {
    const problem = prepareObject(object, loaded.get(object.name)!, mapHost);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function prepareObject({ set, maps, at }: ObjectFile, loaded: LoadedObject, host: MapHost): Problem | undefined {
  for (const [name, text] of set) {
    const done = loaded.setVariable(name, text);
    if (!done.ok) return { hint: 'write a value of that type', ...done.problem, where: `${at}.set.${name}` };
  }
  for (const [name, entries] of maps) {
    const where = `${at}.maps.${name}`;
    const problem = typeof entries === 'string' ? fillMapFromFile(loaded, name, entries, host) : fillMap(loaded, name, entries, where, host);
    if (problem !== undefined) return problem.code === 'unknown-map' ? { ...problem, where } : problem;
  }
  return undefined;
}
