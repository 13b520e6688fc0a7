import { readFileSync } from 'node:fs';
import ts from 'typescript';

/** An `@example` of a docstring. */
export interface DocExample {
  /** Path and line where it stands. */
  readonly where: string;
  readonly path: string;
  readonly code: string;
}

/** All examples of a source file. */
export function docExamples(path: string): DocExample[] {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/\/\*\*[^]*?\*\//g)].flatMap(({ 0: comment, index: start }) =>
    [...comment.matchAll(/@example[ \n]([^]*?)(?=\n\s*\* @|\n?\s*\*\/$)/g)].map(({ 1: body, index }) => ({
      path,
      where: `${path}:${text.slice(0, start + index).split('\n').length}`,
      code: body!.split('\n').map((line) => line.replace(/^\s*\* ?/, '')).join('\n').trim(),
    })));
}

/**
 * The code of an example as the body of a function: imports are left to the surroundings, and a statement that is followed by `// VALUE` becomes
 * `shows(statement, VALUE)`, if VALUE is a literal.
 */
export function exampleBody(code: string): string {
  const source = ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2023, true);
  let body = '';
  for (const statement of source.statements) {
    const text = code.slice(statement.getFullStart(), statement.end);
    const comment = ts.getTrailingCommentRanges(code, statement.end)?.map(({ pos, end }) => code.slice(pos + 2, end).trim())[0];
    if (ts.isImportDeclaration(statement)) continue;
    body += ts.isExpressionStatement(statement) && comment !== undefined && isLiteral(comment) ? `\nshows(${statement.expression.getText()}, ${comment});` : text;
  }
  return body;
}

function isLiteral(text: string): boolean {
  const source = ts.createSourceFile('value.ts', `(${text})`, ts.ScriptTarget.ES2023, true) as ts.SourceFile & { readonly parseDiagnostics: readonly unknown[] };
  const [statement, ...others] = source.statements;
  if (source.parseDiagnostics.length > 0 || others.length > 0 || statement === undefined || !ts.isExpressionStatement(statement)) return false;
  return isValue(statement.expression);
}

function isValue(node: ts.Expression): boolean {
  if (ts.isParenthesizedExpression(node)) return isValue(node.expression);
  if (ts.isArrayLiteralExpression(node)) return node.elements.every(isValue);
  if (ts.isObjectLiteralExpression(node)) return node.properties.every((each) => ts.isPropertyAssignment(each) && isValue(each.initializer));
  if (ts.isPrefixUnaryExpression(node)) return isValue(node.operand);
  if (ts.isIdentifier(node)) return node.text === 'undefined';
  return ts.isLiteralExpression(node) || node.kind === ts.SyntaxKind.TrueKeyword || node.kind === ts.SyntaxKind.FalseKeyword;
}
