import { HZ, jiffiesAt } from '../jiffies.js';
import { isSameAddress } from './scenario.js';
import type { ConntrackSpec, Endpoint } from './scenario.js';

// enum ip_conntrack_status (include/uapi/linux/netfilter/nf_conntrack_common.h).
export const IPS_EXPECTED = 1 << 0;
export const IPS_SEEN_REPLY = 1 << 1;
export const IPS_ASSURED = 1 << 2;
export const IPS_CONFIRMED = 1 << 3;
export const IPS_SRC_NAT = 1 << 4;
export const IPS_DST_NAT = 1 << 5;
export const IPS_SRC_NAT_DONE = 1 << 7;
export const IPS_DST_NAT_DONE = 1 << 8;
export const IPS_DYING = 1 << 9;
export const IPS_FIXED_TIMEOUT = 1 << 10;
/** Bits that nobody may change from outside (IPS_UNCHANGEABLE_MASK). */
export const IPS_UNCHANGEABLE_MASK = 0xdbf9;

/** net.netfilter.nf_conntrack_max of a small machine. */
const MAX_ENTRIES = 65536;

const MAX_TIMEOUT = 2 ** 31 - 1;

/** One direction of a connection. */
export interface ConntrackTuple {
  readonly source: Endpoint;
  readonly destination: Endpoint;
}

/** One connection, in the table or (not confirmed yet) on its way there. */
export interface Connection {
  readonly protocol: number;
  readonly zone: number;
  readonly netns: number | undefined;
  readonly original: ConntrackTuple;
  reply: ConntrackTuple;
  status: number;
  mark: number;
  /** In the table: jiffies at which it ends, modulo 2^32. Before: jiffies that it will have. */
  timeout: number;
}

/** What a look-up found: the connection, and which of its directions fitted. */
export interface ConntrackHit {
  readonly connection: Connection;
  /** enum ip_conntrack_dir: 0 original, 1 reply. */
  readonly direction: 0 | 1;
}

/** Where a tuple is looked for. */
export interface ConntrackSpace {
  readonly protocol: number;
  readonly zone: number;
  readonly netns: number | undefined;
}

/** The connections that the machine tracks (net/netfilter/nf_conntrack_core.c, 6.18). */
export class ConntrackTable {
  readonly #entries = new Map<string, ConntrackHit>();

  /** @param tNs virtual time at which the scenario's timeouts begin to run */
  constructor(specs: readonly ConntrackSpec[], tNs: number) {
    for (const { timeoutSec, ...spec } of specs) this.#put({ ...spec, timeout: deadline(timeoutSec * HZ, tNs) });
  }

  /** nf_conntrack_find_get: one whose time is over is taken out. */
  find(tuple: ConntrackTuple, space: ConntrackSpace, tNs: number): ConntrackHit | undefined {
    const hit = this.#entries.get(keyOf(tuple, space));
    if (hit === undefined) return undefined;
    if (((hit.connection.timeout - now(tNs)) | 0) > 0 && (hit.connection.status & IPS_DYING) === 0) return hit;
    this.#entries.delete(keyOf(hit.connection.original, space));
    this.#entries.delete(keyOf(hit.connection.reply, space));
    return undefined;
  }

  /**
   * bpf_ct_insert_entry: from now on its time runs.
   *
   * @returns false if either direction is taken
   */
  insert(connection: Connection, tNs: number): boolean {
    if (this.find(connection.original, connection, tNs) !== undefined || this.find(connection.reply, connection, tNs) !== undefined) return false;
    if (this.#entries.size >= 2 * MAX_ENTRIES) return false;
    if ((connection.status & IPS_CONFIRMED) === 0) connection.timeout = (connection.timeout + now(tNs)) >>> 0;
    connection.status |= IPS_CONFIRMED;
    this.#put(connection);
    return true;
  }

  hasNetns(id: number): boolean {
    return [...this.#entries.values()].some(({ connection }) => connection.netns === id);
  }

  #put(connection: Connection): void {
    this.#entries.set(keyOf(connection.reply, connection), { connection, direction: 1 });
    this.#entries.set(keyOf(connection.original, connection), { connection, direction: 0 });
  }
}

function now(tNs: number): number {
  return jiffiesAt(tNs) % 2 ** 32;
}

function deadline(jiffies: number, tNs: number): number {
  return (Math.min(jiffies, MAX_TIMEOUT) + now(tNs)) >>> 0;
}

/** __nf_ct_set_timeout. */
export function setTimeoutJiffies(connection: Connection, jiffies: number, tNs: number): void {
  connection.timeout = (connection.status & IPS_CONFIRMED) !== 0 ? deadline(jiffies, tNs) : Math.min(jiffies, MAX_TIMEOUT);
}

/** The same seen from the other end. */
export function inverse({ source, destination }: ConntrackTuple): ConntrackTuple {
  return { source: destination, destination: source };
}

export function isSameEndpoint(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && isSameAddress(a.address, b.address);
}

function keyOf({ source, destination }: ConntrackTuple, { protocol, zone, netns }: ConntrackSpace): string {
  return [source.address, source.port, destination.address, destination.port, protocol, zone, netns ?? ''].join('|');
}
