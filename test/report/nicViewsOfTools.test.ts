import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { findProfile } from '../../src/nic/index.js';
import { NIC_VIEWS } from '../../src/report/index.js';

const NAMESPACE = `simviews${process.pid}`;
const OBJECT = 'fixtures/programs/switch_drop/switch_drop.o';

function run(command: string, ...args: readonly string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** Output of the real tools about a veth with a native program, in a namespace of its own; `undefined` where there may be none. */
function outputOfTools(): Readonly<Record<string, string>> | string {
  try {
    run('ip', 'netns', 'add', NAMESPACE);
  } catch (error) {
    return String(error);
  }
  try {
    const inside = (command: string, ...args: readonly string[]): string => run('ip', 'netns', 'exec', NAMESPACE, command, ...args);
    inside('ip', 'link', 'add', 'veth', 'type', 'veth', 'peer', 'name', 'other');
    for (const name of ['veth', 'other']) inside('ip', 'link', 'set', name, 'up');
    inside('ip', 'link', 'set', 'veth', 'xdpdrv', 'obj', OBJECT, 'sec', 'xdp');
    return {
      i: inside('ethtool', '-i', 'veth'), l: inside('ethtool', '-l', 'veth'), k: inside('ethtool', '-k', 'veth'), S: inside('ethtool', '-S', 'veth'),
      link: inside('ip', 'link', 'show', 'veth'), bpftool: inside('bpftool', 'net', 'list'),
    };
  } catch (error) {
    return String(error);
  } finally {
    run('ip', 'netns', 'del', NAMESPACE);
  }
}

/** The shape of a line: its numbers, IDs, addresses and settings are this machine's. */
function shapeOf(line: string): string {
  return line.replace(/@\w+/, '').replace(/qdisc \w+/, 'qdisc Q').replace(/([0-9a-f]{2}:){5}[0-9a-f]{2}/g, 'MAC').replace(/(id \d+) .*/, '$1').replace(/\d+/g, 'N').replace(/^version: .*/, 'version: V');
}

const tools = outputOfTools();
if (typeof tools === 'string') console.warn(`SKIPPED, views of a veth not compared with ethtool, ip and bpftool: ${tools.split('\n')[0]}`);

describe.skipIf(typeof tools === 'string')('views of a veth are what the tools print', () => {
  const output = tools as Readonly<Record<string, string>>;
  const shapes = (text: string): string[] => text.trimEnd().split('\n').map(shapeOf);
  const viewShapes = (view: string): string[] => shapes(NIC_VIEWS[view](findProfile('veth')!).join('\n'));

  it.each(['i', 'l', 'link', 'bpftool'])('%s, line by line', (view) => {
    expect(viewShapes(view)).toEqual(shapes(output[view]));
  });

  it('S, all but peer_ifindex', () => {
    expect(viewShapes('S')).toEqual(shapes(output['S']).filter((line) => !line.includes('peer_ifindex')));
  });

  it('k, the lines that the model knows, in their order', () => {
    const names = (lines: readonly string[]): string[] => lines.map((line) => line.split(':')[0]);
    const known = names(viewShapes('k'));
    expect(names(shapes(output['k'])).filter((name) => known.includes(name))).toEqual(known);
    for (const line of viewShapes('k').slice(1)) expect(line).toMatch(/^[a-z-]+: (on|off)( \[fixed\])?$/);
  });
});
