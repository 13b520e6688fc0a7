import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { HELPERS, helperName } from '../../../src/vm/helpers/helperTable.js';
import type { HelperSpec } from '../../../src/vm/helpers/helper.js';
import { withKernel } from '../../support/kernelOracle.js';
import { call, exit, mov } from '../../replay/support/kernelPrograms.js';

const helpers = HELPERS.filter((helper): helper is HelperSpec => helper !== undefined);

describe('the helper table', () => {
  it('has a row for each id', () => {
    expect(helpers.map(({ id }) => id)).toEqual(Array.from({ length: 211 }, (_, index) => index + 1));
    expect(new Set(helpers.map(({ name }) => name)).size).toBe(211);
    expect(helperName(999)).toBe('helper 999');
  });

  it('supports only what XDP programs may call, and points only to such', () => {
    expect(helpers.filter((helper) => helper.support !== undefined && !helper.xdp)).toEqual([]);
    const usable = helpers.filter(({ xdp }) => xdp).map(({ name }) => name);
    expect(helpers.filter(({ instead }) => instead !== undefined && !usable.includes(instead))).toEqual([]);
  });
});

withKernel('the helper table against the kernel', (kernel) => {
  const log = kernel.syscalls.buffer(65536);
  /** The verifier's log about a call without any argument, in a program that is wrong anyhow, as nothing is logged about good ones. */
  const logOf = (id: number, license: string): string => {
    const fd = kernel.progLoad({
      type: 6, insns: Uint8Array.from([call(id), mov(0, 9), exit].flat()), license, flags: 0, name: 'probe', expectedAttachType: 0, log,
    });
    if (fd >= 0) closeSync(fd);
    return Buffer.from(log.bytes.subarray(0, log.bytes.indexOf(0))).toString('latin1');
  };

  it('has the names, and knows what XDP programs may call and under which licence', () => {
    for (const { id, name, xdp, gplOnly } of helpers) {
      const text = logOf(id, 'GPL');
      expect(text).toContain(`call ${name}#${id}`);
      expect([name, xdp]).toEqual([name, !/cannot use helper|unknown func|helper call might sleep in a non-sleepable prog/.test(text)]);
      if (xdp) expect([name, gplOnly]).toEqual([name, logOf(id, 'Proprietary').includes('GPL')]);
    }
  });
});
