import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { PACKET_IPV4, PACKET_IPV6, PACKET_SCTP, PACKET_TCP, PACKET_UDP } from './batch.js';
import { NO_VLAN_TAG } from './vlan.js';
import type { ParsedFrame } from './parseFrame.js';

/** Flow types of `ethtool -N DEV flow-type …`. */
export type FlowType = 'ether' | 'ip4' | 'tcp4' | 'udp4' | 'sctp4' | 'ip6' | 'tcp6' | 'udp6' | 'sctp6';

/**
 * A field to compare, in network order. Bits that are 1 in the mask count, as in struct ethtool_rx_flow_spec; without a mask all do. (The
 * masks on ethtool's command line are the other way round.)
 */
export interface FlowField {
  readonly value: Uint8Array;
  readonly mask?: Uint8Array;
}

/** A number to compare, with its mask as in `FlowField`. */
export interface FlowNumber {
  readonly value: number;
  readonly mask?: number;
}

/** Discards the frame (RX_CLS_FLOW_DISC; `action -1`). */
export const FLOW_DISCARD = -1;
/** No rule matches; RSS chooses the queue. */
export const FLOW_NONE = -2;

/** A rule: frames of its type that agree in all its fields go to a queue. */
export interface FlowRule {
  readonly flowType: FlowType;
  /** `src` and `dst` of flow type ether, 6 bytes. */
  readonly sourceMac?: FlowField;
  readonly destinationMac?: FlowField;
  /** `proto` of flow type ether. */
  readonly etherType?: FlowNumber;
  /** `src-ip` and `dst-ip`, 4 or 16 bytes. */
  readonly sourceIp?: FlowField;
  readonly destinationIp?: FlowField;
  /** `l4proto` of flow types ip4 and ip6. */
  readonly l4Protocol?: FlowNumber;
  /** `src-port` and `dst-port` of tcp, udp and sctp. */
  readonly sourcePort?: FlowNumber;
  readonly destinationPort?: FlowNumber;
  /** `vlan`: tag control information of the outer tag. A frame without a tag doesn't match. */
  readonly vlanTci?: FlowNumber;
  /** Queue, or FLOW_DISCARD. */
  readonly action: number;
  /** `loc`: place in the table; the lowest that matches wins. Left out: the highest free place, as ethtool chooses. */
  readonly location?: number;
}

/** Comparison of one byte: base, offset, mask, value. */
const TEST_WORDS = 4;
const BASE_FRAME = 0;
const BASE_L3 = 1;
const BASE_L4 = 2;

/** A rule as `match` wants it. */
interface CompiledRule {
  readonly rule: FlowRule;
  readonly location: number;
  /** PACKET_* bits that the frame must have. */
  readonly packetType: number;
  readonly vlanMask: number;
  readonly vlanTci: number;
  readonly protocolMask: number;
  readonly protocol: number;
  readonly etherTypeMask: number;
  readonly etherType: number;
  /** Rows of TEST_WORDS numbers. */
  readonly tests: Int32Array;
  readonly action: number;
}

const PACKET_TYPE: Readonly<Record<FlowType, number>> = {
  ether: 0,
  ip4: PACKET_IPV4,
  tcp4: PACKET_IPV4 | PACKET_TCP,
  udp4: PACKET_IPV4 | PACKET_UDP,
  sctp4: PACKET_IPV4 | PACKET_SCTP,
  ip6: PACKET_IPV6,
  tcp6: PACKET_IPV6 | PACKET_TCP,
  udp6: PACKET_IPV6 | PACKET_UDP,
  sctp6: PACKET_IPV6 | PACKET_SCTP,
};

/** Of a FlowRule. A field that is misspelt would match everything. */
const FIELDS: readonly string[] = [
  'flowType', 'sourceMac', 'destinationMac', 'etherType', 'sourceIp', 'destinationIp', 'l4Protocol', 'sourcePort', 'destinationPort', 'vlanTci', 'action', 'location',
] satisfies (keyof FlowRule)[];

/** Flow steering (n-tuple rules, `ethtool -N`): rules that choose a frame's queue before RSS does. */
export class FlowSteering {
  readonly capacity: number;
  readonly #queues: number;
  /** In the order of their locations. */
  #rules: readonly CompiledRule[] = [];

  /** @param capacity rules that fit, 0 for a device without flow steering */
  constructor(capacity: number, queues: number) {
    this.capacity = capacity;
    this.#queues = queues;
  }

  get count(): number {
    return this.#rules.length;
  }

  /** The rules by location. */
  list(): { readonly location: number; readonly rule: FlowRule }[] {
    return this.#rules.map(({ location, rule }) => ({ location, rule }));
  }

  /** `ethtool -N DEV flow-type …`: gives the rule's location. A rule that is there already is replaced. */
  add(rule: FlowRule): Result<number> {
    if (this.capacity === 0) {
      return fail({
        code: 'flow-unsupported',
        message: 'the device has no flow steering (EOPNOTSUPP)',
        hint: 'choose a NIC that has flow rules, or spread by RSS',
      });
    }
    const location = rule.location ?? this.#freeLocation();
    if (location === undefined) {
      return fail({
        code: 'flow-table-full',
        message: `all ${this.capacity} flow rules of the device are in use (ENOSPC)`,
        hint: 'delete a rule, or name the location of one to replace',
      });
    }
    const problem = this.#checkPlace(location, rule.action) ?? checkFields(rule);
    if (problem !== undefined) return fail(problem);
    const others = this.#rules.filter((other) => other.location !== location);
    this.#rules = [...others, compile(rule, location)].sort((a, b) => a.location - b.location);
    return ok(location);
  }

  /** `ethtool -N DEV delete LOC`. */
  delete(location: number): Result<void> {
    const rest = this.#rules.filter((rule) => rule.location !== location);
    if (rest.length === this.#rules.length) {
      return fail({ code: 'flow-not-found', message: `there is no flow rule at location ${location} (ENOENT)`, hint: 'name the location of a rule that is there' });
    }
    this.#rules = rest;
    return ok(undefined);
  }

  /** Queue that a rule gives the frame, FLOW_DISCARD, or FLOW_NONE. */
  match(u8: Uint8Array, address: number, frame: ParsedFrame): number {
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) if (isMatch(rules[i], u8, address, frame)) return rules[i].action;
    return FLOW_NONE;
  }

  /** ethtool's rmgr begins at the end of the table, where the priority is lowest. */
  #freeLocation(): number | undefined {
    for (let location = this.capacity - 1; location >= 0; location--) {
      if (!this.#rules.some((rule) => rule.location === location)) return location;
    }
    return undefined;
  }

  #checkPlace(location: number, action: number): Problem | undefined {
    if (!Number.isInteger(location) || location < 0 || location >= this.capacity) {
      return {
        code: 'flow-location',
        message: `location ${location} is outside of the device's ${this.capacity} flow rules (EINVAL)`,
        hint: `choose one from 0 to ${this.capacity - 1}`,
      };
    }
    if (action === FLOW_DISCARD || (Number.isInteger(action) && action >= 0 && action < this.#queues)) return undefined;
    return {
      code: 'flow-queue',
      message: `action ${action} is no queue: there are queues 0 to ${this.#queues - 1} (EINVAL)`,
      hint: `name one of them, or ${FLOW_DISCARD} to discard`,
    };
  }
}

function isMatch(rule: CompiledRule, u8: Uint8Array, address: number, frame: ParsedFrame): boolean {
  if ((frame.packetType & rule.packetType) !== rule.packetType) return false;
  if (rule.vlanMask !== 0 && (frame.vlanTci === NO_VLAN_TAG || (frame.vlanTci & rule.vlanMask) !== rule.vlanTci)) return false;
  if (rule.etherTypeMask !== 0 && (frame.etherType & rule.etherTypeMask) !== rule.etherType) return false;
  if (rule.protocolMask !== 0 && (frame.protocol & rule.protocolMask) !== rule.protocol) return false;
  const { tests } = rule;
  for (let i = 0; i < tests.length; i += TEST_WORDS) {
    const base = tests[i] === BASE_FRAME ? address : address + (tests[i] === BASE_L3 ? frame.l3Start : frame.l4Start);
    if ((u8[base + tests[i + 1]] & tests[i + 2]) !== tests[i + 3]) return false;
  }
  return true;
}

function compile(rule: FlowRule, location: number): CompiledRule {
  const isIpv6 = (PACKET_TYPE[rule.flowType] & PACKET_IPV6) !== 0;
  const tests = [
    ...bytesTests(BASE_FRAME, 0, rule.destinationMac),
    ...bytesTests(BASE_FRAME, 6, rule.sourceMac),
    ...bytesTests(BASE_L3, isIpv6 ? 8 : 12, rule.sourceIp),
    ...bytesTests(BASE_L3, isIpv6 ? 24 : 16, rule.destinationIp),
    ...bytesTests(BASE_L4, 0, portField(rule.sourcePort)),
    ...bytesTests(BASE_L4, 2, portField(rule.destinationPort)),
  ];
  const [vlanMask, vlanTci] = maskedNumber(rule.vlanTci, 0xffff);
  const [protocolMask, protocol] = maskedNumber(rule.l4Protocol, 0xff);
  const [etherTypeMask, etherType] = maskedNumber(rule.etherType, 0xffff);
  const packetType = PACKET_TYPE[rule.flowType];
  return {
    rule, location, packetType, vlanMask, vlanTci, protocolMask, protocol, etherTypeMask, etherType, tests: Int32Array.from(tests.flat()), action: rule.action,
  };
}

function bytesTests(base: number, offBytes: number, field: FlowField | undefined): number[][] {
  if (field === undefined) return [];
  return Array.from(field.value, (value, i) => {
    const mask = field.mask?.[i] ?? 0xff;
    return [base, offBytes + i, mask, value & mask];
  }).filter(([, , mask]) => mask !== 0);
}

function portField(port: FlowNumber | undefined): FlowField | undefined {
  if (port === undefined) return undefined;
  const mask = port.mask ?? 0xffff;
  return { value: Uint8Array.of(port.value >>> 8, port.value), mask: Uint8Array.of(mask >>> 8, mask) };
}

function maskedNumber(field: FlowNumber | undefined, all: number): [mask: number, value: number] {
  if (field === undefined) return [0, 0];
  const mask = field.mask ?? all;
  return [mask, field.value & mask];
}

/** Which fields a flow type has, and that they are as long or as large as can be. */
function checkFields(rule: FlowRule): Problem | undefined {
  const { flowType } = rule;
  if (!Object.hasOwn(PACKET_TYPE, flowType)) return fieldProblem(`there is no flow type ${String(flowType)}`, `choose one of ${Object.keys(PACKET_TYPE).join(', ')}`);
  const unknown = Object.keys(rule).find((name) => !FIELDS.includes(name));
  if (unknown !== undefined) return fieldProblem(`a flow rule has no field ${unknown}`, `use some of: ${FIELDS.join(', ')}`);
  const isEther = flowType === 'ether';
  const isIp = flowType === 'ip4' || flowType === 'ip6';
  const ipBytes = flowType.endsWith('6') ? 16 : 4;
  return checkBytes('src', rule.sourceMac, 6, isEther, flowType)
    ?? checkBytes('dst', rule.destinationMac, 6, isEther, flowType)
    ?? checkBytes('src-ip', rule.sourceIp, ipBytes, !isEther, flowType)
    ?? checkBytes('dst-ip', rule.destinationIp, ipBytes, !isEther, flowType)
    ?? checkNumber('proto', rule.etherType, 0xffff, isEther, flowType)
    ?? checkNumber('l4proto', rule.l4Protocol, 0xff, isIp, flowType)
    ?? checkNumber('src-port', rule.sourcePort, 0xffff, !isEther && !isIp, flowType)
    ?? checkNumber('dst-port', rule.destinationPort, 0xffff, !isEther && !isIp, flowType)
    ?? checkNumber('vlan', rule.vlanTci, 0xffff, true, flowType);
}

function checkBytes(name: string, field: FlowField | undefined, lenBytes: number, isAllowed: boolean, flowType: FlowType): Problem | undefined {
  if (field === undefined) return undefined;
  if (!isAllowed) return notOfType(name, flowType);
  if (!(field.value instanceof Uint8Array) || !(field.mask === undefined || field.mask instanceof Uint8Array)) return fieldProblem(`${name} has no value, or a mask, of bytes`, `give { value: Uint8Array.of(…) }, ${lenBytes} bytes`);
  for (const part of [field.value, field.mask]) {
    if (part !== undefined && part.length !== lenBytes) return fieldProblem(`${name} of flow type ${flowType} has ${part.length} bytes`, `give ${lenBytes} bytes`);
  }
  return undefined;
}

function checkNumber(name: string, field: FlowNumber | undefined, max: number, isAllowed: boolean, flowType: FlowType): Problem | undefined {
  if (field === undefined) return undefined;
  if (!isAllowed) return notOfType(name, flowType);
  for (const part of [field.value, field.mask ?? 0]) {
    if (!Number.isInteger(part) || part < 0 || part > max) return fieldProblem(`${name} ${part} is out of range`, `give a number from 0 to ${max}`);
  }
  return undefined;
}

function notOfType(name: string, flowType: FlowType): Problem {
  return fieldProblem(`flow type ${flowType} has no ${name}`, 'leave it out, or choose a flow type that has it');
}

function fieldProblem(message: string, hint: string): Problem {
  return { code: 'flow-field', message: `${message} (EINVAL)`, hint };
}
