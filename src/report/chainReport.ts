import { basename } from 'node:path';
import { verdictName, VERDICTS_VARIABLE } from '../xdp/index.js';
import type { ChainLink } from '../xdp/index.js';
import type { LoadedObject } from '../vm/index.js';
import { printable, textTable } from './textTable.js';

/** A program of a dispatcher's chain. */
export interface ChainLinkReport {
  readonly program: string;
  readonly object: string;
  readonly priority: number;
  /** Whether it takes packets of several buffers; the dispatcher does only if all programs do. */
  readonly frags: boolean;
  /** Verdicts after which the next program ran. */
  readonly chain_call_actions: readonly string[];
  /** What it returned: the five names and `other`. Left out with a dispatcher that doesn't count. */
  readonly verdicts?: Readonly<Record<string, number>>;
}

/** The chain in its order, and what each program of it returned. */
export function chainReport(loaded: LoadedObject, chain: readonly ChainLink[]): ChainLinkReport[] {
  const counted = loaded.readVariable(VERDICTS_VARIABLE);
  const verdicts = counted.ok ? (counted.value as unknown as readonly Record<string, number>[]) : [];
  return chain.map(({ object, program, priority, chainCallActions }, place) => ({
    program: program.name,
    object: object.name,
    priority,
    frags: program.frags,
    chain_call_actions: chainCallActions.map(verdictName),
    ...(verdicts[place] === undefined ? {} : { verdicts: verdicts[place] }),
  }));
}

export function chainSection(chain: readonly ChainLinkReport[] | undefined): string[] {
  if (chain === undefined) return [];
  const columns = [...new Set(chain.flatMap(({ verdicts = {} }) => Object.keys(verdicts).filter((name) => verdicts[name]! > 0)))];
  const rows = chain.map(({ program, object, priority, chain_call_actions: actions, verdicts = {} }) => [
    printable(program), printable(basename(object)), priority, actions.length === 0 ? 'nothing' : actions.join(', '), ...columns.map((name) => verdicts[name] ?? 0),
  ]);
  return ['Chain, and what each program returned', ...textTable([['program', 'object', 'priority', 'goes on after', ...columns], ...rows]), ...fragsNote(chain)];
}

function fragsNote(chain: readonly ChainLinkReport[]): string[] {
  const able = chain.filter(({ frags }) => frags).map(({ program }) => printable(program));
  const plain = chain.find(({ frags }) => !frags);
  if (plain === undefined || able.length === 0) return [];
  return [`  note: packets of several buffers, which ${able.join(', ')} could take, are nothing for the chain, as ${printable(plain.program)} is not in SEC("xdp.frags")`];
}
