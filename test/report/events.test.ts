import { describe, expect, it } from 'vitest';
import { runCapture, runText } from '../../src/report/index.js';
import { objectPath, reportOf, runOptions } from './support.js';

const textOf = (...args: Parameters<typeof reportOf>): string => runText(reportOf(...args), (title) => title);

describe('events in the report', () => {
  it('are counted by map, and told with packet, time and CPU', () => {
    const { events, event_counts: counts } = reportOf('ringbuf_events', 'dns.pcap');
    expect(counts).toEqual({ events: { type: 'RINGBUF', count: 24, bytes: 12 * 16 + 12 * 16 } });
    expect(events).toHaveLength(24);
    expect(events[0]).toEqual({ map: 'events', packet: 1, t_ns: 1e9, cpu: 0, bytes: 'c0000201c00002025e00000011000000' });
    expect(events.map(({ packet }) => packet)).toEqual(Array.from({ length: 24 }, (_, i) => i + 1));
  });

  it('are decoded by the type that --event gives', () => {
    const { events } = reportOf('ringbuf_events', 'dns.pcap', { event: ['events=struct event'] });
    expect(events[0]!.value).toEqual({ saddr: '192.0.2.1', daddr: '192.0.2.2', bytes: 94, protocol: 17, pad: [0, 0, 0] });
    expect(events[0]).not.toHaveProperty('rest');
  });

  it('show the bytes behind the type', () => {
    const { events } = reportOf('perf_events', 'dns.pcap', { event: ['samples=struct sample'] });
    // 12 bytes of struct, 94 of packet, and 2 zeros: with the u32 of the size a multiple of 8.
    expect(events[0]).toMatchObject({ value: { bytes: 94, sampled: 94, queue: 0 }, rest: expect.stringMatching(/^020000000002020000000001080045.*0000$/) });
    expect(events[0]!.rest).toHaveLength(2 * 96);
  });

  it('take integers and typedefs, and leave what is shorter than the type', () => {
    const { events } = reportOf('ringbuf_events', 'http.pcap', { event: ['events=__s64'] });
    expect(events.map(({ value }) => typeof value)).toContain('number');
    const types = reportOf('ringbuf_events', 'http.pcap', { event: ['events=struct event'] }).events;
    expect(types.filter(({ bytes }) => bytes.length === 16).every(({ value }) => value === undefined)).toBe(true);
    expect(types.filter(({ bytes }) => bytes.length === 32).every(({ value }) => value !== undefined)).toBe(true);
  });

  it.each([
    ['events', 'bad-pair', /no pair of map and type/],
    ['event=struct event', 'unknown-map', /use one of events/],
    ['events=struct nothing', 'unknown-type', /struct nothing/],
    ['events=', 'unknown-type', /''/],
    ['events=union event', 'unknown-type', /union event/],
    ['events=constructor event', 'unknown-type', /constructor event/],
  ])('--event %s is refused', (event, code, message) => {
    const result = runCapture(runOptions(objectPath('ringbuf_events'), 'fixtures/pcaps/dns.pcap', { event: [event] }));
    expect(result).toMatchObject({ ok: false, problem: { code, where: '--event' } });
    if (!result.ok) expect(`${result.problem.message}; ${result.problem.hint}`).toMatch(message);
  });

  it('have a section of the text for each map', () => {
    const text = textOf('ringbuf_events', 'dns.pcap', { event: ['events=struct event'] });
    expect(text).toContain('\nEvents of events (RINGBUF, 24 events, 384 bytes: packet, seconds since boot, CPU, content)\n  packet 1  1.000000000 [000] {saddr: 192.0.2.1, daddr: 192.0.2.2, bytes: 94, protocol: 17, pad: [0, 0, 0]}\n');
    expect(text).toContain('\n  and 4 more (--json shows them)\n');
    expect(text).toContain('events  RINGBUF  4,096 bytes');
  });

  it('are nowhere when there are none', () => {
    const report = reportOf('return_77', 'dns.pcap');
    expect(report.event_counts).toEqual({});
    expect(runText(report, (title) => title)).not.toMatch(/Events of|aya-log/);
  });
});

describe.each([['aya_log_new', ' 0xffff888012345678'], ['aya_log_old', '']])('%s', (name, pointer) => {
  const everything = `-1fffeFFFFFFFD -4-5 6789 1.5 1.5 10.0.0.1 2001:db8::1 32.1.13.184 20:01:0D:B8:00:00 2001:db8::1 2001:db8::2 20010db8${pointer}`;

  it('gives its lines field by field', () => {
    const lines = reportOf(name, 'dns.pcap').events.map(({ aya }) => aya);
    expect(lines).toHaveLength(25);
    expect(lines[0]).toEqual({ level: 'TRACE', target: name, module: name, file: 'src/main.rs', line: 7, message: everything });
    expect(lines[1]).toEqual({ level: 'INFO', target: name, module: name, file: 'src/main.rs', line: 21, message: '94 bytes from 192.0.2.1, 02:00:00:00:00:01' });
  });

  it('reads like a log', () => {
    expect(textOf(name, 'dns.pcap')).toContain(`aya-log (25 lines through AYA_LOGS: seconds since boot, CPU, level, target, text)\n  1.000000000 [000] TRACE ${name}: ${everything} (src/main.rs:7)\n  1.000000000 [000] INFO  ${name}: 94 bytes from`);
  });
});

it('AYA_LOG_LEVEL is a variable', () => {
  const { events } = reportOf('aya_log_new', 'mixed.pcap', { set: ['AYA_LOG_LEVEL=2'] });
  expect(new Set(events.map(({ aya }) => aya?.level))).toEqual(new Set(['ERROR']));
});
