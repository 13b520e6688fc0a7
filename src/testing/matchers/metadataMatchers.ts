import { checkNamed, didYouMean, ProblemError, shownValue, unwrap } from '../../base/index.js';
import { compareContracts, contractOfStruct, encodeMetadata, readMetadata } from '../../xdp/index.js';
import type { MetadataContract, MetadataValue } from '../../xdp/index.js';
import { TestProgram } from '../program/testProgram.js';
import { result, wrongSubject } from './matcher.js';
import type { MatcherResult } from './matcher.js';
import { journeyOf, packetSubject } from './subject.js';
import { sameValue, valueText } from './values.js';

/** There is no such struct, or there are no types at all. */
const NOTHING_TO_COMPARE = new Set(['contract-unknown-type', 'contract-no-btf']);

/**
 * The packet has metadata as the contract says, with these values of fields. Fields that are left out are not looked at.
 *
 * @throws Error for a field that the contract doesn't have, and a value that it can't hold, also with `.not`
 * @example expect(run).toHaveMetadata(contract, { csum_start: 34, csum_offset: 6 })
 */
export function toHaveMetadata(received: unknown, contract: MetadataContract, values: Readonly<Record<string, MetadataValue>> = {}): MatcherResult {
  const subject = packetSubject('toHaveMetadata', received);
  const { meta } = subject;
  checkContract('toHaveMetadata', contract);
  checkNamed('toHaveMetadata, values', values, 'values by field: { csum_start: 34 }');
  checkFields(contract, values);
  if (meta.length !== contract.sizeBytes) {
    const found = meta.length === 0 ? 'none' : `${meta.length} bytes`;
    return result(false, `metadata of contract ${contract.name}, ${contract.sizeBytes} bytes, got ${found}`, journeyOf(subject), { actual: meta.length, expected: contract.sizeBytes });
  }
  const found = readMetadata(contract, meta, 0);
  const wrong = Object.entries(values).filter(([name, value]) => !sameField(found[name], value));
  const details = wrong.map(([name, value]) => `${name} at byte ${contract.fields.find((field) => field.name === name)?.offBytes}: expected ${valueText(value)}, got ${valueText(found[name])}`);
  return result(wrong.length === 0, `metadata of contract ${contract.name}${Object.keys(values).length === 0 ? '' : ` with ${valueText(values)}`}`, [...details, ...journeyOf(subject)], { actual: found, expected: values });
}

/** @throws TypeError for anything but what `metadataContract` or `contractOfStruct` gave */
function checkContract(matcher: string, contract: MetadataContract | undefined): void {
  if (!Array.isArray(contract?.fields)) throw new TypeError(`${matcher}: the contract can't be ${shownValue(contract)}; give what metadataContract('name', { field: 'u32' }) gave`);
}

/** @throws ProblemError for a field that the contract doesn't have, and for a value that a field can't hold */
function checkFields(contract: MetadataContract, values: Readonly<Record<string, MetadataValue>>): void {
  const fields = contract.fields.map(({ name }) => name);
  const stranger = Object.keys(values).find((name) => !fields.includes(name));
  if (stranger !== undefined) {
    throw new ProblemError({ code: 'contract-unknown-field', where: `contract ${contract.name}`, message: `there is no field ${stranger}`, hint: `${didYouMean(stranger, fields)}its fields are ${fields.join(', ')}` });
  }
  unwrap(encodeMetadata(contract, { ...readMetadata(contract, new Uint8Array(contract.sizeBytes), 0), ...values }));
}

function sameField(found: MetadataValue | undefined, expected: MetadataValue): boolean {
  if (found instanceof Uint8Array && expected instanceof Uint8Array) return sameValue([...found], [...expected]);
  return sameValue(found, expected);
}

/**
 * The struct in the object's BTF, of C or of Rust with `#[repr(C)]`, is what the contract says: fields, offsets, widths, byte orders, size.
 *
 * @throws Error when there is no such struct to compare with, also with `.not`
 * @example expect(loadProgram('fixtures/programs/tx_contract/tx_contract.o')).toKeepContract(contract, 'struct tx_contract')
 */
export function toKeepContract(received: unknown, contract: MetadataContract, typeName: string): MatcherResult {
  if (!(received instanceof TestProgram)) return wrongSubject('toKeepContract', 'a program that loadProgram() gave', received);
  checkContract('toKeepContract', contract);
  if (typeof typeName !== 'string') throw new TypeError(`toKeepContract: the struct can't be ${shownValue(typeName)}; give its name, such as 'struct tx_contract'`);
  const found = contractOfStruct(received.object.btf, typeName);
  if (!found.ok && NOTHING_TO_COMPARE.has(found.problem.code)) throw new ProblemError(found.problem);
  const problems = found.ok ? compareContracts(contract, found.value) : [found.problem];
  return result(problems.length === 0, `${typeName} of ${received.object.name} to keep contract ${contract.name}`, problems.map(({ message, hint }) => `${message}${hint === undefined ? '' : ` (${hint})`}`));
}
