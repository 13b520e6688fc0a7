import { errnoName, ok, unwrap } from '../../../src/base/index.js';
import type { Result } from '../../../src/base/index.js';
import { BATCH_FRAMES, findProfile, nicStatistics } from '../../../src/nic/index.js';
import type { NicSettings, WireBatch } from '../../../src/nic/index.js';
import { BOOT_NS, createHost, PacketOrigins, WIRE_SLOT_BYTES, World } from '../../../src/sim/index.js';
import type { Host, TraceRecord, WireSource } from '../../../src/sim/index.js';
import { ArrayMap, ETH_HLEN, isProgramEntryMap } from '../../../src/vm/index.js';
import type { LoadedObject, ObjectSpec, VariableSpec } from '../../../src/vm/index.js';
import { Outcome, XDP_PASS } from '../../../src/xdp/index.js';
import { returning } from '../../support/xdpProgram.js';
import { comparable, DEVICES, fillMaps, INGRESS, LOOPBACK, movedCounters, variablesOf } from './verdictCases.js';
import type { Arrival, VerdictCase, VerdictOutcome } from './verdictCases.js';

/** Packets come so far apart that each is done before the next. */
const STEP_NS = 1e6;
const OBJECT = 'verdicts';
const PASS = 'pass';
/** A NIC stands in for the loopback device, too; nothing can be sent to it. */
const OTHERS = [...DEVICES, { ...LOOPBACK, mtu: undefined }];

/** The host of `VerdictNet` in the simulator, with one packet for each case. */
export function simulateVerdicts(object: ObjectSpec, cases: readonly VerdictCase[], mtu: number): VerdictOutcome[] {
  const world = new World(new PacketOrigins(1));
  const mode = cases[0]!.mode;
  const host = unwrap(
    createHost({
      name: 'host', seed: 1, cpus: 1, objects: { [OBJECT]: object, [PASS]: returning(XDP_PASS, { frags: true }) }, readsEvents: false,
      nics: [
        { name: INGRESS.name, settings: vethSettings(INGRESS.ifindex, mtu, { xdpMode: mode }), xdp: { object: OBJECT, program: 'verdict' } },
        // A veth can send XDP frames if its peer has a program, a NIC of the model if it has one itself.
        ...OTHERS.map(({ name, ifindex, mtu: own = mtu, hasPeerProgram }) => ({ name, settings: vethSettings(ifindex, own), xdp: hasPeerProgram ? { object: PASS } : undefined })),
      ],
      prepare(objects) {
        fillSimulatedMaps(objects.get(OBJECT)!);
        return undefined;
      },
    }, world),
  );
  for (const { ifindex, isUp } of OTHERS) if (!isUp) host.nics.find(({ nic }) => nic.settings.ifindex === ifindex)!.nic.driver.stopTransmit!();
  const source = new CaseSource(host, cases);
  world.plug(host, host.nics[0]!, source);
  unwrap(world.run(() => {}));
  const outcomes = source.finish();
  const { audit } = host.finish();
  const failed = audit.checks.filter((check) => !check.ok);
  if (failed.length > 0) throw new Error(`simulateVerdicts: ${failed.map(({ name, detail }) => `${name}: ${detail}`).join('; ')}`);
  return outcomes;
}

function vethSettings(ifindex: number, mtu: number, more: Partial<NicSettings> = {}): NicSettings {
  return { profile: findProfile('veth')!, queues: 1, rxRingSize: 256, txRingSize: 256, mtu, interruptDelayNs: 0, ifindex, ...more };
}

function fillSimulatedMaps(loaded: LoadedObject): void {
  fillMaps((name, key, target, program) => {
    const map = loaded.maps.get(name)!;
    if (!isProgramEntryMap(map)) throw new Error(`simulateVerdicts: ${name} has no targets`);
    const error = map.updateEntry(key, target, program === undefined ? undefined : loaded.program(program), 0);
    if (error !== 0) throw new Error(`simulateVerdicts: entry of ${name}: ${errnoName(error)}`);
  });
}

/** Puts the packet of one case after the other on the wire, each with the program's variables set for it, and looks what became of the one before. */
class CaseSource implements WireSource {
  nextNs = BOOT_NS;
  readonly outcomes: VerdictOutcome[] = [];
  readonly #host: Host;
  readonly #cases: readonly VerdictCase[];
  readonly #slot: number;
  readonly #loaded: LoadedObject;
  readonly #programs: ReadonlyMap<number, string>;
  readonly #maps: ReadonlyMap<number, string>;
  #arrivals: Arrival[] = [];
  #traces: TraceRecord[] = [];
  #before: ReadonlyMap<string, number>;
  #next = 0;
  /** Frames of the next case that have been sent, and of all cases. */
  #sent = 0;
  #packets = 0;

  constructor(host: Host, cases: readonly VerdictCase[]) {
    this.#host = host;
    this.#cases = cases;
    this.#slot = host.memory.reserve('wire of the cases', WIRE_SLOT_BYTES);
    this.#loaded = host.objects.get(OBJECT)!;
    this.#programs = new Map(this.#loaded.programs.map(({ id, spec }) => [id, spec.name]));
    this.#maps = new Map([...this.#loaded.maps.values()].map(({ id, spec }) => [id, spec.name]));
    const nameOf = new Map(host.nics.map(({ name, nic }) => [nic.settings.ifindex, name]));
    const { u8 } = host.memory;
    host.state.watcher = {
      onPacketEnd: ({ outcome, address, lenBytes }) => {
        if (outcome === Outcome.stack || outcome === Outcome.cpumap) this.#arrivals.push({ where: 'stack', bytes: u8.slice(address, address + lenBytes) });
      },
      onWire: ({ ifindex, address, lenBytes }) => this.#arrivals.push({ where: nameOf.get(ifindex)!, bytes: u8.slice(address, address + lenBytes) }),
      onTrace: (record) => this.#traces.push(record),
    };
    this.#before = this.#counters();
  }

  take(_untilNs: number, batch: WireBatch): Result<void> {
    if (this.#next > 0 && this.#sent === 0) this.#collect();
    const each = this.#cases[this.#next]!;
    const { frame } = each;
    for (const [name, bytes] of variablesOf(each)) this.#variable(name).set(bytes);
    this.#host.memory.u8.set(frame, this.#slot);
    const { count = 1 } = each;
    batch.count = Math.min(count - this.#sent, BATCH_FRAMES);
    for (let i = 0; i < batch.count; i++) {
      batch.address[i] = this.#slot;
      batch.lenBytes[i] = frame.length;
      batch.packetId[i] = ++this.#packets;
    }
    this.#sent += batch.count;
    if (this.#sent < count) return ok(undefined);
    this.#sent = 0;
    this.#next++;
    this.nextNs = this.#next === this.#cases.length ? Infinity : this.nextNs + STEP_NS;
    return ok(undefined);
  }

  finish(): VerdictOutcome[] {
    this.#collect();
    return this.outcomes;
  }

  #collect(): void {
    const after = this.#counters();
    const number = (name: string): Int32Array => new Int32Array(this.#variable(name).slice().buffer);
    this.outcomes.push(comparable({
      arrivals: this.#arrivals,
      counters: { ...movedCounters(this.#before, after), ...this.#linkCounters() },
      traces: this.#traces,
      moveError: number('move_error')[0]!,
      length: number('length')[0]!,
    }, this.#programs, this.#maps));
    this.#before = after;
    this.#arrivals = [];
    this.#traces = [];
  }

  #counters(): Map<string, number> {
    return new Map(this.#host.nics.flatMap(({ name, nic }) => [...nicStatistics(nic)].map(([counter, value]): [string, number] => [`${name} ${counter}`, value])));
  }

  /**
   * What `ip -s link` would count for the case that has just run. A native veth counts a packet where its NAPI takes it, as an skb without its Ethernet
   * header, else where it is handed over, whole; sent packets are counted by the peer, in the same way, but XDP frames whole.
   */
  #linkCounters(): Record<string, number> {
    const { mode, frame } = this.#cases[this.#next - 1]!;
    const counters: Record<string, number> = { [`${INGRESS.name} link.rx_packets`]: 1, [`${INGRESS.name} link.rx_bytes`]: frame.length - (mode === 'native' ? ETH_HLEN : 0) };
    for (const { where, bytes } of this.#arrivals) {
      if (where === 'stack') continue;
      const peerHasProgram = where === INGRESS.name || DEVICES.some(({ name, hasPeerProgram }) => name === where && hasPeerProgram);
      counters[`${where} link.tx_packets`] = (counters[`${where} link.tx_packets`] ?? 0) + 1;
      counters[`${where} link.tx_bytes`] = (counters[`${where} link.tx_bytes`] ?? 0) + bytes.length - (mode === 'generic' && peerHasProgram ? ETH_HLEN : 0);
    }
    return Object.fromEntries(Object.entries(counters).filter(([, moved]) => moved !== 0));
  }

  /** A live view of a global variable. */
  #variable(name: string): Uint8Array {
    const variable = this.#loaded.spec.variables.find((each: VariableSpec) => each.name === name)!;
    const section = this.#loaded.maps.get(variable.map) as ArrayMap;
    const start = section.valuesAddress + variable.offBytes;
    return this.#host.memory.u8.subarray(start, start + variable.sizeBytes);
  }
}
