import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { traceLine, TRACEPOINTS } from '../../src/xdp/index.js';

// Mounted in a mount namespace of its own, which ends with the command.
const formats = spawnSync('unshare', ['-m', 'sh', '-c', 'mount -t tracefs none /mnt && cat /mnt/events/xdp/xdp_*/format'], { encoding: 'utf8' });

/** Actions as `__print_symbolic` has them. */
const ACTION = /__print_symbolic\(REC->act, \{[^)]*?\{ -1, [^}]*\} ?\)/;

interface KernelFormat {
  readonly fields: readonly string[];
  readonly line: string;
}

/** What the kernel says of its tracepoints, by name: the members of the record, and the format of the line with names for values. */
function kernelFormats(text: string): Map<string, KernelFormat> {
  return new Map(
    text.split(/^name: /m).slice(1).map((part) => {
      const fields = [...part.matchAll(/field:[^;]*?\b(\w+);/g)].map(([, field]) => field!).filter((field) => !field.startsWith('common_'));
      const [, format, values] = /^print fmt: "([^"]*)", (.*)$/m.exec(part)!;
      const names = values!.replace(ACTION, 'REC->act').split(', ').map((value) => value.replace('REC->', ''));
      let next = 0;
      return [part.split('\n')[0]!, { fields, line: format!.replace(/%[dus]/g, () => `{${names[next++]}}`) }];
    }),
  );
}

/** The line that this table makes, with names for values. */
function ownLine(index: number): string {
  const { name, fields } = TRACEPOINTS[index]!;
  // No field but the action has a value of one digit, and 3 is XDP_TX.
  const values = fields.map((field, i) => (field === 'act' ? 3 : 1000 + i));
  return traceLine(index, values).slice(`${name}: `.length).replace('=TX', '={act}').replace(/=(\d{4})/g, (_, value: string) => `={${fields[Number(value) - 1000]}}`);
}

if (formats.status !== 0) console.warn(`SKIPPED, tracepoints not compared with tracefs: ${formats.stderr.trim()}`);

describe('tracepoints of XDP', () => {
  it.skipIf(formats.status !== 0)('have the fields and the line of the running kernel', () => {
    const kernel = kernelFormats(formats.stdout);
    expect(TRACEPOINTS.map(({ name, fields }, index) => [name, { fields, line: ownLine(index) }])).toEqual(TRACEPOINTS.map(({ name }) => [name, kernel.get(name)]));
  });

  it('print an action that is none in hex, as __print_symbolic does', () => {
    expect(traceLine(0, [7, 100, 2])).toBe('xdp_exception: prog_id=7 action=0x64 ifindex=2');
    expect(traceLine(0, [7, 0xffffffff, 2])).toBe('xdp_exception: prog_id=7 action=0xffffffff ifindex=2');
    expect(traceLine(3, [7, 4, 2, -100, 6, 12, 2])).toBe('xdp_redirect_err: prog_id=7 action=REDIRECT ifindex=2 to_ifindex=6 err=-100 map_id=12 map_index=2');
  });
});
