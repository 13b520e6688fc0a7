import { catchProblem, closestTo, fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { linkExtensions, loadObjectFile, resizeMaps } from '../vm/index.js';
import type { LoadObjectOptions, ObjectSpec } from '../vm/index.js';
import { CHAIN_ACTIONS, createDispatcher, orderChain } from '../xdp/index.js';
import type { ChainLink, DispatcherProgram, RunConfig, XdpMode } from '../xdp/index.js';
import { chooseProgram } from './chooseProgram.js';

/** What a command line or a scenario file says about the objects that are to be one. */
export interface ObjectOptions {
  /** Path, or paths: several are chained in one dispatcher, and an object of extensions changes the one before it. */
  readonly object: string | readonly string[];
  readonly program?: string | undefined;
  /** `PROGRAM` or `PROGRAM:priority=N,actions=XDP_PASS+XDP_DROP`: programs of the chain, in place of what their objects say. */
  readonly chain?: readonly string[] | undefined;
  /** Path of a dispatcher such as libxdp's xdp-dispatcher.o. */
  readonly dispatcher?: string | undefined;
}

/** What is to be run. */
export interface RunObject {
  readonly object: ObjectSpec;
  /** The program to attach, if somebody said which. */
  readonly program: string | undefined;
  /** The programs of a chain in their order; `undefined` when there is none. */
  readonly chain: readonly ChainLink[] | undefined;
}

const SYNTAX = 'write PROGRAM:priority=10,actions=XDP_PASS+XDP_DROP; all but the program may be left out';

/**
 * Loads the object, or the objects and links them.
 *
 * Problems: those of `loadObjectFile`, `createDispatcher`, `linkExtensions` and `resizeMaps`; `chain-syntax`, `chain-unknown-program`, `chain-option`, `extension-without-target`.
 */
export function loadRunObject(options: ObjectOptions, load: LoadObjectOptions): Result<RunObject> {
  const paths = typeof options.object === 'string' ? [options.object] : options.object;
  const isChain = paths.length > 1 || options.dispatcher !== undefined || (options.chain ?? []).length > 0;
  if (!isChain) {
    const object = loadObjectFile(paths[0]!, load);
    return object.ok ? ok({ object: object.value, program: options.program, chain: undefined }) : object;
  }
  if (Object.keys(load.innerMaps ?? {}).length > 0) return fail({ code: 'chain-option', where: '--inner-map', message: 'it is for one object only', hint: 'compile the object with __array(values, ...)' });

  // A size is for a map under its name among all, so it comes last.
  const { maxEntries = {}, ...others } = load;
  const objects: ObjectSpec[] = [];
  for (const path of paths) {
    const object = loadObjectFile(path, others);
    if (!object.ok) return object;
    objects.push(object.value);
  }
  const linked = linkObjects(objects, options);
  if (!linked.ok) return linked;
  return catchProblem(() => ({ ...linked.value, object: { ...linked.value.object, maps: resizeMaps(linked.value.object.maps, maxEntries, linked.value.object.name) } }));
}

/** `chain-offload`: a chain that is to run in the device. */
export function checkChainMode(chain: RunObject['chain'], xdpMode: XdpMode | undefined, where: string): Problem | undefined {
  if (chain === undefined || xdpMode !== 'offload') return undefined;
  return { code: 'chain-offload', where, message: "a chain can't be attached in offload mode: a device takes one program, without a dispatcher (EINVAL)", hint: 'choose --mode native, or give one object' };
}

function linkObjects(objects: readonly ObjectSpec[], options: ObjectOptions): Result<RunObject> {
  const settings = parseChain(options.chain ?? [], objects);
  if (!settings.ok) return settings;
  const extended = applyExtensions(objects, options, settings.value);
  if (!extended.ok) return extended;
  const [first, ...more] = extended.value;
  if (more.length === 0 && options.dispatcher === undefined && settings.value.size === 0) {
    return ok({ object: first!.object, program: first!.program, chain: undefined });
  }
  if (options.program !== undefined) return fail({ code: 'chain-option', where: '--prog', message: 'it is for one program only', hint: `name the programs of a chain with --chain ${options.program}` });

  const dispatcher = options.dispatcher === undefined ? ok(undefined) : loadObjectFile(options.dispatcher);
  if (!dispatcher.ok) return dispatcher;
  const programs = extended.value.flatMap(({ object, program }) => chained(object, program, settings.value));
  const chain = orderChain(programs);
  if (!chain.ok) return chain.problem.code === 'several-programs' ? fail({ ...chain.problem, hint: 'name it with --chain PROGRAM' }) : chain;
  const object = createDispatcher(programs, { dispatcher: dispatcher.value });
  return object.ok ? ok({ object: object.value, program: undefined, chain: chain.value }) : object;
}

/** The programs of an object that were named, or its only one. */
function chained(object: ObjectSpec, program: string | undefined, settings: ReadonlyMap<string, Partial<RunConfig>>): DispatcherProgram[] {
  const named = object.programs.filter(({ name }) => settings.has(name)).map(({ name }) => ({ object, program: name, ...settings.get(name) }));
  return named.length > 0 ? named : [{ object, program }];
}

interface Extended {
  readonly object: ObjectSpec;
  /** The program that extensions were put into. */
  readonly program: string | undefined;
}

/** Objects of nothing but extensions change the object before them. */
function applyExtensions(objects: readonly ObjectSpec[], options: ObjectOptions, settings: ReadonlyMap<string, Partial<RunConfig>>): Result<Extended[]> {
  const targets: { readonly object: ObjectSpec; readonly extensions: ObjectSpec[] }[] = [];
  for (const object of objects) {
    const extension = object.programs.find(({ replaces }) => replaces !== undefined);
    if (extension === undefined || object.programs.some(({ type }) => type === 'xdp')) {
      targets.push({ object, extensions: [] });
      continue;
    }
    const target = targets[targets.length - 1];
    if (target === undefined) {
      const message = `it holds an extension for the function ${extension.replaces}, but there is no program before it that could call one`;
      return fail({ code: 'extension-without-target', where: object.name, message, hint: 'give the target first: sim run target.o extension.o' });
    }
    target.extensions.push(object);
  }
  const extended: Extended[] = [];
  for (const { object, extensions } of targets) {
    const linked = extensions.length === 0 ? ok({ object, program: undefined }) : extend(object, extensions, object.programs.find(({ name }) => settings.has(name))?.name ?? options.program);
    if (!linked.ok) return linked;
    extended.push(linked.value);
  }
  return ok(extended);
}

function extend(target: ObjectSpec, objects: readonly ObjectSpec[], name: string | undefined): Result<Extended> {
  const program = chooseProgram(target, name);
  if (!program.ok) return program;
  const extensions = objects.flatMap((object) => object.programs.flatMap(({ name: extension, replaces }) => (replaces === undefined ? [] : [{ object, program: extension, replaces }])));
  const linked = linkExtensions(target, program.value, extensions);
  return linked.ok ? ok({ object: { ...linked.value, name: [target, ...objects].map((object) => object.name).join(' + ') }, program: program.value }) : linked;
}

function parseChain(texts: readonly string[], objects: readonly ObjectSpec[]): Result<Map<string, Partial<RunConfig>>> {
  const settings = new Map<string, Partial<RunConfig>>();
  const known = objects.flatMap(({ programs }) => programs.filter(({ type }) => type === 'xdp').map(({ name }) => name));
  for (const text of texts) {
    const colon = text.indexOf(':');
    const name = colon < 0 ? text : text.slice(0, colon);
    if (!known.includes(name)) {
      const meant = closestTo(name, known);
      return fail({ code: 'chain-unknown-program', where: '--chain', message: `no object has an XDP program '${name}'`, hint: meant === undefined ? `there is: ${known.join(', ')}` : `did you mean ${meant}?` });
    }
    const config = colon < 0 ? {} : parseConfig(text.slice(colon + 1));
    if (config === undefined || settings.has(name)) {
      return fail({ code: 'chain-syntax', where: '--chain', message: settings.has(name) ? `${name} is there twice` : `'${text}' makes no sense`, hint: SYNTAX });
    }
    settings.set(name, config);
  }
  return ok(settings);
}

/** `priority=10,actions=XDP_PASS+XDP_DROP`; `actions=` for none. */
function parseConfig(text: string): Partial<RunConfig> | undefined {
  let config: Partial<RunConfig> = {};
  for (const pair of text.split(',')) {
    const [key, value, ...rest] = pair.split('=');
    if (value === undefined || rest.length > 0) return undefined;
    if (key === 'priority' && config.priority === undefined && /^\d{1,10}$/.test(value) && Number(value) <= 0xffffffff) {
      config = { ...config, priority: Number(value) };
    } else if (key === 'actions' && config.chainCallActions === undefined) {
      const names = value === '' ? [] : value.split('+');
      if (!names.every((name) => Object.hasOwn(CHAIN_ACTIONS, name))) return undefined;
      config = { ...config, chainCallActions: names.map((name) => CHAIN_ACTIONS[name as keyof typeof CHAIN_ACTIONS]) };
    } else {
      return undefined;
    }
  }
  return config;
}
