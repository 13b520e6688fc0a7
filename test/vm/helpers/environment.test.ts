import { describe, expect, it } from 'vitest';
import { Rng } from '../../../src/base/index.js';
import type { VmEnvironment } from '../../../src/vm/index.js';
import { bytes, map } from '../../replay/support/kernelPrograms.js';
import { TestMachine, testEnvironment, textObject } from '../support/differential.js';

/** All 64 bits that a helper without arguments gives. */
function ask(helper: number, environment: Partial<VmEnvironment>): bigint {
  const text = `call ${helper}\n*(u64 *)(r10 - 8) = r0\n*(u32 *)(r10 - 12) = 0\nr1 = map out\nr2 = r10\nr2 += -12\nr3 = r10\nr3 += -8\nr4 = 0\ncall 2\nexit`;
  const machine = new TestMachine(textObject(text, [map('out', 2, 4, 8, 1)]), testEnvironment(environment));
  expect(machine.run({ data: bytes(64) })).toMatchObject({ retval: 0, fault: undefined });
  return Buffer.from(machine.loaded.maps.get('out')!.lookupBytes(new Uint8Array(4))!).readBigUInt64LE();
}

describe('clocks', () => {
  const tNs = 0x12345_89abcdef;

  it.each([
    ['bpf_ktime_get_ns', 5],
    ['bpf_ktime_get_boot_ns', 125],
    ['bpf_ktime_get_tai_ns', 208],
  ])('%s gives the virtual time', (_, helper) => {
    expect(ask(helper, { tNs })).toBe(BigInt(tNs));
    expect(ask(helper, { tNs: 0 })).toBe(0n);
  });

  it('bpf_ktime_get_coarse_ns gives the last tick', () => {
    expect(ask(160, { tNs: 11_999_999 })).toBe(8_000_000n);
    expect(ask(160, { tNs: 12_000_000 })).toBe(12_000_000n);
  });

  it('bpf_jiffies64 wraps its lower half five minutes after boot', () => {
    expect(ask(118, { tNs: 0 })).toBe(0xffffffffn - 74_999n);
    expect(ask(118, { tNs: 300e9 })).toBe(0x1_0000_0000n);
  });
});

describe('chance and place', () => {
  it('bpf_get_prandom_u32 draws from the seed', () => {
    expect(ask(7, { rng: new Rng(42) })).toBe(BigInt(new Rng(42).nextU32()));
    expect(ask(7, { rng: new Rng(42) })).not.toBe(ask(7, { rng: new Rng(43) }));
  });

  it('bpf_get_smp_processor_id and bpf_get_numa_node_id', () => {
    expect(ask(8, { cpu: 1 })).toBe(1n);
    expect(ask(42, { cpu: 1 })).toBe(0n);
  });
});

describe('per-CPU values', () => {
  it('belong to the CPU that the program runs on', () => {
    const text = '*(u32 *)(r10 - 4) = 0\nr1 = map counts\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto out\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\nout: r0 = 2\nexit';
    const environment = testEnvironment({ possibleCpus: 3 });
    const machine = new TestMachine(textObject(text, [map('counts', 6, 4, 8, 1)]), environment);
    for (const cpu of [2, 0, 2]) {
      environment.cpu = cpu;
      machine.run({ data: bytes(64) });
    }
    const value = Buffer.from(machine.loaded.maps.get('counts')!.lookupBytes(new Uint8Array(4))!);
    expect([0, 8, 16].map((at) => value.readBigUInt64LE(at))).toEqual([1n, 0n, 2n]);
  });
});
