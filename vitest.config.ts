import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = import.meta.dirname;

/** What a test file that asks the running kernel imports, itself or through helpers of tests. */
const ASKS_KERNEL = /(?:src\/replay|\/support\/kernelOracle|\/support\/simCommand|node:child_process)/;

/** Whether a file, or one of the test helpers that it imports, is about the running kernel or starts processes. */
function asksKernel(path: string, seen = new Set<string>()): boolean {
  if (seen.has(path)) return false;
  seen.add(path);
  const imported = [...readFileSync(join(root, path), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(([, specifier]) => specifier!);
  const files = imported.map((specifier) => (specifier.startsWith('.') ? normalize(join(dirname(path), specifier)).replace(/\.js$/, '.ts') : specifier));
  return files.some((file) => ASKS_KERNEL.test(file)) || files.filter((file) => file.startsWith('test/')).some((file) => asksKernel(file, seen));
}

const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.test.ts')).map((file) => `test/${file}`);
const kernel = files.filter((file) => asksKernel(file));

const common = {
  // Test files share modules: they load faster, and nothing in src keeps state of its own.
  isolate: false,
  testTimeout: 60_000,
  hookTimeout: 120_000,
};

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: 'model', include: files.filter((file) => !kernel.includes(file)), maxWorkers: 2, sequence: { groupOrder: 0 } } },
      // One file at a time: they ask the same kernel, and some of its answers depend on what else runs.
      { test: { ...common, name: 'kernel', include: kernel, maxWorkers: 1, sequence: { groupOrder: 1 } } },
    ],
  },
});
