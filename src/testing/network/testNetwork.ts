import { badOption, checkNamed, checkOptionNames, checkWhole, didYouMean, parseKernelRelease, ProblemError, shownValue, unwrap } from '../../base/index.js';
import type { KernelRelease, OptionNames } from '../../base/index.js';
import { findProfile, PROFILES } from '../../nic/index.js';
import type { NicProfile, NicSettings, XdpDriverFactory } from '../../nic/index.js';
import { CPUS_MAX, createScenario, fillMap, hostFindings } from '../../sim/index.js';
import type { HostNicSpec, HostSpec, LinkSpec, Scenario, ScenarioResult, XskSpec } from '../../sim/index.js';
import type { XskFinding } from '../../umem/index.js';
import { parseNetwork } from '../../vm/index.js';
import type { LoadedObject } from '../../vm/index.js';
import { XDP_MODES } from '../../xdp/index.js';
import type { XdpMode } from '../../xdp/index.js';
import { readObject } from '../program/objectSource.js';
import type { ObjectSource } from '../program/objectSource.js';
import { plainValue, variableText, wholeValue } from '../program/plainValue.js';
import { PacketJournal } from './packetJournal.js';
import { TestNic } from './testNic.js';

/** A NIC of a network under test; what is left out is as the profile has it. */
export interface TestNicOptions {
  /** Name of a profile: `plain`, `veth`, `igb`, `ice`, `mlx5`, … Left out: `plain`. */
  readonly profile?: string | NicProfile;
  readonly queues?: number;
  readonly mtu?: number;
  readonly mode?: XdpMode;
  /** Name of one of the host's objects, and its program; left out: the host's only object, if it has one. `null`: no program. */
  readonly xdp?: string | { readonly object: string; readonly program?: string } | null;
  /** An AF_XDP application on a socket of every queue. */
  readonly xsk?: XskSpec;
  /** A driver of one's own. */
  readonly driver?: XdpDriverFactory;
  readonly mac?: Uint8Array;
  /** Anything else that `NicSettings` has. */
  readonly settings?: Partial<NicSettings>;
}

/** A host of a network under test. */
export interface TestHostOptions {
  /** Compiled objects by name. */
  readonly objects?: Readonly<Record<string, ObjectSource>>;
  /** NICs by name; interfaces get the numbers 1, 2, … in this order, unless `settings.ifindex` says otherwise. */
  readonly nics: Readonly<Record<string, TestNicOptions>>;
  readonly cpus?: number;
  readonly kernel?: KernelRelease;
  /** Routes, neighbours and sockets, as in docs/network.md. */
  readonly network?: object;
  /** Global variables by object and name. */
  readonly globals?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Elements of maps by object and name. */
  readonly maps?: Readonly<Record<string, Readonly<Record<string, readonly { readonly key: unknown; readonly value: unknown }[]>>>>;
  /** Memory for sockets that the test opens by itself (`TestNic.syscalls`), bytes; left out: 16 MiB. */
  readonly applicationBytes?: number;
}

/** Hosts and the links between their NICs. */
export interface TestNetworkOptions {
  readonly hosts: Readonly<Record<string, TestHostOptions>>;
  /** `['a.eth0', 'b.eth0']`, or with rate, delay and loss as `LinkSpec` has them. */
  readonly links?: readonly (readonly [string, string] | (Partial<Omit<LinkSpec, 'between'>> & { readonly between: readonly [string, string] }))[];
  readonly seed?: number;
}

/** What `createTestNic` takes: its NIC, and what of its host is not given with the object. */
export interface OneNicOptions extends TestNicOptions, Omit<TestHostOptions, 'nics' | 'objects' | 'globals' | 'maps'> {
  /** Name of the program (the C function); left out: the only XDP program of the object. */
  readonly program?: string;
  readonly seed?: number;
  /** Global variables by name. */
  readonly globals?: Readonly<Record<string, unknown>>;
  /** Elements of maps by name. */
  readonly maps?: NonNullable<TestHostOptions['maps']>[string];
}

const NETWORK_OPTIONS: OptionNames<TestNetworkOptions> = { hosts: true, links: true, seed: true };
const LINK_OPTIONS: OptionNames<LinkSpec> = { between: true, rateBitsPerS: true, delayNs: true, loss: true, queueFrames: true };
const NIC_OPTIONS: OptionNames<TestNicOptions> = { profile: true, queues: true, mtu: true, mode: true, xdp: true, xsk: true, driver: true, mac: true, settings: true };
const HOST_OPTIONS: OptionNames<TestHostOptions> = { objects: true, nics: true, cpus: true, kernel: true, network: true, globals: true, maps: true, applicationBytes: true };
const ONE_NIC_OPTIONS: OptionNames<OneNicOptions> = { ...NIC_OPTIONS, program: true, seed: true, cpus: true, kernel: true, network: true, globals: true, maps: true, applicationBytes: true };
const SETTINGS: OptionNames<NicSettings> = {
  profile: true, queues: true, rxRingSize: true, txRingSize: true, mtu: true, headroomBytes: true, isDmaCoherent: true, interruptDelayNs: true, napi: true, offloads: true, faults: true, ifindex: true,
  peer: true, xdpMode: true, hasTxContract: true, launchTimeQueues: true, features: true,
};
const XSK_OPTIONS: OptionNames<XskSpec> = {
  application: true, mode: true, rings: true, chunkCount: true, chunkSizeBytes: true, headroomBytes: true, isUnaligned: true, usesNeedWakeup: true, hasSg: true, txMetadataBytes: true, hasTxSwCsum: true,
};

const U32_MAX = 2 ** 32 - 1;
const APPLICATION_BYTES = 16 << 20;
const IDEAL = { rateBitsPerS: 0, delayNs: 0, loss: 0 };

/**
 * Hosts with NICs, drivers, programs and AF_XDP applications, joined by links, for integration tests. Time stands still while the test acts, and goes on
 * in `settle`, which `TestNic.receive` calls.
 *
 * @example
 * const network = createTestNetwork({
 *   hosts: { fw: { objects: { fw: 'fixtures/programs/count_hash/count_hash.o' }, nics: { eth0: { profile: 'ice' } } } },
 * });
 * const [packet] = network.nic('fw.eth0').receive(ethernet().ipv4().udp());
 */
export class TestNetwork {
  readonly #scenario: Scenario;
  readonly #journal: PacketJournal;
  readonly #nics = new Map<string, TestNic>();
  #result: ScenarioResult | undefined;

  /** Made by `createTestNetwork`. */
  constructor(scenario: Scenario) {
    this.#scenario = scenario;
    this.#journal = new PacketJournal(scenario);
    for (const host of scenario.hosts) for (const nic of host.nics) this.#nics.set(`${host.name}.${nic.name}`, new TestNic(this, scenario, this.#journal, host, nic));
  }

  /**
   * A NIC by host and name.
   *
   * @throws Error that lists the names
   * @example
   * nic.network.nic('host.eth0').name; // 'host.eth0'
   */
  nic(name: string): TestNic {
    const nic = this.#nics.get(name);
    if (nic === undefined) throw new ProblemError({ code: 'scenario-port', where: shownValue(name), message: 'there is no such NIC', hint: `${didYouMean(shownValue(name), [...this.#nics.keys()])}use one of: ${[...this.#nics.keys()].join(', ')}` });
    return nic;
  }

  /** All NICs, in the order of hosts and NICs. */
  get nics(): readonly TestNic[] {
    return [...this.#nics.values()];
  }

  /** What the AF_XDP applications of all hosts do wrong or leave undone at this moment, as `TestNic.xskFindings`. */
  get xskFindings(): readonly XskFinding[] {
    return this.#scenario.hosts.flatMap(({ nics, sockets }) => hostFindings(nics, sockets));
  }

  /** Virtual time, ns since boot. */
  get nowNs(): number {
    return this.#scenario.nowNs;
  }

  /**
   * Lets time go on until everything has come to rest.
   *
   * @param forNs virtual time that goes by, ns; left out: as long as something is still to happen
   * @throws Error of a driver of one's own, and after `finish`
   * @example
   * nic.network.settle(1_000_000);
   */
  settle(forNs?: number): void {
    if (this.#result !== undefined) throw new ProblemError({ code: 'network-finished', where: 'network', message: 'the network is shut down: finish() or toHaveNoLeaks did that', hint: 'do it at the end of the test, or make another network' });
    if (forNs !== undefined && !(Number.isFinite(forNs) && forNs >= 0)) throw badOption('settle(forNs)', forNs, 'nanoseconds from 0 on, or leave it out');
    unwrap(this.#scenario.settle(forNs));
  }

  /**
   * Shuts all NICs down and audits every host, once; nothing can be sent after it. For `toHaveNoLeaks`.
   *
   * @throws Error of a driver of one's own
   * @example
   * nic.network.finish().hosts.every(({ result }) => result.audit.ok); // true
   */
  finish(): ScenarioResult {
    this.#result ??= unwrap(this.#scenario.run(this.#journal.watcher));
    return this.#result;
  }
}

/**
 * Builds a network for tests.
 *
 * @throws Error with the reason and how to mend it
 * @example
 * const network = createTestNetwork({
 *   hosts: {
 *     client: { nics: { eth0: {} } },
 *     server: { objects: { echo: 'fixtures/programs/reflector/reflector.o' }, nics: { eth0: { profile: 'ice' } } },
 *   },
 *   links: [['client.eth0', 'server.eth0']],
 * });
 */
export function createTestNetwork(options: TestNetworkOptions): TestNetwork {
  checkOptionNames('createTestNetwork', options, NETWORK_OPTIONS);
  const { hosts, links = [], seed = 1 } = options;
  checkNamed('createTestNetwork, hosts', hosts, "hosts by name: { hosts: { server: { nics: { eth0: {} } } } }");
  if (!Array.isArray(links)) throw badOption('createTestNetwork, links', links, "a list of links: [['a.eth0', 'b.eth0']]");
  checkWhole('createTestNetwork, seed', seed, 0, U32_MAX);
  return new TestNetwork(unwrap(createScenario({
    seed,
    hosts: Object.entries(hosts).map(([name, host]) => hostSpec(name, host)),
    links: links.map(linkSpec),
    traffic: [],
  })));
}

/**
 * One host with one NIC.
 *
 * @param object what runs on the NIC; `undefined`: nothing, everything goes to the stack
 * @throws Error with the reason and how to mend it
 * @example
 * const nic = createTestNic('fixtures/programs/reflector/reflector.o', { profile: 'ice', queues: 2 });
 * const [packet] = nic.receive(ethernet().ipv4().udp());
 */
export function createTestNic(
  object: ObjectSource | undefined,
  options: OneNicOptions = {},
): TestNic {
  checkOptionNames('createTestNic', options, ONE_NIC_OPTIONS);
  const { program, seed = 1, globals = {}, maps = {}, cpus, kernel, network, applicationBytes, ...nic } = options;
  const optional = { ...(cpus === undefined ? {} : { cpus }), ...(kernel === undefined ? {} : { kernel }), ...(network === undefined ? {} : { network }), ...(applicationBytes === undefined ? {} : { applicationBytes }) };
  const made = createTestNetwork({
    seed,
    hosts: {
      host: {
        ...optional,
        ...(object === undefined ? {} : { objects: { program: object }, globals: { program: globals }, maps: { program: maps } }),
        nics: { eth0: { ...nic, xdp: object === undefined ? null : { object: 'program', ...(program === undefined ? {} : { program }) } } },
      },
    },
  });
  return made.nic('host.eth0');
}

function linkSpec(link: NonNullable<TestNetworkOptions['links']>[number]): LinkSpec {
  const isPair = Array.isArray(link);
  const { between, ...settings } = isPair ? { between: link as readonly [string, string] } : (link as Partial<LinkSpec> & { readonly between: readonly [string, string] });
  if (!isPair) checkOptionNames('createTestNetwork, links', link as Partial<LinkSpec>, LINK_OPTIONS);
  if (!Array.isArray(between) || between.length !== 2) throw badOption('createTestNetwork, links', isPair ? link : between, "both ends of a link: ['a.eth0', 'b.eth0'], or { between: ['a.eth0', 'b.eth0'], delayNs: 1000 }");
  return { ...IDEAL, ...settings, between: [portOf(between[0]), portOf(between[1])] };
}

function portOf(name: string): { host: string; nic: string } {
  const dot = typeof name === 'string' ? name.indexOf('.') : -1;
  if (dot < 0) throw new ProblemError({ code: 'scenario-port', where: `link of ${shownValue(name)}`, message: 'there is no such NIC', hint: 'write HOST.NIC' });
  return { host: name.slice(0, dot), nic: name.slice(dot + 1) };
}

function hostSpec(name: string, options: TestHostOptions): Omit<HostSpec, 'seed'> {
  checkOptionNames(`host ${name}`, options, HOST_OPTIONS);
  const { objects = {}, nics, kernel, network, globals = {}, maps = {}, applicationBytes = APPLICATION_BYTES } = options;
  if (kernel !== undefined) unwrap(parseKernelRelease(kernel, `host ${name}, kernel`));
  checkNamed(`host ${name}, nics`, nics, 'NICs by name: { nics: { eth0: {} } }');
  checkNamed(`host ${name}, objects`, objects, "compiled objects by name: { objects: { fw: 'fw.o' } }");
  checkNamed(`host ${name}, globals`, globals, 'variables by object and name: { fw: { port: 53 } }');
  checkNamed(`host ${name}, maps`, maps, "elements by object and map: { fw: { allowed: [{ key: '192.0.2.1', value: 1 }] } }");
  if (network !== undefined) checkNamed(`host ${name}, network`, network, 'routes, neighbours and sockets as in docs/network.md');
  checkWhole(`host ${name}, applicationBytes`, applicationBytes, 0, U32_MAX, 'of bytes');
  const specs = Object.entries(nics).map(([nicName, nic], i) => nicSpec(nicName, nic, i + 1, Object.keys(objects)));
  if (options.cpus !== undefined) checkWhole(`host ${name}, cpus`, options.cpus, 1, CPUS_MAX);
  const cpus = options.cpus ?? Math.max(1, ...specs.map(({ settings }) => settings.queues));
  return {
    name, cpus, kernel, applicationBytes,
    objects: Object.fromEntries(Object.entries(objects).map(([key, source]) => [key, readObject(source)])),
    nics: specs,
    network: network === undefined ? undefined : unwrap(parseNetwork(network, 'network')),
    prepare(loaded, sockets) {
      const objectOf = (object: string): LoadedObject => {
        const found = loaded.get(object);
        if (found === undefined) throw noObject(`host ${name}`, object, [...loaded.keys()]);
        return found;
      };
      for (const [object, variables] of Object.entries(globals)) {
        checkNamed(`host ${name}, globals of ${object}`, variables, 'variables by name: { port: 53 }');
        for (const [variable, value] of Object.entries(variables)) {
          const done = objectOf(object).setVariable(variable, variableText(value));
          if (!done.ok) return done.problem;
        }
      }
      const interfaces = new Map(specs.map((each) => [each.name, each.settings.ifindex]));
      for (const [object, entries] of Object.entries(maps)) {
        checkNamed(`host ${name}, maps of ${object}`, entries, "elements by map: { allowed: [{ key: '192.0.2.1', value: 1 }] }");
        for (const [map, elements] of Object.entries(entries)) {
          const problem = fillMap(objectOf(object), map, plainElements(objectOf(object), map, elements), `map ${map}`, { possibleCpus: cpus, socketCount: sockets.length, interfaces });
          if (problem !== undefined) return problem;
        }
      }
      return undefined;
    },
  };
}

/** Elements as map files have them. */
function plainElements({ maps, spec: { btf } }: LoadedObject, map: string, elements: unknown): unknown {
  const spec = maps.get(map)?.spec;
  if (spec === undefined || !Array.isArray(elements)) return plainValue(elements);
  const key = { btf, typeId: spec.keyTypeId, sizeBytes: spec.keySize, label: `key of map ${map}` };
  const value = { btf, typeId: spec.valueTypeId, sizeBytes: spec.valueSize, label: `value of map ${map}` };
  return elements.map((element: unknown) => {
    if (typeof element !== 'object' || element === null) return element;
    return Object.fromEntries(Object.entries(element).map(([name, part]: [string, unknown]) => {
      if (name === 'values' && Array.isArray(part)) return [name, part.map((each) => wholeValue(value, each))];
      return [name, name === 'key' || name === 'value' ? wholeValue(name === 'key' ? key : value, part) : plainValue(part)];
    }));
  });
}

function nicSpec(name: string, options: TestNicOptions, ifindex: number, objects: readonly string[]): HostNicSpec {
  checkOptionNames(`NIC ${name}`, options, NIC_OPTIONS);
  const { profile = 'plain', queues = 1, mtu = 1500, mode, xdp, xsk, driver, mac, settings = {} } = options;
  const found = typeof profile === 'string' ? findProfile(profile) : profile;
  const profiles = PROFILES.map((each) => each.name);
  if (typeof profile === 'string' && found === undefined) throw new ProblemError({ code: 'unknown-nic', where: name, message: `there is no NIC ${profile}`, hint: `${didYouMean(profile, profiles)}use one of: ${profiles.join(', ')}` });
  if (found?.rxRing === undefined) throw badOption(`NIC ${name}, profile`, profile, `what findProfile gave, or one of: ${profiles.join(', ')}`);
  // How many there may be is for the profile to say.
  checkWhole(`NIC ${name}, queues`, queues, 0, U32_MAX);
  checkWhole(`NIC ${name}, mtu`, mtu, 0, U32_MAX, 'of bytes');
  checkOptionNames(`NIC ${name}, settings`, settings, SETTINGS);
  if (xsk !== undefined) checkOptionNames(`NIC ${name}, xsk`, xsk, XSK_OPTIONS);
  if (driver !== undefined && typeof driver !== 'function') throw badOption(`NIC ${name}, driver`, driver, 'a function that makes a driver, as in docs/write-a-driver.md');
  if (mode !== undefined && !XDP_MODES.includes(mode)) throw badOption(`${name}, mode`, mode, `one of: ${XDP_MODES.join(', ')}`);
  if (mac !== undefined && !(mac instanceof Uint8Array && mac.length === 6)) throw badOption(`${name}, mac`, mac, 'six bytes (Uint8Array)');
  const chosen = xdp === undefined ? objects[0] : xdp;
  if (chosen !== undefined && chosen !== null && typeof chosen !== 'string') checkOptionNames(`NIC ${name}, xdp`, chosen, { object: true, program: true });
  const program = typeof chosen === 'string' ? { object: chosen } : chosen ?? undefined;
  if (program?.program !== undefined && typeof program.program !== 'string') throw badOption(`NIC ${name}, program`, program.program, 'the name of a program, the C function');
  if (program !== undefined && !objects.includes(program.object)) throw noObject(`NIC ${name}`, program.object, objects);
  return {
    name,
    mac,
    settings: { profile: found, queues, rxRingSize: found.rxRing.default, txRingSize: found.txRing.default, mtu, ifindex, ...(mode === undefined ? {} : { xdpMode: mode }), ...settings },
    xdp: program,
    xsk,
    driver,
  };
}

function noObject(where: string, object: string, objects: readonly string[]): ProblemError {
  return new ProblemError({ code: 'unknown-object', where, message: `there is no object ${shownValue(object)}`, hint: objects.length === 0 ? 'the host has none: give it `objects`' : `${didYouMean(shownValue(object), objects)}use one of: ${objects.join(', ')}` });
}
