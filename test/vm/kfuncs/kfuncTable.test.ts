import { describe, expect, it } from 'vitest';
import { HostMemory } from '../../../src/memory/index.js';
import { loadIntoKernel } from '../../../src/replay/index.js';
import { findKfunc, KFUNCS, Vm } from '../../../src/vm/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { TestMachine, testEnvironment } from '../support/differential.js';
import { kernelKfuncs } from './kernelKfuncs.js';
import { kfuncObject } from './kfuncProgram.js';

function problemOf(object: ObjectSpec) {
  const result = new Vm({ memory: new HostMemory(4), environment: testEnvironment() }).load(object);
  return result.ok ? undefined : result.problem;
}

/** The object, its calls declared weak. */
function weak(object: ObjectSpec): ObjectSpec {
  return { ...object, programs: object.programs.map((program) => ({ ...program, kfuncs: program.kfuncs!.map((each) => ({ ...each, isWeak: true })) })) };
}

describe('the table of kernel functions', () => {
  it('has each name once', () => {
    expect(new Set(KFUNCS.map(({ name }) => name)).size).toBe(KFUNCS.length);
  });

  it('has support only for what XDP programs may call', () => {
    expect(KFUNCS.filter(({ xdp, support }) => !xdp && support !== undefined)).toEqual([]);
  });

  it.each([
    ['cpumask_create', 'kfunc-not-for-xdp', 'kernel function bpf_cpumask_create is not for XDP programs: the kernel refuses to load this'],
    ['key_put', 'unsupported-kfunc', 'kernel function bpf_key_put exists in Linux 6.18, but is not supported here'],
    ['never_was', 'unknown-kfunc', 'there is no kernel function bpf_never_was in Linux 6.18, or none for XDP programs'],
  ])('bpf_%s: %s', (name, code, message) => {
    expect(problemOf(kfuncObject(`call ${name}\nexit`))).toMatchObject({ code, message });
  });

  it('lets a weak function be missing until it is called', () => {
    for (const name of ['never_was', 'key_put']) {
      const text = `r1 = *(u32 *)(r1 + 12)\nr0 = 2\nif r1 == 1 goto out\ncall ${name}\nout: exit`;
      const machine = new TestMachine(weak(kfuncObject(text)));
      expect(machine.run({ data: new Uint8Array(60) })).toMatchObject({ retval: 2, fault: undefined });
      expect(machine.run({ data: new Uint8Array(60), ingressIfindex: 2 }).fault).toBeDefined();
    }
    expect(problemOf(weak(kfuncObject('call cpumask_create\nexit')))).toMatchObject({ code: 'kfunc-not-for-xdp' });
  });
});

/** Tagged in the kernel, but nothing to call: a trap of the compiler, a hook of the kernel's own tests. */
const NO_KFUNCS = ['__bpf_trap', 'bpf_modify_return_test_tp'];

withKernel('the table of kernel functions, compared with the running kernel', (kernel) => {
  const calling = (name: string): string => {
    const loaded = loadIntoKernel(kernel, kfuncObject(`call ${name.replace('bpf_', '')}\nr0 = 2\nexit`), 'main');
    if (!loaded.ok) return loaded.problem.message;
    loaded.value.close();
    return 'loaded';
  };
  const tagged = [...kernelKfuncs().keys()].filter((name) => name.startsWith('bpf_') && !NO_KFUNCS.includes(name));

  it('knows whether an XDP program may call each of its functions', () => {
    const isRefused = (message: string): boolean => /is not allowed|must be sleepable|is only allowed in|STRUCT __sk_buff/.test(message);
    const verdicts = tagged.map((name) => [name, !isRefused(calling(name))]);
    const ours = tagged.map((name) => [name, findKfunc(name)?.xdp ?? false]);
    // Those that only go with a `new` which is refused.
    const rest = ['bpf_iter_css_task_next', 'bpf_iter_css_task_destroy'];
    expect(ours.filter(([name]) => !rest.includes(name as string))).toEqual(verdicts.filter(([name]) => !rest.includes(name as string)));
  });

  it('has none that the kernel has not, but what its configuration leaves out', () => {
    const functions = new Set(tagged);
    expect(KFUNCS.filter(({ name, xdp }) => xdp && !functions.has(name)).map(({ name }) => name)).toEqual(['bpf_xdp_flow_lookup']);
  });
});
