import { expect, test } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { loadObjectFile } from '../../../src/vm/loader/loadObject.js';

test.each(['reflector', 'count_hash', 'xsk_redirect'])('%s.o has one XDP program of its own name', (name) => {
  const object = unwrap(loadObjectFile(`fixtures/programs/${name}/${name}.o`));
  expect(object.programs.map((program) => [program.name, program.type, program.problem])).toEqual([[name, 'xdp', undefined]]);
});
