import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as fc from 'fast-check';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import * as library from '../../src/index.js';
import * as packets from '../../src/packet/index.js';
import * as captures from '../../src/packet/capture/index.js';
import * as arbitraries from '../../src/testing/arbitraries/index.js';
import '../../src/testing/vitest/index.js';
import { docExamples, exampleBody } from '../support/docExamples.js';
import type { DocExample } from '../support/docExamples.js';
import { compilerOptions, packageDoors, publicNames } from '../support/publicNames.js';
import { untoldOutcomes } from '../support/publicOutcomes.js';
import type { PublicName } from '../support/publicNames.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { exampleWorld, WORLD_TYPES } from './exampleWorld.js';

const folder = temporaryFolder();
const files = ['src/testing', 'src/packet', 'src/xsk'].flatMap((path) => readdirSync(path, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => `${path}/${name}`)).sort();
const examples = files.flatMap(docExamples);
const isArbitrary = ({ path }: DocExample): boolean => path.startsWith('src/testing/arbitraries/');

/** All examples as one module, each in a function of its own. The names around them are those of the package, and those of `exampleWorld`. */
function examplesModule(): string {
  const own = (names: object, path: string, left: object = {}): string => `import { ${Object.keys(names).filter((name) => !(name in left)).join(', ')} } from '${path}';`;
  return [
    "import * as fc from 'fast-check';",
    "import { expect } from 'vitest';",
    "import '../../src/testing/vitest/index.js';",
    own(library, '../../src/index.js'),
    own(packets, '../../src/packet/index.js', library),
    own(captures, '../../src/packet/capture/index.js', { ...library, ...packets }),
    "import * as arbitraries from '../../src/testing/arbitraries/index.js';",
    WORLD_TYPES,
    'declare function shows(actual: unknown, expected: unknown): void;',
    ...examples.map((example, i) => `// ${example.where}\nexport async function example${i}() {\n${names(example)}{\n${exampleBody(example.code)}\n}\n}`),
  ].join('\n');
}

/** `packet` is an arbitrary in the examples of arbitraries, else what a NIC received. */
function names(example: DocExample): string {
  return isArbitrary(example) ? `const { ${Object.keys(arbitraries).join(', ')} } = arbitraries;\n` : 'const { packet } = world;\n';
}

describe('documentation', () => {
  const modulePath = resolve('test/package/examples.ts');
  const doors = packageDoors();
  const options: ts.CompilerOptions = { ...compilerOptions(), verbatimModuleSyntax: false, isolatedModules: false, erasableSyntaxOnly: false, noUnusedLocals: false, noUnusedParameters: false };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => resolve(path) === modulePath || fileExists(path);
  host.readFile = (path) => (resolve(path) === modulePath ? examplesModule() : readFile(path));
  host.getSourceFile = (path, languageVersion, ...rest) => (resolve(path) === modulePath ? ts.createSourceFile(path, examplesModule(), languageVersion, true) : getSourceFile.call(host, path, languageVersion, ...rest));
  const program = ts.createProgram([...doors.values(), modulePath], options, host);

  /** Names of the doors that tests of other repos use. */
  const PUBLIC = [...doors].filter(([door]) => door !== './replay').flatMap(([door, path]) => publicNames(program, path).filter((each) => door !== '.' || /^src\/(testing|xsk)\//.test(each.path)));
  /** Numbers of RFCs: their names say it all. */
  const isConstant = ({ name, isType }: PublicName): boolean => !isType && /^[A-Z][A-Z0-9_]+$/.test(name);

  it('is there for every public name, and for every method', () => {
    expect(PUBLIC.length).toBeGreaterThan(200);
    expect(PUBLIC.filter((each) => !each.hasDocumentation && !isConstant(each)).map(({ name, path }) => `${path}: ${name}`)).toEqual([]);
    expect(PUBLIC.flatMap(({ name, path, bareMethods }) => bareMethods.map((method) => `${path}: ${name}.${method}`))).toEqual([]);
  });

  it('says what throws, and what gives a Problem', () => {
    const untold = [...doors].filter(([door]) => door !== './replay').flatMap(([door, path]) => untoldOutcomes(program, path).filter(({ where }) => door !== '.' || /^src\/(testing|xsk)\//.test(where)));
    expect(untold.map(({ where, untold: what }) => `${where}: ${what}`)).toEqual([]);
    // The doors of the package have others, whose folders tell of them elsewhere; that they are found shows that somebody looks.
    expect(untoldOutcomes(program, doors.get('.')!).map(({ where }) => where)).toContain('src/base/problem.ts: unwrap');
  });

  it('has an example for everything that is called', () => {
    expect(PUBLIC.filter(({ isCalled, hasExample }) => isCalled && !hasExample).map(({ name, path }) => `${path}: ${name}`)).toEqual([]);
  });

  it('has examples that compile', () => {
    expect(examples.length).toBeGreaterThan(100);
    const file = program.getSourceFile(modulePath)!;
    const wrong = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(({ start, messageText }) => {
      const where = file.text.slice(0, start).match(/^\/\/ src\/.*$/gm)?.at(-1) ?? '';
      return `${where}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
    });
    expect(wrong).toEqual([]);
  });

  it('is built of the doors of the package', () => {
    const { entryPoints } = JSON.parse(readFileSync('typedoc.json', 'utf8')) as { entryPoints: string[] };
    expect(entryPoints).toEqual([...doors.values()]);
  });
});

it.each(examples.map((example) => [example.where, example] as const))('example at %s', async (_, example) => {
  const shows = (actual: unknown, expected: unknown): void => expect(actual).toEqual(expected);
  const around = { ...captures, ...packets, ...library, ...exampleWorld(example.path, example.code), ...(isArbitrary(example) ? arbitraries : {}), fc, expect, shows, console: { log() {} } };
  const body = exampleBody(example.code).replaceAll(/'([\w-]+\.pcap(?:ng)?)'/g, (_, name: string) => `'${folder.at(name)}'`);
  const { outputText } = ts.transpileModule(`async function example() {\n${body}\n}`, { compilerOptions: { target: ts.ScriptTarget.ES2023 } });
  const run = new Function(...Object.keys(around), `${outputText}\nreturn example();`) as (...values: unknown[]) => Promise<void>;
  await run(...Object.values(around));
});
