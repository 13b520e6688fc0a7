import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import type { RunReport, ScenarioReport } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();
const fixture = (name: string): string => resolve(`fixtures/programs/${name}/${name}.o`);
const own = (name: string): string => resolve(`test/xdp/dispatcher/objects/${name}.o`);
const LOADER_OBJECTS = resolve('test/vm/loader/objects');
const PCAP = resolve('fixtures/pcaps/mixed.pcap');

async function sim(...args: string[]): Promise<{ exitCode: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  return { exitCode: await runCommandLine(args, terminal), out, err };
}

let labs = 0;
/** A host with one NIC where a capture arrives. */
function lab(object: object, nic: object = {}, host: object = {}): string {
  return folder.write(`lab${labs++}.json`, JSON.stringify({ hosts: [{ name: 'a', objects: [object], nics: [{ name: 'eth0', queues: 2, in: PCAP, xdp: {}, ...nic }], ...host }] }));
}

const reportOf = async (path: string): Promise<ScenarioReport> => JSON.parse((await sim('scenario', path, '--json')).out) as ScenarioReport;

describe('hints for scenario files spoke of flags of the command line', () => {
  const dns = { key: '192.0.2.1' };
  const xsk = (more: object): object => ({ xsk: { application: 'rxdrop', ...more } });
  it.each<[string, string, string]>([
    ['several programs', lab({ file: fixture('multi') }), 'choose one with "program" in "xdp" of the NIC'],
    ['an unknown program', lab({ file: fixture('multi') }, { xdp: { program: 'nope' } }), 'choose with "program" in "xdp" of the NIC one of: drop_udp, drop_tcp'],
    ['an MTU too large for the program', lab({ file: fixture('reflector') }, { mtu: 9000 }), 'use "mtu": 3498 or less'],
    ['a socket that is not there', lab({ file: fixture('xsk_redirect'), maps: { xsks_map: [{ key: 0, value: 'socket 0' }] } }), 'begin with an application, "xsk" of a NIC'],
    ['values of too few CPUs', lab({ file: fixture('count_percpu'), maps: { packets_by_source: [{ ...dns, values: [1] }] } }), '("cpus" of the host)'],
    ['chunks of a size that can not be', lab({ file: fixture('xsk_redirect') }, xsk({ frame_size: 3000 })), '"frame_size" 3000 is no power of two; use 2048 or 4096, or set "unaligned": true'],
    ['zero copy where there is none', lab({ file: fixture('xsk_redirect') }, xsk({ mode: 'zerocopy' })), '"mode": "zerocopy"'],
    ['types of a kernel', lab({ file: `${LOADER_OBJECTS}/core.o` }, { xdp: { program: 'fields' } }), '"btf": "/sys/kernel/btf/vmlinux" of the host'],
    ['a configuration of a kernel', lab({ file: `${LOADER_OBJECTS}/externs_bad.o` }, { xdp: { program: 'strong_config' } }), '"kconfig": "/boot/config-6.18"'],
    ['extensions alone', lab({ files: [own('drop_odd')] }), '"files": ["target.o", "extension.o"]'],
    ['extensions first', lab({ files: [own('drop_odd'), own('target')] }), '"files": ["target.o", "extension.o"]'],
    ['several programs of an object in a chain', lab({ files: [fixture('multi'), fixture('reflector')] }), '"chain": ["PROGRAM"]'],
  ])('%s', async (_what, path, says) => {
    const { exitCode, out, err } = await sim('scenario', path);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(says);
    expect(err).not.toMatch(/(?<![\w-])--[a-z]|sim run/);
    expect(err.split('\n').length).toBe(2);
  });
});

describe('scenario files could not name a chain of programs', () => {
  const files = [fixture('count_hash'), fixture('switch_drop')];

  it('"files" are chained as in sim run', async () => {
    const [host] = (await reportOf(lab({ name: 'chain', files, chain: ['switch_drop:priority=10', 'count_hash'], set: { drop_all: 1 }, map_sizes: { packets_by_source: 3 } }))).hosts;
    const run = JSON.parse((await sim('run', ...files, '--pcap', PCAP, '--queues', '2', '--chain', 'switch_drop:priority=10', '--chain', 'count_hash', '--set', 'drop_all=1', '--map-size', 'packets_by_source=3', '--json')).out) as RunReport;
    const [object] = host!.objects;
    expect(run.chain!.map(({ program }) => program)).toEqual(['switch_drop', 'count_hash']);
    expect(object!.chain).toEqual(run.chain);
    expect(object!.maps).toEqual(run.maps);
    expect(object!.variables).toEqual(run.variables);
    expect(host!.nics[0]).toMatchObject({ xdp: { object: 'chain', program: 'xdp_dispatcher', mode: 'native' }, verdicts: run.verdicts });
  });

  it('an object by the name __proto__ ended the simulator', async () => {
    const [host] = (await reportOf(lab({ name: '__proto__', files }))).hosts;
    expect(host!.objects.map(({ name, chain }) => [name, chain?.length])).toEqual([['__proto__', 2]]);
  });

  it('the text shows the chain', async () => {
    const { exitCode, out } = await sim('scenario', lab({ files }));
    expect(exitCode).toBe(0);
    expect(out).toMatch(/\nChain, and what each program returned, on a\n {2}program +object +priority/);
  });

  it('files of extensions change the one before them', async () => {
    const [host] = (await reportOf(lab({ files: [own('target'), own('drop_odd')] }))).hosts;
    const run = JSON.parse((await sim('run', own('target'), own('drop_odd'), '--pcap', PCAP, '--queues', '2', '--json')).out) as RunReport;
    expect([host!.objects[0]!.chain, host!.nics[0]!.verdicts]).toEqual([undefined, run.verdicts]);
  });

  it.each<[string, string, string]>([
    ['both keys', lab({ file: files[0], files }), 'hosts[0].objects[0].files: there is "file", too; keep one of them'],
    ['no key', lab({ name: 'a' }), 'hosts[0].objects[0].file: it is missing'],
    ['no files', lab({ files: [] }), 'hosts[0].objects[0].files: there is none'],
    ['no list', lab({ files: 'a.o' }), 'hosts[0].objects[0].files: it is no list'],
    ['a number', lab({ files: [files[0], 1] }), 'hosts[0].objects[0].files[1]: it is no text'],
    ['very many', lab({ files: Array(10_000).fill(files[0]) }), 'there are 10000; give at most 64'],
    ['a file that is not there', lab({ files: [files[0], 'no.o'] }), 'no.o: there is no such file'],
    ['an unknown program', lab({ files, chain: ['count_hsah'] }), "hosts[0].objects[0].chain: no object has an XDP program 'count_hsah'; did you mean count_hash?"],
    ['a priority that is none', lab({ files, chain: ['count_hash:priority=x'] }), 'hosts[0].objects[0].chain: '],
    ['a chain of numbers', lab({ files, chain: [7] }), 'hosts[0].objects[0].chain[0]: it is no text'],
    ['a dispatcher that is none', lab({ files, dispatcher: files[0] }), 'this is no dispatcher'],
    ['a program of the chain at the NIC', lab({ files }, { xdp: { program: 'count_hash' } }), 'xdp_dispatcher'],
    ['more than a dispatcher has places', lab({ files: Array(11).fill(fixture('reflector')) }), 'hosts[0].objects[0]: a dispatcher has room for 10 programs, and these are 11'],
    ['a chain in the device', lab({ files }, { profile: 'nfp', xdp: { mode: 'offload' } }), "host a, NIC eth0: a chain can't be attached in offload mode"],
  ])('%s is refused', async (_what, path, says) => {
    const { exitCode, out, err } = await sim('scenario', path);
    expect([exitCode, out]).toEqual([2, '']);
    expect(err).toContain(says);
    expect(err).not.toMatch(/(?<![\w-])--[a-z]|sim run/);
    expect(err.split('\n').length).toBe(2);
  });
});
