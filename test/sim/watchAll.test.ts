import { describe, expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { watchAll, watchAllHosts } from '../../src/sim/index.js';
import type { Host, LinkEvent, PacketWatcher } from '../../src/sim/index.js';
import { burst, captureOf, fixture, simulationOf } from '../support/simulate.js';

/** All that can be heard; the compiler says when one is missing. */
const HOOKS: Readonly<Record<keyof PacketWatcher, true>> = { onArrival: true, onPacketEnd: true, onApplicationFrame: true, onWire: true, onEvent: true, onTrace: true };
const names = Object.keys(HOOKS) as (keyof PacketWatcher)[];

/** Writes down what it hears, and the first argument of it. */
function listener(name: string, heard: string[], hooks: readonly (keyof PacketWatcher)[]): PacketWatcher {
  return Object.fromEntries(hooks.map((hook) => [hook, (first: unknown) => heard.push(`${name} ${hook} ${JSON.stringify(first)}`)]));
}

describe('several watchers as one', () => {
  it.each(names)('%s reaches all that listen to it, in their order', (hook) => {
    const heard: string[] = [];
    const all = watchAll([listener('first', heard, [hook]), {}, listener('last', heard, [hook])]);
    (all[hook] as (first: unknown) => void)({ packetId: 7 });
    expect(heard).toEqual([`first ${hook} {"packetId":7}`, `last ${hook} {"packetId":7}`]);
    expect(Object.keys(all)).toEqual([hook]);
  });

  it('hands on every argument of an arrival', () => {
    const seen: number[][] = [];
    const watcher: PacketWatcher = { onArrival: (...args) => seen.push(args) };
    watchAll([watcher, watcher]).onArrival!(1, 2, 3);
    expect(seen).toEqual([[1, 2, 3], [1, 2, 3]]);
  });

  it('one is itself, and none listens to nothing', () => {
    const only: PacketWatcher = {};
    expect(watchAll([only])).toBe(only);
    expect(watchAll([])).toEqual({});
  });

  it('hears of a run what each hears alone', () => {
    const heard = (around: (watcher: PacketWatcher) => PacketWatcher): string[] => {
      const lines: string[] = [];
      const simulation = simulationOf({ object: fixture('redirect_self') });
      unwrap(simulation.run(captureOf(burst(3)), around({
        onArrival: (packetId, _address, lenBytes) => lines.push(`arrival of ${packetId}, ${lenBytes} bytes`), onPacketEnd: ({ packetId, outcome }) => lines.push(`end of ${packetId}: ${outcome}`),
        onWire: ({ packetId }) => lines.push(`sent ${packetId}`), onTrace: ({ tracepoint }) => lines.push(`tracepoint ${tracepoint}`),
      })));
      return lines;
    };
    const alone = heard((watcher) => watcher);
    expect(new Set(alone.map((line) => line.split(' ')[0]))).toEqual(new Set(['arrival', 'end', 'sent', 'tracepoint']));
    expect(heard((watcher) => watchAll([{ onPacketEnd() {} }, watcher]))).toEqual(alone);
  });
});

it('several watchers of a scenario as one: each of every host, and of the links', () => {
  const heard: string[] = [];
  const of = (name: string) => ({ hostWatcher: (host: Host) => listener(`${name} at ${host.name}`, heard, ['onPacketEnd']), onLinkFrame: ({ link }: LinkEvent) => heard.push(`${name}: ${link}`) });
  const all = watchAllHosts([of('first'), {}, of('last')]);
  all.hostWatcher!({ name: 'a' } as Host).onPacketEnd!({ packetId: 1 } as never);
  all.onLinkFrame!({ link: 'a to b' } as LinkEvent);
  expect(heard).toEqual(['first at a onPacketEnd {"packetId":1}', 'last at a onPacketEnd {"packetId":1}', 'first: a to b', 'last: a to b']);
});
