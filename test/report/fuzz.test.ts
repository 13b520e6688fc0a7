import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { formatProblem, Rng } from '../../src/base/index.js';
import { runCapture, runText } from '../../src/report/index.js';
import type { RunOptions } from '../../src/report/index.js';
import { OUTCOMES } from '../../src/xdp/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { objectPath, runOptions } from './support.js';

// Damaged objects, captures and map files through the whole run: the answer is a report or a Problem, soon, never an exception.

const SEED = 20251126;
const ROUNDS = 10;
/** Generous, as other tests run beside this one. */
const SLOWEST_MS = 10_000;

const folder = temporaryFolder();

const OBJECTS: readonly (readonly [program: string, more: Partial<RunOptions>])[] = [
  ['count_percpu', {}], ['xsk_redirect', { xsk: 'l2fwd' }], ['tail_calls', { program: 'xdp_entry' }], ['printk', {}], ['vlan_push', { set: ['transmit=1'] }],
  ['subprogs_v4', {}], ['test/report/objects/values.o', {}], ['fixtures/programs/xdp-tools/xdp-dispatcher.o', {}],
];
const CAPTURES = ['dns.pcap', 'vlan.pcap', 'http.pcapng', 'dns-nano.pcapng', 'jumbo.pcap'];

/** Numbers that break careless arithmetic. */
const HOSTILE = [0, 1, 0x7f, 0xff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

type Damage = (bytes: Buffer, rng: Rng) => Buffer;

const DAMAGES: Readonly<Record<string, Damage>> = {
  'flipped bits': (bytes, rng) => {
    for (let left = 1 + rng.below(6); left > 0; left--) {
      const at = rng.below(bytes.length);
      bytes[at] = bytes[at]! ^ (1 << rng.below(8));
    }
    return bytes;
  },
  'cut short': (bytes, rng) => bytes.subarray(0, rng.below(bytes.length)),
  'hostile words': (bytes, rng) => {
    for (let left = 1 + rng.below(4); left > 0; left--) bytes.writeUInt32LE(HOSTILE[rng.below(HOSTILE.length)]!, rng.below(bytes.length - 4) & ~3);
    return bytes;
  },
  'a piece twice': (bytes, rng) => {
    const at = rng.below(bytes.length);
    const piece = bytes.subarray(at, at + 1 + rng.below(64));
    return Buffer.concat([bytes.subarray(0, at), piece, bytes.subarray(at)]);
  },
};

/** One run with damaged input; gives what came out, for the check that both kinds of answer occur. */
function checkRun(options: RunOptions, name: string): 'report' | 'problem' {
  const startMs = performance.now();
  let answer: ReturnType<typeof runCapture>;
  try {
    answer = runCapture(options);
  } catch (error) {
    throw new Error(`${name} (seed ${SEED}): an exception instead of a Problem`, { cause: error });
  }
  expect(performance.now() - startMs, name).toBeLessThan(SLOWEST_MS);
  if (!answer.ok) {
    const { problem } = answer;
    expect(problem.code, name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect(problem.message.length, name).toBeGreaterThan(5);
    expect(problem.hint, `${name}: ${formatProblem(problem)}`).toBeDefined();
    expect(formatProblem(problem), name).not.toMatch(/undefined|NaN|\[object/);
    return 'problem';
  }
  const report = answer.value;
  expect(OUTCOMES.reduce((sum, outcome) => sum + report.outcomes[outcome.name]!, 0), name).toBe(report.packets.received);
  expect(report.audit.checks.filter(({ ok }) => !ok), name).toEqual([]);
  expect(runText(report, (title) => title).length, name).toBeGreaterThan(100);
  JSON.stringify(report);
  return 'report';
}

describe.each(Object.entries(DAMAGES))('%s', (damageName, damage) => {
  it.each(OBJECTS)('in %s', (program, more) => {
    const good = readFileSync(objectPath(program));
    const rng = new Rng(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      const path = folder.write('damaged.o', damage(Buffer.from(good), rng));
      checkRun(runOptions(path, 'fixtures/pcaps/dns.pcap', more), `${program}, ${damageName}, round ${round}`);
    }
  });

  it.each(CAPTURES)('in %s', (capture) => {
    const good = readFileSync(`fixtures/pcaps/${capture}`);
    const rng = new Rng(SEED);
    for (let round = 0; round < ROUNDS; round++) {
      const path = folder.write('damaged.pcap', damage(Buffer.from(good), rng));
      const program = ['reflector', 'xsk_redirect', 'frags_pass'][round % 3]!;
      checkRun(runOptions(objectPath(program), path, { mtu: program === 'frags_pass' ? 9000 : 1500, out: folder.at('ends') }), `${capture}, ${damageName}, round ${round}`);
    }
  });
});

it('damage is refused where it shows, and runs where it does not', () => {
  const answers = new Set<string>();
  const good = readFileSync(objectPath('count_percpu'));
  const rng = new Rng(SEED);
  for (let round = 0; round < 40; round++) {
    const path = folder.write('damaged.o', DAMAGES['flipped bits']!(Buffer.from(good), rng));
    answers.add(checkRun(runOptions(path, 'fixtures/pcaps/dns.pcap'), `round ${round}`));
  }
  expect([...answers].sort()).toEqual(['problem', 'report']);
});

it('map files of any shape', () => {
  const rng = new Rng(SEED);
  const good = JSON.stringify([{ key: '192.0.2.1', value: { packets: 1, bytes: '0x10' } }, { key: 'c0000202', values: [{}, {}, {}, {}] }]);
  const pieces = ['{', '}', '[', ']', '"key"', '"values"', ':', ',', '1e999', '-1', 'null', 'true', '"__proto__"', '""', '18446744073709551616', '\u0000', 'é'];
  for (let round = 0; round < 100; round++) {
    const at = rng.below(good.length);
    const text = good.slice(0, at) + pieces[rng.below(pieces.length)]! + good.slice(at + rng.below(4));
    const map = [`packets_by_source=${folder.write('damaged.json', text)}`];
    checkRun(runOptions(objectPath('count_percpu'), 'fixtures/pcaps/dns-nano.pcap', { map }), `map file ${text}`);
  }
});
