import { describe, expect, it } from 'vitest';
import { EINVAL, errnoName } from '../../../src/base/index.js';
import {
  ATTACH_RULES, attachByLink, attachByNetlink, BIND_RULES, checkBinding, chooseXdpMode, detachLink, INSTALL_RULES, NOTHING_ATTACHED, updateLink,
} from '../../../src/xdp/index.js';
import type { AttachProblem, XdpAttachable, XdpNetdev, XdpState } from '../../../src/xdp/index.js';

// What the kernel at hand can show is compared with it in attachKernel.test.ts; here is what it can't (programs in the device, other drivers' words), and
// that each rule is reached.

const refusal: AttachProblem = { code: 'driver-says-no', errno: 34, kernelSays: 'veth: no', message: 'no', where: 'here', hint: 'none' };
const plain: XdpNetdev = { name: 'plain', ifindex: 1 };
const native: XdpNetdev = { name: 'native', ifindex: 2, ndoBpf: () => undefined };
const refusing: XdpNetdev = { name: 'refusing', ifindex: 3, ndoBpf: () => refusal };
const card: XdpNetdev = { name: 'port 0', ifindex: 4, ndoBpf: () => undefined, offloadCard: 'card' };
const otherPort: XdpNetdev = { ...card, name: 'port 1', ifindex: 5 };

const one: XdpAttachable = { name: 'one', attachType: 'xdp', frags: false };
const other: XdpAttachable = { ...one, name: 'other' };
const offloaded: XdpAttachable = { ...one, name: 'offloaded', boundTo: { device: card, isOffloaded: true } };
const hints: XdpAttachable = { ...one, name: 'hints', boundTo: { device: native, isOffloaded: false } };

const SKB = 2;
const DRV = 4;
const HW = 8;
const REPLACE = 16;

const by = (program: XdpAttachable, byLink = false) => ({ program, byLink });

/** `mode`, or the errno and code of the refusal. */
function outcome(result: ReturnType<typeof attachByNetlink>): string {
  return result.ok ? result.value.mode : `${errnoName(result.problem.errno)} ${result.problem.code}`;
}

describe('the mode that flags choose', () => {
  it.each([
    [plain, 0, 'generic'], [native, 0, 'native'], [refusing, 0, 'native'], [native, SKB, 'generic'], [plain, DRV, 'native'], [native, HW, 'offload'],
  ] as const)('%o with flags %i: %s', (device, flags, mode) => {
    expect(chooseXdpMode(device, flags)).toBe(mode);
  });

  it('nothing falls back to generic after a driver has refused', () => {
    const result = attachByNetlink(refusing, NOTHING_ATTACHED, { program: one, flags: 0 });
    expect(result).toEqual({ ok: false, problem: refusal });
    expect(outcome(attachByNetlink(refusing, NOTHING_ATTACHED, { program: one, flags: SKB }))).toBe('generic');
  });
});

describe('programs in the device', () => {
  const cases: readonly [string, XdpNetdev, XdpState, XdpAttachable | undefined, number, string][] = [
    ['goes to its device', card, {}, offloaded, HW, 'offload'],
    ['goes to another port of the card', otherPort, {}, offloaded, HW, 'offload'],
    ['does not go to another device', native, {}, offloaded, HW, 'EINVAL attach-bound-elsewhere'],
    ['does not go to the CPU', card, {}, offloaded, DRV, 'EINVAL attach-offloaded'],
    ['nor there without a mode', card, {}, offloaded, 0, 'EINVAL attach-offloaded'],
    ['nor into the stack', card, {}, offloaded, SKB, 'EINVAL attach-offloaded-generic'],
    ['stands beside a native one', card, { native: by(one) }, offloaded, HW, 'offload'],
    ['lets a native one beside it', card, { offload: by(offloaded) }, one, DRV, 'native'],
    ['lets a generic one beside it', card, { offload: by(offloaded) }, one, SKB, 'generic'],
    ['with two the mode must be named', card, { native: by(one), offload: by(offloaded) }, other, 0, 'EINVAL attach-mode-ambiguous'],
    ['also to take one off', card, { native: by(one), offload: by(offloaded) }, undefined, 0, 'EINVAL attach-mode-ambiguous'],
    ['is taken off by its mode', card, { native: by(one), offload: by(offloaded) }, undefined, HW, 'offload'],
    ['a device without ndo_bpf has no such mode', plain, {}, one, HW, 'EOPNOTSUPP attach-no-native'],
  ];
  it.each(cases)('%s', (_, device, state, program, flags, expected) => {
    expect(outcome(attachByNetlink(device, state, { program, flags }))).toBe(expected);
  });
});

describe('what the core asks besides', () => {
  it.each([
    [{ ...native, splitsTcpData: true }, one, DRV, 'EBUSY attach-data-split'],
    [{ ...native, splitsTcpData: true }, one, SKB, 'EBUSY attach-data-split'],
    [{ ...native, splitsTcpData: true }, { ...one, frags: true }, DRV, 'native'],
    [{ ...native, hasMemoryProvider: true }, one, DRV, 'EBUSY attach-memory-provider'],
    [{ ...native, hasMemoryProvider: true }, undefined, DRV, 'native'],
  ] as const)('%o', (device, program, flags, expected) => {
    expect(outcome(attachByNetlink(device, NOTHING_ATTACHED, { program, flags }))).toBe(expected);
  });
});

describe('the driver', () => {
  it('is not asked when nothing changes', () => {
    const state: XdpState = { native: by(one) };
    expect(outcome(attachByNetlink(refusing, state, { program: one, flags: DRV }))).toBe('native');
    expect(outcome(attachByNetlink(refusing, state, { program: other, flags: DRV }))).toBe('ERANGE driver-says-no');
  });

  it('is asked what it is asked by the kernel: to set up, or to take off', () => {
    const asked: unknown[] = [];
    const device: XdpNetdev = { ...native, ndoBpf: (command) => void asked.push(command) };
    const attached = attachByNetlink(device, NOTHING_ATTACHED, { program: one, flags: 0 });
    if (!attached.ok) throw new Error('not attached');
    attachByNetlink(device, attached.value.state, { program: undefined, flags: 0 });
    attachByNetlink(device, NOTHING_ATTACHED, { program: one, flags: SKB });
    expect(asked).toEqual([{ mode: 'native', program: one }, { mode: 'native', program: undefined }]);
  });

  it('may refuse a link another program, which then keeps the one that it has', () => {
    const state: XdpState = { native: by(one, true) };
    expect(outcome(updateLink(refusing, state, 'native', other))).toBe('ERANGE driver-says-no');
    expect(outcome(updateLink(refusing, state, 'native', one))).toBe('native');
  });
});

describe('a bpf_link', () => {
  it('takes its own program off, and nobody else\'s', () => {
    expect(detachLink({ native: by(one, true) }, 'native')).toEqual({ native: undefined });
    expect(detachLink({ native: by(one) }, 'native')).toEqual({ native: by(one) });
  });

  it('changes nothing of what it was given', () => {
    const before: XdpState = Object.freeze({ offload: Object.freeze(by(offloaded)) });
    const result = attachByLink(card, before, { program: one, flags: DRV });
    expect(result).toEqual({ ok: true, value: { mode: 'native', state: { ...before, native: by(one, true) } } });
  });
});

describe('loading for a device', () => {
  it.each([
    [{ usesRxHints: true, device: native }, 'bind-hints-unbound'],
    [{ usesRxHints: true, device: native, purpose: 'hints' }, undefined],
    [{ usesRxHints: true, device: card, purpose: 'offload' }, 'bind-hints-offloaded'],
    [{ device: card, purpose: 'offload' }, undefined],
    [{ device: card, purpose: 'offload', frags: true }, 'bind-offload-frags'],
    [{ device: native, purpose: 'offload' }, 'bind-no-offload'],
    [{ device: plain, purpose: 'hints' }, 'bind-no-ndo'],
    [{ device: undefined, purpose: 'hints' }, 'bind-no-device'],
  ] as const)('%o: %s', (attempt, code) => {
    expect(checkBinding({ name: 'x', frags: false, usesRxHints: false, ...attempt })?.code).toBe(code);
  });
});

describe('the rules', () => {
  const rules = [...ATTACH_RULES, ...INSTALL_RULES, ...BIND_RULES];

  it.each(rules)('$code says what is wrong and what to do', ({ code, errno, message, hint }) => {
    expect(code).toMatch(/^(attach|bind)-[a-z-]+$/);
    expect(errnoName(errno)).toMatch(/^E[A-Z]+$/);
    for (const text of [message, hint]) expect(text).toMatch(/^\S.*[^.\s]$/);
  });

  it('a problem names program and device, and the errno', () => {
    const result = attachByNetlink(native, NOTHING_ATTACHED, { program: { ...one, attachType: 'cpumap' }, flags: 0 });
    expect(result).toEqual({
      ok: false,
      problem: {
        code: 'attach-cpumap-program', errno: EINVAL, kernelSays: 'BPF_XDP_CPUMAP programs can not be attached to a device', where: 'program one on native',
        message: 'a program of SEC("xdp/cpumap") belongs into an entry of a CPUMAP, not on a device (EINVAL)', hint: 'attach one in SEC("xdp")',
      },
    });
  });

  it('replaces only what was expected', () => {
    const state: XdpState = { native: by(one) };
    expect(outcome(attachByNetlink(native, state, { program: other, flags: REPLACE, expected: one }))).toBe('native');
    expect(outcome(attachByNetlink(native, state, { program: other, flags: REPLACE, expected: hints }))).toBe('EEXIST attach-not-expected');
    expect(outcome(attachByNetlink(native, state, { program: other, flags: REPLACE, expected: 'none' }))).toBe('EEXIST attach-not-expected');
    expect(outcome(attachByNetlink(native, NOTHING_ATTACHED, { program: other, flags: REPLACE, expected: 'none' }))).toBe('native');
    expect(outcome(attachByNetlink(native, state, { program: other, flags: REPLACE }))).toBe('EINVAL attach-replace-what');
  });
});
