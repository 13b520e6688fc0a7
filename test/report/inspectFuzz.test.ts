import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Rng } from '../../src/base/index.js';
import { disasmText, inspectObject, inspectText } from '../../src/report/index.js';
import { loadObjectBytes } from '../../src/vm/index.js';
import { objectPath } from './support.js';

// Damaged objects through inspection and disassembly: whatever the loader lets pass is shown, never an exception.

const SEED = 20251126;
const ROUNDS = 60;

describe(`damaged objects, seed ${SEED}`, () => {
  it.each(['tail_calls', 'subprogs_v4', 'switch_drop', 'printk', 'atomics', 'test/report/objects/values.o', 'fixtures/programs/xdp-tools/xdp-dispatcher.o'])('%s', (program) => {
    const good = readFileSync(objectPath(program));
    const rng = new Rng(SEED);
    let shown = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const bytes = Buffer.from(good);
      for (let left = 1 + rng.below(6); left > 0; left--) {
        const at = rng.below(bytes.length);
        bytes[at] = bytes[at]! ^ (1 << rng.below(8));
      }
      const object = loadObjectBytes(bytes, 'damaged.o');
      if (!object.ok) continue;
      const report = inspectObject(object.value);
      const text = inspectText(report, (title) => title);
      const disassembly = disasmText(object.value, undefined, (title) => title);
      // eslint-disable-next-line no-control-regex
      expect(`${text}${disassembly.ok ? disassembly.value : ''}`).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      expect(() => JSON.stringify(report)).not.toThrow();
      shown++;
    }
    expect(shown).toBeGreaterThan(0);
  });
});
