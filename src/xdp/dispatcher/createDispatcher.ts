import { fail, ok } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import { linkExtensions, parseValue } from '../../vm/index.js';
import type { MapSpec, ObjectSpec, ProgramSpec, VariableSpec } from '../../vm/index.js';
import { builtInDispatcher, CONFIG_VARIABLE, MAX_DISPATCHER_PROGRAMS, XDP_DISPATCHER_RETVAL } from './builtInDispatcher.js';
import { orderChain } from './chain.js';
import type { ChainLink, DispatcherProgram } from './chain.js';

export interface DispatcherOptions {
  /** An object to take as dispatcher, such as libxdp's xdp-dispatcher.o; left out: one that is built in and counts verdicts. */
  readonly dispatcher?: ObjectSpec | undefined;
}

/** XDP_DISPATCHER_MAGIC and XDP_DISPATCHER_VERSION of libxdp, which it knows its dispatchers by. */
const MAGIC = 236;
const VERSION = 2;
const BPF_F_XDP_HAS_FRAGS = 1 << 5;

/**
 * Chains programs as libxdp does: a dispatcher calls one after the other, and goes on after the verdicts that each names (`chainCallActions`, XDP_PASS by default). A chain that
 * comes to its end passes the packet, whatever the last verdict was.
 *
 * The dispatcher takes packets of several buffers only if all programs do. In the object that this gives maps and variables have the names of their own
 * object; those that two objects have get the name of the program before them (`acl/counts`).
 *
 * Problems: those of `orderChain` and `linkExtensions`, `dispatcher-unknown`.
 */
export function createDispatcher(programs: readonly DispatcherProgram[], options: DispatcherOptions = {}): Result<ObjectSpec> {
  const chain = orderChain(programs);
  if (!chain.ok) return chain;
  const empty = options.dispatcher ?? builtInDispatcher();
  const main = empty.programs.find(({ type, functions }) => type === 'xdp' && functions.some(({ name }) => name === placeName(0)));
  const configured = main === undefined ? fail<ObjectSpec>(noDispatcher(empty)) : withConfig(empty, main, chain.value);
  if (!configured.ok) return configured;
  const linked = linkExtensions(configured.value, main!.name, chain.value.map(({ object, program }, place) => ({ object, program: program.name, replaces: placeName(place) })));
  if (!linked.ok) return linked;
  const warnings = [...(linked.value.warnings ?? []), ...fragsWarnings(chain.value)];
  return ok({ ...linked.value, name: chain.value.map(({ object }) => object.name).join(' + '), ...(warnings.length === 0 ? {} : { warnings }) });
}

function placeName(place: number): string {
  return `prog${place}`;
}

function noDispatcher({ name }: ObjectSpec): Problem {
  return { code: 'dispatcher-unknown', where: name, message: 'this is no dispatcher: no XDP program in it calls a function prog0', hint: 'give libxdp\'s xdp-dispatcher.o, or none' };
}

const takesFrags = (chain: readonly ChainLink[]): boolean => chain.every(({ program }) => program.frags);

function fragsWarnings(chain: readonly ChainLink[]): Problem[] {
  const plain = chain.find(({ program }) => !program.frags);
  if (plain === undefined) return [];
  return chain.filter(({ program }) => program.frags).map(({ object, program }) => ({
    code: 'dispatcher-without-frags',
    where: `${object.name}, program ${program.name}`,
    message: `it takes packets of several buffers, but the dispatcher doesn't, because ${plain.program.name} doesn't`,
    hint: `put ${plain.program.name} into SEC("xdp.frags") too`,
  }));
}

/** The dispatcher with the chain's configuration in its `.rodata`, as libxdp writes it before it loads the object. */
function withConfig(dispatcher: ObjectSpec, main: ProgramSpec, chain: readonly ChainLink[]): Result<ObjectSpec> {
  const variable = dispatcher.variables.find(({ name }) => name === 'conf' || name === CONFIG_VARIABLE);
  const map = dispatcher.maps.find(({ name }) => name === variable?.map);
  if (variable === undefined || map === undefined) return fail(noDispatcher(dispatcher));
  const bytes = configBytes(dispatcher, variable, chain);
  if (!bytes.ok) return bytes;
  const initialValue = map.initialValue!.slice();
  initialValue.set(bytes.value, variable.offBytes);
  const filled: MapSpec = { ...map, initialValue };
  return ok({
    ...dispatcher,
    maps: dispatcher.maps.map((candidate) => (candidate === map ? filled : candidate)),
    // What else it has is for libxdp's own tests.
    programs: [{ ...main, frags: takesFrags(chain) }],
  });
}

function configBytes({ btf }: ObjectSpec, { typeId, sizeBytes }: VariableSpec, chain: readonly ChainLink[]): Result<Uint8Array> {
  const settings: Readonly<Record<string, unknown>> = {
    magic: MAGIC,
    dispatcher_version: VERSION,
    num_progs_enabled: Math.min(chain.length, MAX_DISPATCHER_PROGRAMS),
    is_xdp_frags: takesFrags(chain) ? 1 : 0,
    chain_call_actions: chain.map(({ chainCallActions }) => [...chainCallActions, XDP_DISPATCHER_RETVAL].reduce((mask, action) => (mask | (1 << action)) >>> 0, 0)),
    run_prios: chain.map(({ priority }) => priority),
    program_flags: chain.map(({ program }) => (program.frags ? BPF_F_XDP_HAS_FRAGS : 0)),
  };
  // Older dispatchers have less.
  const type = btf?.type(btf.resolve(typeId));
  const members = type?.kind === 'struct' ? type.members.map(({ name }) => name) : [];
  const known = Object.fromEntries(Object.entries(settings).filter(([name]) => members.includes(name)));
  return parseValue({ btf, typeId, sizeBytes, label: 'configuration of the dispatcher' }, known);
}
