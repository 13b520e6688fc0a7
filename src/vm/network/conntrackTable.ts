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

/** enum ip_conntrack_dir. */
export const ORIGINAL = 0;
export const REPLY = 1;

/** NF_CT_DEFAULT_ZONE_DIR: a zone that counts in both directions; else bit 0 for the original one, bit 1 for the reply. */
export const BOTH_DIRECTIONS = 3;

/** Where a tuple is looked for. */
export interface ConntrackSpace {
  readonly protocol: number;
  readonly zone: number;
  /** Directions in which the zone counts; in the other it is zone 0. */
  readonly zoneDirections: number;
  readonly netns: number | undefined;
}

/** One connection, in the table or (not confirmed yet) on its way there. */
export interface Connection extends ConntrackSpace {
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
  readonly direction: typeof ORIGINAL | typeof REPLY;
  /** Counts the connections that were put into the table. */
  readonly serial: number;
}

/** The connections that the machine tracks (net/netfilter/nf_conntrack_core.c, 6.18). */
export class ConntrackTable {
  readonly #entries = new Map<string, ConntrackHit>();
  #serial = 0;

  /** @param tNs virtual time at which the scenario's timeouts begin to run */
  constructor(specs: readonly ConntrackSpec[], tNs: number) {
    for (const { timeoutSec, ...spec } of specs) this.#put({ ...spec, zoneDirections: BOTH_DIRECTIONS, timeout: deadline(timeoutSec * HZ, tNs) });
  }

  /**
   * nf_conntrack_find_get: by what a direction's own zone is. Of two that fit the newer one is found; of a connection with itself, whose
   * directions are one, the reply.
   */
  find(tuple: ConntrackTuple, space: ConntrackSpace, tNs: number): ConntrackHit | undefined {
    const original = this.#at(tuple, space, ORIGINAL, tNs);
    const reply = this.#at(tuple, space, REPLY, tNs);
    if (original === undefined || reply === undefined || !isZoneCommon(space)) return original ?? reply;
    return reply.serial >= original.serial ? reply : original;
  }

  /**
   * bpf_ct_insert_entry: from now on its time runs.
   *
   * @returns false if either direction is taken
   */
  insert(connection: Connection, tNs: number): boolean {
    const { original, reply } = connection;
    if (this.#at(original, connection, ORIGINAL, tNs) !== undefined || this.#at(reply, connection, REPLY, tNs) !== undefined) return false;
    if (isZoneCommon(connection) && (this.find(original, connection, tNs) !== undefined || this.find(reply, connection, tNs) !== undefined)) return false;
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
    const serial = this.#serial++;
    this.#entries.set(keyOf(connection.original, connection, ORIGINAL), { connection, direction: ORIGINAL, serial });
    this.#entries.set(keyOf(connection.reply, connection, REPLY), { connection, direction: REPLY, serial });
  }

  /** One whose time is over is taken out. */
  #at(tuple: ConntrackTuple, space: ConntrackSpace, direction: number, tNs: number): ConntrackHit | undefined {
    const hit = this.#entries.get(keyOf(tuple, space, direction));
    if (hit === undefined) return undefined;
    const { connection } = hit;
    if (((connection.timeout - now(tNs)) | 0) > 0 && (connection.status & IPS_DYING) === 0) return hit;
    this.#entries.delete(keyOf(connection.original, connection, ORIGINAL));
    this.#entries.delete(keyOf(connection.reply, connection, REPLY));
    return undefined;
  }
}

function zoneIn({ zone, zoneDirections }: ConntrackSpace, direction: number): number {
  return (zoneDirections & (1 << direction)) === 0 ? 0 : zone;
}

function isZoneCommon(space: ConntrackSpace): boolean {
  return zoneIn(space, ORIGINAL) === zoneIn(space, REPLY);
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

function keyOf({ source, destination }: ConntrackTuple, space: ConntrackSpace, direction: number): string {
  const ends = [source.address, source.port, destination.address, destination.port];
  return [direction, ...ends, space.protocol, zoneIn(space, direction), space.netns ?? ''].join('|');
}
