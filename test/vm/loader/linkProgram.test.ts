import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { toHex, unwrap } from '../../../src/base/index.js';
import { STT_FUNC } from '../../../src/vm/elf/elfFile.js';
import { readElf } from '../../../src/vm/elf/readElf.js';
import { loadObjectFile } from '../../../src/vm/loader/loadObject.js';
import { lineAt } from '../../../src/vm/loader/sourceLine.js';
import type { FunctionSpec, ProgramSpec } from '../../../src/vm/spec.js';
import { goodObjects, loadFixture, loadOwn, oracle, programNamed } from './support.js';

const INSN_BYTES = 8;

/** Calls between functions: where, and the instruction that they lead to. */
function calls(program: ProgramSpec): { from: number; to: number }[] {
  const { insns } = program;
  const view = new DataView(insns.buffer, insns.byteOffset, insns.byteLength);
  const found: { from: number; to: number }[] = [];
  for (let i = 0; i * INSN_BYTES < insns.length; i++) {
    const opcode = insns[i * INSN_BYTES]!;
    if (opcode === 0x85 && insns[i * INSN_BYTES + 1]! >> 4 === 1) found.push({ from: i, to: i + 1 + view.getInt32(i * INSN_BYTES + 4, true) });
    if (opcode === 0x18) i++;
  }
  return found;
}

function functionAt(program: ProgramSpec, insnIndex: number): FunctionSpec {
  return program.functions.findLast((fn) => fn.insnIndex <= insnIndex)!;
}

const callGraph = (program: ProgramSpec): string[] => calls(program).map(({ from, to }) => `${functionAt(program, from).name} > ${program.functions.find((fn) => fn.insnIndex === to)?.name}`);

test('subprograms stand behind the program once each, in the order of the first call', () => {
  const program = programNamed(loadFixture('subprogs'), 'subprogs');
  expect(program.functions).toEqual([
    { name: 'subprogs', insnIndex: 0, isHidden: false },
    { name: 'check_header', insnIndex: 35, isHidden: false },
    { name: 'header_sum', insnIndex: 63, isHidden: false },
    { name: 'note_error', insnIndex: 93, isHidden: false },
  ]);
  expect(callGraph(program)).toEqual(['subprogs > check_header', 'check_header > header_sum', 'check_header > note_error']);
});

test("the dispatcher reaches its ten slots, which are global functions of .text", () => {
  const program = programNamed(unwrap(loadObjectFile('fixtures/programs/xdp-tools/xdp-dispatcher.o')), 'xdp_dispatcher');
  const slots = [...Array.from({ length: 10 }, (_, i) => `prog${i}`), 'compat_test'];
  expect(callGraph(program)).toEqual(slots.map((name) => `xdp_dispatcher > ${name}`));
});

test('calls inside one section, to static and to global functions, and in circles', () => {
  const object = loadOwn('sections');
  expect(callGraph(programNamed(object, 'callee'))).toEqual(['callee > in_section']);
  expect(callGraph(programNamed(object, 'caller'))).toEqual(['caller > callee', 'caller > in_section', 'callee > in_section']);
  expect(callGraph(programNamed(object, 'recursive'))).toEqual(['recursive > even', 'even > odd', 'odd > even']);
});

/** What CO-RE changes is tested in core.test.ts. */
const objectsWithoutCore = goodObjects().filter((path) => !/\/(core\w*|conntrack)\.o$/.test(path));

test.each(objectsWithoutCore)('%s: linked code is the code of the file, but for calls and addresses of functions', (path) => {
  const elf = readElf(readFileSync(path), path);
  const original = new Map(elf.symbols.filter(({ type }) => type === STT_FUNC).map((symbol) => [symbol.name, elf.sections[symbol.sectionIndex]!.bytes.subarray(symbol.value, symbol.value + symbol.sizeBytes)]));
  for (const program of unwrap(loadObjectFile(path)).programs.filter(({ problem }) => problem === undefined)) {
    const linked = program.insns.slice();
    const expected = Buffer.concat(program.functions.map(({ name }) => original.get(name)!));
    for (const { to } of calls(program)) expect(program.functions.map(({ insnIndex }) => insnIndex)).toContain(to);
    const { functionReferences = [], kfuncs = [] } = program;
    for (const at of [...calls(program).map(({ from }) => from), ...[...functionReferences, ...kfuncs].map(({ insnIndex }) => insnIndex)]) {
      for (const code of [linked, expected]) {
        code[at * INSN_BYTES + 1]! &= 0x0f;
        code.fill(0, at * INSN_BYTES + 4, at * INSN_BYTES + 8);
      }
    }
    expect(toHex(linked)).toBe(toHex(expected));
    expect(new Set(program.functions.map(({ name }) => name)).size).toBe(program.functions.length);
    for (const { insnIndex } of program.references) expect(program.insns[insnIndex * INSN_BYTES]).toBe(0x18);
    expect(program.lines.map(({ insnIndex }) => insnIndex)).toEqual([...program.lines].map(({ insnIndex }) => insnIndex).sort((a, b) => a - b));
  }
});

test('the source line of every instruction is the one that llvm-objdump shows', () => {
  // Objects with DWARF are left out: there objdump shows that instead of BTF.
  const objects = goodObjects().filter((path) => !path.includes('xdp-tools'));
  for (const path of objects) {
    const text = oracle('llvm-objdump-19', ['--disassemble', '--line-numbers', '--no-show-raw-insn', path]);
    if (text === undefined) return;
    const shown = readObjdump(text);
    for (const program of unwrap(loadObjectFile(path)).programs) {
      for (const { name, insnIndex: start } of program.functions) {
        const expected = shown.get(name)!;
        expect(expected.size).toBeGreaterThan(0);
        const own = [...expected.keys()].map((offset) => {
          const line = lineAt(program, start + offset);
          return [offset, line && `${line.file}:${line.line}`];
        });
        expect(own).toEqual([...expected]);
      }
    }
  }
});

/** Per function, the line that was shown last before each instruction, by the instruction's place in the function. */
function readObjdump(text: string): Map<string, Map<number, string | undefined>> {
  const functions = new Map<string, Map<number, string | undefined>>();
  let lines = new Map<number, string | undefined>();
  let start = 0;
  let line: string | undefined;
  for (const row of text.split('\n')) {
    const label = /^([0-9a-f]+) <(.+)>:$/.exec(row);
    const source = /^; (.+:\d+)$/.exec(row);
    const insn = /^\s+(\d+):\t/.exec(row);
    if (label !== null) {
      lines = new Map();
      functions.set(label[2]!, lines);
      start = Number.parseInt(label[1]!, 16) / INSN_BYTES;
    } else if (source !== null) {
      line = source[1];
    } else if (insn !== null) {
      lines.set(Number(insn[1]) - start, line);
    }
  }
  return functions;
}

describe('the kernel, through libbpf', () => {
  const PINS = `/sys/fs/bpf/loader-test-${process.pid}`;
  const MAP_TYPES: Readonly<Record<string, number>> = { hash: 1, array: 2, prog_array: 3, percpu_hash: 5, percpu_array: 6, xskmap: 17 };

  interface ShownMap {
    readonly type: string;
    readonly name: string;
    readonly flags: number;
    readonly bytes_key: number;
    readonly bytes_value: number;
    readonly max_entries: number;
  }

  const json = <T>(...args: string[]): T => JSON.parse(oracle('bpftool', ['--json', ...args])!) as T;

  test('subprograms, calls and maps are those of the loaded program', () => {
    const probe = spawnSync('bpftool', ['prog', 'show'], { encoding: 'utf8' });
    if (probe.status !== 0 || !existsSync('/sys/fs/bpf') || process.getuid?.() !== 0) {
      console.warn('SKIPPED, not compared with programs that libbpf loads: needs bpftool, root and a bpf file system');
      return;
    }
    // Not those of xdp-tools: some pin their maps by name, and the verifier cuts unused calls out of the dispatcher.
    for (const name of ['subprogs', 'subprogs_v1', 'subprogs_v4', 'tail_calls', 'multi', 'printk', 'switch_drop', 'count_percpu', 'xsk_redirect']) {
      const path = `fixtures/programs/${name}/${name}.o`;
      mkdirSync(PINS);
      try {
        oracle('bpftool', ['prog', 'loadall', path, PINS, 'type', 'xdp']);
        const object = unwrap(loadObjectFile(path));
        expect(readdirSync(PINS).sort()).toEqual(object.programs.map(({ name }) => name).sort());
        for (const program of object.programs) {
          const pin = `${PINS}/${program.name}`;
          const xlated = oracle('bpftool', ['prog', 'dump', 'xlated', 'pinned', pin])!;
          expect(readXlated(xlated)).toEqual(describeCalls(program));
          const { map_ids: ids = [] } = json<{ map_ids?: number[] }>('prog', 'show', 'pinned', pin);
          const maps = ids.map((id) => json<ShownMap>('map', 'show', 'id', String(id)));
          const used = new Set(program.references.map(({ map }) => map));
          expect(maps).toHaveLength(used.size);
          for (const mapName of used) {
            const spec = object.maps.find((map) => map.name === mapName)!;
            expect(maps.map(({ type, flags, bytes_key, bytes_value, max_entries, name: shown }) => ({ type: MAP_TYPES[type], flags, keySize: bytes_key, valueSize: bytes_value, maxEntries: max_entries, shown }))).toContainEqual({
              type: spec.type, flags: spec.flags, keySize: spec.keySize, valueSize: spec.valueSize, maxEntries: spec.maxEntries, shown: kernelName(path, mapName),
            });
          }
        }
      } finally {
        rmSync(PINS, { recursive: true });
      }
    }
  }, 60_000);

  /** Functions in order, each with the functions that it calls. */
  function describeCalls(program: ProgramSpec): string[] {
    return program.functions.map(({ name }, i) => {
      const end = program.functions[i + 1]?.insnIndex ?? Infinity;
      const own = calls(program).filter(({ from }) => from >= program.functions[i]!.insnIndex && from < end);
      return [name, ...own.map(({ to }) => functionAt(program, to).name)].join(' ');
    });
  }

  function readXlated(text: string): string[] {
    const functions: string[][] = [];
    for (const row of text.split('\n')) {
      const label = /^\S.* \**(\w+)\(.*\):$/.exec(row);
      const call = /\(85\) call pc[+-]\d+#bpf_prog_[0-9a-f]{16}_(\w+)/.exec(row);
      if (label !== null) functions.push([label[1]!]);
      else if (call !== null) functions[functions.length - 1]!.push(call[1]!);
    }
    return functions.map((names) => names.join(' '));
  }

  /** The kernel keeps 15 characters of a map's name; data sections begin with 8 of the object's (`internal_map_name`, libbpf). */
  function kernelName(path: string, map: string): string {
    const isPlain = /^\.(data|rodata|bss)$/.test(map);
    return `${isPlain ? basename(path, '.o').replace(/\W/g, '_').slice(0, 8) : ''}${map}`.slice(0, 15);
  }
});
