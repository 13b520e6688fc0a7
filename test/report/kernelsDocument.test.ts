import { it } from 'vitest';
import { isSince, KERNEL_CHANGES } from '../../src/base/index.js';
import type { KernelChange } from '../../src/base/index.js';
import { DRIVER_CHANGES } from '../../src/nic/profiles/history.js';
import { HELPERS } from '../../src/vm/helpers/helperTable.js';
import { KFUNCS } from '../../src/vm/kfuncs/kfuncTable.js';
import { replaceBetween } from '../support/documents.js';

// The tables of docs/kernels.md are the data that the simulator goes by. UPDATE_DOCS=1 npx vitest run test/report/kernelsDocument.test.ts writes them.

const DOCUMENT = 'docs/kernels.md';

const bySince = (left: { readonly since: string }, right: { readonly since: string }): number => minor(left.since) - minor(right.since);
const minor = (since: string): number => Number(since.split('.')[1]);
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string => [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Names by the release that they came with. */
function namesTable(things: readonly { readonly name: string; readonly since: string }[], head: string): string {
  const releases = [...new Set(things.map(({ since }) => since))].sort((left, right) => minor(left) - minor(right));
  return table(['since', head], releases.map((since) => [since, things.filter((thing) => thing.since === since).map(({ name }) => `\`${name}\``).join(', ')]));
}

const isNew = ({ since }: { readonly since: string }): boolean => !isSince('6.1', since);

const TABLES: Readonly<Record<string, () => string>> = {
  changes: () => table(
    ['since', 'what', 'before', 'from then on'],
    (Object.values(KERNEL_CHANGES) as KernelChange[]).sort(bySince).map(({ since, topic, before, after }) => [since, topic, before, after]),
  ),
  kfuncs: () => namesTable(KFUNCS.filter((kfunc) => kfunc.support !== undefined && isNew(kfunc)), 'kernel functions'),
  helpers: () => namesTable(HELPERS.filter((helper) => helper !== undefined).filter((helper) => helper.xdp && isNew(helper)), 'helpers, for XDP programs'),
  drivers: () => table(['since', 'profile', 'what came'], [...DRIVER_CHANGES].sort(bySince).map(({ since, profile, what }) => [since, profile, what])),
};

it.each(Object.keys(TABLES))('%s', (name) => {
  replaceBetween(DOCUMENT, name, `${TABLES[name]!()}\n`);
});
