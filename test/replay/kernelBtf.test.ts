import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { KernelObject, isVerifierProblem, loadIntoKernel } from '../../src/replay/index.js';
import { kernelBtfBytes, needsBtf } from '../../src/replay/kernelBtf.js';
import { readBtf } from '../../src/vm/btf/readBtf.js';
import { loadObjectFile } from '../../src/vm/loader/loadObject.js';
import type { ObjectSpec } from '../../src/vm/spec.js';
import { withKernel } from '../support/kernelOracle.js';

const PROGRAMS = 'fixtures/programs';
const OWN = 'test/replay/btf/btf.o';
const objects = [OWN, ...(readdirSync(PROGRAMS, { recursive: true }) as string[]).filter((file) => file.endsWith('.o')).sort().map((file) => join(PROGRAMS, file))];
const load = (path: string): ObjectSpec => unwrap(loadObjectFile(path));
const fixture = (name: string): ObjectSpec => load(join(PROGRAMS, name, `${name}.o`));

const hasBpftool = spawnSync('bpftool', ['version']).status === 0;
if (!hasBpftool) console.warn('SKIPPED, not compared with bpftool: it is not installed');

/** The kernel's number of what a file descriptor of this process stands for, by /proc. */
function idOf(fd: number, field: 'map_id' | 'prog_id'): string {
  return new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!;
}

const bpftool = (...parameters: string[]): string => execFileSync('bpftool', parameters, { encoding: 'utf8' });

/** The object with BTF that only the kernel refuses. */
function withBadBtf(spec: ObjectSpec): ObjectSpec {
  const btfBytes = Uint8Array.from(spec.btfBytes!);
  const view = new DataView(btfBytes.buffer);
  const firstTypeAt = view.getUint32(4, true) + view.getUint32(8, true);
  // The first type is a pointer, which must have no name.
  view.setUint32(firstTypeAt, 1, true);
  return { ...spec, btfBytes };
}

withKernel('BTF in the kernel', (kernel) => {
  const opened: KernelObject[] = [];
  const open = (spec: ObjectSpec): KernelObject => {
    const object = new KernelObject(kernel, spec);
    opened.push(object);
    return object;
  };
  afterAll(() => {
    for (const object of opened) object.close();
  });

  it.each(objects)('%s: the kernel takes its types, and all functions and lines have theirs', (path) => {
    const spec = load(path);
    const object = open(spec);
    expect(object.btf?.problem).toBeUndefined();
    for (const program of spec.programs) {
      expect(program.funcInfo).toHaveLength(8 * program.functions.length);
      expect(program.lineInfo).toHaveLength(16 * program.lines.length);
    }
  });

  it('fills in what the compiler leaves open: the size of sections and the place of variables', () => {
    const spec = fixture('switch_drop');
    const bytes = kernelBtfBytes(spec);
    expect(bytes).toHaveLength(spec.btfBytes!.length);
    const completed = unwrap(readBtf(bytes, 'as the kernel gets it'));
    expect(completed.types).toEqual(spec.btf!.types);
    expect(completed.types).not.toEqual(unwrap(readBtf(spec.btfBytes!, 'as the file has it')).types);
  });

  it('makes externals global, and drops the sections that describe no map', () => {
    const object = open(load(OWN));
    expect(object.btf?.problem).toBeUndefined();
    expect(unwrap(object.loadProgram('typed')).fd).toBeGreaterThan(0);
  });

  describe.runIf(hasBpftool)('bpftool', () => {
    it('shows the values of maps by their types', () => {
      const object = open(fixture('count_percpu'));
      const map = unwrap(object.map('packets_by_source'));
      map.updateBytes(Uint8Array.of(192, 0, 2, 1), new Uint8Array(map.userValueBytes).fill(1, 0, 1), 0);
      const [entry] = JSON.parse(bpftool('-j', 'map', 'dump', 'id', idOf(map.fd, 'map_id'))) as { formatted: { values: { value: unknown }[] } }[];
      expect(entry!.formatted.values[0]!.value).toEqual({ packets: 1, bytes: 0 });
    });

    it('shows the variables of data sections by their names', () => {
      const object = open(fixture('switch_drop'));
      const dump = bpftool('map', 'dump', 'id', idOf(unwrap(object.map('.rodata')).fd, 'map_id'));
      expect(dump).toContain('"drop_udp_port"');
      expect(bpftool('map', 'dump', 'id', idOf(unwrap(object.map('.bss')).fd, 'map_id'))).toContain('"drop_all"');
    });

    it.each(['subprogs', 'subprogs_v1', 'subprogs_v4'])('%s: shows the functions by their names, and the source lines', (name) => {
      const program = unwrap(open(fixture(name)).loadProgram('subprogs'));
      const text = bpftool('prog', 'dump', 'xlated', 'id', idOf(program.fd, 'prog_id'), 'linum');
      const headers = [...text.matchAll(/^(?:int|void|__s32|static int) (\w+)\(.*\):$/gm)].map((match) => match[1]);
      expect(headers).toEqual(program.spec.functions.map((fn) => fn.name));
      expect(text).toMatch(/^; .*check_header\(.*\[file:\S*subprogs\.c line_num:\d+ line_col:\d+\]$/m);
    });
  });

  it('has the source lines in the verifier log of a refused program', () => {
    const refused = loadIntoKernel(kernel, load(OWN), 'refused');
    if (refused.ok || !isVerifierProblem(refused.problem)) throw new Error('the verifier has let it pass');
    expect(refused.problem.log).toMatch(/^; return \*\(__u8 \*\)\(long\)ctx->data; @ btf\.c:\d+$/m);
    expect(refused.problem.message).toMatch(/^the kernel refused program refused: EACCES, invalid access to packet, /);
    expect(refused.problem.where).toMatch(/^test\/replay\/btf\/btf\.o, section xdp, instruction \d+, \S*btf\.c:\d+$/);
  });

  it('verifies a global function on its own, and a hidden one with its callers', () => {
    expect(unwrap(open(load(OWN)).loadProgram('calls_hidden')).fd).toBeGreaterThan(0);
    const refused = loadIntoKernel(kernel, load(OWN), 'calls_global');
    if (refused.ok || !isVerifierProblem(refused.problem)) throw new Error('the verifier has let it pass');
    expect(refused.problem.log).toContain('Validating global_read() func#1...');
    expect(refused.problem.message).toBe("the kernel refused program calls_global: EACCES, R1 invalid mem access 'mem_or_null'");
  });

  it('says why a global function can not be called, because of its parameters', () => {
    const reason = "arg#0 reference type('UNKNOWN ') size cannot be determined: -22; Caller passes invalid args into func#1 ('global_void')";
    expect(loadIntoKernel(kernel, load(OWN), 'calls_void')).toMatchObject({ problem: { message: `the kernel refused program calls_void: EINVAL, ${reason}` } });
  });

  it('makes a map with a spin lock, which programs take', () => {
    expect(unwrap(open(load(OWN)).loadProgram('locks')).fd).toBeGreaterThan(0);
  });

  describe('types that the kernel refuses', () => {
    it('are left out: programs and maps go without', () => {
      const object = open(withBadBtf(fixture('count_hash')));
      expect(object.btf).toMatchObject({ fd: undefined, problem: { code: 'kernel-btf-refused', message: expect.stringMatching(/^the kernel refused the object's BTF: EINVAL, .*Invalid name/) } });
      expect(unwrap(object.loadProgram(object.spec.programs[0]!.name)).fd).toBeGreaterThan(0);
    });

    it('keep a map with a spin lock from being made', () => {
      const object = open(withBadBtf(load(OWN)));
      expect(object.map('locked')).toMatchObject({
        problem: { code: 'kernel-map-needs-btf', message: expect.stringMatching(/^map locked holds a bpf_spin_lock, for which it needs BTF: the kernel refused/) },
      });
      expect(object.map('plain').ok).toBe(true);
    });

    it('of one map leave that map without', () => {
      const spec = fixture('count_hash');
      const maps = spec.maps.map((map) => ({ ...map, keyTypeId: map.valueTypeId }));
      const object = open({ ...spec, maps });
      const map = unwrap(object.map(maps[0]!.name));
      expect(map.updateBytes(new Uint8Array(maps[0]!.keySize), new Uint8Array(map.userValueBytes), 0)).toBe(0);
      if (hasBpftool) expect(JSON.parse(bpftool('-j', 'map', 'show', 'id', idOf(map.fd, 'map_id')))).not.toHaveProperty('btf_id');
    });

    it('of a map with a spin lock keep it from being made', () => {
      const spec = load(OWN);
      const object = open({ ...spec, maps: spec.maps.map((map) => (map.name === 'locked' ? { ...map, keyTypeId: map.valueTypeId } : map)) });
      expect(object.map('locked')).toMatchObject({ problem: { code: 'kernel-map-needs-btf', message: expect.stringContaining('the kernel refused the map with it: EINVAL') } });
    });
  });

  it('closes the types with the object', () => {
    const openFds = (): number => readdirSync('/proc/self/fd').length;
    const before = openFds();
    const program = unwrap(loadIntoKernel(kernel, fixture('count_hash'), 'count_hash'));
    expect(openFds()).toBeGreaterThan(before + 2);
    program.close();
    program.close();
    expect(openFds()).toBe(before);
    expect(loadIntoKernel(kernel, load(OWN), 'refused').ok).toBe(false);
    expect(openFds()).toBe(before);
  });
});

describe('types with which a map needs BTF', () => {
  const spec = load(OWN);
  it.each([['locked', 'bpf_spin_lock'], ['timed', 'bpf_timer'], ['plain', undefined]])('%s: %s', (name, special) => {
    expect(needsBtf(spec.btf!, spec.maps.find((map) => map.name === name)!.valueTypeId)).toBe(special);
  });
});
