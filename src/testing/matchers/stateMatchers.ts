import { shownValue } from '../../base/index.js';
import { ProgramMap } from '../program/programMaps.js';
import { ProgramLog } from '../program/programLog.js';
import { TestProgram } from '../program/testProgram.js';
import { TestNetwork } from '../network/testNetwork.js';
import { TestNic } from '../network/testNic.js';
import { isMapSum, isMapValue } from './mapValues.js';
import { checkCount, checkKnownName, result, wrongSubject } from './matcher.js';
import type { MatcherResult } from './matcher.js';
import { valueText } from './values.js';

/** Elements of a map that a failure lists. */
const LISTED = 10;

/**
 * The map has an element under this key, with this value if one is given. Values are given as `ProgramMap.set` takes them; members of a struct that are left out
 * don't count.
 *
 * @throws Error for what no key or value of this map can be, such as a member that its type doesn't have, also with `.not`
 * @example expect(program.maps.get('packets_by_source')).toHaveElement('192.0.2.1', { packets: 3 })
 */
export function toHaveElement(received: unknown, key: unknown, ...values: readonly unknown[]): MatcherResult {
  const map = mapOf('toHaveElement', received);
  if (values.length > 1) throw new TypeError(`toHaveElement takes a key and one value, but got ${values.length}; of a per-CPU map give a list of them`);
  checkIndex('toHaveElement', map, key);
  const found = map.get(key as never);
  const [expected] = values;
  const isSame = values.length === 0 || isMapValue('toHaveElement', map, found, expected);
  const what = `map ${map.name} to have ${valueText(key)}`;
  if (found === undefined) return result(false, what, [`it has ${listed(map)}`], { actual: undefined, expected });
  if (values.length === 0) return result(true, what, []);
  return result(isSame, `${what}: ${valueText(expected)}, got ${valueText(found)}`, [`it has ${listed(map)}`], { actual: found, expected });
}

/**
 * The values of all CPUs under this key add up to this.
 *
 * @throws Error for what no key or sum of this map can be, such as a member that its type doesn't have, also with `.not`
 * @example expect(program.maps.get('packets_by_source')).toHaveSum('192.0.2.1', { packets: 3 })
 */
export function toHaveSum(received: unknown, key: unknown, sum: unknown): MatcherResult {
  const map = mapOf('toHaveSum', received);
  checkIndex('toHaveSum', map, key);
  const found = map.sum(key as never);
  const isSame = isMapSum('toHaveSum', map, found, sum);
  return result(isSame, `map ${map.name}, ${valueText(key)}, to add up to ${valueText(sum)}, got ${found === undefined ? 'no such element' : valueText(found)}`, [found === undefined ? `it has ${listed(map)}` : `on each CPU: ${valueText(map.get(key as never))}`], { actual: found, expected: sum });
}

/**
 * The NIC has counted so much, in a statistic as `ethtool -S` shows it.
 *
 * @throws TypeError when the driver has none of this name, or this can't be a count, also with `.not`
 * @example expect(nic).toHaveCounter('rx_queue_0_xdp_tx', 1)
 */
export function toHaveCounter(received: unknown, name: string, value: number): MatcherResult {
  if (!(received instanceof TestNic)) return wrongSubject('toHaveCounter', 'a NIC that createTestNic or TestNetwork.nic() gave', received);
  const { statistics } = received;
  checkKnownName(`toHaveCounter, ${received.name}`, 'counter', name, Object.keys(statistics));
  checkCount('toHaveCounter', 'what is counted', value);
  const found = statistics[name];
  const others = Object.entries(statistics).filter(([, count]) => count !== 0).map(([each, count]) => `${each}: ${count}`);
  return result(found === value, `${received.name} to count ${name} ${value}, got ${found}`, [others.length === 0 ? 'all counters are zero' : `not zero: ${others.join(', ')}`], { actual: found, expected: value });
}

/**
 * A line with this text was logged (bpf_printk or aya-log).
 *
 * @throws TypeError for what is neither text nor pattern, also with `.not`
 * @example
 * const logging = loadProgram('fixtures/programs/printk/printk.o');
 * logging.testRun({ data });
 * expect(logging).toHaveLogged(/^ipv4: 192\.0\.2\.1 > /);
 */
export function toHaveLogged(received: unknown, text: string | RegExp): MatcherResult {
  const lines = linesOf(received);
  if (typeof text !== 'string' && !(text instanceof RegExp)) throw new TypeError(`toHaveLogged: a line can't be searched for ${shownValue(text)}; give a text or a regular expression`);
  const pass = lines.some((line) => (typeof text === 'string' ? line.includes(text) : line.search(text) >= 0));
  const shown = lines.length === 0 ? ['nothing was logged'] : lines.slice(-LISTED).map((line) => `log: ${line}`);
  return result(pass, `a log line with ${String(text)}`, shown, { actual: lines, expected: text });
}

/**
 * Every packet has an end, every page and chunk its owner, nothing stayed mapped. Shuts the network down.
 *
 * @throws Error of a driver of one's own
 * @example expect(nic).toHaveNoLeaks()
 */
export function toHaveNoLeaks(received: unknown): MatcherResult {
  const network = received instanceof TestNic ? received.network : received;
  if (!(network instanceof TestNetwork)) return wrongSubject('toHaveNoLeaks', 'a NIC or network that createTestNic or createTestNetwork gave', received);
  const { hosts, linkAudit } = network.finish();
  const checks = [...hosts.flatMap(({ host, result: { audit } }) => audit.checks.map((check) => ({ ...check, name: `${host.name}, ${check.name}` }))), ...linkAudit.checks];
  const broken = checks.filter(({ ok }) => !ok);
  return result(broken.length === 0, 'no leaks', (broken.length === 0 ? checks : broken).map(({ name, detail }) => `${name}: ${detail}`));
}

/** @throws RangeError for an index that an array doesn't have: there is no such element whatever the program does */
function checkIndex(matcher: string, { name, type, spec: { maxEntries } }: ProgramMap, key: unknown): void {
  if (type.includes('ARRAY') && typeof key === 'number' && key >= maxEntries) throw new RangeError(`${matcher}: map ${name} has ${maxEntries === 1 ? 'key 0 only' : `keys from 0 to ${maxEntries - 1}`}, and never ${key}`);
}

function mapOf(matcher: string, received: unknown): ProgramMap {
  return received instanceof ProgramMap ? (received as ProgramMap) : wrongSubject(matcher, 'a map that program.maps.get() gave', received);
}

function listed(map: ProgramMap): string {
  const elements: string[] = [];
  let count = 0;
  for (const { key, value } of map.entries()) if (count++ < LISTED) elements.push(`${valueText(key)}: ${valueText(value)}`);
  if (count === 0) return map.type.includes('ARRAY') ? 'only zeros' : 'no elements';
  return `${elements.join(', ')}${count > LISTED ? `, and ${count - LISTED} more` : ''}`;
}

function linesOf(received: unknown): readonly string[] {
  if (received instanceof TestProgram) return received.log.text;
  if (received instanceof ProgramLog) return received.text;
  if (received instanceof TestNic) return received.log;
  if (typeof received === 'object' && received !== null && 'log' in received && Array.isArray(received.log)) return received.log.map((line: unknown) => (typeof line === 'object' && line !== null && 'text' in line ? String(line.text) : String(line)));
  return wrongSubject('toHaveLogged', 'a program, a run, a NIC or a log', received);
}
