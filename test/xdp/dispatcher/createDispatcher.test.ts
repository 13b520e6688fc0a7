import { describe, expect, it } from 'vitest';
import { formatProblem, unwrap } from '../../../src/base/index.js';
import type { Problem, Result } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { ArrayMap, assemble, formatValue, Vm } from '../../../src/vm/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { createDispatcher, MAX_DISPATCHER_PROGRAMS, orderChain, readRunConfig, TestRunner, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_REDIRECT, XDP_TX } from '../../../src/xdp/index.js';
import { fixture } from '../../support/simulate.js';
import { quietEnvironment, returning } from '../../support/xdpProgram.js';
import { byByte, libxdpDispatcher, ownObject } from './support.js';

const problemOf = (result: Result<unknown>): Problem => {
  if (result.ok) throw new Error('there is no problem');
  return result.problem;
};

function load(object: ObjectSpec) {
  const memory = new HostMemory(16);
  const vm = new Vm({ memory, environment: quietEnvironment() });
  const loaded = unwrap(vm.load(object));
  const runner = new TestRunner(memory, vm);
  const program = loaded.program('xdp_dispatcher');
  return { loaded, run: (...bytes: number[]) => runner.run(program!, { data: Uint8Array.from({ length: 64 }, (_, i) => bytes[i] ?? 0) }) };
}

/** The dispatcher's configuration, as its type in BTF shows it. */
function configOf(object: ObjectSpec): unknown {
  const variable = object.variables.find(({ name }) => name === 'conf')!;
  const { initialValue } = object.maps.find(({ name }) => name === variable.map)!;
  return formatValue(object.btf, variable.typeId, initialValue!.subarray(variable.offBytes));
}

describe('readRunConfig', () => {
  const object = ownObject('configured');

  it.each([
    ['early', 10, [XDP_DROP, XDP_PASS]],
    ['late', 60, [XDP_TX]],
    ['first', 5, [XDP_ABORTED, XDP_PASS, XDP_REDIRECT]],
    ['plain', 50, [XDP_PASS]],
  ])('%s', (program, priority, chainCallActions) => {
    expect(readRunConfig(object, program)).toEqual({ priority, chainCallActions });
  });

  it('has defaults for objects without BTF', () => {
    expect(readRunConfig({ btf: undefined }, 'main')).toEqual({ priority: 50, chainCallActions: [XDP_PASS] });
  });
});

describe('createDispatcher', () => {
  const configured = ownObject('configured');

  it('writes the configuration that libxdp 1.3.1 wrote for these programs', () => {
    // Read out of the map that xdp-loader made for four objects like these: ec020400 15000080 06000080 04000080 08000080, priorities 5, 10, 50 and 60.
    const linked = unwrap(createDispatcher(['plain', 'late', 'first', 'early'].map((program) => ({ object: configured, program })), { dispatcher: libxdpDispatcher() }));
    expect(configOf(linked)).toEqual({
      magic: 236, dispatcher_version: 2, num_progs_enabled: 4, is_xdp_frags: 0,
      chain_call_actions: [0x80000015, 0x80000006, 0x80000004, 0x80000008, 0, 0, 0, 0, 0, 0],
      run_prios: [5, 10, 50, 60, 0, 0, 0, 0, 0, 0],
      program_flags: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    });
  });

  it('orders by priority, name as bytes, and length', () => {
    const named = (object: ObjectSpec, name: string): ObjectSpec => ({ ...object, programs: object.programs.filter((program) => program.name === 'by_byte').map((program) => ({ ...program, name })) });
    const plain = { ...configured, programs: configured.programs.filter(({ name }) => name === 'plain').map((program) => ({ ...program, name: 'aa' })) };
    const chain = [
      { object: named(byByte(0), 'bb') }, { object: named(byByte(1), 'aa') }, { object: plain }, { object: named(byByte(2), 'Zz') }, { object: named(byByte(3), 'zz'), priority: 49 },
    ];
    expect(unwrap(orderChain(chain)).map(({ object, program }) => [program.name, object === plain])).toEqual([['zz', false], ['Zz', false], ['aa', true], ['aa', false], ['bb', false]]);
  });

  it('ends at the first verdict that does not go on, and passes what comes to its end', () => {
    const chain = [0, 1, 2].map((place) => ({ object: byByte(place), program: 'by_byte', chainCallActions: [XDP_DROP, XDP_PASS], priority: place }));
    const { run } = load(unwrap(createDispatcher(chain)));
    expect(run(2, 2, XDP_TX).retval).toBe(XDP_TX);
    expect(run(2, XDP_ABORTED, XDP_TX)).toMatchObject({ retval: XDP_ABORTED });
    expect([...run(2, XDP_ABORTED, XDP_TX).dataOut.subarray(0, 3)]).toEqual([3, 1, XDP_TX]);
    expect(run(2, 1, 1).retval).toBe(XDP_PASS);
    expect(run(77).retval).toBe(77);
    // A shift of 64 bits sees the low 6 bits of a number.
    expect(run(64 + XDP_DROP, 128 + XDP_PASS, XDP_TX).retval).toBe(XDP_TX);
  });

  it('keeps maps and variables of each object apart, and its own names where there is no other', () => {
    const linked = unwrap(createDispatcher([{ object: byByte(0), program: 'by_byte' }, { object: byByte(1), program: 'by_byte' }, { object: configured, program: 'plain' }]));
    expect(linked.maps.map(({ name }) => name).sort()).toEqual([
      'by_byte#2/.bss', 'by_byte#2/.rodata', 'by_byte#2/counts', 'by_byte/.bss', 'by_byte/.rodata', 'by_byte/counts', 'xdp_dispatcher.bss', 'xdp_dispatcher.rodata',
    ]);
    expect(linked.variables.map(({ name }) => name)).toEqual(expect.arrayContaining(['by_byte/runs', 'by_byte#2/runs', 'xdp_dispatcher.verdicts']));
    const { loaded, run } = load(linked);
    for (const bytes of [[2, 2], [2, 3], [1, 2]]) run(...bytes);
    // The first goes on after XDP_PASS only.
    expect(loaded.readVariable('by_byte/runs')).toEqual({ ok: true, value: 3 });
    expect(loaded.readVariable('by_byte#2/runs')).toEqual({ ok: true, value: 2 });
    const counts = loaded.maps.get('by_byte#2/counts');
    expect(counts instanceof ArrayMap && [2, 3].map((key) => counts.lookupBytes(Uint8Array.of(key, 0, 0, 0))![0])).toEqual([1, 1]);
    expect(linked.btf!.typeName(linked.maps.find(({ name }) => name === 'by_byte#2/counts')!.valueTypeId)).toBe('__u64');
  });

  it('counts what each program returned', () => {
    const { loaded, run } = load(unwrap(createDispatcher([{ object: byByte(0), program: 'by_byte' }, { object: byByte(1), program: 'by_byte' }])));
    for (const bytes of [[2, 0], [2, 4], [2, 5], [3], [200]]) run(...bytes);
    const verdicts = unwrap(loaded.readVariable('xdp_dispatcher.verdicts')) as unknown[];
    expect(verdicts[0]).toEqual({ XDP_ABORTED: 0, XDP_DROP: 0, XDP_PASS: 3, XDP_TX: 1, XDP_REDIRECT: 0, other: 1 });
    expect(verdicts[1]).toEqual({ XDP_ABORTED: 1, XDP_DROP: 0, XDP_PASS: 0, XDP_TX: 0, XDP_REDIRECT: 1, other: 1 });
  });

  it('takes packets of several buffers only if all programs do, and says who keeps it from that', () => {
    const frags = { object: byByte(0), program: 'by_byte_frags' };
    expect(unwrap(createDispatcher([frags])).programs[0].frags).toBe(true);
    const mixed = unwrap(createDispatcher([frags, { object: configured, program: 'plain' }]));
    expect(mixed.programs[0].frags).toBe(false);
    expect(mixed.warnings!.map(formatProblem)).toEqual([
      'test/xdp/dispatcher/objects/by_byte.o, program by_byte_frags: it takes packets of several buffers, but the dispatcher doesn\'t, because plain doesn\'t; put plain into SEC("xdp.frags") too',
    ]);
  });

  it('names object, program and line of a fault', () => {
    const { run } = load(unwrap(createDispatcher([{ object: byByte(0), program: 'by_byte', priority: 1 }, { object: ownObject('reader') }])));
    const { fault } = run(2);
    expect(fault).toMatchObject({ program: 'reader', insnIndex: 1 });
    expect(fault!.message).toMatch(/^test\/xdp\/dispatcher\/objects\/reader\.o, \.\/reader\.c:10: load of 1 byte at r\d\+100 = .*\[insn 1: /);
  });

  it('holds each program to its own licence', () => {
    const memory = new HostMemory(16);
    const refused = problemOf(new Vm({ memory, environment: quietEnvironment() }).load(unwrap(createDispatcher([{ object: byByte(0), program: 'by_byte' }, { object: ownObject('closed') }])), { programs: ['xdp_dispatcher'] }));
    expect(refused).toMatchObject({ code: 'helper-gpl-only', where: expect.stringMatching(/closed\.o, program closed, insn \d+ \(\.\/closed\.c:8\)$/) });
    expect(load(unwrap(createDispatcher([{ object: byByte(0), program: 'by_byte' }, { object: ownObject('reader') }]))).loaded.problems.size).toBe(0);
  });

  it('gives each program a stack of its own', () => {
    const deep = (bytes: number): ObjectSpec => {
      const insns = unwrap(assemble(`r0 = 2\n*(u64 *)(r10 -${bytes}) = r0\nexit`));
      return { ...configured, programs: configured.programs.filter(({ name }) => name === 'plain').map((program) => ({ ...program, insns })) };
    };
    const calling = unwrap(createDispatcher([{ object: deep(512) }, { object: deep(400) }, { object: deep(512) }]));
    expect(load(calling).run(0).retval).toBe(XDP_PASS);
    const tooDeep = new Vm({ memory: new HostMemory(16), environment: quietEnvironment() }).load(unwrap(createDispatcher([{ object: deep(400) }, { object: deep(520) }])));
    expect(problemOf(tooDeep).code).toBe('stack-too-large');
  });

  it.each<[string, () => Result<unknown>, string]>([
    ['chain-empty', () => createDispatcher([]), 'EINVAL'],
    ['chain-too-long', () => createDispatcher(Array.from({ length: MAX_DISPATCHER_PROGRAMS + 1 }, () => ({ object: configured, program: 'plain' }))), 'E2BIG'],
    ['chain-without-btf', () => createDispatcher([{ object: returning(2) }]), 'EOPNOTSUPP'],
    ['program-not-xdp', () => createDispatcher([{ object: ownObject('drop_odd'), program: 'heavy' }]), 'EINVAL'],
    ['chain-bad-priority', () => createDispatcher([{ object: configured, program: 'plain', priority: -1 }]), 'EINVAL'],
    ['chain-bad-action', () => createDispatcher([{ object: configured, program: 'plain', chainCallActions: [5] }]), 'EINVAL'],
    ['chain-device-bound', () => createDispatcher([{ object: fixture('rx_hints') }]), 'EINVAL'],
    ['several-programs', () => createDispatcher([{ object: configured }]), ''],
    ['unknown-program', () => createDispatcher([{ object: configured, program: 'nobody' }]), ''],
    ['dispatcher-unknown', () => createDispatcher([{ object: configured, program: 'plain' }], { dispatcher: configured }), ''],
  ])('refuses: %s', (code, create, errno) => {
    const problem = problemOf(create());
    expect(problem.code).toBe(code);
    expect(problem.message).toContain(errno);
    expect(problem.hint).toBeDefined();
  });

  it('has room for ten programs', () => {
    const chain = Array.from({ length: MAX_DISPATCHER_PROGRAMS }, (_, place) => ({ object: byByte(place), program: 'by_byte' }));
    expect(load(unwrap(createDispatcher(chain))).run(2, 2, 2, 2, 2, 2, 2, 2, 2, XDP_TX).retval).toBe(XDP_TX);
  });
});
