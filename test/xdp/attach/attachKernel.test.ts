import { closeSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EINVAL, errnoName, unwrap } from '../../../src/base/index.js';
import { assemble, decode, encode } from '../../../src/vm/index.js';
import { attachByLink, attachByNetlink, checkBinding, detachLink, NOTHING_ATTACHED, updateLink, XDP_FLAGS_DRV_MODE, XDP_FLAGS_MASK, XDP_FLAGS_REPLACE, XDP_FLAGS_SKB_MODE } from '../../../src/xdp/index.js';
import type { AttachedXdp, AttachResult, XdpAttachable, XdpMode, XdpNetdev, XdpState } from '../../../src/xdp/index.js';
import { AttachLab, BPF_F_XDP_DEV_BOUND_ONLY, BPF_F_XDP_HAS_FRAGS, BPF_XDP_CPUMAP, BPF_XDP_DEVMAP } from '../../support/kernelAttach.js';
import type { KernelAnswer } from '../../support/kernelAttach.js';
import { withKernel } from '../../support/kernelOracle.js';

/** A device, in the kernel and in the model. */
interface Twin {
  readonly ifindex: number;
  readonly model: XdpNetdev;
  readonly programs: readonly string[];
}

/** What is attached before a request. */
const STATES = ['nothing', 'native', 'generic', 'native link', 'generic link'] as const;
/** Those, and one that the kernel does not know. */
const ALL_FLAGS = [...Array.from({ length: XDP_FLAGS_MASK + 1 }, (_, flags) => flags), XDP_FLAGS_MASK + 1];
const PROGRAMS = ['one', 'other', 'frags', 'devmap', 'cpumap'];

withKernel('dev_xdp_attach, the model against the kernel', (kernel) => {
  let lab: AttachLab;
  const twins = new Map<string, Twin>();
  const fds = new Map<string, number>();
  const names = new Map<number, string>();
  const models = new Map<string, XdpAttachable>();

  function addProgram(name: string, more: Parameters<AttachLab['load']>[0], model: Partial<XdpAttachable> = {}): void {
    const fd = lab.load(more);
    if (fd < 0) throw new Error(`the kernel refused program ${name}: ${errnoName(fd)}`);
    fds.set(name, fd);
    names.set(lab.programId(fd), name);
    models.set(name, { name, attachType: 'xdp', frags: false, ...model });
  }

  beforeAll(async () => {
    lab = await AttachLab.open(kernel);
    // ndo_bpf of veth knows XDP_SETUP_PROG only (veth_xdp, drivers/net/veth.c).
    const ndoBpf: XdpNetdev['ndoBpf'] = ({ mode }) => (mode === 'native' ? undefined : { code: 'no-offload', errno: EINVAL, kernelSays: '', message: '' });
    const veth = (name: string, more: Partial<XdpNetdev>, programs: string[]): Twin => {
      const ifindex = lab.addVeth(name);
      return { ifindex, programs: [...PROGRAMS, ...programs], model: { name, ifindex, ndoBpf, ...more } };
    };
    twins.set('lo', { ifindex: 1, model: { name: 'lo', ifindex: 1 }, programs: [...PROGRAMS, 'bound to b'] });
    twins.set('veth', veth('a', {}, ['bound to b']));
    twins.set('veth with bound programs', veth('c', { hasBoundPrograms: true }, ['bound to b', 'bound to c']));
    const b = veth('b', {}, []);
    addProgram('one', {});
    addProgram('other', {});
    addProgram('frags', { flags: BPF_F_XDP_HAS_FRAGS }, { frags: true });
    addProgram('devmap', { attachType: BPF_XDP_DEVMAP }, { attachType: 'devmap' });
    addProgram('cpumap', { attachType: BPF_XDP_CPUMAP }, { attachType: 'cpumap' });
    const c = twins.get('veth with bound programs')!;
    addProgram('bound to b', { flags: BPF_F_XDP_DEV_BOUND_ONLY, ifindex: b.ifindex }, { boundTo: { device: b.model, isOffloaded: false } });
    addProgram('bound to c', { flags: BPF_F_XDP_DEV_BOUND_ONLY, ifindex: c.ifindex }, { boundTo: { device: c.model, isOffloaded: false } });
  });

  afterAll(() => lab.close());

  /** Puts a device into a state, on both sides; gives the model's and what undoes the kernel's. */
  function enter({ ifindex }: Twin, name: (typeof STATES)[number]): { readonly state: XdpState; leave(): void } {
    if (name === 'nothing') return { state: NOTHING_ATTACHED, leave: () => undefined };
    const mode: XdpMode = name.startsWith('native') ? 'native' : 'generic';
    const flag = mode === 'native' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    const byLink = name.endsWith('link');
    const attached: AttachedXdp = { program: models.get('one')!, byLink };
    if (byLink) {
      const link = lab.createLink(ifindex, fds.get('one')!, flag);
      if (link < 0) throw new Error(`no link: ${errnoName(link)}`);
      return { state: { [mode]: attached }, leave: () => closeSync(link) };
    }
    const { errno } = lab.setXdp(ifindex, fds.get('one')!, flag);
    if (errno !== 0) throw new Error(`not attached: ${errnoName(errno)}`);
    return { state: { [mode]: attached }, leave: () => lab.setXdp(ifindex, -1, flag) };
  }

  /** What came of it, in words that both sides can say. */
  function kernelSide({ ifindex }: Twin, { errno, says }: KernelAnswer): string {
    const { native, generic, offload } = lab.xdpState(ifindex);
    const attached = Object.entries({ native, generic, offload }).filter(([, id]) => id !== 0).map(([mode, id]) => `${mode}: ${names.get(id)}`);
    return `${errno === 0 ? 'done' : errnoName(errno)} "${says}", ${attached.join(', ') || 'nothing'}`;
  }

  function modelSide(result: AttachResult, before: XdpState): string {
    const after = result.ok ? result.value.state : before;
    const attached = (['native', 'generic', 'offload'] as const).flatMap((mode) => (after[mode] === undefined ? [] : [`${mode}: ${after[mode].program.name}`]));
    const said = result.ok ? 'done ""' : `${errnoName(result.problem.errno)} "${result.problem.kernelSays}"`;
    return `${said}, ${attached.join(', ') || 'nothing'}`;
  }

  const devices = ['lo', 'veth', 'veth with bound programs'];
  const statesOf = (device: string) => STATES.filter((state) => device !== 'lo' || !state.startsWith('native'));

  it.each(devices.flatMap((device) => statesOf(device).map((state) => [device, state] as const)))('netlink, every request on %s with %s', (device, stateName) => {
    const twin = twins.get(device)!;
    let place = enter(twin, stateName);
    let compared = 0;
    const differences: string[] = [];
    for (const flags of ALL_FLAGS) {
      // Without the flag the kernel does not look at the expected program.
      const expectations = (flags & XDP_FLAGS_REPLACE) === 0 ? [undefined, 'other'] : [undefined, 'none', 'one', 'other'];
      for (const expected of expectations) {
        for (const name of ['none', ...twin.programs]) {
          const fd = fds.get(name) ?? -1;
          const expectedFd = expected === undefined ? undefined : (fds.get(expected) ?? -1);
          const fromKernel = kernelSide(twin, lab.setXdp(twin.ifindex, fd, flags, expectedFd));
          const result = attachByNetlink(twin.model, place.state, { program: models.get(name), flags, expected: expected === 'none' ? 'none' : models.get(expected ?? '') });
          const fromModel = modelSide(result, place.state);
          compared++;
          if (fromKernel !== fromModel) differences.push(`program ${name}, flags ${flags}, expected ${expected}: kernel ${fromKernel}, model ${fromModel}`);
          if (fromKernel.startsWith('done')) {
            for (const mode of [XDP_FLAGS_DRV_MODE, XDP_FLAGS_SKB_MODE]) lab.setXdp(twin.ifindex, -1, mode);
            place.leave();
            place = enter(twin, stateName);
          }
        }
      }
    }
    place.leave();
    expect(compared).toBeGreaterThan(500);
    expect(differences).toEqual([]);
  }, 60_000);

  it.each(devices.flatMap((device) => statesOf(device).map((state) => [device, state] as const)))('bpf_link, every request on %s with %s', (device, stateName) => {
    const twin = twins.get(device)!;
    const place = enter(twin, stateName);
    const differences: string[] = [];
    for (const flags of ALL_FLAGS) {
      for (const name of twin.programs) {
        const link = lab.createLink(twin.ifindex, fds.get(name)!, flags);
        const fromKernel = kernelSide(twin, { errno: link < 0 ? -link : 0, says: '' });
        if (link >= 0) closeSync(link);
        const result = attachByLink(twin.model, place.state, { program: models.get(name)!, flags });
        // bpf(2) hands no sentence on.
        const fromModel = modelSide(result.ok ? result : { ok: false, problem: { ...result.problem, kernelSays: '' } }, place.state);
        if (fromKernel !== fromModel) differences.push(`program ${name}, flags ${flags}: kernel ${fromKernel}, model ${fromModel}`);
      }
    }
    place.leave();
    expect(differences).toEqual([]);
  }, 60_000);

  it.each([['lo', 'generic'], ['veth', 'native'], ['veth', 'generic'], ['veth with bound programs', 'native']] as const)('BPF_LINK_UPDATE on %s, %s', (device, mode) => {
    const twin = twins.get(device)!;
    const flag = mode === 'native' ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
    const link = lab.createLink(twin.ifindex, fds.get('one')!, flag);
    let state: XdpState = { [mode]: { program: models.get('one')!, byLink: true } };
    for (const name of [...twin.programs, 'one']) {
      for (const expected of ['other', 'one', undefined]) {
        const errno = lab.updateLink(link, fds.get(name)!, expected === undefined ? undefined : fds.get(expected));
        const result = updateLink(twin.model, state, mode, models.get(name)!, expected === undefined ? undefined : models.get(expected));
        expect(`${name} for ${expected}: ${modelSide(result, state)}`).toBe(`${name} for ${expected}: ${kernelSide(twin, { errno, says: '' })}`);
        if (result.ok) ({ state } = result.value);
      }
    }
    expect(lab.detachLink(link)).toBe(0);
    state = detachLink(state, mode);
    expect(`detached ${modelSide({ ok: true, value: { mode, state } }, state)}`).toBe(`detached ${kernelSide(twin, { errno: 0, says: '' })}`);
    const gone = updateLink(twin.model, state, undefined, models.get('other')!);
    expect(gone.ok ? 0 : gone.problem.errno).toBe(lab.updateLink(link, fds.get('other')!));
    closeSync(link);
  });

  it('a link outlives its device, and can not be changed any more', () => {
    const ifindex = lab.addVeth('gone');
    const link = lab.createLink(ifindex, fds.get('one')!, 0);
    lab.remove(ifindex);
    const result = updateLink({ name: 'gone', ifindex }, NOTHING_ATTACHED, undefined, models.get('other')!);
    expect(result.ok ? 0 : result.problem.errno).toBe(lab.updateLink(link, fds.get('other')!));
    closeSync(link);
  });

  it('a device below one that has a program takes none, and lets none go', () => {
    const ifindex = lab.addVeth('below');
    const bridge = lab.addBridge('above');
    lab.setMaster(ifindex, bridge);
    expect(lab.setXdp(bridge, fds.get('one')!, 0).errno).toBe(0);
    const twin: Twin = { ifindex, programs: [], model: { ...twins.get('veth')!.model, name: 'below', ifindex, upperHasProgram: true } };
    for (const name of ['one', 'none']) {
      for (const flags of [0, 2, 4, 8]) {
        const result = attachByNetlink(twin.model, NOTHING_ATTACHED, { program: models.get(name), flags });
        expect(modelSide(result, NOTHING_ATTACHED)).toBe(kernelSide(twin, lab.setXdp(ifindex, fds.get(name) ?? -1, flags)));
      }
    }
  });

  it('a program that asks for hints is loaded for a device with ndo_bpf, or not at all', () => {
    const id = unwrap(kernel.functions.id('bpf_xdp_metadata_rx_timestamp'));
    if (id === undefined) throw new Error('the kernel has no RX hints');
    const insns = unwrap(assemble('r2 = r10\nr2 += -8\n*(u64 *)(r10 - 8) = 0\ncall kfunc#0\nr0 = 2\nexit'));
    encode(insns, 3, { ...decode(insns, 3), imm: id });
    for (const [purpose, device, ifindex] of [[undefined, undefined, 0], ['hints', twins.get('veth')!.model, twins.get('veth')!.ifindex], ['hints', twins.get('lo')!.model, 1]] as const) {
      const log = kernel.syscalls.buffer(1 << 16);
      const fd = lab.load({ insns, flags: purpose === 'hints' ? BPF_F_XDP_DEV_BOUND_ONLY : 0, ifindex, log });
      const problem = checkBinding({ name: 'x', frags: false, usesRxHints: true, purpose, device });
      expect(problem?.errno ?? 0).toBe(fd < 0 ? -fd : 0);
      const text = new TextDecoder().decode(log.bytes.subarray(0, log.bytes.indexOf(0)));
      expect(text).toContain(problem?.kernelSays ?? '');
    }
  });

  it('BPF_PROG_LOAD for a device', () => {
    const { model, ifindex } = twins.get('veth')!;
    const lo = twins.get('lo')!;
    for (const [purpose, frags, device, at] of [
      ['hints', false, model, ifindex], ['hints', true, model, ifindex], ['offload', false, model, ifindex], ['offload', true, model, ifindex],
      ['hints', false, lo.model, 1], ['offload', false, lo.model, 1], ['hints', false, undefined, 99999], ['offload', false, undefined, 99999], [undefined, true, undefined, 0],
    ] as const) {
      const flags = (purpose === 'hints' ? BPF_F_XDP_DEV_BOUND_ONLY : 0) | (frags ? BPF_F_XDP_HAS_FRAGS : 0);
      const fd = lab.load({ flags, ifindex: at });
      const problem = checkBinding({ name: 'x', frags, usesRxHints: false, purpose, device });
      expect([purpose, frags, device?.name, problem?.errno ?? 0]).toEqual([purpose, frags, device?.name, fd < 0 ? -fd : 0]);
    }
  });
});
