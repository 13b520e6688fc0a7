import { describe, expect, it } from 'vitest';
import { EACCES, EINVAL, hasChange, KERNEL_CHANGES, KERNEL_RELEASES, NEWEST_KERNEL, parseKernelRelease, unwrap } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { HostMemory } from '../../src/memory/index.js';
import { loadObjectFile, parseNetwork, Vm } from '../../src/vm/index.js';
import type { ObjectSpec } from '../../src/vm/index.js';
import { TestRunner } from '../../src/xdp/index.js';
import type { TestRunInput } from '../../src/xdp/index.js';
import { quietEnvironment, xdpProgram } from '../support/xdpProgram.js';
import { kfuncObject } from './kfuncs/kfuncProgram.js';

const PACKET = Uint8Array.from({ length: 600 }, (_, i) => i * 7);
const NETWORK = unwrap(parseNetwork({ interfaces: [{ ifindex: 1, name: 'lo' }] }, 'test'));

function machineOf(kernel: KernelRelease): Vm {
  return new Vm({ memory: new HostMemory(8), environment: { ...quietEnvironment(), kernel, network: NETWORK } });
}

function run(kernel: KernelRelease, object: ObjectSpec, input: TestRunInput = { data: PACKET }) {
  const vm = machineOf(kernel);
  const program = unwrap(vm.load(object)).programs[0]!;
  const result = new TestRunner(vm.memory, vm).run(program, input);
  expect(result.fault?.message).toBeUndefined();
  return result;
}

/** What each release answers, oldest first. */
function answers(object: ObjectSpec): number[] {
  return KERNEL_RELEASES.map((kernel) => run(kernel, object).retval | 0);
}

/** The problem that each release has with an object, by its code; '' for none. */
function problems(object: ObjectSpec): string[] {
  return KERNEL_RELEASES.map((kernel) => {
    const loaded = machineOf(kernel).load(object);
    return loaded.ok ? '' : loaded.problem.code;
  });
}

const calling = (helper: number, ...args: readonly number[]): ObjectSpec => xdpProgram([...args.map((arg, i) => `r${i + 2} = ${arg}`), `call ${helper}`, 'exit'].join('\n'));

it('the newest release has every change, and each change is a difference between two releases', () => {
  for (const change of Object.keys(KERNEL_CHANGES) as (keyof typeof KERNEL_CHANGES)[]) {
    expect(hasChange(NEWEST_KERNEL, change), change).toBe(true);
    expect(hasChange('6.1', change), change).toBe(false);
  }
});

it('a release that is not known is refused with those that are', () => {
  expect(parseKernelRelease('6.6', '--kernel')).toEqual({ ok: true, value: '6.6' });
  expect(parseKernelRelease('6.12', '--kernel')).toMatchObject({ ok: false, problem: { code: 'unknown-kernel', hint: 'use one of: 6.1, 6.6, 6.18' } });
});

describe('helpers', () => {
  it.each([[-32, [0, 0, 0]], [-36, [-EACCES, -EACCES, 0]], [-200, [-EACCES, -EACCES, 0]], [-2, [-EACCES, -EACCES, -EACCES]], [-220, [-EINVAL, -EINVAL, -EINVAL]]])(
    'bpf_xdp_adjust_meta by %i', (delta, expected) => expect(answers(calling(54, delta))).toEqual(expected),
  );

  it('metadata of a test run has the same limit', () => {
    const errnos = (metaBytes: number): number[] => KERNEL_RELEASES.map((kernel) => run(kernel, xdpProgram('r0 = 2\nexit'), { data: PACKET, metaBytes }).errno);
    expect(errnos(32)).toEqual([0, 0, 0]);
    expect(errnos(36)).toEqual([EINVAL, EINVAL, 0]);
    expect(errnos(220)).toEqual([EINVAL, EINVAL, EINVAL]);
  });

  /** `bpf_csum_diff` over `size` bytes of the packet as `to`, and as many as `from`; the upper half of the result shows whether it is an errno. */
  const csumDiff = (fromSize: number, toSize: number, half: number): ObjectSpec => xdpProgram(`
    r6 = *(u32 *)(r1 + 0)
    r7 = *(u32 *)(r1 + 4)
    r2 = r6
    r2 += 600
    r0 = 0
    if r2 > r7 goto out
    r1 = r6
    r2 = ${fromSize}
    r3 = r6
    r3 += 2
    r4 = ${toSize}
    r5 = 0x1234
    call 28
    r0 >>= ${half * 32}
out: exit`);

  it('bpf_csum_diff takes words only and does not fold, up to 6.12', () => {
    const [old, , now] = answers(csumDiff(0, 8, 0));
    expect((old! >>> 0) > 0xffff).toBe(true);
    expect(((old! >>> 16) + (old! & 0xffff)) % 0xffff).toBe(now! % 0xffff);
    expect(answers(csumDiff(0, 8, 1))).toEqual([0, 0, 0]);
    expect(answers(csumDiff(0, 7, 0)).slice(0, 2)).toEqual([-EINVAL, -EINVAL]);
    expect(answers(csumDiff(0, 7, 1))).toEqual([-1, -1, 0]);
    expect(answers(csumDiff(256, 256, 1))).toEqual([0, 0, 0]);
    expect(answers(csumDiff(260, 256, 0)).slice(0, 2)).toEqual([-EINVAL, -EINVAL]);
  });

  it('the sum of 32 bits is that of ones’ complement arithmetic', () => {
    const words = new Uint32Array(PACKET.slice(2, 10).buffer);
    const sum = words.reduce((total, word) => total + word, 0x1234);
    expect(answers(csumDiff(0, 8, 0))[0]! >>> 0).toBe((sum % 2 ** 32) + Math.floor(sum / 2 ** 32));
  });

  /** 5: the interface doesn't forward, asked before routes are. */
  const FWD_DISABLED = 5;
  it.each([[1, [5, 5, 5]], [2, [5, 5, 5]], [4, [-EINVAL, 5, 5]], [8, [-EINVAL, 5, 5]], [16, [-EINVAL, -EINVAL, 5]], [32, [-EINVAL, -EINVAL, 5]], [64, [-EINVAL, -EINVAL, -EINVAL]]])(
    'bpf_fib_lookup with flag %i', (flag, expected) => {
      const zeros = Array.from({ length: 8 }, (_, i) => `*(u64 *)(r10 - ${64 - i * 8}) = 0`).join('\n');
      const object = xdpProgram(`${zeros}\n*(u8 *)(r10 - 64) = 2\n*(u32 *)(r10 - 56) = 1\nr2 = r10\nr2 += -64\nr3 = 64\nr4 = ${flag}\ncall 69\nexit`);
      const quiet = unwrap(parseNetwork({ interfaces: [{ ifindex: 1, name: 'lo', forwarding: false }] }, 'test'));
      const codes = KERNEL_RELEASES.map((kernel) => {
        const vm = new Vm({ memory: new HostMemory(8), environment: { ...quietEnvironment(), kernel, network: quiet } });
        return new TestRunner(vm.memory, vm).run(unwrap(vm.load(object)).programs[0]!, { data: PACKET }).retval | 0;
      });
      expect(codes).toEqual(expected);
      expect(codes.filter((code) => code > 0).every((code) => code === FWD_DISABLED)).toBe(true);
    },
  );
});

describe('what a kernel doesn’t have yet is refused at load', () => {
  it.each([
    ['instructions of -mcpu=v4', xdpProgram('r1 = 1\nr0 = (s8)r1\nexit'), ['insn-too-new', '', '']],
    ['may_goto', xdpProgram('r0 = 0\nmay_goto pc+0\nexit'), ['insn-too-new', 'insn-too-new', '']],
    ['bpf_get_current_cgroup_id', xdpProgram('call 80\nexit'), ['helper-too-new', '', '']],
    ['bpf_get_current_pid_tgid', xdpProgram('call 14\nexit'), ['helper-too-new', 'helper-too-new', '']],
    ['bpf_xdp_pull_data', kfuncObject('w2 = 14\ncall xdp_pull_data\nexit'), ['kfunc-too-new', 'kfunc-too-new', '']],
    ['kernel functions that are declared weak', unwrap(loadObjectFile('fixtures/programs/rx_hints/rx_hints.o')), ['', '', '']],
  ])('%s', (_what, object, expected) => {
    expect(problems(object)).toEqual(expected);
  });

  it('with name, place and the first kernel that has it', () => {
    const object = unwrap(loadObjectFile('fixtures/programs/pull_data/pull_data.o'));
    const loaded = machineOf('6.6').load(object);
    expect(loaded).toMatchObject({ ok: false, problem: { code: 'kfunc-too-new', message: 'Linux 6.6 has no kernel function bpf_xdp_pull_data yet: XDP programs may call it since 6.18' } });
    expect(loaded.ok || loaded.problem.where).toMatch(/pull_data\.o, program pull_data, insn \d+ \(.*pull_data\.c:\d+\)$/);
  });

  it('weak kernel functions are there from their release on, and before it only asking for them is allowed', () => {
    const object = unwrap(loadObjectFile('fixtures/programs/buffer_ops/buffer_ops.o'));
    expect(problems(object)).toEqual(['', '', '']);
    const linear = KERNEL_RELEASES.map((kernel) => {
      const vm = machineOf(kernel);
      const loaded = unwrap(vm.load(object));
      // One step: pull 1000 bytes.
      const list = new Uint32Array(98);
      list.set([1, 0, 3, 1000]);
      expect(loaded.maps.get('lists')!.updateBytes(new Uint8Array(4), new Uint8Array(list.buffer), 0)).toBe(0);
      const { ctxOut } = new TestRunner(vm.memory, vm).run(loaded.program('frags')!, { data: new Uint8Array(2000), dataEnd: 100 });
      return ctxOut.dataEnd - ctxOut.data;
    });
    expect(linear).toEqual([100, 100, 1000]);
  });
});
