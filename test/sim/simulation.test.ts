import { describe, expect, it } from 'vitest';
import { fail } from '../../src/base/index.js';
import { createSimulation } from '../../src/sim/index.js';
import type { SimulationOptions } from '../../src/sim/index.js';
import { MemorySink, openCaptureBytes, PcapWriter } from '../../src/packet/index.js';
import { captureOf, burst, fixture, nicSettings, returning, simulate, simulationOf, udpFrame } from '../support/simulate.js';
import type { Simulated } from '../support/simulate.js';

const mixed = Array.from({ length: 500 }, (_, i) => ({ bytes: udpFrame(60 + ((i * 37) % 1400), i), tNs: (i % 7) * 10 + i * 300 }));

/** Everything that can be seen of a run, as text. */
const traceOf = ({ simulation, result, ends, applicationFrames }: Simulated): string =>
  JSON.stringify({
    result: { ...result, outcomes: [...result.outcomes] },
    ends: ends.map((end) => ({ ...end, bytes: Buffer.from(end.bytes).toString('hex'), meta: Buffer.from(end.meta).toString('hex') })),
    applicationFrames: applicationFrames.map((frame) => ({ ...frame, bytes: Buffer.from(frame.bytes).toString('hex') })),
    counters: Array.from({ length: simulation.nic.settings.queues }, (_, queue) => [simulation.nic.driver.counters(queue), simulation.nic.driver.bufferUse(queue)]),
    maps: [...simulation.loaded.maps.values()].map((map) => [...map.entries()].map(({ key, value }) => [[...key], [...value]])),
  });

describe('determinism', () => {
  it.each(['printk', 'reflector', 'count_hash', 'meta_writer'])('%s: two runs are the same to the last byte', (name) => {
    const run = (): string => traceOf(simulate({ object: fixture(name), frames: mixed, nic: { queues: 3, interruptDelayNs: 5000 }, seed: 7 }));
    expect(run()).toBe(run());
  });

  it('AF_XDP: two runs are the same to the last byte', () => {
    const run = (): string => traceOf(simulate({ object: fixture('xsk_redirect'), frames: mixed, nic: { queues: 3, interruptDelayNs: 5000 }, xsk: { application: 'l2fwd' } }));
    expect(run()).toBe(run());
  });

  it('the seed matters to a program that draws random numbers', () => {
    const logOf = (seed: number): string => JSON.stringify(simulate({ object: fixture('printk'), frames: burst(5), seed }).result.log);
    expect(logOf(1)).toBe(logOf(1));
    expect(logOf(1)).not.toBe(logOf(2));
  });

  it('two simulations do not disturb each other', () => {
    const alone = traceOf(simulate({ object: fixture('count_hash'), frames: mixed }));
    const other = simulationOf({ object: fixture('count_hash') });
    const between = traceOf(simulate({ object: fixture('count_hash'), frames: mixed }));
    other.run(captureOf(mixed));
    expect(between).toBe(alone);
  });
});

describe('Simulation.run', () => {
  it('a capture without packets is a run without packets', () => {
    const run = simulate({ object: returning(1), frames: [] });
    expect(run.result).toMatchObject({ packetsReceived: 0, bytesReceived: 0, durationNs: 0, audit: { ok: true } });
  });

  it('a capture that breaks off is a problem', () => {
    const sink = new MemorySink();
    const writer = new PcapWriter(sink);
    for (let i = 0; i < 100; i++) writer.writePacket(udpFrame(60), 0, 60, i, 0);
    writer.close();
    const reader = openCaptureBytes(sink.bytes().subarray(0, 5000), 'a.pcap');
    if (!reader.ok) throw new Error('the capture does not open');
    const result = simulationOf({ object: returning(1) }).run(reader.value);
    expect(!result.ok && result.problem).toMatchObject({ code: 'capture-truncated' });
  });

  it('reports progress', () => {
    const seen: number[] = [];
    simulationOf({ object: returning(1) }).run(captureOf(burst(150)), {}, (packets) => seen.push(packets));
    expect(seen).toEqual([64, 128, 150]);
  });

  it('time passes as in the capture, and ktime with it', () => {
    const run = simulate({ object: fixture('printk'), frames: [{ bytes: udpFrame(60), tNs: 0 }, { bytes: udpFrame(60), tNs: 5e9 }] });
    expect(run.result.durationNs).toBe(5e9);
    expect(new Set(run.result.log.map(({ tNs }) => tNs))).toEqual(new Set([1e9, 6e9]));
  });

  it('keeps the first 1000 log lines and counts all', () => {
    const run = simulate({ object: fixture('printk'), frames: burst(600) });
    expect(run.result.log.length).toBe(1000);
    expect(run.result.logLineCount).toBeGreaterThan(1000);
  });
});

it.each([undefined, 'trace.pcap', fail({ code: 'x', message: 'y' }), new Uint8Array(24)])('Simulation.run says that it takes a capture that was opened, not %o', (reader) => {
  expect(() => simulationOf({ object: fixture('reflector') }).run(reader as never)).toThrow("Simulation.run: this is no capture that was opened; give unwrap(openCapture('trace.pcap'))");
});

describe('createSimulation refuses', () => {
  it.each<[unknown, string]>([
    [undefined, "createSimulation: it can't be undefined; give an object with some of: object, program, nic, "],
    [{ objct: 1 }, 'createSimulation: there is no option objct; did you mean object? use some of: '],
    [{ object: { programs: [] } }, "createSimulation, nic: it can't be undefined; give the NIC's settings: { profile: findProfile('ice'), "],
  ])('what is misspelt or missing in plain JavaScript: %o', (options, message) => {
    expect(() => createSimulation(options as SimulationOptions)).toThrow(message);
  });

  it.each(['prog.o', { ok: true, value: fixture('reflector') }, undefined])('%o in place of an object', (object) => {
    expect(createSimulation({ object: object as never, nic: nicSettings(), seed: 1, cpus: 1 })).toMatchObject({ ok: false, problem: { code: 'no-object', hint: "give unwrap(loadObjectFile('prog.o'))" } });
  });

  const options: SimulationOptions = { object: returning(1), nic: nicSettings(), seed: 1, cpus: 1 };
  const codeOf = (more: Partial<SimulationOptions>): string => {
    const result = createSimulation({ ...options, ...more });
    return result.ok ? 'none' : result.problem.code;
  };

  it.each<[string, Partial<SimulationOptions>, string]>([
    ['nothing', {}, 'none'],
    ['an unknown program', { program: 'other' }, 'unknown-program'],
    ['an object without programs', { object: { ...returning(1), programs: [] } }, 'no-xdp-program'],
    ['two programs and no name', { object: fixture('multi') }, 'several-programs'],
    ['no queue', { nic: nicSettings({ queues: 0 }) }, 'nic-queues'],
    ['more memory than there is', { nic: nicSettings({ queues: 64, rxRingSize: 8192, txRingSize: 8192 }) }, 'host-memory-exhausted'],
    ['what prepare finds', { prepare: () => ({ code: 'prepared', message: 'no' }) }, 'prepared'],
  ])('%s', (_, more, code) => {
    expect(codeOf(more)).toBe(code);
  });

  const xsk = { application: () => ({ start: () => {}, run: () => {} }), chunkCount: 64 };

  it.each([
    ['an RX ring of 3', { rx: 3, tx: 64, fill: 64, completion: 64 }, 64, 'xsk-rx-ring'],
    ['no RX ring', { rx: 0, tx: 64, fill: 64, completion: 64 }, 64, 'xsk-rx-ring'],
    ['a FILL ring of 0', { rx: 64, tx: 64, fill: 0, completion: 64 }, 64, 'xsk-umem-fill-ring'],
    ['a COMPLETION ring of 2^17', { rx: 64, tx: 64, fill: 64, completion: 131072 }, 64, 'xsk-umem-completion-ring'],
    ['no chunk', { rx: 64, tx: 64, fill: 64, completion: 64 }, 0, 'xsk-chunk-count'],
    ['more chunks than memory', { rx: 64, tx: 64, fill: 64, completion: 64 }, 2 ** 20, 'xsk-umem-memory'],
  ])('%s', (_, rings, chunkCount, code) => {
    expect(codeOf({ xsk: { ...xsk, rings, chunkCount } })).toBe(code);
  });

  it('with the problem of a program that can\'t run', () => {
    const object = { ...returning(1), programs: returning(1).programs.map((program) => ({ ...program, problem: { code: 'unsupported-kfunc', message: 'no' } })) };
    expect(createSimulation({ ...options, object })).toMatchObject(fail({ code: 'unsupported-kfunc', message: 'no' }));
  });
});
