import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ethernet } from '../../src/packet/index.js';
import { loadProgram } from '../../src/testing/index.js';
import { loadObjectFile } from '../../src/vm/index.js';
import { unwrap } from '../../src/base/index.js';
import { xdpProgram } from '../support/xdpProgram.js';

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;
const udp = ethernet().ipv4({ src: '192.0.2.1' }).udp({ dst: 53 }).payload('hello');
const tcp = ethernet().ipv4({ src: '192.0.2.7' }).tcp({ dst: 443 });

describe('loadProgram', () => {
  it('takes a path, the bytes of the file, or the object', () => {
    const path = object('reflector');
    for (const source of [path, readFileSync(path), unwrap(loadObjectFile(path))]) {
      const program = loadProgram(source);
      expect([program.name, program.testRun({ data: udp }).verdict]).toEqual(['reflector', 'XDP_TX']);
    }
  });

  it('wants to know which program of several', () => {
    expect(loadProgram(object('multi'), { program: 'drop_tcp' }).testRun({ data: tcp }).verdict).toBe('XDP_DROP');
    expect(() => loadProgram(object('multi'))).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/programs/multi/multi.o: the object has 2 XDP programs; say which one, as { program: 'drop_udp' }: drop_udp, drop_tcp]`);
    expect(() => loadProgram(object('multi'), { program: 'drop_sctp' })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/programs/multi/multi.o: there is no program drop_sctp; use one of drop_udp, drop_tcp]`);
  });

  it('says what is wrong with a file', () => {
    expect(() => loadProgram('no/such.o')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: no/such.o: there is no such file; check the path]`);
    expect(() => loadProgram(new Uint8Array(100))).toThrowErrorMatchingInlineSnapshot(`[ProblemError: object: not an ELF object; compile with clang -O2 -g -target bpf -c and give the object file]`);
    expect(() => loadProgram('fixtures/bad/unsupported_helper.o')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/bad/unsupported_helper.o, program unsupported_helper, insn 6 (./bad/unsupported_helper.c:10): bpf_skb_load_bytes is not for XDP programs: the kernel refuses to load this; use bpf_xdp_load_bytes]`);
  });

  it('sets variables before the first run, const ones included', () => {
    const program = loadProgram(object('dnat'), { globals: { transmit: true, virtual_address: '198.51.100.1' } });
    expect(program.testRun({ data: ethernet().ipv4({ dst: '198.51.100.1' }).udp() }).verdict).toBe('XDP_TX');
    expect(() => loadProgram(object('dnat'), { globals: { transmitt: true } })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/programs/dnat/dnat.o: there is no global variable transmitt; did you mean transmit? use one of virtual_address, backend_address, rewritten, transmit]`);
    expect(() => loadProgram(object('dnat'), { globals: { virtual_address: 'here' } })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: variable virtual_address is of type const volatile __be32 and can't be "here"]`);
  });

  it('keeps to a budget of instructions', () => {
    const { verdict, fault } = loadProgram(xdpProgram('loop:\ngoto loop\nexit'), { instructionBudget: 1000 }).testRun({ data: udp });
    expect(verdict).toBe('fault');
    expect(fault?.message).toMatchInlineSnapshot(`"program main: still running after 1000 instructions [insn 0: goto pc-1]"`);
  });
});

describe('testRun', () => {
  it.each([
    [0, 'XDP_ABORTED'], [1, 'XDP_DROP'], [2, 'XDP_PASS'], [3, 'XDP_TX'], [77, 'invalid 77'], [0xffffffff, 'invalid 4294967295'],
  ])('%i is %s', (retval, verdict) => {
    expect(loadProgram(xdpProgram(`w0 = ${retval | 0}\nexit`)).testRun({ data: udp })).toMatchObject({ retval, verdict });
  });

  it('gives the packet back, and leaves the one that it got as it is', () => {
    const data = udp.build();
    const run = loadProgram(object('reflector')).testRun({ data });
    expect(run.input).toEqual(udp.build());
    expect(data).toEqual(udp.build());
    expect(run.data).toEqual(udp.set('ipv4', { src: '10.0.0.2', dst: '192.0.2.1' }).set('udp', { src: 53, dst: 49152 }).set('eth', { src: data.subarray(0, 6), dst: data.subarray(6, 12) }).build());
    expect(run.data.length).toBe(run.ctx.data_end - run.ctx.data);
  });

  it('hands metadata in and out', () => {
    const program = loadProgram(object('meta_writer'));
    const fresh = program.testRun({ data: udp });
    expect(fresh.meta).toEqual(Uint8Array.of(1, 0, 0, 0, 34, 0, 6, 0));
    expect(fresh.ctx).toMatchObject({ data_meta: 0, data: 8 });
    const longer = program.testRun({ data: udp, meta: new Uint8Array(12).fill(9) });
    expect([longer.meta.length, longer.meta.at(-1), longer.data.length]).toEqual([20, 9, udp.build().length]);
  });

  it('shows the program interface, queue and the end of the linear part', () => {
    const inContext = (offBytes: number) => loadProgram(xdpProgram(`r0 = *(u32 *)(r1 + ${offBytes})\nexit`));
    expect(inContext(12).testRun({ data: udp }).retval).toBe(1);
    expect(inContext(16).testRun({ data: udp }).retval).toBe(0);
    const linear = loadProgram(xdpProgram('r2 = *(u32 *)(r1 + 4)\nr0 = *(u32 *)(r1 + 0)\nr2 -= r0\nr0 = r2\nexit', { frags: true }));
    expect(linear.testRun({ data: udp, ctx: { data_end: 20 } }).retval).toBe(20);
    expect(linear.testRun({ data: udp }).retval).toBe(udp.build().length);
    expect(linear.testRun({ data: udp, ctx: { data_end: 20 } }).data).toEqual(udp.build());
  });

  it('runs as often as it is told, on the same buffer', () => {
    const program = loadProgram(object('reflector'));
    expect(program.testRun({ data: udp, repeat: 2 }).data).toEqual(udp.build());
    const counter = loadProgram(object('count_hash'));
    counter.testRun({ data: udp, repeat: 5 });
    expect(counter.maps.get<string, { packets: number }>('packets_by_source').get('192.0.2.1')?.packets).toBe(5);
  });

  it('counts the instructions of the last repetition', () => {
    const program = loadProgram(object('switch_drop'));
    const { instructions } = program.testRun({ data: udp });
    expect(program.testRun({ data: udp, repeat: 9 }).instructions).toBe(instructions);
  });

  it('is told of what the verifier would not allow', () => {
    const { verdict, fault, data, meta, redirect } = loadProgram(xdpProgram('r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 100)\nexit')).testRun({ data: udp });
    expect([verdict, data.length, meta.length, redirect]).toEqual(['fault', 0, 0, undefined]);
    expect(fault?.message).toMatchInlineSnapshot(`"program main: load of 1 byte at r2+100 = 0x32164: 53 bytes beyond the packet's end (its length is 47) [insn 1: r0 = *(u8 *)(r2 +100)]"`);
  });

  it('uses the clock, the CPU and the random numbers that it is given', () => {
    const sample = (options: { tNs?: number; seed?: number; cpu?: number }): unknown => {
      const program = loadProgram(object('printk'), { cpus: 4, seed: options.seed ?? 1 });
      if (options.tNs !== undefined) program.tNs = options.tNs;
      if (options.cpu !== undefined) program.cpu = options.cpu;
      program.testRun({ data: udp });
      return program.maps.get('last').get(0);
    };
    expect(sample({})).toEqual(sample({}));
    expect(sample({ tNs: 123, cpu: 3 })).toMatchObject({ ktime_ns: 123, cpu: 3, frames: 1 });
    expect(sample({ seed: 2 })).not.toEqual(sample({ seed: 1 }));
    expect(() => sample({ cpu: 4 })).toThrow('TestProgram.cpu: there is no CPU 4, but 4, from 0 on');
  });

  it.each<[string, Parameters<ReturnType<typeof loadProgram>['testRun']>[0], string]>([
    ['a packet without a whole Ethernet header', { data: new Uint8Array(13) }, 'the packet has 13 bytes'],
    ['metadata of 5 bytes', { data: udp, meta: new Uint8Array(5) }, '5 bytes of metadata'],
    ['metadata of 220 bytes', { data: udp, meta: new Uint8Array(220) }, '220 bytes of metadata'],
    ['a queue of the loopback', { data: udp, ctx: { rx_queue_index: 3 } }, 'the loopback has no queue 3'],
    ['an end behind the packet', { data: udp, ctx: { data_end: 1000 } }, 'ctx.data_end 1000 lies outside of the packet'],
    ['an end within the metadata', { data: udp, meta: new Uint8Array(8), ctx: { data_end: 4 } }, 'ctx.data_end 4 lies outside of the packet'],
    ['too many bytes', { data: new Uint8Array(100_000) }, '100000 bytes'],
  ])('says why it refuses %s', (_, options, message) => {
    expect(() => loadProgram(object('reflector')).testRun(options)).toThrow(message);
  });

  it('takes 32 bytes of metadata before Linux 6.8', () => {
    const program = loadProgram(object('reflector'), { kernel: '6.6' });
    expect(program.testRun({ data: udp, meta: new Uint8Array(32) }).meta.length).toBe(32);
    expect(() => program.testRun({ data: udp, meta: new Uint8Array(36) })).toThrow('use a multiple of 4, at most 32');
  });

  it('knows programs that take no test runs', () => {
    const program = loadProgram(object('redirect_devmap'), { program: 'egress' });
    expect(() => program.testRun({ data: udp })).toThrow('the program takes no test runs; programs for DEVMAP and CPUMAP entries, and those bound to a device, run on a NIC only');
  });

  it('throws what a builder throws, and is none the worse for it', () => {
    const program = loadProgram(object('count_hash'));
    expect(() => program.testRun({ data: ethernet().ipv4().udp().payload(70_000) })).toThrow(RangeError);
    expect(program.maps.get('packets_by_source').size).toBe(0);
    expect(program.testRun({ data: udp }).verdict).toBe('XDP_PASS');
  });
});

describe('redirects', () => {
  it('go to an interface', () => {
    expect(loadProgram(object('redirect_self')).testRun({ data: udp })).toMatchObject({ verdict: 'XDP_REDIRECT', redirect: { kind: 'interface', ifindex: 1 } });
  });

  it('go through a DEVMAP, with the interface of the entry, or to everybody in it', () => {
    const program = loadProgram(object('redirect_devmap'), { program: 'redirect_devmap' });
    const data = udp.pad(66);
    expect(program.testRun({ data })).toMatchObject({ verdict: 'XDP_PASS', redirect: undefined });
    program.maps.get('devices').set(2, { ifindex: 5 });
    expect(program.testRun({ data })).toMatchObject({ verdict: 'XDP_REDIRECT', redirect: { kind: 'map', map: 'devices', key: 2, target: 5, isBroadcast: false } });
    const all = loadProgram(object('redirect_devmap'), { program: 'redirect_devmap', globals: { redirect_flags: 8 } });
    expect(all.testRun({ data }).redirect).toEqual({ kind: 'map', map: 'devices', key: 0, target: 0, isBroadcast: true });
  });

  it('go through a CPUMAP and an XSKMAP', () => {
    const spread = loadProgram(object('redirect_cpumap'), { program: 'redirect_cpumap', cpus: 2 });
    spread.maps.get('cpus').set(1, { qsize: 64 });
    expect(spread.testRun({ data: udp }).redirect).toEqual({ kind: 'map', map: 'cpus', key: 1, target: 1, isBroadcast: false });
    const toSocket = loadProgram(object('xsk_redirect'));
    expect(toSocket.testRun({ data: udp })).toMatchObject({ verdict: 'XDP_PASS', redirect: undefined });
    toSocket.maps.get('xsks_map').set(0, 'socket 0');
    expect(toSocket.testRun({ data: udp }).redirect).toEqual({ kind: 'map', map: 'xsks_map', key: 0, target: 0, isBroadcast: false });
    expect(() => toSocket.maps.get('xsks_map').get(0)).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map xsks_map: user space can't look into a XSKMAP by key (EOPNOTSUPP); use entries(), or the commands of \`raw\`]`);
    expect(toSocket.maps.get('xsks_map').size).toBe(1);
  });
});

describe('maps', () => {
  const counter = () => loadProgram(object('count_hash')).maps.get<string, { packets: number | bigint | string; bytes: number }>('packets_by_source');

  it('have names, types and definitions', () => {
    const { maps } = loadProgram(object('count_percpu'));
    expect(maps.names).toEqual(['packets_by_source', 'packets_by_protocol']);
    expect(maps.get('packets_by_protocol')).toBe(maps.get('packets_by_protocol'));
    expect([maps.get('packets_by_protocol').type, maps.get('packets_by_source').spec.maxEntries]).toEqual(['PERCPU_ARRAY', 1024]);
    expect(() => maps.get('packets')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/programs/count_percpu/count_percpu.o: there is no map packets; did you mean packets_by_source? it has: packets_by_source, packets_by_protocol]`);
    expect(() => loadProgram(object('reflector')).maps.get('packets')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/programs/reflector/reflector.o: there is no map packets; the object has none]`);
  });

  it('give, take and list elements by their types', () => {
    const map = counter();
    expect([map.get('192.0.2.1'), map.has('192.0.2.1'), map.delete('192.0.2.1'), map.size]).toEqual([undefined, false, false, 0]);
    map.set('192.0.2.1', { packets: 1, bytes: 60 }).set('192.0.2.2', { packets: 2, bytes: 120 });
    expect([...map]).toEqual([{ key: '192.0.2.1', value: { packets: 1, bytes: 60 } }, { key: '192.0.2.2', value: { packets: 2, bytes: 120 } }]);
    expect([map.has('192.0.2.1'), map.delete('192.0.2.1'), map.size, [...map.entries()].length]).toEqual([true, true, 1, 1]);
  });

  it('take numbers beyond 2^53 as bigints or strings, and give them as strings', () => {
    const map = counter();
    map.set('192.0.2.1', { packets: 2n ** 64n - 1n, bytes: 1 }).set('192.0.2.2', { packets: '9007199254740993', bytes: 1 }).set('192.0.2.3', { packets: 7n, bytes: 1 });
    expect(['192.0.2.1', '192.0.2.2', '192.0.2.3'].map((key) => map.get(key)?.packets)).toEqual(['18446744073709551615', '9007199254740993', 7]);
    expect(() => map.set('192.0.2.1', { packets: 2n ** 64n, bytes: 1 })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map packets_by_source: value of map packets_by_source.packets: 18446744073709551616 doesn't fit in __u64, which goes from 0 to 18446744073709551615; write key and value like "0.0.0.0" and {"packets":0,"bytes":0}]`);
  });

  it('say what a key looks like', () => {
    const dropped = loadProgram(object('multi'), { program: 'drop_udp' }).maps.get<unknown>('dropped');
    expect(() => dropped.get('udp')).toThrow('key of map dropped is of type __u32 and can\'t be "udp"; write it like 0');
    expect(() => dropped.set('udp', 1)).toThrow('key of map dropped is of type __u32 and can\'t be "udp"; write key and value like 0 and 0');
  });

  it('take and find bytes', () => {
    const map = counter();
    map.set(Uint8Array.of(192, 0, 2, 1), Uint8Array.from({ length: 16 }, (_, i) => Number(i === 0 || i === 8)));
    expect(map.get(Uint8Array.of(192, 0, 2, 1))).toEqual({ packets: 1, bytes: 1 });
    expect(() => map.set(Uint8Array.of(1), Uint8Array.of(1))).toThrow();
  });

  it('say what is wrong with keys and values', () => {
    const map = counter();
    expect(() => map.get('nobody')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: key of map packets_by_source is of type __be32 and can't be "nobody"; write it like "0.0.0.0"]`);
    expect(() => map.set('192.0.2.1', { packet: 1 } as never)).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map packets_by_source: value of map packets_by_source has no 'packet'; did you mean packets? it has packets, bytes]`);
    expect(() => loadProgram(object('multi'), { program: 'drop_udp' }).maps.get('dropped').set(256, 1)).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map dropped: map dropped refused the entry (E2BIG): key 256, the map has 256; use keys from 0 to 255, or raise max_entries]`);
    expect(() => counter().get(Uint8Array.of(1, 2))).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map packets_by_source: a key of 2 bytes; give 4]`);
  });

  it('of arrays list what is not zero', () => {
    const dropped = loadProgram(object('multi'), { program: 'drop_udp' }).maps.get<number, number>('dropped');
    expect([dropped.size, dropped.get(17), dropped.get(300)]).toEqual([0, 0, undefined]);
    dropped.set(17, 3);
    expect([...dropped]).toEqual([{ key: 17, value: 3 }]);
  });

  it('have a value for each CPU, and a sum', () => {
    const program = loadProgram(object('count_percpu'), { cpus: 3 });
    for (const cpu of [0, 2, 2]) {
      program.cpu = cpu;
      program.testRun({ data: udp.pad() });
    }
    const bySource = program.maps.get('packets_by_source');
    expect(bySource.get('192.0.2.1')).toEqual([{ packets: 1, bytes: 60 }, { packets: 0, bytes: 0 }, { packets: 2, bytes: 120 }]);
    expect(bySource.sum('192.0.2.1')).toEqual({ packets: 3, bytes: 180 });
    expect(bySource.sum('192.0.2.9')).toBeUndefined();
    const byProtocol = program.maps.get<number, unknown>('packets_by_protocol');
    byProtocol.set(6, { packets: 1, bytes: 10 });
    expect(byProtocol.sum(6)).toEqual({ packets: 3, bytes: 30 });
    byProtocol.set(6, [{ packets: 2n ** 53n, bytes: 1 }, { packets: 1, bytes: 1 }, { packets: 0, bytes: 0 }]);
    expect(byProtocol.sum(6)).toEqual({ packets: '9007199254740993', bytes: 2 });
    expect(() => byProtocol.set(6, [{ packets: 1, bytes: 1 }])).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map packets_by_protocol: value of map packets_by_protocol has 1 values; give 3 values, one for each CPU (--cpus), or one "value" for all]`);
  });

  it('take one value for all CPUs, or one for each', () => {
    const map = loadProgram(object('callbacks'), { program: 'loops', cpus: 2 }).maps.get<number, unknown>('lengths');
    expect(map.type).toBe('PERCPU_ARRAY');
    map.set(0, 5);
    map.set(1, [6, 7]);
    expect([map.get(0), map.get(1), map.sum(1)]).toEqual([[5, 5], [6, 7], 13]);
    // Bytes were read as hex, and hex without letters as a decimal number.
    map.set(2, [Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0).subarray(0, map.spec.valueSize), 9]);
    expect(map.get(2)).toEqual([1, 9]);
    expect(() => map.set(2, [Uint8Array.of(1), 9])).toThrow(`value of map lengths has ${map.spec.valueSize} bytes, not 1; give all of them`);
  });

  it('of programs take their names', () => {
    const program = loadProgram(object('tail_calls'), { program: 'xdp_entry' });
    expect(program.testRun({ data: udp }).verdict).toBe('XDP_DROP');
    expect([...program.maps.get('stage_hits')].map(({ value }) => value)).toEqual([1, 1, 1]);
    expect(program.maps.get('jmp_table').size).toBe(0);
    expect(() => program.maps.get('jmp_table').set(0, 'stage_nothing')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: map jmp_table: value "stage_nothing" is no program; use one of: stage_ipv4, stage_udp, xdp_entry]`);
    program.maps.get('jmp_table').set(0, 'stage_ipv4');
    // The two call each other until there have been 33 tail calls.
    expect(program.testRun({ data: udp }).verdict).toBe('XDP_PASS');
    expect(program.maps.get('jmp_table').size).toBe(1);
  });
});

describe('globals', () => {
  it('are read and set by name and type', () => {
    const { globals } = loadProgram(object('dnat'));
    expect(globals.names).toEqual(['virtual_address', 'backend_address', 'rewritten', 'transmit']);
    expect(globals.toObject()).toEqual({ virtual_address: '192.0.2.2', backend_address: '198.51.100.10', transmit: false, rewritten: 0 });
    globals.set('transmit', true);
    globals.set('virtual_address', '10.0.0.1');
    globals.set('rewritten', 2n ** 63n);
    expect([globals.get('transmit'), globals.get('virtual_address'), globals.get('rewritten')]).toEqual([true, '10.0.0.1', '9223372036854775808']);
    expect(() => globals.get('rewriten')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: fixtures/programs/dnat/dnat.o: there is no global variable rewriten; did you mean rewritten? use one of virtual_address, backend_address, rewritten, transmit]`);
    expect(() => globals.set('rewriten', 1)).toThrow('rewriten');
    expect(() => globals.set('rewritten', 'many')).toThrowErrorMatchingInlineSnapshot(`[ProblemError: variable rewritten is of type __u64 and can't be "many"]`);
  });

  it('count from run to run', () => {
    const program = loadProgram(object('switch_drop'));
    for (const data of [udp, tcp, udp]) program.testRun({ data });
    expect([program.globals.get('dropped'), program.globals.get('passed')]).toEqual([2, 1]);
    program.globals.set('drop_all', true);
    expect(program.testRun({ data: tcp }).verdict).toBe('XDP_DROP');
  });

  it('are without the texts of bpf_printk', () => {
    const { globals, object: { variables } } = loadProgram(object('printk'));
    expect(variables.map(({ name }) => name).some((name) => name.includes('____fmt'))).toBe(true);
    expect(globals.names.filter((name) => name.includes('____fmt'))).toEqual([]);
    expect(Object.keys(globals.toObject())).toEqual(globals.names);
  });
});

describe('log', () => {
  it('has the lines of bpf_printk', () => {
    const program = loadProgram(object('printk'), { tNs: 5000, seed: 1 });
    const first = program.testRun({ data: udp.pad() });
    expect(first.log.map(({ text }) => text).slice(1)).toEqual(['frame: 60 bytes, type 0800, 1454 to the full 1514', 'ipv4: 192.0.2.1 > 10.0.0.2']);
    expect(first.log[0]).toMatchObject({ from: 'bpf_printk', level: '', tNs: 5000, text: expect.stringMatching(/^now: 5000 ns, random [0-9a-f]+, cpu 0$/) });
    const second = program.testRun({ data: ethernet().arp() });
    expect([second.log.length, program.log.lines.length]).toEqual([2, 5]);
    program.log.clear();
    expect([program.log.text, program.testRun({ data: ethernet().arp() }).log.length, program.log.text.length]).toEqual([[], 2, 2]);
  });

  it.each(['aya_log_new', 'aya_log_old'])('has the lines of %s', (name) => {
    const program = loadProgram(object(name));
    const { log } = program.testRun({ data: ethernet().arp() });
    expect(log.map(({ from, level }) => [from, level])).toEqual([['aya-log', 'trace'], ['aya-log', 'error']]);
    expect(program.log.text.at(-1)).toBe('no IPv4');
    expect(program.log.events).toEqual([]);
    expect(program.testRun({ data: udp }).log).toMatchObject([{ level: 'info', text: expect.stringContaining('192.0.2.1') }]);
  });

  it('keeps what went through other rings as events', () => {
    const program = loadProgram(object('perf_events'));
    program.testRun({ data: udp });
    expect(program.log.events.length).toBeGreaterThan(0);
    expect(new Set(program.log.events.map(({ map }) => map))).toEqual(new Set(['samples']));
    program.log.clear();
    expect(program.log.events).toEqual([]);
  });

  it('keeps the last 10,000 lines, and each run its own', () => {
    const program = loadProgram(object('printk'));
    program.testRun({ data: udp, repeat: 4000 });
    expect(program.log.lines.length).toBe(10_000);
    expect(program.testRun({ data: udp }).log.length).toBe(3);
  });
});

it.each<[string, object, string]>([
  ['repeat', { repeat: NaN }, "testRun, repeat: it can't be NaN; give a whole number from 0 to 4294967295"],
  ['endless', { repeat: Infinity }, 'repeat: it can\'t be Infinity'],
  ['interface', { ctx: { ingress_ifindex: 2 ** 32 + 1 } }, "testRun, ctx.ingress_ifindex: it can't be 4294967297"],
  ['end', { ctx: { data_end: -1 } }, "testRun, ctx.data_end: it can't be -1"],
  ['meta', { meta: 'abcd' }, "testRun, meta: it can't be abcd; give bytes (Uint8Array)"],
  ['context', { ctx: 1 }, "testRun, ctx: it can't be 1; give an object with some of: ingress_ifindex, rx_queue_index, data_end"],
  ['packet', { data: 'ff' }, 'packet: ff is no packet; give bytes (Uint8Array) or a builder'],
  ['packets', { data: [udp, udp] }, 'packet: a list of 2 is no packet; give bytes (Uint8Array) or a builder'],
  ['name', { packet: udp }, 'testRun: there is no option packet; use some of: data, meta, ctx, repeat'],
  ['name in the context', { ctx: { rx_queue: 3 } }, 'testRun, ctx: there is no option rx_queue; did you mean rx_queue_index? use some of: ingress_ifindex, rx_queue_index, data_end'],
])('a run of what can\'t be is refused: %s', (_name, options, message) => {
  expect(() => loadProgram(object('count_hash')).testRun({ data: new Uint8Array(60), ...options })).toThrow(message);
});

it.each<[string, unknown, string]>([
  ['cpus', { cpus: 0 }, "cpus: it can't be 0; give a whole number from 1 to "],
  ['more cpus', { cpus: 1e9 }, "cpus: it can't be 1000000000"],
  ['kernel', { kernel: '6.2' }, "kernel: there is no '6.2'; use one of: 6.1, 6.6, 6.18"],
  ['name', { prog: 'count_hash' }, 'loadProgram: there is no option prog; did you mean program? use some of: program, kernel, '],
  ['time', { tNs: NaN }, "tNs: it can't be NaN; give a whole number of nanoseconds"],
  ['seed', { seed: 'one' }, "loadProgram, seed: it can't be one; give a whole number from 0 to 4294967295"],
  ['budget', { instructionBudget: 0 }, "loadProgram, instructionBudget: it can't be 0; give a whole number from 1 to "],
  ['program', { program: 5 }, "loadProgram, program: it can't be 5; give the name of a program, the C function"],
  ['variables', { globals: [['port', 53]] }, "loadProgram, globals: it can't be a list of 1; give variables by name: { port: 53 }"],
  ['network', { network: 'network.json' }, "loadProgram, network: it can't be network.json; give routes, neighbours and sockets"],
  ['options', 'drop_udp', "loadProgram: it can't be drop_udp; give an object with some of: program, kernel, "],
  ['null', null, "loadProgram: it can't be null; give an object with some of: program, kernel, "],
])('a machine that can\'t be is refused: %s', (_name, options, message) => {
  expect(() => loadProgram(object('count_hash'), options as object)).toThrow(message);
});

it.each<[string, unknown, string]>([
  ['a packet alone', ethernet().arp(), "testRun: it can't be a packet alone; give it a name: testRun({ data: packet })"],
  ['bytes alone', new Uint8Array(60), "testRun: it can't be a packet alone"],
  ['nothing', undefined, "testRun: it can't be undefined; give an object with some of: data, meta, ctx, repeat"],
])('a run of %s is refused', (_name, options, message) => {
  expect(() => loadProgram(object('count_hash')).testRun(options as { data: Uint8Array })).toThrow(message);
});
