// Lets plain node run the sources: tests that kill a process need one of their own. `node --import ./typescriptHooks.mjs file.ts`.
import { readFileSync } from 'node:fs';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import typescript from 'typescript';

if (isMainThread) register(import.meta.url);

const OPTIONS = { target: typescript.ScriptTarget.ES2023, module: typescript.ModuleKind.ESNext, verbatimModuleSyntax: true };

/** An import of `./x.js` between TypeScript files means `./x.ts`. */
export function resolve(specifier, context, next) {
  const isSource = specifier.startsWith('.') && context.parentURL?.endsWith('.ts') === true;
  return next(isSource ? specifier.replace(/\.js$/, '.ts') : specifier, context);
}

export function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const source = typescript.transpileModule(readFileSync(fileURLToPath(url), 'utf8'), { compilerOptions: OPTIONS }).outputText;
  return { format: 'module', source, shortCircuit: true };
}
