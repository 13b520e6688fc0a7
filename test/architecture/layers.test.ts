import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SRC = resolve(dirname(fileURLToPath(import.meta.url)), '../../src');

/** Floors of the house, lowest first. An import between folders goes to a lower floor and through its index.ts. */
const FLOORS: readonly (readonly string[])[] = [
  ['base'],
  ['memory', 'packet'],
  ['vm', 'umem', 'aya'],
  ['xdp', 'xsk'],
  ['nic'],
  ['sim'],
  ['cases'],
  ['replay', 'report', 'testing'],
  ['cli'],
];

interface Import {
  readonly from: string;
  readonly to: string;
}

function sourceFiles(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'assembly' ? [] : sourceFiles(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

/** Imports of other files of src, as paths relative to it. */
function importsOf(path: string): Import[] {
  const text = readFileSync(path, 'utf8');
  const specifiers = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) => match[1]!);
  return specifiers.map((specifier) => ({
    from: relative(SRC, path),
    to: relative(SRC, resolve(dirname(path), specifier)).replace(/\.js$/, '.ts'),
  }));
}

function folderOf(path: string): string {
  return path.split('/')[0]!;
}

/** Number of a folder's floor, -1 when it is on none. The files of src itself, which are the library's door, stand above all. */
function floorOf(folder: string): number {
  if (folder.endsWith('.ts')) return FLOORS.length;
  return FLOORS.findIndex((floor) => floor.includes(folder));
}

/** Why an import breaks the rules of the house, `undefined` when it is fine. */
function fault({ from, to }: Import): string | undefined {
  const [fromFolder, toFolder] = [folderOf(from), folderOf(to)];
  if (fromFolder === toFolder) return undefined;
  if (floorOf(toFolder) < 0) return `${from} imports ${to}, whose folder is on no floor`;
  if (floorOf(toFolder) >= floorOf(fromFolder)) return `${from} imports ${to}, which is not below it`;
  if (to !== `${toFolder}/index.ts`) return `${from} imports ${to} past the folder's index.ts`;
  return undefined;
}

/** A circle of imports through `start`, as a list of files; `undefined` when there is none. */
function findCircle(graph: ReadonlyMap<string, readonly string[]>): readonly string[] | undefined {
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | undefined => {
    const at = path.indexOf(file);
    if (at >= 0) return [...path.slice(at), file];
    if (done.has(file)) return undefined;
    for (const next of graph.get(file) ?? []) {
      const circle = visit(next, [...path, file]);
      if (circle !== undefined) return circle;
    }
    done.add(file);
    return undefined;
  };
  for (const file of graph.keys()) {
    const circle = visit(file, []);
    if (circle !== undefined) return circle;
  }
  return undefined;
}

/** Like `importsOf`, without imports that exist for types only: those can't form a circle at run time. */
function valueImportsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8').replace(/^(?:import|export) type [^;]*;/gm, '');
  return [...text.matchAll(/from\s*'(\.[^']+)'/g)].map((match) => relative(SRC, resolve(dirname(path), match[1]!)).replace(/\.js$/, '.ts'));
}

describe('the house', () => {
  const files = sourceFiles(SRC);
  const imports = files.flatMap(importsOf);

  it('has a floor for every folder', () => {
    const folders = readdirSync(SRC, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    expect(folders.filter((folder) => floorOf(folder) < 0)).toEqual([]);
  });

  it('imports downwards only, and through index.ts', () => {
    expect(imports.length).toBeGreaterThan(100);
    expect(imports.map(fault).filter((each) => each !== undefined)).toEqual([]);
  });

  it('has no circle of imports', () => {
    const graph = new Map(files.map((file) => [relative(SRC, file), valueImportsOf(file)]));
    expect(findCircle(graph)).toBeUndefined();
  });

  it('reads no real clock and no real randomness in the engine', () => {
    const engine = files.filter((file) => !['replay', 'report', 'cli', 'testing'].includes(folderOf(relative(SRC, file))));
    const sinners = engine.filter((file) => /Math\.random|Date\.now|new Date\(|performance\.now|process\.hrtime/.test(readFileSync(file, 'utf8')));
    expect(sinners).toEqual([]);
  });

  it('notices an import that goes up, one that goes past the door, and a circle', () => {
    expect(fault({ from: 'vm/vm.ts', to: 'nic/index.ts' })).toMatch(/not below/);
    expect(fault({ from: 'vm/vm.ts', to: 'umem/index.ts' })).toMatch(/not below/);
    expect(fault({ from: 'nic/nic.ts', to: 'memory/hostMemory.ts' })).toMatch(/past the folder/);
    expect(findCircle(new Map([['a', ['b']], ['b', ['a']]]))).toEqual(['a', 'b', 'a']);
  });
});
