import * as fc from 'fast-check';
import { didYouMean, unwrap } from '../../base/index.js';
import { encodeMetadata } from '../../xdp/index.js';
import type { MetadataContract, MetadataField, MetadataValue } from '../../xdp/index.js';

/** Metadata that keeps a contract: its bytes, and the values that they hold. */
export interface ContractMetadata {
  readonly bytes: Uint8Array;
  readonly values: Readonly<Record<string, MetadataValue>>;
}

/**
 * Metadata of a contract with any values in its fields. Shrinks towards zeros.
 *
 * @param fields values of some fields only: an arbitrary of its own for each
 * @throws RangeError for a field that the contract doesn't have
 * @example
 * fc.assert(fc.property(metadata(contract), ({ bytes }) => {
 *   expect(program.testRun({ data, meta: bytes })).toPassPacket();
 * }));
 */
export function metadata(contract: MetadataContract, fields: Readonly<Record<string, fc.Arbitrary<MetadataValue>>> = {}): fc.Arbitrary<ContractMetadata> {
  const unknown = Object.keys(fields).find((name) => !contract.fields.some((field) => field.name === name));
  if (unknown !== undefined) throw new RangeError(`metadata: contract ${contract.name} has no field ${unknown}; ${didYouMean(unknown, contract.fields.map(({ name }) => name))}it has ${contract.fields.map(({ name }) => name).join(', ')}`);
  const values = fc.record(Object.fromEntries(contract.fields.map((field) => [field.name, fields[field.name] ?? fieldValue(field)])));
  return values.map((each) => ({ values: each, bytes: unwrap(encodeMetadata(contract, each)) }));
}

/**
 * Any value that a field can hold.
 *
 * @example
 * fc.assert(fc.property(fieldValue(contract.fields[0]!), (flags) => typeof flags === 'number' && flags < 2 ** 32));
 */
export function fieldValue({ kind, sizeBytes }: MetadataField): fc.Arbitrary<MetadataValue> {
  if (kind === 'bytes') return fc.uint8Array({ minLength: sizeBytes, maxLength: sizeBytes });
  const bits = sizeBytes * 8;
  if (bits === 64) return kind === 'signed' ? fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }) : fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  return kind === 'signed' ? fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 }) : fc.integer({ min: 0, max: 2 ** bits - 1 });
}
