import * as fc from 'fast-check';
import { checkOptionNames } from '../../base/index.js';
import type { OptionNames } from '../../base/index.js';
import { ethernet } from '../../packet/index.js';
import { dottedQuadOf, ipv4Address, servicePort } from './addresses.js';
import { PACKET_OPTIONS, packetBytes } from './packets.js';
import { checkChoices } from './options.js';
import type { PacketOptions } from './packets.js';

/** The ends of a flow. */
export interface Flow {
  readonly protocol: 'tcp' | 'udp';
  readonly client: string;
  readonly server: string;
  readonly clientPort: number;
  readonly serverPort: number;
  /** Packets in their order; those of the server are answers. */
  readonly packets: readonly FlowPacket[];
}

/** A packet of a flow, and who sends it. */
export interface FlowPacket {
  readonly from: 'client' | 'server';
  readonly data: Uint8Array;
}

/** Which flows are drawn. */
export interface FlowOptions {
  readonly protocols?: readonly Flow['protocol'][];
  /** Up to so many requests with a reply each; left out: 4. */
  readonly maxExchanges?: number;
}

const FLOW_PROTOCOLS: readonly ('tcp' | 'udp')[] = ['tcp', 'udp'];
const CLIENT_MAC = '02:00:00:00:00:0c';
const SERVER_MAC = '02:00:00:00:00:05';

/**
 * A conversation: TCP with handshake, data in both directions and FIN, sequence numbers right; or UDP with questions and answers. Shrinks to the shortest one.
 *
 * @throws Error `arbitrary-options` for protocols that are not drawn
 * @example fc.assert(fc.property(flow(), ({ packets }) => packets.forEach(({ data }) => program.testRun({ data }))));
 */
export function flow(options: FlowOptions = {}): fc.Arbitrary<Flow> {
  checkOptionNames('flow', options, { protocols: true, maxExchanges: true });
  const { protocols = FLOW_PROTOCOLS, maxExchanges = 4 } = options;
  checkChoices('flow({ protocols })', protocols, FLOW_PROTOCOLS);
  const exchanges = fc.array(fc.record({ request: fc.uint8Array({ maxLength: 32 }), reply: fc.uint8Array({ maxLength: 32 }) }), { maxLength: maxExchanges });
  return fc.record({
    protocol: fc.constantFrom(...protocols), client: ipv4Address(), server: fc.integer({ min: 0x0a000001, max: 0x0afffffe }).map(dottedQuadOf), clientPort: fc.integer({ min: 1024, max: 65535 }), serverPort: servicePort(),
    seq: fc.integer({ min: 0, max: 2 ** 32 - 1 }), exchanges,
  }).map(({ seq, exchanges: list, ...ends }) => ({ ...ends, packets: ends.protocol === 'udp' ? udpPackets(ends, list) : tcpPackets(ends, list, seq) }));
}

type Ends = Omit<Flow, 'packets'>;

interface Exchange {
  readonly request: Uint8Array;
  readonly reply: Uint8Array;
}

function udpPackets(ends: Ends, exchanges: readonly Exchange[]): FlowPacket[] {
  const from = (side: FlowPacket['from'], data: Uint8Array): FlowPacket => {
    const { link, ip, ports } = headersOf(ends, side);
    return { from: side, data: ethernet(link).ipv4(ip).udp(ports).payload(data).build() };
  };
  const list = exchanges.length === 0 ? [{ request: new Uint8Array(0), reply: new Uint8Array(0) }] : exchanges;
  return list.flatMap(({ request, reply }) => [from('client', request), from('server', reply)]);
}

function tcpPackets(ends: Ends, exchanges: readonly Exchange[], firstSeq: number): FlowPacket[] {
  const next = { client: firstSeq, server: (firstSeq ^ 0x5a5a5a5a) >>> 0 };
  const packets: FlowPacket[] = [];
  const send = (side: FlowPacket['from'], flags: string, data: Uint8Array = new Uint8Array(0)): void => {
    const other = side === 'client' ? 'server' : 'client';
    const { link, ip, ports } = headersOf(ends, side);
    const ack = flags === 'S' ? 0 : next[other];
    packets.push({ from: side, data: ethernet(link).ipv4(ip).tcp({ ...ports, flags, seq: next[side], ack }).payload(data).build() });
    // SYN and FIN count as one byte each (RFC 9293 section 3.4).
    next[side] = (next[side] + data.length + (/[SF]/.test(flags) ? 1 : 0)) >>> 0;
  };
  send('client', 'S');
  send('server', 'SA');
  send('client', 'A');
  for (const { request, reply } of exchanges) {
    send('client', 'PA', request);
    send('server', 'PA', reply);
  }
  send('client', 'FA');
  send('server', 'FA');
  send('client', 'A');
  return packets;
}

function headersOf({ client, server, clientPort, serverPort }: Ends, side: FlowPacket['from']) {
  const isClient = side === 'client';
  return {
    link: isClient ? { src: CLIENT_MAC, dst: SERVER_MAC } : { src: SERVER_MAC, dst: CLIENT_MAC },
    ip: isClient ? { src: client, dst: server } : { src: server, dst: client },
    ports: isClient ? { src: clientPort, dst: serverPort } : { src: serverPort, dst: clientPort },
  };
}

/** A packet of a capture, as `writePackets` takes it. */
export interface DrawnCapturePacket {
  readonly data: Uint8Array;
  readonly tSec: number;
  readonly tNsec: number;
}

/** Which captures are drawn. */
export interface CaptureOptions extends PacketOptions {
  /** Up to so many packets; left out: 20. */
  readonly maxLength?: number;
}

const CAPTURE_OPTIONS: OptionNames<CaptureOptions> = { ...PACKET_OPTIONS, maxLength: true };

/**
 * Packets with times that don't go back: bursts, and gaps up to a second.
 *
 * @throws Error as `packet`
 * @example
 * fc.assert(fc.property(capture(), (packets) => [...readPackets(capturePackets(packets))].length === packets.length));
 */
export function capture(options: CaptureOptions = {}): fc.Arbitrary<readonly DrawnCapturePacket[]> {
  checkOptionNames('capture', options, CAPTURE_OPTIONS);
  const { maxLength = 20, ...packets } = options;
  const gapNs = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1e9 }));
  return fc.array(fc.record({ data: packetBytes(packets), gapNs }), { maxLength }).map((list) => {
    let tNs = 0;
    return list.map(({ data, gapNs: gap }) => {
      tNs += gap;
      return { data, tSec: Math.floor(tNs / 1e9), tNsec: tNs % 1e9 };
    });
  });
}
