import { closeSync } from 'node:fs';
import type { KernelBuffer } from '../bpfSyscall.js';
import { SCRATCH_BYTES } from './netSyscalls.js';
import type { NetSyscalls } from './netSyscalls.js';

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_EXT_ACK = 11;
const NLMSG_ERROR = 2;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
const NLM_F_ACK_TLVS = 0x200;
const NLM_F_CAPPED = 0x100;
const NLMSGERR_ATTR_MSG = 1;
const HEADER_BYTES = 16;

/** What became of a request. */
export interface NetlinkAnswer {
  /** 0, or a negated errno. */
  readonly errno: number;
  /** The sentence that some parts of the kernel give with a refusal; else empty. */
  readonly text: string;
  /** Of the last message before the acknowledgement; empty when there was none. */
  readonly payload: Uint8Array;
}

/** Requests over rtnetlink in the network namespace in which the socket was opened. */
export class Netlink {
  readonly #calls: NetSyscalls;
  readonly #fd: number;
  readonly #buffer: KernelBuffer;
  #sequence = 0;

  private constructor(calls: NetSyscalls, fd: number) {
    this.#calls = calls;
    this.#fd = fd;
    this.#buffer = calls.buffer(SCRATCH_BYTES);
    const one = calls.buffer(4);
    one.view.setUint32(0, 1, true);
    calls.call('setsockopt', fd, SOL_NETLINK, NETLINK_EXT_ACK, one, 4);
  }

  /** To be called inside the namespace. A negated errno when there is no netlink socket. */
  static open(calls: NetSyscalls): Netlink | number {
    const fd = calls.call('socket', AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return fd < 0 ? fd : new Netlink(calls, fd);
  }

  /**
   * Sends one message and waits for its answer.
   *
   *     nlmsghdr    0 len (u32)  4 type (u16)  6 flags (u16)  8 seq (u32)  12 pid (u32)
   *     nlmsgerr    0 error (negated errno, 0: done)  4 nlmsghdr of the request  20 its payload unless capped, then attributes
   *
   * @param flags besides NLM_F_REQUEST and NLM_F_ACK
   */
  request(type: number, flags: number, payload: Uint8Array): NetlinkAnswer {
    const { bytes, view } = this.#buffer;
    const lengthBytes = HEADER_BYTES + payload.length;
    view.setUint32(0, lengthBytes, true);
    view.setUint16(4, type, true);
    view.setUint16(6, flags | NLM_F_REQUEST | NLM_F_ACK, true);
    view.setUint32(8, ++this.#sequence, true);
    view.setUint32(12, 0, true);
    bytes.set(payload, HEADER_BYTES);
    const sent = this.#calls.call('sendto', this.#fd, this.#buffer, lengthBytes);
    if (sent < 0) return { errno: sent, text: '', payload: new Uint8Array(0) };
    let answer: Uint8Array = new Uint8Array(0);
    for (;;) {
      const received = this.#calls.call('recvfrom', this.#fd, this.#buffer, bytes.length);
      if (received < 0) return { errno: received, text: '', payload: answer };
      for (let at = 0; at + HEADER_BYTES <= received; at += align4(view.getUint32(at, true))) {
        const end = at + view.getUint32(at, true);
        if (end < at + HEADER_BYTES || end > received) throw new Error('Netlink.request: a message of impossible length');
        if (view.getUint16(at + 4, true) !== NLMSG_ERROR) answer = bytes.slice(at + HEADER_BYTES, end);
        else return { errno: view.getInt32(at + HEADER_BYTES, true), text: this.#extendedText(at, end), payload: answer };
      }
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #extendedText(at: number, end: number): string {
    const { bytes, view } = this.#buffer;
    const flags = view.getUint16(at + 6, true);
    if ((flags & NLM_F_ACK_TLVS) === 0) return '';
    const error = at + HEADER_BYTES;
    const requestBytes = (flags & NLM_F_CAPPED) === 0 ? view.getUint32(error + 4, true) : HEADER_BYTES;
    const text = readAttributes(bytes.slice(error + 4 + align4(requestBytes), end)).get(NLMSGERR_ATTR_MSG);
    return text === undefined ? '' : new TextDecoder().decode(text).replace(/\0+$/, '');
  }
}

/**
 * A netlink attribute, padded to 4 bytes.
 *
 *     0 len (u16, of header and value)   2 type (u16)   4 value
 */
export function attribute(type: number, ...values: readonly Uint8Array[]): Uint8Array {
  const lengthBytes = 4 + values.reduce((sum, value) => sum + value.length, 0);
  const bytes = new Uint8Array(align4(lengthBytes));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, lengthBytes, true);
  view.setUint16(2, type, true);
  let at = 4;
  for (const value of values) {
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

/** Text with its closing NUL. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(`${value}\0`);
}

/** The attributes in a row of them, by type; of several of a type the last. */
export function readAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const lengthBytes = view.getUint16(at, true);
    if (lengthBytes < 4 || at + lengthBytes > bytes.length) break;
    attributes.set(view.getUint16(at + 2, true) & 0x3fff, bytes.slice(at + 4, at + lengthBytes));
    at += align4(lengthBytes);
  }
  return attributes;
}

function align4(lengthBytes: number): number {
  return (lengthBytes + 3) & ~3;
}
