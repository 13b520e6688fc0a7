import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EINVAL, unwrap } from '../../src/base/index.js';
import { loadIntoKernel, testRun } from '../../src/replay/index.js';
import type { KernelProgram, LoadOptions } from '../../src/replay/index.js';
import { loadObjectFile } from '../../src/vm/loader/loadObject.js';
import { isDeviceBound } from '../../src/vm/index.js';
import { withKernel } from '../support/kernelOracle.js';

const PROGRAMS = 'fixtures/programs';
const [ABORTED, DROP, PASS, TX, REDIRECT] = [0, 1, 2, 3, 4];

const objectPath = (name: string): string => join(PROGRAMS, name, `${name}.o`);

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += (bytes[i] << 8) | bytes[i + 1];
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum ^ 0xffff;
}

/** A DNS query from 192.0.2.1 to 192.0.2.2 with 20 bytes of UDP payload: 62 bytes. */
function dnsQuery(): Uint8Array {
  const frame = Uint8Array.from(Buffer.from(
    '020000000002' + '020000000001' + '0800' +
    '450000300001000040110000c0000201c0000202' +
    '3039' + '0035' + '001c' + '0000' + '6c'.repeat(20), 'hex',
  ));
  new DataView(frame.buffer).setUint16(24, checksum(frame.subarray(14, 34)));
  return frame;
}

const query = dnsQuery();
const u16 = (bytes: Uint8Array, offBytes: number): number => (bytes[offBytes] << 8) | bytes[offBytes + 1];
const hex = (bytes: Uint8Array, from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).toString('hex');

withKernel('fixture programs in the kernel', (kernel) => {
  const load = (path: string, name: string, options: LoadOptions = {}): KernelProgram => unwrap(loadIntoKernel(kernel, unwrap(loadObjectFile(path)), name, options));

  describe('every program of every object loads and runs', () => {
    const objects = (readdirSync(PROGRAMS, { recursive: true }) as string[]).filter((file) => file.endsWith('.o')).sort();
    const all = objects.flatMap((file) => unwrap(loadObjectFile(join(PROGRAMS, file))).programs.map((spec) => ({ file, spec })));
    const programs = all.filter(({ spec }) => !isDeviceBound(spec)).map(({ file, spec }) => [file, spec.name, spec.attachType === 'xdp' ? 0 : EINVAL] as const);

    // One for entries of a DEVMAP or CPUMAP loads, and has no test run.
    it.each(programs)('%s, %s: errno %i', (file, name, errno) => {
      using program = load(join(PROGRAMS, file), name);
      expect(testRun(program, { data: query })).toMatchObject({ errno, retval: expect.any(Number) });
    });
  });

  it('a program that asks its device about packets is loaded for a device', () => {
    const object = unwrap(loadObjectFile(objectPath('rx_hints')));
    expect(loadIntoKernel(kernel, object, 'rx_hints')).toMatchObject({ ok: false, problem: { code: 'kernel-program-needs-device' } });
    // The loopback, which knows nothing about packets.
    expect(loadIntoKernel(kernel, object, 'rx_hints', { ifindex: 1 })).toMatchObject({ ok: false, problem: { message: 'the kernel refused program rx_hints: EOPNOTSUPP' } });
  });

  it.each([
    ['aborter', 'aborter', ABORTED],
    ['adjust_tail', 'adjust_tail', TX],
    ['atomics', 'atomics', PASS],
    ['dnat', 'dnat', PASS],
    ['meta_writer', 'meta_writer', PASS],
    ['multi', 'drop_udp', DROP],
    ['multi', 'drop_tcp', PASS],
    ['printk', 'printk', PASS],
    ['redirect_self', 'redirect_self', REDIRECT],
    ['reflector', 'reflector', TX],
    ['return_77', 'return_77', 77],
    ['subprogs', 'subprogs', PASS],
    ['subprogs_v1', 'subprogs', PASS],
    ['subprogs_v4', 'subprogs', PASS],
    ['switch_drop', 'switch_drop', DROP],
    ['tail_calls', 'xdp_entry', DROP],
    ['vlan_push', 'vlan_push', PASS],
    ['xsk_redirect', 'xsk_redirect', PASS],
  ])('%s, %s answers a DNS query with %i', (folder, name, verdict) => {
    using program = load(objectPath(folder), name);
    expect(testRun(program, { data: query }).retval).toBe(verdict);
  });

  it('adjust_tail cuts the payload to 8 bytes', () => {
    using program = load(objectPath('adjust_tail'), 'adjust_tail');
    expect(testRun(program, { data: query }).dataOutSize).toBe(query.length - 12);
  });

  it('dnat rewrites the destination and keeps the header checksum right', () => {
    using program = load(objectPath('dnat'), 'dnat');
    const { dataOut } = testRun(program, { data: query });
    expect(hex(dataOut, 30, 34)).not.toBe(hex(query, 30, 34));
    expect(checksum(dataOut.subarray(14, 34))).toBe(0);
    expect(hex(unwrap(program.object.readVariable('rewritten')), 0, 1)).toBe('01');
  });

  it('csum_diff rewrites the source and leaves what the helper returned in its map', () => {
    using program = load(objectPath('csum_diff'), 'csum_diff');
    const { dataOut } = testRun(program, { data: query });
    expect(hex(dataOut, 26, 30)).toBe('cb007109');
    expect(checksum(dataOut.subarray(14, 34))).toBe(0);
    const results = [...program.object.maps.get('results')!.entries()].map(({ value }) => new DataView(value.buffer).getBigInt64(0, true));
    expect(results).toHaveLength(5);
    expect(results[4]).toBe(0xffffn);
    expect(results.every((result) => result >= 0n && result <= 0xffffn)).toBe(true);
  });

  it('meta_writer puts 8 bytes before the packet', () => {
    using program = load(objectPath('meta_writer'), 'meta_writer');
    const result = testRun(program, { data: query });
    expect(result.ctxOut).toMatchObject({ data: 8, dataEnd: query.length + 8 });
    expect(result.dataOut.subarray(8)).toEqual(query);
  });

  it('vlan_push pushes 4 bytes', () => {
    using program = load(objectPath('vlan_push'), 'vlan_push');
    const { dataOut } = testRun(program, { data: query });
    expect(dataOut).toHaveLength(query.length + 4);
    expect(u16(dataOut, 12)).toBe(0x8100);
    expect(dataOut.subarray(18)).toEqual(query.subarray(14));
  });

  it('switch_drop obeys its variables, before and after it is loaded', () => {
    using program = load(objectPath('switch_drop'), 'switch_drop', { variables: { drop_udp_port: Uint8Array.of(0x36, 0) } });
    expect(testRun(program, { data: query }).retval).toBe(PASS);
    const dropAll = unwrap(program.object.readVariable('drop_all'));
    dropAll[0] = 1;
    unwrap(program.object.writeVariable('drop_all', dropAll));
    expect(testRun(program, { data: query }).retval).toBe(DROP);
  });

  it('tail_calls lets a program in jmp_table decide', () => {
    using program = load(objectPath('tail_calls'), 'xdp_entry');
    unwrap(program.object.putProgram('jmp_table', 0, 'stage_ipv4'));
    // stage_ipv4 and stage_udp now call each other until the kernel's limit of 33 tail calls ends it.
    expect(testRun(program, { data: query }).retval).toBe(PASS);
    const hits = [...program.object.maps.get('stage_hits')!.entries()].map(({ value }) => value[0]);
    expect(hits).toEqual([17, 16, 1]);
  });

  it('xsk_redirect redirects once its queue has a socket', () => {
    using program = load(objectPath('xsk_redirect'), 'xsk_redirect');
    unwrap(program.object.putXskSocket('xsks_map', 0));
    expect(testRun(program, { data: query }).retval).toBe(REDIRECT);
  });

  it('count_percpu counts on the CPU that ran it', () => {
    using program = load(objectPath('count_percpu'), 'count_percpu');
    testRun(program, { data: query, repeat: 5 });
    const entries = [...program.object.maps.get('packets_by_source')!.entries()];
    expect(entries.map(({ key }) => hex(key, 0, 4))).toEqual(['c0000201']);
    const view = new DataView(entries[0].value.buffer);
    const packets = Array.from({ length: kernel.possibleCpus }, (_, cpu) => Number(view.getBigUint64(cpu * 16, true)));
    expect(packets.reduce((a, b) => a + b)).toBe(5);
  });

  it('frags_pass counts jumbo packets whole', () => {
    using program = load(objectPath('frags_pass'), 'frags_pass');
    expect(testRun(program, { data: new Uint8Array(9000) }).retval).toBe(PASS);
    expect(unwrap(program.object.readVariable('multi_buffer_packets'))[0]).toBe(1);
  });
});
