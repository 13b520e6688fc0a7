import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { unwrap } from '../../../src/base/index.js';
import { loadObjectBytes } from '../../../src/vm/loader/loadObject.js';
import type { ObjectSpec, ProgramSpec } from '../../../src/vm/spec.js';

const OWN_OBJECTS = 'test/vm/loader/objects';

/** Paths of every good BPF object in the repository. */
export function goodObjects(): string[] {
  const fixtures = readdirSync('fixtures/programs', { recursive: true, encoding: 'utf8' }).map((path) => `fixtures/programs/${path}`);
  const own = readdirSync(OWN_OBJECTS).map((path) => `${OWN_OBJECTS}/${path}`);
  const objects = [...fixtures, ...own].filter((path) => path.endsWith('.o')).sort();
  if (objects.length < 30) throw new Error(`only ${objects.length} objects found`);
  return objects;
}

/** Loads one of the objects that are compiled for these tests. */
export function loadOwn(name: string): ObjectSpec {
  const path = `${OWN_OBJECTS}/${name}.o`;
  return unwrap(loadObjectBytes(readFileSync(path), `${name}.o`));
}

/** Loads an object from fixtures/programs. */
export function loadFixture(name: string): ObjectSpec {
  return unwrap(loadObjectBytes(readFileSync(`fixtures/programs/${name}/${name}.o`), `${name}.o`));
}

export function programNamed(object: ObjectSpec, name: string): ProgramSpec {
  const program = object.programs.find((candidate) => candidate.name === name);
  if (program === undefined) throw new Error(`no program ${name} in ${object.name}`);
  return program;
}

/** Output of a tool, or `undefined` with one loud line when it isn't installed. */
export function oracle(command: string, args: readonly string[]): string | undefined {
  const run = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 256 << 20 });
  if (run.error !== undefined) {
    console.warn(`SKIPPED, not compared with ${command}: ${run.error.message}`);
    return undefined;
  }
  if (run.status !== 0) throw new Error(`${command} ${args.join(' ')}: exit ${run.status}: ${run.stderr}`);
  return run.stdout;
}
