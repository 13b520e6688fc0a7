import { describe, expect, it } from 'vitest';
import { FLOW_DISCARD, FLOW_NONE, FlowSteering } from '../../../src/nic/device/flowSteering.js';
import type { FlowRule } from '../../../src/nic/device/flowSteering.js';
import { ParsedFrame, parseFrame } from '../../../src/nic/device/parseFrame.js';
import { parseIpAddress } from '../../../src/packet/index.js';
import * as frames from '../../packet/support/frames.js';
import { fc, prop } from '../../support/property.js';
import { buildFrame, frameSpecs } from './offloadFrames.js';

const QUEUES = 4;
const frame = new ParsedFrame();
const ip = (text: string): { readonly value: Uint8Array } => ({ value: parseIpAddress(text)! });

function steering(...rules: FlowRule[]): FlowSteering {
  const table = new FlowSteering(8, QUEUES);
  for (const rule of rules) expect(table.add(rule)).toMatchObject({ ok: true });
  return table;
}

function match(table: FlowSteering, bytes: Uint8Array, address = 0): number {
  const u8 = Uint8Array.from([...new Uint8Array(address), ...bytes]);
  parseFrame(u8, address, bytes.length, frame);
  return table.match(u8, address, frame);
}

const problemCode = (table: FlowSteering, rule: FlowRule): string | undefined => {
  const result = table.add(rule);
  return result.ok ? undefined : result.problem.code;
};

describe('match', () => {
  it.each<[string, FlowRule, Uint8Array, boolean]>([
    ['udp4 by port', { flowType: 'udp4', destinationPort: { value: 53 }, action: 2 }, frames.udpDatagram, true],
    ['udp4 by another port', { flowType: 'udp4', destinationPort: { value: 54 }, action: 2 }, frames.udpDatagram, false],
    ['udp4 by masked port', { flowType: 'udp4', sourcePort: { value: 5353 & 0xff00, mask: 0xff00 }, action: 2 }, frames.udpDatagram, true],
    ['tcp4 for UDP', { flowType: 'tcp4', destinationPort: { value: 53 }, action: 2 }, frames.udpDatagram, false],
    ['udp4 for a fragment', { flowType: 'udp4', action: 2 }, frames.firstFragment, false],
    ['ip4 for a fragment', { flowType: 'ip4', action: 2 }, frames.firstFragment, true],
    ['tcp4 behind IPv4 options', { flowType: 'tcp4', destinationPort: { value: 443 }, action: 2 }, frames.tcpSyn, true],
    ['all four of them', { flowType: 'udp4', sourceIp: ip('10.0.0.1'), destinationIp: ip('10.0.0.2'), sourcePort: { value: 5353 }, destinationPort: { value: 53 }, action: 2 }, frames.udpDatagram, true],
    ['source and destination swapped', { flowType: 'udp4', sourceIp: ip('10.0.0.2'), destinationIp: ip('10.0.0.1'), action: 2 }, frames.udpDatagram, false],
    ['a network', { flowType: 'ip4', sourceIp: { value: Uint8Array.of(10, 9, 9, 9), mask: Uint8Array.of(255, 0, 0, 0) }, action: 2 }, frames.icmpEcho, true],
    ['ip4 by protocol', { flowType: 'ip4', l4Protocol: { value: 1 }, action: 2 }, frames.icmpEcho, true],
    ['ip4 by another protocol', { flowType: 'ip4', l4Protocol: { value: 2 }, action: 2 }, frames.icmpEcho, false],
    ['ip4 for IPv6', { flowType: 'ip4', action: 2 }, frames.tcpSegment, false],
    ['tcp6', { flowType: 'tcp6', sourceIp: ip('2001:db8::1'), destinationIp: ip('2001:db8::2'), destinationPort: { value: 80 }, action: 2 }, frames.tcpSegment, true],
    ['tcp6 from elsewhere', { flowType: 'tcp6', sourceIp: ip('2001:db8::3'), action: 2 }, frames.tcpSegment, false],
    ['sctp4', { flowType: 'sctp4', action: 2 }, frames.sctp, true],
    ['VLAN 100 of any priority', { flowType: 'udp4', vlanTci: { value: 100, mask: 0xfff }, action: 2 }, frames.vlanTagged, true],
    ['VLAN 100 of priority 0', { flowType: 'udp4', vlanTci: { value: 100 }, action: 2 }, frames.vlanTagged, false],
    ['VLAN 0 without a tag', { flowType: 'udp4', vlanTci: { value: 0 }, action: 2 }, frames.udpDatagram, false],
    ['ether by type', { flowType: 'ether', etherType: { value: 0x88cc }, action: 2 }, frames.lldp, true],
    ['ether by addresses', { flowType: 'ether', sourceMac: { value: Uint8Array.of(2, 0, 0, 0, 0, 1) }, destinationMac: { value: Uint8Array.of(2, 0, 0, 0, 0, 2) }, action: 2 }, frames.udpDatagram, true],
    ['ether by another address', { flowType: 'ether', sourceMac: { value: Uint8Array.of(2, 0, 0, 0, 0, 2) }, action: 2 }, frames.udpDatagram, false],
  ])('%s', (_, rule, bytes, isMatch) => {
    const table = steering(rule);
    expect([match(table, bytes), match(table, bytes, 3)]).toEqual(isMatch ? [2, 2] : [FLOW_NONE, FLOW_NONE]);
  });

  it('the lowest location wins, and a rule may discard', () => {
    const table = steering({ flowType: 'ip4', action: 1, location: 5 }, { flowType: 'udp4', action: FLOW_DISCARD, location: 2 });
    expect([match(table, frames.udpDatagram), match(table, frames.icmpEcho), match(table, frames.lldp)]).toEqual([FLOW_DISCARD, 1, FLOW_NONE]);
  });

  prop([frameSpecs, fc.nat()])('a rule made of a frame matches it, and not the frame with one bit of the tuple flipped', (spec, draw) => {
    const { bytes, l3Start, l4Start } = buildFrame(spec);
    const addressBytes = spec.isIpv6 ? 16 : 4;
    const addresses = l3Start + (spec.isIpv6 ? 8 : 12);
    const port = (at: number): { readonly value: number } => ({ value: (bytes[at] << 8) | bytes[at + 1] });
    const table = steering({
      flowType: `${spec.protocol === 6 ? 'tcp' : 'udp'}${spec.isIpv6 ? 6 : 4}`,
      sourceIp: { value: bytes.slice(addresses, addresses + addressBytes) },
      destinationIp: { value: bytes.slice(addresses + addressBytes, addresses + 2 * addressBytes) },
      sourcePort: port(l4Start),
      destinationPort: port(l4Start + 2),
      action: 3,
    });
    expect(match(table, bytes)).toBe(3);
    const bit = draw % ((addressBytes * 2 + 4) * 8);
    const byte = bit >> 3;
    bytes[byte < addressBytes * 2 ? addresses + byte : l4Start + byte - addressBytes * 2] ^= 1 << (bit & 7);
    expect(match(table, bytes)).toBe(FLOW_NONE);
  });
});

describe('the table', () => {
  const any: FlowRule = { flowType: 'ip4', action: 0 };

  it('fills from its end, and is full at its capacity', () => {
    const table = new FlowSteering(2, QUEUES);
    expect([table.add(any), table.add(any)]).toEqual([{ ok: true, value: 1 }, { ok: true, value: 0 }]);
    expect(table.add(any)).toMatchObject({ ok: false, problem: { code: 'flow-table-full', message: expect.stringContaining('ENOSPC') } });
    expect([table.delete(1).ok, table.count, table.add(any)]).toEqual([true, 1, { ok: true, value: 1 }]);
  });

  it('replaces the rule at a location that is taken, also when it is full', () => {
    const table = new FlowSteering(1, QUEUES);
    const other: FlowRule = { flowType: 'udp4', action: 1, location: 0 };
    expect([table.add(any).ok, table.add(other).ok]).toEqual([true, true]);
    expect(table.list()).toEqual([{ location: 0, rule: other }]);
  });

  it('lists by location', () => {
    const table = steering({ ...any, location: 4 }, { ...any, location: 1 }, any);
    expect(table.list().map(({ location }) => location)).toEqual([1, 4, 7]);
  });

  it('a rule that is not there cannot be deleted', () => {
    expect(steering(any).delete(0)).toMatchObject({ ok: false, problem: { code: 'flow-not-found', message: expect.stringContaining('ENOENT') } });
  });

  it('a device may have none', () => {
    expect(new FlowSteering(0, QUEUES).add(any)).toMatchObject({ ok: false, problem: { code: 'flow-unsupported' } });
  });

  it.each<[string, FlowRule, string]>([
    ['a queue that is not there', { ...any, action: QUEUES }, 'flow-queue'],
    ['a negative queue', { ...any, action: -2 }, 'flow-queue'],
    ['half a queue', { ...any, action: 0.5 }, 'flow-queue'],
    ['a location behind the table', { ...any, location: 8 }, 'flow-location'],
    ['a negative location', { ...any, location: -1 }, 'flow-location'],
    ['an address of the other family', { ...any, sourceIp: ip('2001:db8::1') }, 'flow-field'],
    ['a mask of another length', { ...any, sourceIp: { value: new Uint8Array(4), mask: new Uint8Array(3) } }, 'flow-field'],
    ['ports of ip4', { ...any, sourcePort: { value: 1 } }, 'flow-field'],
    ['l4proto of tcp4', { flowType: 'tcp4', l4Protocol: { value: 6 }, action: 0 }, 'flow-field'],
    ['addresses of ether', { flowType: 'ether', sourceIp: ip('10.0.0.1'), action: 0 }, 'flow-field'],
    ['MAC addresses of tcp6', { flowType: 'tcp6', sourceMac: { value: new Uint8Array(6) }, action: 0 }, 'flow-field'],
    ['a port out of range', { flowType: 'tcp4', sourcePort: { value: 65536 }, action: 0 }, 'flow-field'],
    ['a mask out of range', { flowType: 'tcp4', sourcePort: { value: 1, mask: -1 }, action: 0 }, 'flow-field'],
    ['an unknown flow type', { flowType: 'esp4' as 'ip4', action: 0 }, 'flow-field'],
  ])('%s is refused (EINVAL) and changes nothing', (_, rule, code) => {
    const table = steering();
    expect(problemCode(table, rule)).toBe(code);
    expect(table.count).toBe(0);
  });
});
