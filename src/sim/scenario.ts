import { catchProblem, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { NicFeature } from '../nic/index.js';
import type { CaptureReader } from '../packet/index.js';
import type { AuditCheck } from './audit.js';
import { BOOT_NS } from './captureClock.js';
import type { CaptureClock } from './captureClock.js';
import { createHost } from './createHost.js';
import type { HostNicSpec, HostSpec } from './createHost.js';
import type { Host, HostNic } from './host.js';
import { InjectedFrames } from './injectedFrames.js';
import { IDEAL_LINK, LinkDirection } from './link/link.js';
import type { LinkCounters, LinkFate, LinkObserver, LinkSettings } from './link/link.js';
import { PacketOrigins } from './packetOrigins.js';
import type { PacketWatcher } from './packetWatcher.js';
import type { RunResult } from './runResult.js';
import { CaptureTraffic } from './traffic.js';
import { World } from './world.js';

/** Links that a packet may cross, unless told. */
export const DEFAULT_MAX_HOPS = 64;

/** A NIC of a scenario. */
export interface PortName {
  readonly host: string;
  readonly nic: string;
}

/** A cable between two NICs. */
export interface LinkSpec extends LinkSettings {
  readonly between: readonly [PortName, PortName];
}

/** A capture that is played to a NIC that has no link. */
export interface TrafficSpec {
  readonly to: PortName;
  readonly reader: CaptureReader;
  /** When its first packet arrives, ns after the start of the scenario; left out: 0. */
  readonly startNs?: number | undefined;
}

/** Hosts, what joins them, and what is sent to them. Equal scenarios give equal results. */
export interface ScenarioSpec {
  readonly seed: number;
  readonly hosts: readonly Omit<HostSpec, 'seed'>[];
  readonly links: readonly LinkSpec[];
  readonly traffic: readonly TrafficSpec[];
  /** Links that a packet may cross: one that goes round in circles ends there. Left out: DEFAULT_MAX_HOPS. */
  readonly maxHops?: number | undefined;
}

/** A frame on a link: the way of a packet from host to host. */
export interface LinkEvent {
  /** `HOST.NIC > HOST.NIC`. */
  readonly link: string;
  readonly fate: LinkFate;
  /** When it was sent, and when it was there, or was lost; virtual ns. */
  readonly sentNs: number;
  readonly tNs: number;
  /** Its number on the sending host, and the one that it got on the receiving host, NO_PACKET if it did not get there. */
  readonly packetId: number;
  readonly arrivedAs: number;
  readonly lenBytes: number;
}

/** Sees everything that goes on in a scenario. */
export interface ScenarioWatcher {
  /** Watches the packets of one host. */
  hostWatcher?(host: Host): PacketWatcher;
  onLinkFrame?(event: LinkEvent): void;
}

/** What a run of a scenario found. */
export interface ScenarioResult {
  /** In the order of the scenario. */
  readonly hosts: readonly { readonly host: Host; readonly result: RunResult }[];
  readonly links: readonly { readonly name: string; readonly settings: LinkSettings; readonly counters: LinkCounters }[];
  /** Packets of the captures. */
  readonly packets: number;
  readonly bytes: number;
  readonly durationNs: number;
  /** What lies between the hosts: each frame that was sent into a link ended there, once. Each host has an audit of its own. */
  readonly linkAudit: { readonly ok: boolean; readonly checks: readonly AuditCheck[] };
}

/** A direction of a link, and the ports at its ends. */
interface Wiring {
  readonly direction: LinkDirection;
  readonly from: HostNic;
  readonly to: HostNic;
}

/** Several hosts, wired. */
export class Scenario {
  readonly hosts: readonly Host[];
  readonly #world: World;
  readonly #wirings: readonly Wiring[];
  readonly #traffic: readonly CaptureTraffic[];
  readonly #observer: LinkWatch;
  readonly #isWired: (port: HostNic) => boolean;
  readonly #injected = new Map<HostNic, InjectedFrames>();

  /** @param parts from `createScenario` */
  constructor(parts: { world: World; wirings: readonly Wiring[]; traffic: readonly CaptureTraffic[]; observer: LinkWatch; isWired(port: HostNic): boolean }) {
    this.hosts = parts.world.hosts;
    this.#world = parts.world;
    this.#wirings = parts.wirings;
    this.#traffic = parts.traffic;
    this.#observer = parts.observer;
    this.#isWired = parts.isWired;
  }

  /** Clock of the first capture: what outputs are stamped with. */
  get clock(): CaptureClock | undefined {
    return this.#traffic[0]?.clock;
  }

  /**
   * Plays all captures, lets everything come to rest, shuts all NICs down and audits. Once per scenario.
   *
   * @param onProgress called now and then with the number of packets of captures so far
   * @returns what happened; Problems: those of captures that are broken, `driver-threw`, `link-overflow`
   */
  run(watcher: ScenarioWatcher = {}, onProgress: (packets: number) => void = () => {}): Result<ScenarioResult> {
    const played = catchProblem(() => this.#play(watcher, onProgress));
    return played.ok ? played.value : played;
  }

  /**
   * Lets everything come to rest, or time go on up to a moment, without an end: for applications and tests that act from outside, as often as they like
   * before `run`.
   *
   * @param forNs virtual time from now on, ns; left out: until nothing is left to happen
   * @returns Problems as of `run`
   */
  settle(forNs?: number): Result<void> {
    const { events } = this.#world;
    const settled = catchProblem(() => this.#world.run(() => {}, forNs === undefined ? Infinity : events.nowNs + forNs));
    return settled.ok ? settled.value : settled;
  }

  /**
   * Puts frames on the wire of a NIC that has no link, each `gapNs` after the one before, from now on. They arrive when time goes on: `settle`.
   *
   * @returns Problems `scenario-port`, `scenario-link` (there is a link, or a capture)
   */
  inject(to: PortName, frames: readonly Uint8Array[], gapNs = 0): Result<void> {
    const end = findPort(this.#world, to);
    if (!end.ok) return end;
    const { host, port } = end.value;
    let injected = this.#injected.get(port);
    if (injected === undefined) {
      if (this.#isWired(port)) return fail({ code: 'scenario-link', where: portText(to), message: 'frames can\'t be put on this wire: there is a link or a capture at this NIC', hint: 'let the NIC at the other end send them' });
      injected = new InjectedFrames(host.memory, this.#world.origins);
      this.#injected.set(port, injected);
      this.#world.plug(host, port, injected);
    }
    frames.forEach((bytes, i) => injected.add(bytes, this.nowNs + i * gapNs));
    return ok(undefined);
  }

  /** Who sees what goes on from now on; `run` takes its own. */
  watch(watcher: ScenarioWatcher): void {
    this.#observer.watcher = watcher;
    for (const host of this.hosts) host.state.watcher = watcher.hostWatcher?.(host) ?? {};
  }

  /** Virtual time, ns since the hosts were booted. */
  get nowNs(): number {
    return this.#world.events.nowNs;
  }

  /** Calls `look` when all that happens until this time has happened, or at the end of the run. It must change nothing. @param tNs since the start of the scenario */
  lookAt(tNs: number, look: () => void): void {
    this.#world.lookAt(BOOT_NS + tNs, look);
  }

  #play(watcher: ScenarioWatcher, onProgress: (packets: number) => void): Result<ScenarioResult> {
    this.#observer.watcher = watcher;
    for (const host of this.hosts) {
      host.state.watcher = watcher.hostWatcher?.(host) ?? {};
      if (this.clock !== undefined) host.state.clock = this.clock;
    }
    const run = this.#world.run(() => onProgress(this.#packets()));
    if (!run.ok) return run;
    const checks = this.#wirings.map(checkWiring);
    return ok({
      hosts: this.hosts.map((host) => ({ host, result: host.finish() })),
      links: this.#wirings.map(({ direction: { name, settings, counters } }) => ({ name, settings, counters })),
      packets: this.#packets(),
      bytes: this.#traffic.reduce((sum, { bytes }) => sum + bytes, 0),
      durationNs: this.#world.events.nowNs - BOOT_NS,
      linkAudit: { ok: checks.every((check) => check.ok), checks },
    });
  }

  #packets(): number {
    return this.#traffic.reduce((sum, { packets }) => sum + packets, 0);
  }
}

/**
 * Builds a scenario. Problems: those of `createHost`, with the host's name, those of captures, and `scenario-name`, `scenario-port`,
 * `scenario-link`.
 */
export function createScenario(spec: ScenarioSpec): Result<Scenario> {
  const built = catchProblem(() => build(spec));
  return built.ok ? built.value : built;
}

function build(spec: ScenarioSpec): Result<Scenario> {
  const wrong = checkNames(spec.hosts);
  if (wrong !== undefined) return wrong;
  const { seed, maxHops = DEFAULT_MAX_HOPS } = spec;
  const peers = vethPeers(spec);
  if (!peers.ok) return peers;
  const world = new World(new PacketOrigins());
  for (const [i, host] of spec.hosts.entries()) {
    const nics = host.nics.map((nic) => withPeer(nic, peers.value.get(nic)));
    const created = createHost({ ...host, nics, seed: seedOf(seed, i) }, world);
    if (!created.ok) return fail({ ...created.problem, where: `host ${host.name}${created.problem.where === undefined ? '' : `, ${created.problem.where}`}` });
  }
  const observer = new LinkWatch(world);
  const isWired = new Set<HostNic>();
  const wirings: Wiring[] = [];
  for (const { between, ...settings } of spec.links) {
    const ends: { host: Host; port: HostNic }[] = [];
    for (const name of between) {
      const end = findPort(world, name);
      if (!end.ok) return end;
      if (isWired.has(end.value.port)) return fail({ code: 'scenario-link', where: portText(name), message: 'there is a link at this NIC already', hint: 'a NIC has one wire' });
      isWired.add(end.value.port);
      ends.push(end.value);
    }
    for (const [from, to] of [[0, 1], [1, 0]] as const) {
      const direction = new LinkDirection({
        name: `${portText(between[from])} > ${portText(between[to])}`, settings: { ...IDEAL_LINK, ...settings }, events: world.events, origins: world.origins,
        from: ends[from].host.memory, to: ends[to].host.memory, seed: seedOf(seed ^ LINK_SEED, wirings.length), maxHops, observer,
      });
      ends[from].port.sink = direction;
      world.plug(ends[to].host, ends[to].port, direction);
      wirings.push({ direction, from: ends[from].port, to: ends[to].port });
    }
  }
  const traffic: CaptureTraffic[] = [];
  for (const { to, reader, startNs = 0 } of spec.traffic) {
    const end = findPort(world, to);
    if (!end.ok) return end;
    const { host, port } = end.value;
    if (isWired.has(port)) return fail({ code: 'scenario-link', where: portText(to), message: 'a capture is to arrive here, but there is a link at this NIC', hint: 'play the capture to another NIC, or take the link away' });
    isWired.add(port);
    const opened = CaptureTraffic.open(host.memory, reader, BOOT_NS + startNs, world.origins);
    if (!opened.ok) return opened;
    world.plug(host, port, opened.value);
    traffic.push(opened.value);
  }
  return ok(new Scenario({ world, wirings, traffic, observer, isWired: (port) => isWired.has(port) }));
}

/** Sets the randomness of links apart from that of hosts. */
const LINK_SEED = 0x6c696e6b;

/** A seed of its own for each; the first has that of the scenario. */
function seedOf(seed: number, index: number): number {
  return (seed + Math.imul(index, 0x85ebca6b)) >>> 0;
}

function portText({ host, nic }: PortName): string {
  return `${host}.${nic}`;
}

function checkNames(hosts: ScenarioSpec['hosts']): Result<never> | undefined {
  const twice = (names: readonly string[]): string | undefined => names.find((name, i) => names.indexOf(name) < i);
  const host = twice(hosts.map(({ name }) => name));
  if (host !== undefined) return fail({ code: 'scenario-name', where: `host ${host}`, message: 'there are two hosts of this name', hint: 'give each its own' });
  for (const { name, nics } of hosts) {
    if (nics.length === 0) return fail({ code: 'scenario-name', where: `host ${name}`, message: 'it has no NIC', hint: 'give it one' });
    const nic = twice(nics.map((each) => each.name));
    if (nic !== undefined) return fail({ code: 'scenario-name', where: `host ${name}`, message: `there are two NICs ${nic}`, hint: 'give each its own name' });
    const ifindexes = nics.map(({ settings }) => String(settings.ifindex));
    const ifindex = twice(ifindexes);
    if (ifindex !== undefined) return fail({ code: 'scenario-name', where: `host ${name}`, message: `there are two NICs with ifindex ${ifindex}`, hint: 'give each its own' });
    const sizes = new Set(nics.map(({ settings }) => settings.profile.frameSizeBytes));
    if (sizes.size > 1 && nics.some(({ driver }) => driver !== undefined)) {
      const list = nics.map(({ settings: { profile } }) => `${profile.name} ${profile.frameSizeBytes}`).join(', ');
      return fail({
        code: 'unsupported-buffer-sizes', where: `host ${name}`, message: `its NICs have receive buffers of several sizes (${list}), but a driver of one's own deals with whole pages only`,
        hint: 'use NICs with buffers of one size on a host',
      });
    }
  }
  return undefined;
}

/**
 * The other end of each veth. A veth pair is a link of its own kind: both ends are veths, and nothing lies between them.
 */
function vethPeers({ hosts, links }: ScenarioSpec): Result<ReadonlyMap<HostNicSpec, HostNicSpec>> {
  const peers = new Map<HostNicSpec, HostNicSpec>();
  const isVeth = ({ settings }: HostNicSpec): boolean => settings.profile.driver === 'veth';
  for (const { between, rateBitsPerS, delayNs, loss, queueFrames } of links) {
    const [a, b] = between.map((end) => hosts.find(({ name }) => name === end.host)?.nics.find(({ name }) => name === end.nic));
    if (a === undefined || b === undefined || (!isVeth(a) && !isVeth(b))) continue;
    const where = `${portText(between[0])} and ${portText(between[1])}`;
    if (!isVeth(a) || !isVeth(b)) return fail({ code: 'scenario-link', where, message: 'the other end of a veth can only be a veth', hint: 'give both the profile veth, or neither' });
    if (rateBitsPerS !== 0 || delayNs !== 0 || loss !== 0 || queueFrames !== undefined) {
      return fail({ code: 'scenario-link', where, message: 'a veth pair has no rate, delay, loss or queue', hint: 'leave them out, or put a link between other NICs into the way' });
    }
    peers.set(a, b);
    peers.set(b, a);
  }
  return ok(peers);
}

function withPeer(nic: HostNicSpec, peer: HostNicSpec | undefined): HostNicSpec {
  if (peer === undefined) return nic;
  const { settings } = nic;
  const features = settings.features ?? [];
  const more: readonly NicFeature[] = peer.settings.queues > settings.queues ? ['many-peer-queues'] : [];
  const hasNativeXdp = peer.xdp !== undefined && (peer.settings.xdpMode ?? 'native') === 'native';
  return { ...nic, settings: { ...settings, peer: { hasNativeXdp }, features: [...features, ...more] } };
}

function findPort(world: World, name: PortName): Result<{ host: Host; port: HostNic }> {
  const host = world.hosts.find((each) => each.name === name.host);
  const port = host?.nics.find((each) => each.name === name.nic);
  if (host !== undefined && port !== undefined) return ok({ host, port });
  const known = world.hosts.flatMap((each) => each.nics.map((nic) => `${each.name}.${nic.name}`)).join(', ');
  return fail({ code: 'scenario-port', where: portText(name), message: 'there is no such NIC', hint: `use one of: ${known}` });
}

/** Conservation between two NICs: what one sent either arrived at the other or was lost for one reason. */
function checkWiring({ direction, from, to }: Wiring): AuditCheck {
  const { frames, delivered, lost, queueFull, hopLimit } = direction.counters;
  const sent = from.nic.device.counters.txPackets;
  const isOk = frames === sent && frames === delivered + lost + queueFull + hopLimit && delivered === to.packets && direction.onTheWay === 0;
  const losses = [[lost, 'lost on the wire'], [queueFull, 'found the queue full'], [hopLimit, 'had crossed too many links']] as const;
  const detail = `${frames} sent, ${delivered} arrived${losses.filter(([count]) => count > 0).map(([count, what]) => `, ${count} ${what}`).join('')}`;
  return {
    name: `link ${direction.name}`,
    ok: isOk,
    detail: isOk ? detail : `${detail}; the NICs count ${sent} sent and ${to.packets} received, ${direction.onTheWay} are on their way`,
  };
}

/** Passes what links tell on to whoever watches the run. */
export class LinkWatch implements LinkObserver {
  watcher: ScenarioWatcher = {};
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  onFrame(direction: LinkDirection, packetId: number, arrivedAs: number, sentNs: number, fate: LinkFate, lenBytes: number): void {
    if (this.watcher.onLinkFrame === undefined) return;
    this.watcher.onLinkFrame({ link: direction.name, fate, sentNs, tNs: this.#world.events.nowNs, packetId, arrivedAs, lenBytes });
  }
}
