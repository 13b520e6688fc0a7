import { ETHERTYPE_QINQ } from '../ethernet.js';
import type { HeaderName } from '../header.js';
import { layerKey } from '../decode.js';
import { describePacket } from '../summarize.js';
import type { ArpFields } from './arp.js';
import { assemble, BREAK } from './assemble.js';
import type { Breaking, LayerPlan, PacketPlan } from './assemble.js';
import { NO_BYTES } from './definition.js';
import type { FieldValues, HeaderDefinition } from './definition.js';
import { DEFINITIONS } from './definitions.js';
import type { ComputedPath, HeaderFields, HeaderKey } from './definitions.js';
import type { EthernetFields } from './ethernet.js';
import { fragmentPlans } from './fragments.js';
import type { GeneveFields } from './geneve.js';
import type { GreFields } from './gre.js';
import type { IcmpFields, Icmpv6Fields } from './icmp.js';
import type { Ipv4Fields } from './ipv4.js';
import type { Ipv6Fields } from './ipv6.js';
import type { AuthenticationFields, FragmentFields, Ipv6OptionsFields, RoutingFields } from './ipv6Extensions.js';
import { planLayer } from './layerPlan.js';
import type { MplsFields } from './mpls.js';
import type { SctpChunkFields, SctpFields } from './sctp.js';
import type { AfterEthernet, AnyStep, FragmentOptions, PayloadInput } from './steps.js';
import type { TcpFields } from './tcp.js';
import type { UdpFields } from './udp.js';
import type { VlanFields } from './vlan.js';
import type { VxlanFields } from './vxlan.js';

const ETHERNET_MIN_BYTES = 60;

const UTF8 = new TextEncoder();

const EMPTY: PacketPlan = { layers: [], payload: NO_BYTES, trailer: NO_BYTES, minBytes: 0 };

/** All steps in one: which of its methods may be called where is what the types of steps.ts say. */
class PacketBuilder {
  readonly #plan: PacketPlan;

  constructor(plan: PacketPlan) {
    this.#plan = plan;
  }

  ethernet(fields: EthernetFields = {}): this { return this.#add('eth', fields); }
  vlan(fields: VlanFields = {}): this { return this.#add('vlan', fields); }
  qinq(fields: VlanFields = {}): this { return this.#add('vlan', { tpid: ETHERTYPE_QINQ, ...fields }); }
  arp(fields: ArpFields = {}): this { return this.#add('arp', fields); }
  ipv4(fields: Ipv4Fields = {}): this { return this.#add('ipv4', fields); }
  ipv6(fields: Ipv6Fields = {}): this { return this.#add('ipv6', fields); }
  hopByHop(fields: Ipv6OptionsFields = {}): this { return this.#add('hopopts', fields); }
  destinationOptions(fields: Ipv6OptionsFields = {}): this { return this.#add('dstopts', fields); }
  routing(fields: RoutingFields = {}): this { return this.#add('routing', fields); }
  fragment(fields: FragmentFields = {}): this { return this.#add('fragment', fields); }
  authentication(fields: AuthenticationFields = {}): this { return this.#add('ah', fields); }
  tcp(fields: TcpFields = {}): this { return this.#add('tcp', fields); }
  udp(fields: UdpFields = {}): this { return this.#add('udp', fields); }
  icmp(fields: IcmpFields = {}): this { return this.#add('icmp', fields); }
  icmpv6(fields: Icmpv6Fields = {}): this { return this.#add('icmpv6', fields); }
  sctp(fields: SctpFields = {}): this { return this.#add('sctp', fields); }
  chunk(fields: SctpChunkFields = {}): this { return this.#add('chunk', fields); }
  gre(fields: GreFields = {}): this { return this.#add('gre', fields); }
  vxlan(fields: VxlanFields = {}): this { return this.#add('vxlan', fields); }
  geneve(fields: GeneveFields = {}): this { return this.#add('geneve', fields); }
  mpls(fields: MplsFields = {}): this { return this.#add('mpls', fields); }

  raw(bytes: Uint8Array): this {
    return this.#append({ definition: undefined, fields: {}, bytes: bytes.slice(), breaks: new Map() });
  }

  payload(data: PayloadInput): this {
    return this.#with({ payload: payloadBytes(data) });
  }

  trailer(bytes: Uint8Array): this {
    return this.#with({ trailer: bytes.slice() });
  }

  pad(minBytes: number = ETHERNET_MIN_BYTES): this {
    return this.#with({ minBytes });
  }

  set<Name extends HeaderName>(header: HeaderKey<Name>, fields: { readonly [F in keyof HeaderFields[Name]]?: HeaderFields[Name][F] | undefined }): this {
    const { index, layer, definition } = this.#find(header);
    return this.#replace(index, planLayer(definition, { ...layer.fields, ...(fields as FieldValues) }, layer.breaks));
  }

  break(field: ComputedPath, change: Breaking = BREAK): this {
    const dot = field.indexOf('.');
    const name = field.slice(dot + 1);
    const { index, layer, definition } = this.#find(field.slice(0, dot));
    if (!definition.computed.some((computed) => computed.name === name)) {
      throw new RangeError(`break: ${field} is not computed; ${definition.computed.map((computed) => `${definition.name}.${computed.name}`).join(', ')} are`);
    }
    if (layer.fields[name] !== undefined) throw new RangeError(`break: ${field} was given a value`);
    return this.#replace(index, { ...layer, breaks: new Map([...layer.breaks, [name, change]]) });
  }

  build(): Uint8Array {
    return assemble(this.#plan);
  }

  toString(): string {
    try {
      return describePacket(this.build());
    } catch (error) {
      return `a packet that can't be built: ${(error as Error).message}`;
    }
  }

  fragments(mtuBytes: number, options: FragmentOptions = {}): Uint8Array[] {
    return fragmentPlans(this.#plan, mtuBytes, options.id ?? 1).map(assemble);
  }

  #add(name: HeaderName, fields: object): this {
    return this.#append(planLayer(DEFINITIONS[name], fields as FieldValues));
  }

  #append(layer: LayerPlan): this {
    const { layers, payload } = this.#plan;
    if (payload.length > 0) throw new TypeError(`${nameOf(layer)} can't follow payload`);
    const last = layers.at(-1);
    if (last?.definition !== undefined && layer.definition !== undefined && !mayFollow(last.definition, layer.definition)) {
      throw new TypeError(`${nameOf(layer)} can't follow ${nameOf(last)}; to have it there all the same, put raw(new Uint8Array(0)) between them`);
    }
    return this.#with({ layers: [...layers, layer] });
  }

  #find(key: string): { index: number; layer: LayerPlan; definition: HeaderDefinition } {
    const headers = this.#plan.layers.flatMap((layer, index) => (layer.definition === undefined ? [] : [{ index, layer, definition: layer.definition }]));
    const names = headers.map(({ definition }) => ({ name: definition.name }));
    const keys = names.map((_, i) => layerKey(names, i));
    const found = headers[keys.indexOf(key.replace(/#1$/, ''))];
    if (found === undefined) throw new RangeError(`the packet has no ${key}; it has ${keys.join(', ')}`);
    return found;
  }

  #replace(index: number, layer: LayerPlan): this {
    return this.#with({ layers: this.#plan.layers.with(index, layer) });
  }

  #with(part: Partial<PacketPlan>): this {
    return new PacketBuilder({ ...this.#plan, ...part }) as this;
  }
}

function nameOf({ definition }: LayerPlan): string {
  return definition?.name ?? 'raw';
}

/** Whether `previous` has a way to say that `next` follows. */
function mayFollow(previous: HeaderDefinition, next: HeaderDefinition): boolean {
  switch (previous.announces) {
    case 'etherType': return next.etherType !== undefined;
    case 'ipProtocol': return next.ipProtocol !== undefined;
    case 'udpPort': return next.udpPort !== undefined;
    case 'frame': return next.name === 'eth';
    case 'label': return next.name === 'mpls' || next.name === 'ipv4' || next.name === 'ipv6';
    case 'chunk': return next.name === 'chunk';
    case 'nothing': return false;
  }
}

function payloadBytes(data: PayloadInput): Uint8Array {
  if (typeof data === 'string') return UTF8.encode(data);
  if (typeof data === 'number') return Uint8Array.from({ length: data }, (_, i) => i);
  if (!(data instanceof Uint8Array)) throw new TypeError('payload takes a text, bytes (Uint8Array), or a number of bytes');
  return data.slice();
}

/**
 * Begins a packet with an Ethernet header.
 *
 * @throws TypeError for a value of the wrong kind or a field that doesn't exist, RangeError for a number that doesn't fit; so does every step after it
 * @example
 * const frame = ethernet().ipv4({ dst: '10.0.0.9', ttl: 3 }).udp({ dst: 53 }).payload('hello').build();
 */
export function ethernet(fields: EthernetFields = {}): AfterEthernet {
  return new PacketBuilder(EMPTY).ethernet(fields);
}

/**
 * Begins a packet with any bytes; any header may follow.
 *
 * @throws TypeError for what is no Uint8Array
 * @example
 * const frame = raw(Uint8Array.of(1, 2, 3)).ipv4().udp().build();
 */
export function raw(bytes: Uint8Array): AnyStep {
  return new PacketBuilder(EMPTY).raw(bytes);
}

/** A builder of a plan that was made elsewhere in this folder. */
export function builderOf(plan: PacketPlan): AnyStep {
  return new PacketBuilder(plan);
}
