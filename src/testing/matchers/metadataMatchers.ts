import { ProblemError } from '../../base/index.js';
import { compareContracts, contractOfStruct, readMetadata } from '../../xdp/index.js';
import type { MetadataContract, MetadataValue } from '../../xdp/index.js';
import { TestProgram } from '../program/testProgram.js';
import { result, wrongSubject } from './matcher.js';
import type { MatcherResult } from './matcher.js';
import { journeyOf, packetSubject } from './subject.js';
import { sameValue, valueText } from './values.js';

/**
 * The packet has metadata as the contract says, with these values of fields. Fields that are left out are not looked at.
 *
 * @example expect(run).toHaveMetadata(contract, { csum_start: 34, csum_offset: 6 })
 */
export function toHaveMetadata(received: unknown, contract: MetadataContract, values: Readonly<Record<string, MetadataValue>> = {}): MatcherResult {
  const subject = packetSubject('toHaveMetadata', received);
  const { meta } = subject;
  const unknown = Object.keys(values).filter((name) => !contract.fields.some((field) => field.name === name));
  if (unknown.length > 0) {
    throw new ProblemError({ code: 'contract-unknown-field', where: `contract ${contract.name}`, message: `there is no field ${unknown.join(', ')}`, hint: `its fields are ${contract.fields.map(({ name }) => name).join(', ')}` });
  }
  if (meta.length !== contract.sizeBytes) {
    const found = meta.length === 0 ? 'none' : `${meta.length} bytes`;
    return result(false, `metadata of contract ${contract.name}, ${contract.sizeBytes} bytes, got ${found}`, journeyOf(subject), { actual: meta.length, expected: contract.sizeBytes });
  }
  const found = readMetadata(contract, meta, 0);
  const wrong = Object.entries(values).filter(([name, value]) => !sameField(found[name], value));
  const details = wrong.map(([name, value]) => `${name} at byte ${contract.fields.find((field) => field.name === name)?.offBytes}: expected ${valueText(value)}, got ${valueText(found[name])}`);
  return result(wrong.length === 0, `metadata of contract ${contract.name}${Object.keys(values).length === 0 ? '' : ` with ${valueText(values)}`}`, [...details, ...journeyOf(subject)], { actual: found, expected: values });
}

function sameField(found: MetadataValue | undefined, expected: MetadataValue): boolean {
  if (found instanceof Uint8Array && expected instanceof Uint8Array) return sameValue([...found], [...expected]);
  return sameValue(found, expected);
}

/**
 * The struct in the object's BTF, of C or of Rust with `#[repr(C)]`, is what the contract says: fields, offsets, widths, byte orders, size.
 *
 * @example expect(loadProgram('fixtures/programs/tx_contract/tx_contract.o')).toKeepContract(contract, 'struct tx_contract')
 */
export function toKeepContract(received: unknown, contract: MetadataContract, typeName: string): MatcherResult {
  if (!(received instanceof TestProgram)) return wrongSubject('toKeepContract', 'a program that loadProgram() gave', received);
  const found = contractOfStruct(received.object.btf, typeName);
  const problems = found.ok ? compareContracts(contract, found.value) : [found.problem];
  return result(problems.length === 0, `${typeName} of ${received.object.name} to keep contract ${contract.name}`, problems.map(({ message, hint }) => `${message}${hint === undefined ? '' : ` (${hint})`}`));
}
