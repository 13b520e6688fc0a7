import { closestTo, fail, ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { checkFaultPlan, FAULT_KINDS } from '../nic/index.js';
import type { FaultKind, FaultPlan, FaultSetting, FaultWindow } from '../nic/index.js';

const UNIT_NS: Readonly<Record<string, number>> = { ns: 1, us: 1e3, ms: 1e6, s: 1e9 };

const SYNTAX = 'write KIND:rate=0.01,at=1ms..2ms,for=10us,delay=10us,again; all but the kind may be left out';

/** What one setting is put together from. */
interface Draft {
  readonly windows: FaultWindow[];
  rate?: number;
  durationNs?: number | undefined;
  delayNs?: number | undefined;
  raisesAgain?: boolean;
}

/** What each key of `--fault` does with its value; false: the value makes no sense. */
const KEYS: Readonly<Record<string, (draft: Draft, value: string) => boolean>> = {
  rate(draft, value) {
    draft.rate = value.trim() === '' ? NaN : Number(value);
    return !Number.isNaN(draft.rate);
  },
  at(draft, value) {
    const bounds = value.split('..');
    const [fromNs, toNs] = [parseTime(bounds[0]), parseTime(bounds[1] ?? '')];
    if (bounds.length !== 2 || fromNs === undefined || toNs === undefined) return false;
    draft.windows.push({ fromNs, toNs });
    return true;
  },
  for(draft, value) {
    draft.durationNs = parseTime(value);
    return draft.durationNs !== undefined;
  },
  delay(draft, value) {
    draft.delayNs = parseTime(value);
    return draft.delayNs !== undefined;
  },
  again(draft, value) {
    draft.raisesAgain = true;
    return value === '';
  },
};

/**
 * The plan of `--fault` and `--watchdog`, `undefined` when neither is there. Problems: `fault-syntax`, those of `checkFaultPlan`.
 *
 * @param faults `KIND`, or `KIND:key=value,...` with the keys rate (0 to 1), at (FROM..TO, repeatable), for, delay (times) and again
 * @param watchdog a time: a number and ns, us, ms or s
 */
export function parseFaultPlan(faults: readonly string[], watchdog: string | undefined): Result<FaultPlan | undefined> {
  if (faults.length === 0 && watchdog === undefined) return ok(undefined);
  const settings: FaultSetting[] = [];
  for (const text of faults) {
    const setting = parseFault(text);
    if (!setting.ok) return setting;
    settings.push(setting.value);
  }
  const watchdogNs = watchdog === undefined ? undefined : parseTime(watchdog);
  if (watchdog !== undefined && watchdogNs === undefined) {
    return fail({ code: 'fault-syntax', where: '--watchdog', message: `'${watchdog}' is no time`, hint: 'write a number and ns, us, ms or s, such as 2s' });
  }
  const plan: FaultPlan = { faults: settings, watchdogNs };
  const problem = checkFaultPlan(plan);
  return problem === undefined ? ok(plan) : fail(problem);
}

function parseFault(text: string): Result<FaultSetting> {
  const colon = text.indexOf(':');
  const kind = colon < 0 ? text : text.slice(0, colon);
  const meant = FAULT_KINDS.some((each) => each.kind === kind) ? undefined : closestTo(kind.trim(), FAULT_KINDS.map((each) => each.kind));
  if (meant !== undefined) return fail({ code: 'fault-kind', where: `--fault ${kind}`, message: 'there is no such fault', hint: `did you mean ${meant}?` });
  const draft: Draft = { windows: [] };
  const seen = new Set<string>();
  for (const part of colon < 0 ? [] : text.slice(colon + 1).split(',')) {
    const [key, ...rest] = part.split('=');
    const value = rest.join('=');
    const set = Object.hasOwn(KEYS, key) ? KEYS[key] : undefined;
    if (set === undefined) return fail({ code: 'fault-syntax', where: `--fault ${kind}`, message: `there is no '${key}'`, hint: SYNTAX });
    if (key !== 'at' && seen.has(key)) return fail({ code: 'fault-syntax', where: `--fault ${kind}`, message: `'${key}' is there twice`, hint: 'keep one of them; only at may be repeated' });
    seen.add(key);
    if (!set(draft, value)) return fail({ code: 'fault-syntax', where: `--fault ${kind}`, message: `'${part}' makes no sense`, hint: SYNTAX });
  }
  const { windows, ...options } = draft;
  return ok({ kind: kind as FaultKind, ...options, ...(windows.length === 0 ? {} : { windows }) });
}

/** `10us`, in ns; `undefined` when it is no time. */
export function parseTime(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ns|us|ms|s)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * UNIT_NS[match[2]];
}
