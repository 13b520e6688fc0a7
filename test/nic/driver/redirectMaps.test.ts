import { describe, expect, it } from 'vitest';
import type { LoadedObject, MapSpec, ObjectSpec, ProgramEntryMap } from '../../../src/vm/index.js';
import { map } from '../../replay/support/kernelPrograms.js';
import { burst, simulate, xdpProgram, xskMap } from '../../support/simulate.js';

const [DEVMAP, CPUMAP, DEVMAP_HASH] = [14, 16, 25];
const OWN = 1;

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const devices = map('devices', DEVMAP, 4, 8, 8);
const cpus = map('cpus', CPUMAP, 4, 8, 8);
/** Words that programs leave: index 0 to 7. */
const seen = map('seen', 2, 4, 4, 8);

/** `return bpf_redirect_map(name, key, flags)`. */
const redirectTo = (name: string, key = 0, flags = 0): string => `r1 = map ${name}\nr2 = ${key}\nr3 = ${flags}\ncall 51\nexit`;

/** Stores r7 at `seen[index]`; keeps r6 to r9. */
const keep = (index: number, label: string): string =>
  `*(u32 *)(r10 - 4) = ${index}\nr1 = map seen\nr2 = r10\nr2 += -4\ncall 1\nif r0 == 0 goto ${label}\n*(u32 *)(r0 + 0) = r7\n${label}: r0 = 0\n`;

/** A program with `main` and a second one for entries. */
function twoPrograms(main: string, second: string, attachType: 'devmap' | 'cpumap', maps: readonly MapSpec[]): ObjectSpec {
  const object = xdpProgram(main, { maps });
  const entry = { ...xdpProgram(second, { maps }).programs[0], name: 'second', section: `xdp/${attachType}`, attachType };
  return { ...object, programs: [...object.programs, entry] };
}

const put = (loaded: LoadedObject, name: string, key: number, target: number, program?: string): undefined => {
  const live = loaded.maps.get(name) as ProgramEntryMap;
  expect(live.updateEntry(u32(key), target, program === undefined ? undefined : loaded.program(program)!, 0)).toBe(0);
};

const words = (loaded: LoadedObject): number[] =>
  [...loaded.maps.get('seen')!.entries()].map(({ value }) => new DataView(value.buffer, value.byteOffset).getUint32(0, true));

describe.each([['DEVMAP', DEVMAP], ['DEVMAP_HASH', DEVMAP_HASH]])('redirect through a %s', (_, type) => {
  const targets = { ...devices, type };
  const run = (text: string, ifindex: number) =>
    simulate({ object: xdpProgram(text, { maps: [targets] }), frames: burst(3), prepare: (loaded) => put(loaded, 'devices', 0, ifindex) });

  it('to the own device sends', () => {
    const { outcomes, simulation, result } = run(redirectTo('devices'), OWN);
    expect(outcomes).toEqual({ redirect: 3 });
    expect(simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 3, txXdpXmit: 3, xdpRedirectErrors: 0 });
    expect(result.audit.ok).toBe(true);
  });

  it('to another device says that there is none here', () => {
    const { outcomes, simulation, result } = run(redirectTo('devices'), 7);
    expect(outcomes).toEqual({ redirect_not_simulated: 3 });
    expect(simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 0, xdpRedirectErrors: 3 });
    expect(result.audit.ok).toBe(true);
  });

  it('broadcasts, to the ingress device too unless it is excluded', () => {
    expect(run(redirectTo('devices', 5, 8), OWN).outcomes).toEqual({ redirect: 3 });
    expect(run(redirectTo('devices', 5, 24), OWN).outcomes).toEqual({ redirect_no_receiver: 3 });
  });
});

describe('the program of a DEVMAP entry', () => {
  const run = (second: string, frames = burst(3)) =>
    simulate({
      object: twoPrograms(redirectTo('devices'), second, 'devmap', [devices, seen]),
      program: 'main',
      frames,
      nic: { queues: 1, ifindex: 5 },
      prepare: (loaded) => put(loaded, 'devices', 0, 5, 'second'),
    });

  it.each([['XDP_PASS', 2, { redirect: 3 }], ['XDP_DROP', 1, { devmap_drop: 3 }], ['XDP_ABORTED', 0, { devmap_drop: 3 }], ['XDP_TX', 3, { devmap_drop: 3 }], ['77', 77, { devmap_drop: 3 }]])(
    'returns %s',
    (_, retval, outcomes) => {
      const { outcomes: found, result } = run(`r0 = ${retval}\nexit`);
      expect(found).toEqual(outcomes);
      expect(result.audit.ok).toBe(true);
    },
  );

  it('sees the device that the packet leaves by, and no queue', () => {
    const fields = [12, 16, 20].map((off, i) => `r7 = *(u32 *)(r6 + ${off})\n${keep(i, `l${i}`)}`).join('');
    const { simulation, outcomes } = run(`r6 = r1\n${fields}r0 = 2\nexit`);
    expect(outcomes).toEqual({ redirect: 3 });
    expect(words(simulation.loaded).slice(0, 3)).toEqual([5, 0, 5]);
  });

  it('changes what is sent', () => {
    const mark = 'r2 = *(u32 *)(r1 + 0)\nr3 = *(u32 *)(r1 + 4)\nr4 = r2\nr4 += 14\nif r4 > r3 goto out\n*(u8 *)(r2 + 0) = 0xaa\nout: r0 = 2\nexit';
    expect(run(mark).ends.map(({ bytes }) => bytes[0])).toEqual([0xaa, 0xaa, 0xaa]);
  });

  it('that is stopped drops the packet', () => {
    const { outcomes, result, simulation } = run('r0 = *(u64 *)(r1 + 0)\nexit');
    expect(outcomes).toEqual({ entry_program_fault: 3 });
    expect(result.audit.ok).toBe(true);
    expect(simulation.nic.driver.counters(0).xdpExceptions).toBe(0);
  });

  it('may take all of the headroom but struct xdp_frame', () => {
    const { outcomes, result } = run('r2 = -216\ncall 44\nr0 = 2\nexit');
    expect(outcomes).toEqual({ redirect: 3 });
    expect(result.audit.ok).toBe(true);
  });
});

it('egress_ifindex can be read in programs of a DEVMAP only', () => {
  const { outcomes, result } = simulate({ object: xdpProgram('r0 = *(u32 *)(r1 + 20)\nexit'), frames: burst(2) });
  expect(outcomes).toEqual({ program_fault: 2 });
  expect(result.audit.ok).toBe(true);
});

describe('redirect through a CPUMAP', () => {
  const run = (second: string | undefined, more: { readonly main?: string; readonly maps?: readonly MapSpec[] } = {}) =>
    simulate({
      object: twoPrograms(more.main ?? redirectTo('cpus', 1), second ?? 'r0 = 2\nexit', 'cpumap', [cpus, devices, seen, ...(more.maps ?? [])]),
      program: 'main',
      frames: burst(3),
      nic: { queues: 2 },
      prepare(loaded) {
        put(loaded, 'cpus', 1, 192, second === undefined ? undefined : 'second');
        put(loaded, 'devices', 0, OWN);
        return undefined;
      },
    });

  it.each([
    ['without a program passes', undefined, { cpumap: 3 }],
    ['passes', 'r0 = 2\nexit', { cpumap: 3 }],
    ['drops', 'r0 = 1\nexit', { cpumap_drop: 3 }],
    ['aborts', 'r0 = 0\nexit', { cpumap_drop: 3 }],
    ['has no XDP_TX', 'r0 = 3\nexit', { cpumap_drop: 3 }],
    ['is stopped', 'r0 = *(u64 *)(r1 + 0)\nexit', { entry_program_fault: 3 }],
    ['redirects on, to a device', redirectTo('devices'), { redirect: 3 }],
    ['redirects on, to nowhere', 'r0 = 4\nexit', { redirect_no_helper: 3 }],
    ['redirects to its own CPU for ever', redirectTo('cpus', 1), { redirect_loop: 3 }],
  ])('%s', (_, second, outcomes) => {
    const { outcomes: found, result } = run(second);
    expect(found).toEqual(outcomes);
    expect(result.audit.ok).toBe(true);
  });

  it('runs its program on the other CPU, which knows no queue', () => {
    const second = `r6 = r1\nr7 = *(u32 *)(r6 + 12)\n${keep(0, 'a')}r7 = *(u32 *)(r6 + 16)\n${keep(1, 'b')}call 8\nr7 = r0\n${keep(2, 'c')}r0 = 2\nexit`;
    const { simulation, outcomes } = run(second);
    expect(outcomes).toEqual({ cpumap: 3 });
    expect(words(simulation.loaded).slice(0, 3)).toEqual([OWN, 0, 1]);
    expect(simulation.nic.driver.counters(0).xdpRedirect + simulation.nic.driver.counters(1).xdpRedirect).toBe(3);
  });

  it('keeps jumbo frames whole, and takes back the fragments that its program cuts off', () => {
    const object = twoPrograms(redirectTo('cpus', 1), 'r2 = -4000\ncall 65\nr0 = 2\nexit', 'cpumap', [cpus, seen]);
    const frags = { ...object, programs: object.programs.map((program) => ({ ...program, frags: true })) };
    const { outcomes, ends, result } = simulate({
      object: frags,
      program: 'main',
      frames: burst(3, 7000),
      nic: { queues: 2, mtu: 9000 },
      prepare: (loaded) => put(loaded, 'cpus', 1, 192, 'second'),
    });
    expect(outcomes).toEqual({ cpumap: 3 });
    expect(ends.map(({ bytes }) => bytes.length)).toEqual([3000, 3000, 3000]);
    expect(result.audit.ok).toBe(true);
  });

  it('hides the queue from sockets behind it', () => {
    const { outcomes } = simulate({
      object: twoPrograms(redirectTo('cpus', 1), redirectTo('xsks', 0), 'cpumap', [cpus, xskMap]),
      program: 'main',
      frames: burst(4),
      nic: { queues: 2 },
      xsk: { application: 'rxdrop' },
      prepare: (loaded) => put(loaded, 'cpus', 1, 192, 'second'),
    });
    expect(outcomes).toEqual({ xsk: 4 });
  });
});
