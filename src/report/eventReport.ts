import { AYA_LOGS, decodeAyaLog } from '../aya/index.js';
import { fail, ok, toHex } from '../base/index.js';
import type { Result } from '../base/index.js';
import type { ProgramEvent, RunResult } from '../sim/index.js';
import { formatValue, mapTypeName } from '../vm/index.js';
import type { Btf, BpfMap, BtfType, JsonValue, LoadedObject, ObjectSpec } from '../vm/index.js';
import { partCount, PartBudget } from './mapReport.js';

/** Numbers and texts that the decoded events of a report may have together. */
const KEPT_PARTS = 1 << 20;

/** One record of a RINGBUF, or one event of a PERF_EVENT_ARRAY. */
export interface EventReport {
  readonly map: string;
  /** Number of the packet in the capture, from 1. */
  readonly packet: number;
  readonly t_ns: number;
  readonly cpu: number;
  /** All of it, in hex. */
  readonly bytes: string;
  /** The bytes by the type that `--event` gives to this map. */
  readonly value?: JsonValue;
  /** What lies behind the type, in hex: of a perf event the packet's bytes and what fills it up. */
  readonly rest?: string;
  /** A line of aya-log. */
  readonly aya?: AyaLineReport;
}

export interface AyaLineReport {
  readonly level: string;
  readonly target: string;
  readonly module: string;
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

/** All events of one map, also those that the report doesn't hold. */
export interface EventCountReport {
  readonly type: string;
  readonly count: number;
  readonly bytes: number;
}

/** What programs sent to user space. */
export interface EventsReport {
  readonly events: readonly EventReport[];
  readonly event_counts: Readonly<Record<string, EventCountReport>>;
}

/** BTF types of what goes through a map, by the map's name. */
export type EventTypes = ReadonlyMap<string, number>;

export function eventsReport({ events, eventCounts }: RunResult, loaded: LoadedObject, types: EventTypes): EventsReport {
  const room = new PartBudget(KEPT_PARTS);
  return {
    events: events.map((event) => eventReport(event, loaded.spec.btf, types, room)),
    event_counts: Object.fromEntries(eventCounts.map(({ map, count, bytes }) => [map.spec.name, { type: mapTypeName(map.spec.type), count, bytes }])),
  };
}

function eventReport({ map, packetId, tNs, cpu, bytes }: ProgramEvent, btf: Btf | undefined, types: EventTypes, room: PartBudget): EventReport {
  const report = { map: map.spec.name, packet: packetId, t_ns: tNs, cpu, bytes: toHex(bytes) };
  const typeId = types.get(map.spec.name);
  if (typeId === undefined) return isAyaLog(map) ? { ...report, ...ayaLine(map, bytes) } : report;
  const sizeBytes = btf?.sizeOf(typeId);
  if (sizeBytes === undefined || sizeBytes > bytes.length || room.isSpent) return report;
  const value = formatValue(btf, typeId, bytes.subarray(0, sizeBytes));
  if (!room.take(partCount(value))) return report;
  return sizeBytes === bytes.length ? { ...report, value } : { ...report, value, rest: toHex(bytes.subarray(sizeBytes)) };
}

function isAyaLog(map: BpfMap): boolean {
  return map.spec.name === AYA_LOGS;
}

function ayaLine(map: BpfMap, bytes: Uint8Array): { readonly aya?: AyaLineReport } {
  const record = decodeAyaLog(bytes, mapTypeName(map.spec.type) === 'RINGBUF');
  if (record === undefined) return {};
  const { levelName, target, module, file, line, message } = record;
  return { aya: { level: levelName, target, module, file, line, message } };
}

/**
 * Types that `MAP=TYPE` gives to events: `struct NAME`, `union NAME`, `enum NAME`, or the name of a typedef or an integer.
 *
 * Problems: `bad-pair`, `unknown-map`, `unknown-type`.
 */
export function eventTypes(object: ObjectSpec, texts: readonly string[]): Result<EventTypes> {
  const types = new Map<string, number>();
  for (const text of texts) {
    const at = text.indexOf('=');
    if (at <= 0) return fail({ code: 'bad-pair', where: '--event', message: `'${text}' is no pair of map and type`, hint: 'write --event MAP="struct NAME"' });
    const [name, typeName] = [text.slice(0, at), text.slice(at + 1).trim()];
    if (!object.maps.some((map) => map.name === name)) {
      const names = object.maps.filter(({ type }) => CHANNELS.includes(mapTypeName(type))).map((map) => map.name);
      const hint = names.length === 0 ? 'the object sends no events' : `use one of ${names.join(', ')}`;
      return fail({ code: 'unknown-map', where: '--event', message: `there is no map ${name}`, hint });
    }
    const typeId = findType(object.btf, typeName);
    if (typeId === undefined) {
      const hint = 'name a type that the object\'s BTF has, as sim inspect lists them; a struct that no map, global variable or function signature uses is not in it';
      return fail({ code: 'unknown-type', where: '--event', message: `${object.name} has no type '${typeName}' with a size`, hint });
    }
    types.set(name, typeId);
  }
  return ok(types);
}

/** Map types by which programs send to user space. */
export const CHANNELS: readonly string[] = ['RINGBUF', 'PERF_EVENT_ARRAY'];

const KEYWORDS: Readonly<Record<string, readonly BtfType['kind'][]>> = { struct: ['struct'], union: ['union'], enum: ['enum'] };
const PLAIN_KINDS: readonly BtfType['kind'][] = ['typedef', 'int', 'struct', 'union', 'enum'];

function findType(btf: Btf | undefined, text: string): number | undefined {
  // Types without a name have the empty one.
  if (text === '') return undefined;
  const words = text.split(/\s+/);
  const kinds = words.length === 1 ? PLAIN_KINDS : Object.hasOwn(KEYWORDS, words[0]!) ? KEYWORDS[words[0]!]! : [];
  const name = words.length === 1 ? text : words.slice(1).join(' ');
  const ids = [...kinds.map((kind) => btf?.find(kind, name)), btf?.find('int', text)];
  return ids.find((id) => id !== undefined && btf?.sizeOf(id) !== undefined);
}
