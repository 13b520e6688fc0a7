// How fast the library is for those who test with it: packets that are drawn, run and checked in a second on one core, and how long
// `import 'xdp-sim'` takes, each beside a peer in the same run: drawing alone, and `import 'fast-check'`. npm run build first.

import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import * as fc from 'fast-check';
import { loadProgram } from '../dist/bundle/index.js';
import { checkChecksums } from '../dist/bundle/packet/index.js';
import { packetBytes } from '../dist/bundle/testing/arbitraries/index.js';

const PACKETS = 50_000;
const ROUNDS = 5;
const IMPORTS = 9;

const program = loadProgram('fixtures/programs/dnat/dnat.o');
const packets = packetBytes({ protocols: ['udp', 'tcp', 'icmp'], ipVersions: [4] });

/** Seconds of CPU of this process. */
function cpuSeconds(work) {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const best = (measure) => Math.min(...Array.from({ length: ROUNDS }, (_, round) => cpuSeconds(() => measure(round + 1))));

const draw = best((seed) => fc.sample(packets, { seed, numRuns: PACKETS }));
const all = best((seed) => fc.assert(fc.property(packets, (data) => {
  const run = program.testRun({ data });
  return run.verdict === 'XDP_PASS' && checkChecksums(run.data, 0, run.data.length).every(({ state }) => state !== 'invalid');
}), { seed, numRuns: PACKETS }));

/** Median of the milliseconds that an import takes in a process of its own. */
function importMs(specifier) {
  const code = `const t = performance.now(); await import(${JSON.stringify(specifier)}); console.log(performance.now() - t);`;
  const times = Array.from({ length: IMPORTS }, () => Number(spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' }).stdout));
  return times.sort((a, b) => a - b)[IMPORTS >>> 1];
}

const rate = (seconds) => `${Math.round(PACKETS / seconds).toLocaleString('en')} packets/s`;
console.log(`drawn:                      ${rate(draw)}`);
console.log(`drawn, run and checked:     ${rate(all)}   (${(all / draw).toFixed(2)} times the time of drawing)`);
console.log(`import 'xdp-sim':           ${importMs(resolve('dist/bundle/index.js')).toFixed(0)} ms`);
console.log(`import 'fast-check':        ${importMs('fast-check').toFixed(0)} ms`);
