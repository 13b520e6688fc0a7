import { field } from './header.js';
import type { Header } from './header.js';

/**
 * TCP header (RFC 9293 section 3.1):
 *
 *    0  source port                       13  flags: CWR ECE URG ACK PSH RST SYN FIN (7-0)
 *    2  destination port                  14  window
 *    4  sequence number                   16  checksum
 *    8  acknowledgment number             18  urgent pointer
 *   12  data offset (7-4) in words of     20  options, up to the data offset
 *       4 bytes, reserved (3-0)
 */
export const TCP_SRC_PORT_OFF = 0;
export const TCP_DST_PORT_OFF = 2;
export const TCP_SEQ_OFF = 4;
export const TCP_ACK_OFF = 8;
export const TCP_DATA_OFFSET_OFF = 12;
export const TCP_FLAGS_OFF = 13;
export const TCP_WINDOW_OFF = 14;
export const TCP_CHECKSUM_OFF = 16;
export const TCP_URGENT_OFF = 18;
export const TCP_MIN_HEADER_BYTES = 20;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;
export const TCP_ECE = 0x40;
export const TCP_CWR = 0x80;

const FIELDS = [
  field('src_port', TCP_SRC_PORT_OFF, 2),
  field('dst_port', TCP_DST_PORT_OFF, 2),
  field('seq', TCP_SEQ_OFF, 4),
  field('ack', TCP_ACK_OFF, 4),
  field('data_offset', TCP_DATA_OFFSET_OFF, 1),
  field('flags', TCP_FLAGS_OFF, 1),
  field('window', TCP_WINDOW_OFF, 2),
  field('checksum', TCP_CHECKSUM_OFF, 2),
  field('urgent', TCP_URGENT_OFF, 2),
];

/** TCP (RFC 9293). */
export const tcpHeader: Header = {
  minBytes: TCP_MIN_HEADER_BYTES,
  rest: 'options',
  fields: () => FIELDS,
  lengthBytes: (bytes, at) => (bytes[at + TCP_DATA_OFFSET_OFF]! >>> 4) * 4,
  next: () => undefined,
};

/**
 * The letters that tcpdump uses for the flags, a dot for ACK: `S`, `S.`, `P.`; `none` when none is set.
 *
 * @example
 * formatTcpFlags(0x12); // 'S.'
 */
export function formatTcpFlags(flags: number): string {
  const letters = [
    [TCP_FIN, 'F'], [TCP_SYN, 'S'], [TCP_RST, 'R'], [TCP_PSH, 'P'], [TCP_ACK, '.'], [TCP_URG, 'U'], [TCP_ECE, 'E'], [TCP_CWR, 'W'],
  ] as const;
  return letters.filter(([flag]) => (flags & flag) !== 0).map(([, letter]) => letter).join('') || 'none';
}
