import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { loadIntoKernel } from '../../../src/replay/index.js';
import { bytes } from '../../replay/support/kernelPrograms.js';
import { withKernel } from '../../support/kernelOracle.js';
import { TestMachine } from '../support/differential.js';
import { kfuncObject } from './kfuncProgram.js';

const at = (offBytes: number, callee: string): string => `r1 = r10\nr1 += ${offBytes}\ncall ${callee}`;
const save = (offBytes: number): string => at(offBytes, 'local_irq_save');
const restore = (offBytes: number): string => at(offBytes, 'local_irq_restore');

const FINE: readonly (readonly [what: string, ...lines: readonly string[]])[] = [
  ['RCU', 'call rcu_read_lock', 'call rcu_read_unlock', 'call rcu_read_lock', 'call rcu_read_unlock'],
  ['preemption, nested', 'call preempt_disable', 'call preempt_disable', 'call preempt_enable', 'call preempt_enable'],
  ['interrupts, nested', save(-8), save(-16), restore(-16), restore(-8)],
  ['interrupts twice at one place', save(-8), restore(-8), save(-8), restore(-8)],
  ['regions that overlap', 'call rcu_read_lock', 'call preempt_disable', 'call rcu_read_unlock', 'call preempt_enable'],
];

const WRONG: readonly (readonly [what: string, message: RegExp, lines: readonly string[]])[] = [
  ['RCU, nested', /bpf_rcu_read_lock refuses/, ['call rcu_read_lock', 'call rcu_read_lock', 'call rcu_read_unlock', 'call rcu_read_unlock']],
  ['an RCU section that goes on', /not given back the RCU read lock/, ['call rcu_read_lock']],
  ['an RCU section that never began', /bpf_rcu_read_unlock refuses/, ['call rcu_read_unlock']],
  ['preemption that stays disabled', /not given back the disabled preemption/, ['call preempt_disable']],
  ['preemption that was enabled', /bpf_preempt_enable refuses/, ['call preempt_enable']],
  ['interrupts that stay disabled', /not given back the saved interrupt flags/, [save(-8)]],
  ['interrupts out of order', /bpf_local_irq_restore refuses r1/, [save(-8), save(-16), restore(-8), restore(-16)]],
  ['flags saved over others', /bpf_local_irq_save refuses r1/, [save(-8), save(-8), restore(-8)]],
  ['flags at no multiple of 8', /bpf_local_irq_save refuses r1/, [save(-12), restore(-12)]],
  ['flags off the stack', /bpf_local_irq_save refuses r1/, ['call local_irq_save', restore(-8)]],
];

const textOf = (lines: readonly string[]): string => [...lines, 'r0 = 2', 'exit'].join('\n');

describe('regions that must end', () => {
  it.each(FINE)('%s', (_what, ...lines) => {
    expect(new TestMachine(kfuncObject(textOf(lines))).run({ data: bytes(60) })).toMatchObject({ fault: undefined, retval: 2 });
  });

  it.each(WRONG)('%s', (_what, message, lines) => {
    const machine = new TestMachine(kfuncObject(textOf(lines)));
    expect(machine.run({ data: bytes(60) }).fault?.message).toMatch(message);
    // What a run leaves behind is not there for the next one.
    expect(machine.run({ data: bytes(60) }).fault?.message).toMatch(message);
  });
});

withKernel('regions that must end, as the running kernel checks them', (kernel) => {
  it.each(FINE)('%s', (_what, ...lines) => {
    unwrap(loadIntoKernel(kernel, kfuncObject(textOf(lines)), 'main')).close();
  });

  it.each(WRONG)('%s', (_what, _message, lines) => {
    expect(loadIntoKernel(kernel, kfuncObject(textOf(lines)), 'main')).toMatchObject({ ok: false, problem: { code: 'kernel-program-refused' } });
  });
});
