import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Test files share modules: they load faster, and nothing in src keeps state of its own.
    isolate: false,
    // One file at a time: several ask the same kernel, and some of its answers depend on what else runs.
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
