import type { Options } from 'yargs';
import { closestTo } from '../base/index.js';
import type { Problem } from '../base/index.js';
import type { Command } from './command.js';

/** Options that every command has; they take no value. */
const COMMON_OPTIONS = ['help', 'version'];

/** True when the command line asks for help or the version and nothing else counts. */
export function asksForHelp(argv: readonly string[]): boolean {
  return argv.some((token) => token === '-h' || COMMON_OPTIONS.some((name) => token === `--${name}`));
}

/**
 * Looks for what is wrong with a command line, in the user's own words. yargs reads the command line afterwards; its own messages name
 * neither the text that is wrong nor what was meant, and it takes the last of several values without a word.
 *
 * @returns `usage`, or `undefined` when all is well
 */
export function checkArguments(argv: readonly string[], commands: readonly Command[]): Problem | undefined {
  const [name, ...rest] = argv;
  const example = 'e.g. sim run prog.o --pcap trace.pcap';
  if (name === undefined) return usage('say what to do', `${example}; sim --help tells more`);
  const names = commands.map((command) => command.name);
  const command = commands.find((candidate) => candidate.name === name);
  if (command !== undefined) return checkCommandArguments(command, rest);
  if (!name.startsWith('-')) return usage(`there is no command '${name}'`, didYouMean(closestTo(name, names)) ?? `there is: ${names.join(', ')}`);
  return usage(`'${name}' stands where the command belongs`, didYouMean(closestOption(name, COMMON_OPTIONS)) ?? example);
}

function checkCommandArguments({ name: command, positionals, variadic, options }: Command, tokens: readonly string[]): Problem | undefined {
  const known = [...Object.keys(options), ...COMMON_OPTIONS];
  const seen = new Set<string>();
  const given: string[] = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    if (!looksLikeOption(token)) {
      if (token === '-') return standardInput(`sim ${command}`);
      given.push(token);
      continue;
    }
    const equals = token.indexOf('=');
    const flag = equals < 0 ? token : token.slice(0, equals);
    const name = flag.slice(2);
    const option = flag.startsWith('--') && Object.hasOwn(options, name) ? options[name] : undefined;
    if (option === undefined) {
      return usage(`there is no option ${flag}`, didYouMean(closestOption(flag, known)) ?? `sim ${command} --help lists them all`);
    }
    if (seen.has(name) && option.array !== true) return usage(`${flag} is given twice`, 'keep one of them');
    seen.add(name);
    const next = tokens[i + 1];
    const value = equals >= 0 ? token.slice(equals + 1) : takesValue(option) && next !== undefined && !looksLikeOption(next) ? tokens[++i] : undefined;
    const problem = checkValue(flag, option, value);
    if (problem !== undefined) return problem;
  }
  if (given.length > positionals.length && variadic !== true) {
    return usage(`'${given[positionals.length]}' is too much`, `sim ${command} takes ${positionals.map(([name]) => name).join(', ')} and options`);
  }
  if (given.length < positionals.length) {
    const [name, describe] = positionals[given.length];
    return usage(`the ${name} is missing`, `give it after sim ${command}: ${describe}`);
  }
  const missing = Object.keys(options).find((name) => options[name].demandOption === true && !seen.has(name));
  return missing === undefined ? undefined : usage(`--${missing} is missing`, `give the ${String(options[missing].describe)}`);
}

function checkValue(flag: string, option: Options, value: string | undefined): Problem | undefined {
  if (!takesValue(option)) return value === undefined ? undefined : usage(`${flag} takes no value, but has '${value}'`, `write ${flag}`);
  if (value === undefined || value === '') return usage(`${flag} has no value`, `give it one: ${String(option.describe)}`);
  if (option.type === 'number' && (value.trim() === '' || Number.isNaN(Number(value)))) {
    return usage(`${flag}: '${value}' is no number`, `write a number: ${String(option.describe)}`);
  }
  return value === '-' ? standardInput(flag) : undefined;
}

/** A lone dash: other tools read standard input or write standard output then, and yargs can't take it. */
function standardInput(where: string): Problem {
  return { ...usage('standard input is not supported', 'give a file'), where };
}

function takesValue(option: Options): boolean {
  return option.type !== 'boolean';
}

/** A word that begins with a dash; negative numbers and a lone dash are values. */
function looksLikeOption(token: string): boolean {
  return token.length > 1 && token.startsWith('-') && Number.isNaN(Number(token));
}

function closestOption(flag: string, names: readonly string[]): string | undefined {
  const closest = closestTo(flag.replace(/^-+/, ''), names);
  return closest === undefined ? undefined : `--${closest}`;
}

function didYouMean(text: string | undefined): string | undefined {
  return text === undefined ? undefined : `did you mean ${text}?`;
}

function usage(message: string, hint: string): Problem {
  return { code: 'usage', message, hint };
}
