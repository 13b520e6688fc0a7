import { describe, expect, it } from 'vitest';
import { EINVAL, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { ProgArray, Vm } from '../../../src/vm/index.js';
import { prepareXdpBuff } from '../../../src/xdp/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { TestMachine, testEnvironment, textObject } from '../support/differential.js';
import { kfuncObject } from './kfuncProgram.js';

const PROG_ARRAY = 3;

/** `r2` and `r3` point to 8 bytes of stack each, filled with 0xff. */
const STACK = '*(u64 *)(r10 - 8) = -1\n*(u64 *)(r10 - 16) = -1\nr2 = r10\nr2 += -8\nr3 = r10\nr3 += -16';

/** Runs a program as a driver does, with these hints. */
function run(text: string, hints: Partial<Vm['rxHints']> = {}): { readonly result: bigint; readonly fault: string | undefined } {
  const memory = new HostMemory(4);
  const vm = new Vm({ memory, environment: testEnvironment() });
  const program = unwrap(vm.load(kfuncObject(text))).program('main')!;
  const page = memory.reserve('page', 4096, 4096);
  prepareXdpBuff(memory.u32, vm.contextAddress, { ifindex: 1, queueIndex: 0, fragSizeBytes: 4096 }, page, 4096, 256, 60);
  Object.assign(vm.rxHints, hints);
  const fault = vm.run(program.address) === 0 ? undefined : vm.fault().message;
  return { result: memory.view.getBigUint64(vm.stateAddress, true), fault };
}

describe('RX hints', () => {
  it('are not supported as long as no driver has any', () => {
    for (const name of ['timestamp', 'hash', 'vlan_tag']) expect(run(`${STACK}\ncall xdp_metadata_rx_${name}\nexit`).result).toBe(BigInt.asUintN(64, -95n));
  });

  it('are written with their widths', () => {
    expect(run(`${STACK}\ncall xdp_metadata_rx_timestamp\nr0 = *(u64 *)(r10 - 8)\nexit`, { timestampError: 0, timestampNs: 0x123456789abcd }).result).toBe(0x123456789abcdn);
    const hash = { hashError: 0, hash: 0x89abcdef | 0, hashType: 0x19 };
    expect(run(`${STACK}\ncall xdp_metadata_rx_hash\nr0 = *(u64 *)(r10 - 8)\nexit`, hash).result).toBe(0xffffffff89abcdefn);
    expect(run(`${STACK}\ncall xdp_metadata_rx_hash\nr0 = *(u64 *)(r10 - 16)\nexit`, hash).result).toBe(0xffffffff00000019n);
    const vlan = { vlanError: 0, vlanProto: 0x8100, vlanTci: 0x2005 };
    expect(run(`${STACK}\ncall xdp_metadata_rx_vlan_tag\nr0 = *(u64 *)(r10 - 8)\nexit`, vlan).result).toBe(0xffffffffffff0081n);
    expect(run(`${STACK}\ncall xdp_metadata_rx_vlan_tag\nr0 = *(u64 *)(r10 - 16)\nexit`, vlan).result).toBe(0xffffffffffff2005n);
  });

  it('leave the memory of the program alone when there are none', () => {
    for (const name of ['timestamp', 'hash', 'vlan_tag']) expect(run(`${STACK}\ncall xdp_metadata_rx_${name}\nr0 = *(u64 *)(r10 - 8)\nexit`).result).toBe(2n ** 64n - 1n);
  });

  it.each([
    ['no context', `${STACK}\nr1 = 0\ncall xdp_metadata_rx_hash\nexit`, /rx_hash refuses r1/],
    ['no memory', `${STACK}\nr2 = 0\ncall xdp_metadata_rx_hash\nexit`, /rx_hash refuses r2 = 0x0 with 4 writable bytes/],
    ['too little memory', `${STACK}\nr2 = r10\nr2 += -4\ncall xdp_metadata_rx_timestamp\nexit`, /rx_timestamp refuses r2 = 0x[0-9a-f]+ with 8 writable bytes/],
    ['no second memory', `${STACK}\nr3 = 0\ncall xdp_metadata_rx_vlan_tag\nexit`, /rx_vlan_tag refuses r3 = 0x0 with 2 writable bytes/],
  ])('refuse %s', (_what, text, message) => {
    expect(run(text).fault).toMatch(message);
  });
});

// Measured on 6.18 with a veth: BPF_PROG_TEST_RUN gives EINVAL, and so does BPF_MAP_UPDATE_ELEM of a PROG_ARRAY.
describe('a program that asks for them', () => {
  const bound = kfuncObject(`${STACK}\ncall xdp_metadata_rx_hash\nexit`);

  it('is refused by test_run', () => {
    expect(new TestMachine(bound).run({ data: new Uint8Array(60) }).errno).toBe(EINVAL);
  });

  it('can\'t stand in a PROG_ARRAY', () => {
    const machine = new TestMachine(textObject('r0 = 2\nexit', [map('stages', PROG_ARRAY, 4, 4, 2)]));
    const stages = machine.loaded.maps.get('stages');
    if (!(stages instanceof ProgArray)) throw new Error('stages is no PROG_ARRAY');
    expect(stages.setProgram(0, unwrap(machine.vm.load(bound)).program('main')!)).toBe(-EINVAL);
    expect(stages.setProgram(0, machine.loaded.program('main')!)).toBe(0);
  });
});
