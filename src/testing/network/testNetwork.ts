import { parseKernelRelease, ProblemError, unwrap } from '../../base/index.js';
import type { KernelRelease } from '../../base/index.js';
import { findProfile, PROFILES } from '../../nic/index.js';
import type { NicProfile, NicSettings, XdpDriverFactory } from '../../nic/index.js';
import { createScenario, fillMap } from '../../sim/index.js';
import type { HostNicSpec, HostSpec, LinkSpec, Scenario, ScenarioResult, XskSpec } from '../../sim/index.js';
import { parseNetwork } from '../../vm/index.js';
import type { LoadedObject } from '../../vm/index.js';
import { XDP_MODES } from '../../xdp/index.js';
import type { XdpMode } from '../../xdp/index.js';
import { badOption, checkOptionNames } from '../program/badOption.js';
import { readObject } from '../program/objectSource.js';
import type { ObjectSource } from '../program/objectSource.js';
import { plainValue, variableText } from '../program/plainValue.js';
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

const NIC_OPTIONS = { profile: true, queues: true, mtu: true, mode: true, xdp: true, xsk: true, driver: true, mac: true, settings: true } as const;
const HOST_OPTIONS = { objects: true, nics: true, cpus: true, kernel: true, network: true, globals: true, maps: true, applicationBytes: true } as const;
/** What `createTestNic` takes: all of its NIC, and what of its host is not given with the object. */
const ONE_NIC_OPTIONS = { ...NIC_OPTIONS, program: true, seed: true, cpus: true, kernel: true, network: true, globals: true, maps: true, applicationBytes: true } as const;

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
    if (nic === undefined) throw new ProblemError({ code: 'scenario-port', where: name, message: 'there is no such NIC', hint: `use one of: ${[...this.#nics.keys()].join(', ')}` });
    return nic;
  }

  /** All NICs, in the order of hosts and NICs. */
  get nics(): readonly TestNic[] {
    return [...this.#nics.values()];
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
export function createTestNetwork({ hosts, links = [], seed = 1 }: TestNetworkOptions): TestNetwork {
  return new TestNetwork(unwrap(createScenario({
    seed,
    hosts: Object.entries(hosts).map(([name, host]) => hostSpec(name, host)),
    links: links.map((link) => ('between' in link ? { ...IDEAL, ...link, between: [portOf(link.between[0]), portOf(link.between[1])] } : { ...IDEAL, between: [portOf(link[0]), portOf(link[1])] })),
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
  options: TestNicOptions & Omit<TestHostOptions, 'nics' | 'objects' | 'globals' | 'maps'> & {
    readonly program?: string; readonly seed?: number; readonly globals?: Readonly<Record<string, unknown>>; readonly maps?: NonNullable<TestHostOptions['maps']>[string];
  } = {},
): TestNic {
  checkOptionNames('createTestNic', options, ONE_NIC_OPTIONS);
  const { program, seed, globals = {}, maps = {}, cpus, kernel, network, applicationBytes, ...nic } = options;
  const optional = { ...(cpus === undefined ? {} : { cpus }), ...(kernel === undefined ? {} : { kernel }), ...(network === undefined ? {} : { network }), ...(applicationBytes === undefined ? {} : { applicationBytes }) };
  const made = createTestNetwork({
    ...(seed === undefined ? {} : { seed }),
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

function portOf(name: string): { host: string; nic: string } {
  const dot = name.indexOf('.');
  if (dot < 0) throw new ProblemError({ code: 'scenario-port', where: `link of ${name}`, message: 'there is no such NIC', hint: 'write HOST.NIC' });
  return { host: name.slice(0, dot), nic: name.slice(dot + 1) };
}

function hostSpec(name: string, options: TestHostOptions): Omit<HostSpec, 'seed'> {
  checkOptionNames(`host ${name}`, options, HOST_OPTIONS);
  const { objects = {}, nics, kernel, network, globals = {}, maps = {}, applicationBytes = APPLICATION_BYTES } = options;
  if (kernel !== undefined) unwrap(parseKernelRelease(kernel, `host ${name}, kernel`));
  if (!Number.isInteger(applicationBytes) || applicationBytes < 0) throw badOption(`host ${name}, applicationBytes`, applicationBytes, 'a whole number of bytes');
  const specs = Object.entries(nics).map(([nicName, nic], i) => nicSpec(nicName, nic, i + 1, Object.keys(objects)));
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
        for (const [variable, value] of Object.entries(variables)) {
          const done = objectOf(object).setVariable(variable, variableText(value));
          if (!done.ok) return done.problem;
        }
      }
      const interfaces = new Map(specs.map((each) => [each.name, each.settings.ifindex]));
      for (const [object, entries] of Object.entries(maps)) {
        for (const [map, elements] of Object.entries(entries)) {
          const problem = fillMap(objectOf(object), map, plainValue(elements), `map ${map}`, { possibleCpus: cpus, socketCount: sockets.length, interfaces });
          if (problem !== undefined) return problem;
        }
      }
      return undefined;
    },
  };
}

function nicSpec(name: string, options: TestNicOptions, ifindex: number, objects: readonly string[]): HostNicSpec {
  checkOptionNames(`NIC ${name}`, options, NIC_OPTIONS);
  const { profile = 'plain', queues = 1, mtu = 1500, mode, xdp, xsk, driver, mac, settings = {} } = options;
  const found = typeof profile === 'string' ? findProfile(profile) : profile;
  if (found?.rxRing === undefined) throw new ProblemError({ code: 'unknown-nic', where: name, message: `there is no NIC ${String(profile)}`, hint: `use one of: ${PROFILES.map((each) => each.name).join(', ')}` });
  if (mode !== undefined && !XDP_MODES.includes(mode)) throw badOption(`${name}, mode`, mode, `one of: ${XDP_MODES.join(', ')}`);
  if (mac !== undefined && !(mac instanceof Uint8Array && mac.length === 6)) throw badOption(`${name}, mac`, mac, 'six bytes (Uint8Array)');
  const chosen = xdp === undefined ? objects[0] : xdp;
  const program = typeof chosen === 'string' ? { object: chosen } : chosen ?? undefined;
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
  return new ProblemError({ code: 'unknown-object', where, message: `there is no object ${object}`, hint: objects.length === 0 ? 'the host has none: give it `objects`' : `use one of: ${objects.join(', ')}` });
}
