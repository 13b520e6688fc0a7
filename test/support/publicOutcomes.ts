import { relative } from 'node:path';
import ts from 'typescript';

/** What a public function does besides giving what it is for, and its docstring doesn't say. */
export interface UntoldOutcome {
  /** `src/xsk/xskSocket.ts: XskSocket.create`. */
  readonly where: string;
  readonly untold: '@throws' | 'Problems';
}

/** Whether something is a function with a body: of a module, or a public method or accessor of a class. */
type Callable = ts.FunctionDeclaration | ts.MethodDeclaration | ts.AccessorDeclaration | ts.ArrowFunction;

/**
 * Public functions and methods of a module that throw without `@throws`, or give a Result without a word about Problems.
 *
 * A function throws when a `throw` stands in it, outside of a `try` that catches it, or when it calls one whose docstring says `@throws`, or one of its own file that
 * throws so.
 */
export function untoldOutcomes(program: ts.Program, path: string): UntoldOutcome[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(path)!);
  return (module === undefined ? [] : checker.getExportsOfModule(module)).flatMap((exported) => {
    const symbol = (exported.flags & ts.SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported);
    const file = relative('.', symbol.declarations![0]!.getSourceFile().fileName);
    return callables(symbol).flatMap(({ name, symbol: callee, callable }) => {
      const where = `${file}: ${name}`;
      const text = docOf(checker, callee);
      const returned = ts.isSetAccessorDeclaration(callable) ? undefined : callable.type?.getText() ?? '';
      const untold: UntoldOutcome[] = [];
      if (throws(checker, callable, new Set()) && !text.includes('@throws')) untold.push({ where, untold: '@throws' });
      if (returned !== undefined && /Result</.test(returned) && !/Problem/.test(text)) untold.push({ where, untold: 'Problems' });
      return untold;
    });
  });
}

function callables(symbol: ts.Symbol): { readonly name: string; readonly symbol: ts.Symbol; readonly callable: Callable }[] {
  const { valueDeclaration, name } = symbol;
  if (valueDeclaration === undefined) return [];
  if (ts.isFunctionDeclaration(valueDeclaration)) return [{ name, symbol, callable: valueDeclaration }];
  if (!ts.isClassDeclaration(valueDeclaration)) return [];
  return [...symbol.members!.values(), ...symbol.exports!.values()].flatMap((member) => (member.declarations ?? []).filter(isPublicCallable).map((callable) => ({ name: `${name}.${member.name}`, symbol: member, callable })));
}

function isPublicCallable(node: ts.Declaration): node is ts.MethodDeclaration | ts.AccessorDeclaration {
  if (!ts.isMethodDeclaration(node) && !ts.isAccessor(node)) return false;
  return !ts.isPrivateIdentifier(node.name) && (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.NonPublicAccessibilityModifier) === 0;
}

function docOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  const tags = symbol.getJsDocTags(checker).map(({ name, text }) => `@${name} ${ts.displayPartsToString(text)}`);
  return [ts.displayPartsToString(symbol.getDocumentationComment(checker)), ...tags].join('\n');
}

function throws(checker: ts.TypeChecker, callable: Callable, seen: Set<ts.Node>): boolean {
  if (seen.has(callable)) return false;
  seen.add(callable);
  let found = false;
  const visit = (node: ts.Node): void => {
    if (found) return;
    if (ts.isThrowStatement(node)) {
      found = true;
    } else if (ts.isTryStatement(node) && node.catchClause !== undefined) {
      ts.forEachChild(node.catchClause, visit);
    } else {
      // A function in it is called elsewhere, unless it is an argument of what is called here, as of map().
      if (ts.isCallExpression(node)) found ||= calleeThrows(checker, node, callable.getSourceFile(), seen);
      if (!ts.isFunctionLike(node) || ts.isCallExpression(node.parent)) ts.forEachChild(node, visit);
    }
  };
  if (callable.body !== undefined) visit(callable.body);
  return found;
}

function calleeThrows(checker: ts.TypeChecker, { expression }: ts.CallExpression, file: ts.SourceFile, seen: Set<ts.Node>): boolean {
  const at = checker.getSymbolAtLocation(expression);
  if (at === undefined) return false;
  const symbol = (at.flags & ts.SymbolFlags.Alias) === 0 ? at : checker.getAliasedSymbol(at);
  // What catches hands no error on.
  if (symbol.name === 'catchProblem') return false;
  const declaration = symbol.valueDeclaration;
  if (declaration === undefined) return false;
  const source = declaration.getSourceFile();
  if (!/\/src\//.test(source.fileName) || source.fileName.includes('/node_modules/')) return false;
  if (docOf(checker, symbol).includes('@throws') || symbol.name === 'unwrap') return true;
  const callable = ts.isVariableDeclaration(declaration) ? declaration.initializer : declaration;
  const hasBody = callable !== undefined && (ts.isFunctionDeclaration(callable) || ts.isMethodDeclaration(callable) || ts.isArrowFunction(callable));
  return hasBody && source === file && throws(checker, callable, seen);
}
