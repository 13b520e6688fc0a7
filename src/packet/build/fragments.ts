import { IPV4_FRAGMENT_OFF, IPV4_FRAGMENT_OFFSET_MASK, IPV4_MIN_HEADER_BYTES, IPV4_MORE_FRAGMENTS, IPV4_PROTOCOL_OFF } from '../ipv4.js';
import { IPV6_EXT_MIN_BYTES, IPV6_NEXT_HEADER_OFF } from '../ipv6.js';
import { u16 } from '../header.js';
import { assemble } from './assemble.js';
import type { LayerPlan, PacketPlan } from './assemble.js';
import { DEFINITIONS } from './definitions.js';
import { planLayer } from './layerPlan.js';
import { NO_BYTES } from './definition.js';

const UNIT_BYTES = 8;

/** The fragments of the outermost IP packet of a plan, as plans; the plan itself when the packet fits. */
export function fragmentPlans(plan: PacketPlan, mtuBytes: number, id: number): PacketPlan[] {
  const { layers } = plan;
  const ipIndex = layers.findIndex(({ definition }) => definition?.name === 'ipv4' || definition?.name === 'ipv6');
  if (ipIndex < 0) throw new TypeError('fragments: the packet has no IP header');
  const whole = assemble({ ...plan, trailer: NO_BYTES, minBytes: 0 });
  const ipAt = bytesOf(layers.slice(0, ipIndex));
  if (whole.length - ipAt <= mtuBytes) return [plan];
  return layers[ipIndex]!.definition!.name === 'ipv4' ? ipv4Fragments(plan, ipIndex, whole, ipAt, mtuBytes) : ipv6Fragments(plan, ipIndex, whole, mtuBytes, id);
}

function bytesOf(layers: readonly LayerPlan[]): number {
  return layers.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** Longest payload of a fragment that another one follows. */
function unitsThatFit(mtuBytes: number, headerBytes: number): number {
  const fitting = Math.floor((mtuBytes - headerBytes) / UNIT_BYTES) * UNIT_BYTES;
  if (fitting < UNIT_BYTES) throw new RangeError(`fragments: an MTU of ${mtuBytes} bytes has no room for headers of ${headerBytes} bytes and 8 bytes of payload`);
  return fitting;
}

/** RFC 791 section 3.2. */
function ipv4Fragments(plan: PacketPlan, ipIndex: number, whole: Uint8Array, ipAt: number, mtuBytes: number): PacketPlan[] {
  const ip = plan.layers[ipIndex]!;
  if (ip.fields['dontFragment'] === true) throw new RangeError(`fragments: ${whole.length - ipAt} bytes are more than ${mtuBytes}, and ipv4.dontFragment is set`);
  const startWord = u16(whole, ipAt + IPV4_FRAGMENT_OFF);
  const start = startWord & IPV4_FRAGMENT_OFFSET_MASK;
  const copied = copiedOptions(ip.bytes.subarray(IPV4_MIN_HEADER_BYTES));
  // What follows is bytes now, so its protocol must be said; it may be broken already.
  const breaks = new Map([...ip.breaks].filter(([name]) => name !== 'protocol'));
  const plans: PacketPlan[] = [];
  const payloadAt = ipAt + ip.bytes.length;
  for (let at = payloadAt; at < whole.length; ) {
    const options = at === payloadAt ? ip.bytes.subarray(IPV4_MIN_HEADER_BYTES) : copied;
    const headerBytes = IPV4_MIN_HEADER_BYTES + Math.ceil(options.length / 4) * 4;
    const isLast = headerBytes + whole.length - at <= mtuBytes;
    const end = isLast ? whole.length : at + unitsThatFit(mtuBytes, headerBytes);
    const fields = {
      ...ip.fields,
      protocol: whole[ipAt + IPV4_PROTOCOL_OFF],
      fragmentOffset: start + (at - payloadAt) / UNIT_BYTES,
      moreFragments: !isLast || (startWord & IPV4_MORE_FRAGMENTS) !== 0,
      options,
    };
    plans.push({
      layers: [...plan.layers.slice(0, ipIndex), planLayer(ip.definition!, fields, breaks)],
      payload: whole.slice(at, end), trailer: NO_BYTES, minBytes: plan.minBytes,
    });
    at = end;
  }
  return plans;
}

/** Highest bit of an option's type: it goes into every fragment. */
const OPTION_COPIED = 0x80;
const OPTION_END = 0;
const OPTION_NOP = 1;

function copiedOptions(options: Uint8Array): Uint8Array {
  const copied: number[] = [];
  for (let at = 0; at < options.length && options[at] !== OPTION_END; ) {
    const lengthBytes = options[at] === OPTION_NOP ? 1 : (options[at + 1] ?? 0);
    // A length that makes no sense ends the list.
    if (lengthBytes === 0 || (options[at] !== OPTION_NOP && lengthBytes < 2)) break;
    if ((options[at]! & OPTION_COPIED) !== 0) copied.push(...options.subarray(at, at + lengthBytes));
    at += lengthBytes;
  }
  return Uint8Array.from(copied);
}

/** RFC 8200 section 4.5: the headers up to the last one that nodes on the way look at are in every fragment. */
function ipv6Fragments(plan: PacketPlan, ipIndex: number, whole: Uint8Array, mtuBytes: number, id: number): PacketPlan[] {
  const { layers } = plan;
  let perFragment = ipIndex + 1;
  for (let i = ipIndex + 1; i < layers.length && isExtension(layers[i]!); i++) {
    const name = layers[i]!.definition!.name;
    if (name === 'routing' || (name === 'hopopts' && i === ipIndex + 1)) perFragment = i + 1;
  }
  const outer = layers.slice(0, perFragment);
  const payloadAt = bytesOf(outer);
  const lastAt = payloadAt - outer.at(-1)!.bytes.length;
  const nextHeader = whole[perFragment === ipIndex + 1 ? lastAt + IPV6_NEXT_HEADER_OFF : lastAt];
  const headerBytes = payloadAt - bytesOf(layers.slice(0, ipIndex)) + IPV6_EXT_MIN_BYTES;
  const plans: PacketPlan[] = [];
  for (let at = payloadAt; at < whole.length; ) {
    const isLast = headerBytes + whole.length - at <= mtuBytes;
    const end = isLast ? whole.length : at + unitsThatFit(mtuBytes, headerBytes);
    const fragment = planLayer(DEFINITIONS.fragment, { nextHeader, fragmentOffset: (at - payloadAt) / UNIT_BYTES, moreFragments: !isLast, id });
    plans.push({ layers: [...outer, fragment], payload: whole.slice(at, end), trailer: NO_BYTES, minBytes: plan.minBytes });
    at = end;
  }
  return plans;
}

function isExtension({ definition }: LayerPlan): boolean {
  return definition?.name === 'hopopts' || definition?.name === 'routing' || definition?.name === 'dstopts';
}
