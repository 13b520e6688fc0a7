import { closestTo, fail, ok } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import type { XskApplicationFactory } from './application.js';
import { XSK_APPLICATIONS } from './table.js';
import type { XskApplicationOption, XskApplicationValues } from './table.js';

/** An application with its options. */
export interface XskApplicationChoice {
  readonly name: string;
  readonly factory: XskApplicationFactory;
  /** Metadata before packets that it needs, bytes; 0: none. */
  readonly txMetadataBytes: number;
}

/**
 * Reads `NAME` or `NAME:option=value,option=value`. Problems: `unknown-xsk-mode`, `bad-xsk-option`.
 *
 * @param where it stands, for problems
 * @param others names that could have been meant, besides those of applications
 */
export function readXskApplication(text: string, where: string, others: readonly string[] = []): Result<XskApplicationChoice> {
  const [name, ...rest] = text.split(':');
  const names = [...others, ...Object.keys(XSK_APPLICATIONS)];
  if (!Object.hasOwn(XSK_APPLICATIONS, name)) {
    const meant = closestTo(name, names);
    return fail({ code: 'unknown-xsk-mode', where, message: `there is no '${name}'`, hint: meant === undefined ? `use one of: ${names.join(', ')}` : `did you mean ${meant}?` });
  }
  const kind = XSK_APPLICATIONS[name];
  const values = new Map<string, number | string>(kind.options.map((option) => [option.name, option.default]));
  const bad = (message: string, hint: string): Result<never> => fail({ code: 'bad-xsk-option', where, message, hint });
  const given = new Set<string>();
  for (const pair of rest.length === 0 ? [] : rest.join(':').split(',')) {
    const [key, ...tail] = pair.split('=');
    const value = tail.join('=');
    const option = kind.options.find((each) => each.name === key);
    if (option === undefined) return bad(`${name} has no option '${key}'`, kind.options.length === 0 ? 'leave it out' : `use one of: ${kind.options.map((each) => each.name).join(', ')}`);
    if (given.has(key)) return bad(`${key} is there twice`, 'keep one of them');
    given.add(key);
    const read = readValue(option, value);
    if (read === undefined) return bad(`${key} can't be '${value}'`, 'choices' in option ? `use one of: ${option.choices.join(', ')}` : `use a whole number from ${option.min} to ${option.max}`);
    values.set(key, read);
  }
  const reader: XskApplicationValues = { number: (key) => values.get(key) as number, word: (key) => values.get(key) as string };
  return ok({ name, factory: kind.create(reader), txMetadataBytes: kind.txMetadataBytes?.(reader) ?? 0 });
}

function readValue(option: XskApplicationOption, text: string): number | string | undefined {
  if ('choices' in option) return option.choices.includes(text) ? text : undefined;
  const value = Number(text);
  return /^\d{1,10}$/.test(text) && value >= option.min && value <= option.max ? value : undefined;
}
