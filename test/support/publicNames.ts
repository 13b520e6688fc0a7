import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import ts from 'typescript';

/** Options of the build, for a few files. */
export function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile('tsconfig.json', (path) => readFileSync(path, 'utf8'));
  return ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, '.').options;
}

/** The source of each door of the package, by its name in `exports`. */
export function packageDoors(): ReadonlyMap<string, string> {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as { exports: Record<string, string | { readonly types: string }> };
  return new Map(Object.entries(exports).flatMap(([name, door]) => (typeof door === 'string' ? [] : [[name, door.types.replace('./dist/', 'src/').replace('.d.ts', '.ts')] as const])));
}

/** A name that a door exports. */
export interface PublicName {
  readonly name: string;
  /** File that declares it. */
  readonly path: string;
  /** Whether it is called: a function, a class, or a constant that holds a function. */
  readonly isCalled: boolean;
  readonly isType: boolean;
  readonly hasDocumentation: boolean;
  readonly hasExample: boolean;
  /** Public methods of a class or interface without a docstring. */
  readonly bareMethods: readonly string[];
}

/** Names that a module exports, types included. */
export function publicNames(program: ts.Program, path: string): PublicName[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(path)!);
  return module === undefined ? [] : checker.getExportsOfModule(module).map((exported) => describe(checker, exported));
}

function describe(checker: ts.TypeChecker, exported: ts.Symbol): PublicName {
  const symbol = (exported.flags & ts.SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported);
  const isClass = (symbol.flags & ts.SymbolFlags.Class) !== 0;
  const { valueDeclaration } = symbol;
  return {
    name: exported.name,
    path: relative('.', symbol.declarations![0]!.getSourceFile().fileName),
    isCalled: isClass || (valueDeclaration !== undefined && checker.getTypeOfSymbolAtLocation(symbol, valueDeclaration).getCallSignatures().length > 0),
    isType: valueDeclaration === undefined,
    hasDocumentation: symbol.getDocumentationComment(checker).length > 0,
    hasExample: symbol.getJsDocTags(checker).some(({ name }) => name === 'example'),
    bareMethods: [...symbol.members?.values() ?? []].filter((member) => isBareMethod(checker, member)).map(({ name }) => name),
  };
}

function isBareMethod(checker: ts.TypeChecker, member: ts.Symbol): boolean {
  const { valueDeclaration } = member;
  if (valueDeclaration === undefined || !(ts.isMethodDeclaration(valueDeclaration) || ts.isMethodSignature(valueDeclaration))) return false;
  if (ts.isPrivateIdentifier(valueDeclaration.name) || (ts.getCombinedModifierFlags(valueDeclaration) & ts.ModifierFlags.NonPublicAccessibilityModifier) !== 0) return false;
  return member.getDocumentationComment(checker).length === 0;
}
