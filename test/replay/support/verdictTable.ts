import { errnoName } from '../../../src/base/index.js';
import type { VerdictCase, VerdictOutcome } from './verdictCases.js';

/** Frames that the table of the document is about. */
const SHOWN = /^(.*), 64 bytes$/;
const LONG = /^(.*small MTU), 1019 bytes$/;

/** The way of a packet, what becomes of it in both modes, and what tells of it, as rows of Markdown; same outcomes share a row. */
export function verdictTable(cases: readonly VerdictCase[], native: readonly VerdictOutcome[], generic: readonly VerdictOutcome[]): string {
  const rows = new Map<string, string[]>();
  cases.forEach(({ name }, i) => {
    const shown = SHOWN.exec(name);
    const long = LONG.exec(name);
    if (shown === null && long === null) return;
    const way = shown === null ? `${long![1]}, 1019 bytes` : shown[1]!;
    const row = [ends(native[i]!), counters(native[i]!), traces(native[i]!), ends(generic[i]!), traces(generic[i]!)].map((cell) => (cell === '' ? '–' : cell)).join(' | ');
    rows.set(row, [...(rows.get(row) ?? []), way]);
  });
  const lines = [...rows].map(([row, ways]) => `| ${ways.join('; ')} | ${row} |`);
  return `\n| | native: ends | counters of \`ethtool -S\` | tracepoints | generic: ends | tracepoints |\n| --- | --- | --- | --- | --- | --- |\n${lines.join('\n')}\n\n`;
}

function ends({ arrivals }: VerdictOutcome): string {
  const places = arrivals.map((arrival) => arrival.split(':')[0]!);
  return places.length === 0 ? 'dropped' : [...new Set(places)].map((place) => `${place === 'stack' ? 'stack' : `sent by ${place}`}${times(places.filter((each) => each === place).length)}`).join(', ');
}

function times(count: number): string {
  return count === 1 ? '' : ` × ${count}`;
}

/** Those of the driver; the device that packets come in by is not named. */
function counters({ counters: moved }: VerdictOutcome): string {
  return Object.keys(moved)
    .filter((name) => !/ link\.|_xdp_packets$|_xdp_bytes$/.test(name))
    .map((name) => name.replace(/^xdp0 /, '').replace(/^(\w+) /, '$1: ').replace(/_queue_0/, '_queue_N') + times(moved[name]!))
    .join(', ');
}

/** Tracepoints with what they tell besides the way itself. */
function traces({ traces: lines }: VerdictOutcome): string {
  return lines
    .map((line) => {
      const [name] = line.split(':');
      const field = (key: string): string => new RegExp(`\\b${key}=(\\S+)`).exec(line)?.[1] ?? '';
      switch (name) {
        case 'xdp_exception': return `${name} ${field('action')}`;
        case 'xdp_redirect_err': return `${name} ${errnoName(Number(field('err')))}`;
        case 'xdp_bulk_tx':
        case 'xdp_devmap_xmit': return `${name} sent ${field('sent')} drops ${field('drops')}`;
        case 'xdp_cpumap_kthread': return `${name} pass ${field('xdp_pass')} drop ${field('xdp_drop')} redirect ${field('xdp_redirect')}`;
        default: return name!;
      }
    })
    .join(', ');
}
