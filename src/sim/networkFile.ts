import { readFileSync, statSync } from 'node:fs';
import { fail, ok, systemReason } from '../base/index.js';
import type { Result } from '../base/index.js';
import { parseNetwork } from '../vm/index.js';
import type { NetworkScenario } from '../vm/index.js';
import { checkNesting } from './mapFile.js';

/** A scenario of that many entries in every list. */
const MAX_FILE_BYTES = 64 << 20;

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
  const unreadable = (message: string, hint: string): Result<NetworkFile> => fail({ code: 'network-file-unreadable', where: path, message, hint });
  let text: string;
  try {
    // Reading a pipe could wait, and a device could go on, for ever.
    const stat = statSync(path);
    if (!stat.isFile()) return unreadable('is no plain file', 'give the path of a network file');
    if (stat.size > MAX_FILE_BYTES) return unreadable(`has ${stat.size} bytes, more than ${MAX_FILE_BYTES}`, 'write fewer entries');
    text = readFileSync(path, 'utf8');
  } catch (error) {
    return unreadable(`can't be read: ${systemReason(error)}`, 'check the path');
  }
  const tooDeep = checkNesting(text, path);
  if (tooDeep !== undefined) return fail(tooDeep);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    return fail({ code: 'network-file-json', where: path, message: `is no JSON: ${(error as Error).message}`, hint: 'check commas and quotes' });
  }
  const scenario = parseNetwork(json, path);
  return scenario.ok ? ok({ scenario: scenario.value, json: json as Record<string, unknown> }) : scenario;
}
