import { describe, expect, it } from 'vitest';
import { runCapture, RUN_DEFAULTS } from '../../src/report/index.js';
import type { RunOptions } from '../../src/report/index.js';

function problemOf(more: Partial<RunOptions>): { code: string; message: string; hint?: string | undefined } {
  const result = runCapture({ ...RUN_DEFAULTS, queues: undefined, object: 'none.o', pcap: 'none.pcap', set: [], map: [], ...more });
  if (result.ok) throw new Error('there is no such object, so it can\'t have run');
  return result.problem;
}

describe('a value of an option that is nearly right', () => {
  it.each<[Partial<RunOptions>, string]>([
    [{ nic: 'R8169' }, 'r8169'],
    [{ nic: 'mlx55' }, 'mlx5'],
    [{ nic: 'mtk-eth-soc' }, 'mtk_eth_soc'],
    [{ dma: 'Coherent' }, 'coherent'],
    [{ engine: 'JIT' }, 'jit'],
    [{ xsk: 'L2FWD' }, 'l2fwd'],
    [{ offload: ['rxchecksum=off'] }, 'rxChecksum'],
    [{ fault: ['Interrupt'] }, 'interrupt'],
    [{ fault: ['tx-stall:rate=0.5'] }, 'tx_stall'],
    [{ fault: ['crc :rate=0.5'] }, 'crc'],
  ])('%j: did you mean %s?', (options, meant) => {
    expect(problemOf(options).hint).toBe(`did you mean ${meant}?`);
  });

  it('and one that is far from all of them gets the list', () => {
    expect(problemOf({ nic: 'xxxxxxxx' }).hint).toMatch(/^use one of: plain, veth, /);
  });
});

describe('an option that contradicts itself', () => {
  it.each<[Partial<RunOptions>, string]>([
    [{ offload: ['rxChecksum=on', 'rxChecksum=off'] }, 'rxChecksum is there twice'],
    [{ offload: ['rxChecksum=off=on'] }, 'rxChecksum=off=on says neither on nor off'],
    [{ fault: ['crc:rate=0.1,rate=0.2'] }, "'rate' is there twice"],
    [{ fault: ['late:again,again'] }, "'again' is there twice"],
    [{ fault: ['link:for=1s,for=2s'] }, "'for' is there twice"],
  ])('%j is refused', (options, message) => {
    expect(problemOf(options).message).toBe(message);
  });
});

describe('a time that can\'t be told in whole nanoseconds', () => {
  it.each<[Partial<RunOptions>]>([
    [{ watchdog: '0.1ns' }], [{ watchdog: '99999999999999999999s' }], [{ fault: ['link:for=0.5ns'] }], [{ fault: ['link:for=99999999999999999999s'] }], [{ fault: ['late:delay=99999999999999999999s'] }],
    [{ fault: ['link:at=99999999999999999999s..999999999999999999999s'] }],
  ])('%j is refused', (options) => {
    expect(problemOf(options)).toMatchObject({ code: 'fault-time' });
  });
});
