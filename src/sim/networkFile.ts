import { ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { parseNetwork } from '../vm/index.js';
import type { NetworkScenario } from '../vm/index.js';
import { readJsonFile } from './jsonFile.js';
import type { JsonFileKind } from './jsonFile.js';

/** As long as a scenario of the most entries in every list. */
const FILE_KIND: JsonFileKind = { code: 'network-file', noun: 'a network file', maxBytes: 64 << 20, shorten: 'write fewer entries' };

/** A network file: what it says, and its JSON, for files that carry it on. */
export interface NetworkFile {
  readonly scenario: NetworkScenario;
  readonly json: Readonly<Record<string, unknown>>;
}

/**
 * Reads a network scenario from a JSON file, which docs/network.md describes.
 *
 * Problems: `network-file-unreadable`, `network-file-json`, `nested-too-deep`, and `network-shape` with the path of the field that is wrong.
 */
export function readNetworkFile(path: string): Result<NetworkFile> {
  const json = readJsonFile(path, FILE_KIND);
  if (!json.ok) return json;
  const scenario = parseNetwork(json.value, path);
  return scenario.ok ? ok({ scenario: scenario.value, json: json.value as Record<string, unknown> }) : scenario;
}
