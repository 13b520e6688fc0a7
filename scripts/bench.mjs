// The programs of bench/ in the interpreter, in the JIT and in the running kernel: bench/README.md.
//
//   npm run build && npm run bench
//   npm run bench -- --processes 5 --ms 30 --only f_siphash

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Rng, unwrap } from '../dist/base/index.js';
import { HostMemory } from '../dist/memory/index.js';
import { loadIntoKernel, probeKernel, testRun } from '../dist/replay/index.js';
import { loadObjectFile, Vm } from '../dist/vm/index.js';
import { TestRunner } from '../dist/xdp/index.js';

/** Programs and the frames that they get, bytes. */
const PROGRAMS = [['a_drop', 64], ['b_parse', 64], ['c_swap', 64], ['d_csum_inc', 64], ['e_csum_full', 1500], ['f_siphash', 256], ['g_jhash', 256]];
const ENGINES = { jit: { engine: 'jit' }, checked: { engine: 'jit', checksEverything: true }, interpreter: { engine: 'interpreter' } };
const SIDES = ['kernel', ...Object.keys(ENGINES)];
/** Time for V8 to compile what is hot; the kernel's compiler is done when a program is loaded. */
const WARM_UP_MS = 250;
const BATCHES = 5;

const option = { type: 'string' };
const { values } = parseArgs({ options: { processes: option, ms: option, only: option, child: option } });
const processes = Number(values.processes ?? 3);
const batchMs = Number(values.ms ?? 20);
const programs = PROGRAMS.filter(([name]) => values.only === undefined || name === values.only);
if (!(processes >= 1) || !(batchMs > 0) || programs.length === 0) {
  process.stderr.write('bench: usage: npm run bench -- [--processes N] [--ms N] [--only PROGRAM]\n');
  process.exit(2);
}
if (values.child !== undefined) process.stdout.write(JSON.stringify(await measure(...values.child.split(' '))));
else report();

/** An IPv4 UDP frame that no program of bench/ turns away at its first look. */
function frame(sizeBytes) {
  const bytes = Uint8Array.from({ length: sizeBytes }, (_, i) => (i * 37 + 11) & 255);
  const view = new DataView(bytes.buffer);
  view.setUint16(12, 0x0800);
  view.setUint8(14, 0x45);
  view.setUint16(16, sizeBytes - 14);
  view.setUint16(20, 0x4000);
  view.setUint8(22, 64);
  view.setUint8(23, 17);
  view.setUint16(24, 0x1234);
  view.setUint16(36, 9);
  return bytes;
}

/** One side: runs the program `repeat` times over the same buffer, as BPF_PROG_TEST_RUN does; `time` tells how long one run takes, ns. */
function engineSide(object, options) {
  const memory = new HostMemory(16);
  const environment = { tNs: 0, cpu: 0, possibleCpus: 1, rng: new Rng(1), onPrintk: () => {} };
  const vm = new Vm({ memory, environment, ...options });
  const startMs = performance.now();
  const program = unwrap(vm.load(object)).program('prog');
  const runner = new TestRunner(memory, vm);
  const run = (data, repeat) => {
    const { retval, dataOut, fault } = runner.run(program, { data, repeat });
    if (fault !== undefined) throw new Error(fault.message);
    return { retval, dataOut };
  };
  // As in the kernel only the program's runs are timed, on the buffer that `run` has left.
  const time = (data, repeat) => {
    run(data, 1);
    const { address } = program;
    const startNs = process.hrtime.bigint();
    for (let left = repeat; left > 0; left--) vm.run(address);
    return Number(process.hrtime.bigint() - startNs) / repeat;
  };
  return { run, time, loaded: (data) => (run(data, 1), performance.now() - startMs) };
}

function kernelSide(kernel, object) {
  const program = unwrap(loadIntoKernel(kernel, object, 'prog'));
  const run = (data, repeat) => {
    const result = testRun(program, { data, repeat });
    if (result.errno !== 0) throw new Error(`BPF_PROG_TEST_RUN: errno ${result.errno}`);
    return result;
  };
  return { run, time: (data, repeat) => run(data, repeat).durationNs };
}

/** One program on one side: time of a run, ns, of loading and the first run, ms, and what three runs on one buffer give. */
async function measure(name, side) {
  const sizeBytes = PROGRAMS.find(([program]) => program === name)[1];
  const object = unwrap(loadObjectFile(`bench/${name}.o`));
  const data = frame(sizeBytes);
  if (side === 'kernel') {
    const kernel = await probeKernel();
    return kernel.ok ? timesOf(kernelSide(kernel.value, object), data) : {};
  }
  const engine = engineSide(object, ENGINES[side]);
  const firstRunMs = engine.loaded(data);
  return { firstRunMs, ...timesOf(engine, data) };
}

function timesOf({ run, time }, data) {
  const { retval, dataOut } = run(data, 3);
  return { output: `${retval} ${Buffer.from(dataOut).toString('hex')}`, ns: fastest(time, data) };
}

/** Of some batches of about `batchMs`, after a warm-up. */
function fastest(time, data) {
  let repeat = 100;
  const endMs = performance.now() + WARM_UP_MS;
  let ns = time(data, repeat);
  while (performance.now() < endMs) ns = time(data, repeat);
  repeat = Math.max(100, Math.min(10_000_000, Math.round((batchMs * 1e6) / Math.max(ns, 1))));
  return Math.min(...Array.from({ length: BATCHES }, () => time(data, repeat)));
}

function report() {
  const best = {};
  for (const [name] of programs) {
    process.stderr.write(`${name}\n`);
    best[name] = {};
    for (const side of SIDES) {
      const runs = Array.from({ length: processes }, () => runChild(name, side));
      best[name][side] = Math.min(...runs.map(({ ns }) => ns ?? Number.NaN));
      if (side === 'jit') best[name].firstRunMs = Math.min(...runs.map(({ firstRunMs }) => firstRunMs));
      best[name][`${side} output`] = runs[0].output;
    }
    const outputs = SIDES.map((side) => best[name][`${side} output`]).filter((output) => output !== undefined);
    if (new Set(outputs).size !== 1) throw new Error(`${name}: the sides gave ${outputs.join(' and ')}`);
  }
  if (Number.isNaN(best[programs[0][0]].kernel)) process.stderr.write('bench: no kernel that may be asked here, so there are no ratios to it\n');

  const ratios = { 'jit : kernel': ['jit', 'kernel'], 'checked : kernel': ['checked', 'kernel'], 'checked : jit': ['checked', 'jit'], 'interpreter : jit': ['interpreter', 'jit'] };
  const rows = programs.map(([name, sizeBytes]) => [
    name, String(sizeBytes),
    ...['kernel', 'jit', 'checked', 'interpreter'].map((side) => number(best[name][side], 1)),
    ...Object.values(ratios).map(([a, b]) => number(best[name][a] / best[name][b], 2)),
    number(best[name].firstRunMs, 1),
  ]);
  const means = Object.values(ratios).map(([a, b]) => number(Math.exp(programs.reduce((sum, [name]) => sum + Math.log(best[name][a] / best[name][b]), 0) / programs.length), 2));
  rows.push(['geometric mean', '', '', '', '', '', ...means, '']);
  const heading = ['program', 'frame', 'kernel ns', 'jit ns', 'checked ns', 'interpreter ns', ...Object.keys(ratios), 'first run ms'];
  const widths = heading.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column].length)));
  for (const row of [heading, ...rows]) {
    process.stdout.write(`${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ').trimEnd()}\n`);
  }
}

/** Each side of a program has a process for itself, as it would where it is used: what one engine does to V8's guesses must not slow another. */
function runChild(name, side) {
  const args = [fileURLToPath(import.meta.url), '--child', `${name} ${side}`, ...process.argv.slice(2)];
  const child = spawnSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (child.status !== 0) process.exit(1);
  return JSON.parse(child.stdout);
}

function number(value, digits) {
  return Number.isNaN(value) ? '-' : value.toFixed(digits);
}
