import { readdirSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fail, ok, systemReason } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { openCapture } from '../../packet/index.js';
import { loadObjectFile, mapTypeName } from '../../vm/index.js';
import type { ObjectSpec } from '../../vm/index.js';

/** An object file, or why it can't be read. */
export interface CorpusObject {
  /** Path below the folder that was searched. */
  readonly name: string;
  readonly path: string;
  readonly spec: Result<ObjectSpec>;
  /** `max_entries` of the maps that the object leaves to its user space, by name: the spec has them. */
  readonly mapSizes: Readonly<Record<string, number>>;
}

/** A packet of a capture. */
export interface CorpusPacket {
  /** Path of the capture below the folder that was searched. */
  readonly capture: string;
  /** Counts from 1, as in the capture. */
  readonly number: number;
  readonly data: Uint8Array;
}

/** Every file below a folder whose name ends in `.o`, sorted by path. Problem: `folder-unreadable`. */
export function readObjects(folder: string): Result<CorpusObject[]> {
  const files = filesBelow(folder, /\.o$/);
  if (!files.ok) return files;
  return ok(files.value.map((path) => readObject(path, relative(folder, path))));
}

/** What is said in place of user space: few enough for a CPUMAP, whose entries are CPUs. */
const LEFT_OPEN_ENTRIES = 16;

function readObject(path: string, name: string): CorpusObject {
  const asItIs = loadObjectFile(path);
  if (!asItIs.ok) return { name, path, spec: asItIs, mapSizes: {} };
  const unsized = asItIs.value.maps.filter(({ type, maxEntries }) => maxEntries === 0 && mapTypeName(type) !== 'PERF_EVENT_ARRAY');
  const mapSizes = Object.fromEntries(unsized.map((map) => [map.name, LEFT_OPEN_ENTRIES]));
  return { name, path, spec: unsized.length === 0 ? asItIs : loadObjectFile(path, { maxEntries: mapSizes }), mapSizes };
}

/** Every packet of every capture below a folder. Problems: `folder-unreadable`, `no-packets`, those of `openCapture` and of its reader. */
export function readPackets(folder: string): Result<CorpusPacket[]> {
  const files = filesBelow(folder, /\.pcap(ng)?$/);
  if (!files.ok) return files;
  const packets: CorpusPacket[] = [];
  for (const path of files.value) {
    const problem = readCapture(path, relative(folder, path), packets);
    if (problem !== undefined) return fail(problem);
  }
  if (packets.length > 0) return ok(packets);
  return fail({ code: 'no-packets', where: folder, message: 'there is no packet in this folder', hint: 'give a folder with pcap or pcapng files' });
}

function readCapture(path: string, capture: string, packets: CorpusPacket[]): Problem | undefined {
  const opened = openCapture(path);
  if (!opened.ok) return opened.problem;
  const reader = opened.value;
  try {
    for (;;) {
      const status = reader.next();
      if (status === 'end') return undefined;
      if (status === 'error') return reader.problem;
      const { data, offBytes, capturedLen, packetNumber } = reader;
      packets.push({ capture, number: packetNumber, data: data.slice(offBytes, offBytes + capturedLen) });
    }
  } finally {
    reader.close();
  }
}

function filesBelow(folder: string, pattern: RegExp): Result<string[]> {
  try {
    const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => pattern.test(name));
    return ok(names.map((name) => join(folder, name)).filter((path) => statSync(path).isFile()).toSorted());
  } catch (error) {
    return fail({ code: 'folder-unreadable', where: folder, message: `can't be searched: ${systemReason(error)}`, hint: 'give a folder' });
  }
}
