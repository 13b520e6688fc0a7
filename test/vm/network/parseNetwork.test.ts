import { describe, expect, it } from 'vitest';
import { toHex } from '../../../src/base/index.js';
import { formatIpv6, parseIpAddress } from '../../../src/packet/index.js';
import { parseNetwork } from '../../../src/vm/index.js';
import { fc, prop } from '../../support/property.js';

describe('addresses', () => {
  it.each([
    ['192.0.2.1', 'c0000201'],
    ['0.0.0.0', '00000000'],
    ['::', '00'.repeat(16)],
    ['::1', `${'00'.repeat(15)}01`],
    ['2001:DB8::a', `20010db8${'00'.repeat(11)}0a`],
    ['1:2:3:4:5:6:7:8', '00010002000300040005000600070008'],
    ['1:2:3:4:5:6:7::', '00010002000300040005000600070000'],
    ['::ffff:192.0.2.1', `${'00'.repeat(10)}ffffc0000201`],
    ['64:ff9b::192.0.2.1', `0064ff9b${'00'.repeat(8)}c0000201`],
  ])('%s', (text, hex) => expect(toHex(parseIpAddress(text)!)).toBe(hex));

  it.each(['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.-4', ':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', '::1.2.3', '1.2.3.4::', 'fe80::1%eth0', '::g'])(
    'not %s', (text) => expect(parseIpAddress(text)).toBeUndefined(),
  );

  prop([fc.uint8Array({ minLength: 16, maxLength: 16 })])('read what is written', (bytes) => {
    expect(parseIpAddress(formatIpv6(bytes, 0))).toEqual(bytes);
    expect(parseIpAddress(bytes.subarray(0, 4).join('.'))).toEqual(bytes.subarray(0, 4));
  });
});

const eth0 = { ifindex: 1, name: 'eth0' };

describe('what is wrong is said with its place', () => {
  it.each([
    [[], 'net.json', 'it is no JSON object'],
    [{ router: [] }, 'net.json', 'there is no field "router"'],
    [{ routes: {} }, 'net.json: routes', 'it is no list'],
    [{ interfaces: [{ name: 'eth0' }] }, 'net.json: interfaces[0].ifindex', 'it is missing'],
    [{ interfaces: [{ ...eth0, mtu: 9e9 }] }, 'net.json: interfaces[0].mtu', '9000000000 is out of range'],
    [{ interfaces: [{ ...eth0, mtu: '1500' }] }, 'net.json: interfaces[0].mtu', '"1500" is no number'],
    [{ interfaces: [{ ...eth0, mac: '2:0' }] }, 'net.json: interfaces[0].mac', '"2:0" is no MAC address'],
    [{ interfaces: [{ ...eth0, forwarding: { ipv5: true } }] }, 'net.json: interfaces[0].forwarding', 'there is no field "ipv5"'],
    [{ interfaces: [{ ...eth0, addresses: ['10.0.0.1/33'] }] }, 'net.json: interfaces[0].addresses[0]', '"10.0.0.1/33" is no network'],
    [{ interfaces: [eth0, { ...eth0, ifindex: 2 }] }, 'net.json: interfaces[1]', 'ifindex 2 or name "eth0" occurs twice'],
    [{ interfaces: [eth0], routes: [{ to: '10.0.0.0/8' }] }, 'net.json: routes[0].dev', 'it is missing'],
    [{ interfaces: [eth0], routes: [{ to: '10.0.0.1/8', dev: 'eth0' }] }, 'net.json: routes[0].to', 'the address has bits behind the prefix'],
    [{ interfaces: [eth0], routes: [{ to: '10.0.0.0/8', dev: 'eth9' }] }, 'net.json: routes[0].dev', 'there is no interface "eth9"'],
    [{ interfaces: [eth0], routes: [{ to: '2001:db8::/32', via: '10.0.0.1', dev: 1 }] }, 'net.json: routes[0].via', 'an IPv6 route has no IPv4 router'],
    [{ routes: [{ to: '10.0.0.0/8', type: 'black hole' }] }, 'net.json: routes[0].type', 'there is no "black hole"'],
    [{ rules: [{ from: '10.0.0.0/8', to: '::/0' }] }, 'net.json: rules[0].to', 'it is no IPv4 network'],
    [{ sockets: [{ protocol: 'tcp', local: '::1:80' }] }, 'net.json: sockets[0].local', '"::1:80" is no address with a port'],
    [{ sockets: [{ protocol: 'tcp', local: '1.2.3.4:65536' }] }, 'net.json: sockets[0].local', '"1.2.3.4:65536" is no address with a port'],
    [{ sockets: [{ protocol: 'tcp', local: '1.2.3.4:1', state: 'established' }] }, 'net.json: sockets[0].state', 'a TCP socket listens if and only if it has no remote end'],
    [{ sockets: [{ protocol: 'udp', local: '1.2.3.4:1', remote: '[::1]:1' }] }, 'net.json: sockets[0].remote', 'it is of another family than "local"'],
    [{ conntrack: [{ protocol: 'tcp' }] }, 'net.json: conntrack[0].original', 'it is no JSON object'],
    [{ conntrack: [{ protocol: 'tcp', original: { src: '1.2.3.4:1', dst: '1.2.3.4:2' }, status: ['open'] }] }, 'net.json: conntrack[0].status[0]', 'there is no status "open"'],
    [{ syncookies: { secrets: '00' } }, 'net.json: syncookies.secrets', 'it is no hex of 64 bytes'],
  ])('%j', (json, where, message) => {
    expect(parseNetwork(json, 'net.json')).toMatchObject({ ok: false, problem: { code: 'network-shape', where, message: expect.stringContaining(message) as string } });
  });

  prop([fc.jsonValue()])('and nothing else happens', (json) => {
    expect(() => parseNetwork(json, 'net.json')).not.toThrow();
    expect(() => parseNetwork({ interfaces: [eth0], routes: [json], sockets: [json], conntrack: [json], flows: [json], rules: [json], neighbours: [json] }, 'net.json')).not.toThrow();
  });
});
