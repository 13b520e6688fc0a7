import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { linkExtensions, Vm } from '../../../src/vm/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { TestRunner, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX } from '../../../src/xdp/index.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { ownObject } from '../../xdp/dispatcher/support.js';

const target = ownObject('target');
const extension = ownObject('drop_odd');
const misfits = ownObject('misfits');

function load(object: ObjectSpec) {
  const memory = new HostMemory(16);
  const vm = new Vm({ memory, environment: quietEnvironment() });
  const loaded = unwrap(vm.load(object));
  const runner = new TestRunner(memory, vm);
  return { loaded, verdict: (length: number) => runner.run(loaded.program('entry')!, { data: new Uint8Array(length) }).retval };
}

describe('freplace sections', () => {
  it('say which function a program is to replace', () => {
    expect(extension.programs.map(({ name, type, replaces }) => [name, type, replaces])).toEqual([['drop_odd', 'other', 'verdict'], ['heavy', 'other', 'weight']]);
    expect(target.programs.map(({ replaces }) => replaces)).toEqual([undefined]);
  });

  it('hold no program that could run alone', () => {
    const vm = new Vm({ memory: new HostMemory(16), environment: quietEnvironment() });
    expect(vm.load(extension, { programs: ['drop_odd'] })).toMatchObject({ ok: false, problem: { code: 'program-not-xdp' } });
  });
});

describe('linkExtensions', () => {
  it('leaves the target as it is without extensions', () => {
    expect(load(unwrap(linkExtensions(target, 'entry', []))).verdict(64)).toBe(XDP_PASS);
  });

  it('puts a program with its own subprograms and maps in place of a function', () => {
    const { loaded, verdict } = load(unwrap(linkExtensions(target, 'entry', [{ object: extension, program: 'drop_odd', replaces: 'verdict' }])));
    expect([verdict(64), verdict(65), verdict(66)]).toEqual([XDP_TX, XDP_DROP, XDP_TX]);
    expect(loaded.readVariable('seen')).toEqual({ ok: true, value: 3 });
    expect(loaded.readVariable('drop_odd/seen')).toEqual({ ok: true, value: 30 });
    expect([...loaded.maps.get('lengths')!.entries()].map(({ value }) => value[0])).toEqual([2, 1]);
  });

  it('replaces several functions', () => {
    const both = linkExtensions(target, 'entry', [{ object: extension, program: 'drop_odd', replaces: 'verdict' }, { object: extension, program: 'heavy', replaces: 'weight' }]);
    expect(load(unwrap(both)).verdict(64)).toBe(XDP_ABORTED);
  });

  it.each([
    ['heavy_u64', 'weight', 'extension-signature', 'argument 1 of heavy_u64 is __u64, and of weight __u32 (EINVAL)'],
    ['heavy_one', 'weight', 'extension-signature', 'heavy_one takes 1 arguments, and weight 2 (EINVAL)'],
    ['heavy_long', 'weight', 'extension-signature', 'heavy_long returns __u64, and weight int (EINVAL)'],
    ['of_skb', 'verdict', 'extension-signature', 'argument 1 of of_skb is struct __sk_buff *, and of verdict struct xdp_md * (EINVAL)'],
    ['of_hidden', 'hidden', 'extension-target-static', 'hidden in test/xdp/dispatcher/objects/target.o is a static function, and only global ones can be replaced (EINVAL)'],
    ['of_nothing', 'nowhere', 'extension-no-function', 'program entry in test/xdp/dispatcher/objects/target.o calls no function nowhere, so nothing can take its place (ESRCH)'],
  ])('refuses %s in place of %s', (program, replaces, code, message) => {
    expect(linkExtensions(target, 'entry', [{ object: misfits, program, replaces }])).toMatchObject({
      ok: false, problem: { code, message, where: `test/xdp/dispatcher/objects/misfits.o, program ${program}`, hint: expect.any(String) },
    });
  });

  it('knows the parts of what was linked before', () => {
    const once = unwrap(linkExtensions(target, 'entry', [{ object: extension, program: 'drop_odd', replaces: 'verdict' }]));
    const twice = unwrap(linkExtensions(once, 'entry', [{ object: extension, program: 'heavy', replaces: 'weight' }]));
    const program = twice.programs.find(({ name }) => name === 'entry')!;
    expect(program.parts!.map(({ program: name }) => name)).toEqual(['entry', 'drop_odd', 'heavy']);
    expect(program.parts!.map(({ insnIndex }) => program.functions.find((fn) => fn.insnIndex === insnIndex)!.name)).toEqual(['entry', 'drop_odd', 'heavy']);
    expect(load(twice).verdict(64)).toBe(XDP_ABORTED);
  });

  it('refuses two programs for one function', () => {
    const twice = { object: extension, program: 'heavy', replaces: 'weight' };
    expect(linkExtensions(target, 'entry', [twice, twice])).toMatchObject({ ok: false, problem: { code: 'extension-twice' } });
  });

  it('refuses objects without types', () => {
    const untyped = { ...extension, btf: undefined };
    expect(linkExtensions(target, 'entry', [{ object: untyped, program: 'heavy', replaces: 'weight' }])).toMatchObject({ ok: false, problem: { code: 'extension-without-btf' } });
  });
});
