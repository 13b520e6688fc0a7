import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { INSN_BYTES, isDeviceBound } from '../../vm/index.js';
import type { ObjectSpec, ProgramSpec } from '../../vm/index.js';
import { MAX_DISPATCHER_PROGRAMS } from './builtInDispatcher.js';
import { CHAIN_ACTIONS, readRunConfig } from './runConfig.js';
import type { RunConfig } from './runConfig.js';

/** One program of a chain; what is left out, its object says (`readRunConfig`). */
export interface DispatcherProgram extends Partial<RunConfig> {
  readonly object: ObjectSpec;
  /** Name of the program; left out: the only XDP program of the object. */
  readonly program?: string | undefined;
}

/** A program where it runs in its chain. */
export interface ChainLink extends RunConfig {
  readonly object: ObjectSpec;
  readonly program: ProgramSpec;
}

/**
 * The programs in the order in which a dispatcher runs them: by rising priority, then by name as bytes, then the shorter one first, then as they were given
 * (cmp_xdp_programs of libxdp 1.3.1, measured).
 *
 * Problems: `chain-empty`, `chain-too-long`, `no-xdp-program`, `several-programs`, `unknown-program`, `program-not-xdp`, `chain-without-btf`, `chain-bad-priority`,
 * `chain-bad-action`, `chain-device-bound`.
 */
export function orderChain(programs: readonly DispatcherProgram[]): Result<ChainLink[]> {
  if (programs.length === 0) return fail({ code: 'chain-empty', message: 'a chain of no programs can\'t be attached (EINVAL)', hint: 'give one program or more' });
  if (programs.length > MAX_DISPATCHER_PROGRAMS) {
    const message = `a dispatcher has room for ${MAX_DISPATCHER_PROGRAMS} programs, and these are ${programs.length} (E2BIG)`;
    return fail({ code: 'chain-too-long', message, hint: 'let one program do the work of several, or tail-call some of them' });
  }
  const links: ChainLink[] = [];
  for (const { object, program: name, priority, chainCallActions } of programs) {
    const program = chooseChained(object, name);
    if (!program.ok) return program;
    const own = readRunConfig(object, program.value.name);
    const link = { object, program: program.value, priority: priority ?? own.priority, chainCallActions: chainCallActions ?? own.chainCallActions };
    const problem = checkLink(link);
    if (problem !== undefined) return fail({ ...problem, where: `${object.name}, program ${program.value.name}` });
    links.push(link);
  }
  return ok(links.sort((a, b) => a.priority - b.priority || Buffer.compare(Buffer.from(a.program.name), Buffer.from(b.program.name)) || mainLength(a.program) - mainLength(b.program)));
}

/** Instructions without subprograms, as libbpf counts them before it links. */
function mainLength({ functions, insns }: ProgramSpec): number {
  return functions[1]?.insnIndex ?? insns.length / INSN_BYTES;
}

function checkLink({ object, program, priority, chainCallActions }: ChainLink): Omit<Problem, 'where'> | undefined {
  if (!Number.isInteger(priority) || priority < 0 || priority > 0xffffffff) {
    return { code: 'chain-bad-priority', message: `${priority} is no priority (EINVAL)`, hint: 'use a whole number from 0 to 4294967295' };
  }
  const unknown = chainCallActions.find((action) => !(Object.values(CHAIN_ACTIONS) as number[]).includes(action));
  if (unknown !== undefined) {
    return { code: 'chain-bad-action', message: `${unknown} is no verdict that a chain can go on after (EINVAL)`, hint: `use some of ${Object.keys(CHAIN_ACTIONS).join(', ')}` };
  }
  if (object.btf === undefined) {
    const message = `the object has no BTF, and a dispatcher's places are for functions of a known type only (EOPNOTSUPP)`;
    return { code: 'chain-without-btf', message, hint: 'compile it with -g' };
  }
  if (program.replaces !== undefined) {
    const message = `section ${program.section} holds an extension for one function, and a chain gives its programs their places itself (EINVAL)`;
    return { code: 'program-not-xdp', message, hint: 'put it into SEC("xdp"), or give it with the program that calls the function' };
  }
  if (isDeviceBound(program)) {
    const message = 'it asks its device about packets (bpf_xdp_metadata_rx_*), so it must be loaded for one, and libxdp 1.3.1 loads the programs of a chain for none (EINVAL)';
    return { code: 'chain-device-bound', message, hint: 'attach it alone' };
  }
  return undefined;
}

function chooseChained(object: ObjectSpec, name: string | undefined): Result<ProgramSpec> {
  const where = object.name;
  const programs = object.programs.filter(({ type, replaces }) => type === 'xdp' || replaces !== undefined);
  const names = programs.map((program) => program.name).join(', ');
  if (programs.length === 0) return fail({ code: 'no-xdp-program', where, message: 'no XDP program', hint: 'put the program into SEC("xdp")' });
  if (name !== undefined) {
    const program = programs.find((candidate) => candidate.name === name);
    return program === undefined ? fail({ code: 'unknown-program', where, message: `no XDP program ${name}`, hint: `choose one of: ${names}` }) : ok(program);
  }
  const attachable = programs.filter(({ attachType }) => attachType === 'xdp');
  const [only] = attachable.length === 1 ? attachable : programs;
  if (attachable.length === 1 || programs.length === 1) return ok(only!);
  return fail({ code: 'several-programs', where, message: `${programs.length} XDP programs: ${names}`, hint: 'say by its name which one belongs into the chain' });
}
