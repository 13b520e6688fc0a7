import { describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { loadIntoKernel } from '../../../src/replay/index.js';
import { parseNetwork } from '../../../src/vm/index.js';
import type { ObjectSpec } from '../../../src/vm/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { quietEnvironment } from '../../support/xdpProgram.js';
import { kfuncObject } from '../kfuncs/kfuncProgram.js';
import { TestMachine } from '../support/differential.js';

// What a program may do with a socket or a connection that it has got: what the verifier proves, here at run time.

const connection = { src: '1.2.3.4:1', dst: '5.6.7.8:80' };
const network = unwrap(parseNetwork({
  interfaces: [{ ifindex: 1, name: 'eth0' }],
  sockets: [
    { protocol: 'tcp', local: '5.6.7.8:80' },
    { protocol: 'tcp', local: '5.6.7.8:80', remote: '1.2.3.4:2', state: 'time-wait' },
    { protocol: 'tcp', local: '5.6.7.8:80', remote: '1.2.3.4:3', state: 'new-syn-recv' },
  ],
  conntrack: [{ protocol: 'tcp', original: connection, mark: 5 }],
  flows: [{ dev: 'eth0', protocol: 'tcp', ...connection, out: { dev: 'eth0', smac: '02:00:00:00:00:01', dmac: '02:00:00:00:00:02' } }],
}, 'test'));

/** The tuple of 1.2.3.4 and 5.6.7.8:80 in the stack; `port` of the client. */
const tuple = (port: number): string => `
  *(u32 *)(r10 - 16) = ${0x04030201}
  *(u32 *)(r10 - 12) = ${0x08070605}
  *(u16 *)(r10 - 8) = ${port << 8}
  *(u16 *)(r10 - 6) = ${80 << 8}`;
const skcLookup = (port = 1): string => `${tuple(port)}\nr2 = r10\nr2 += -16\nr3 = 12\nr4 = -1\nr5 = 0\ncall 99\nif r0 == 0 goto out\nr6 = r0`;
const ctLookup = `${tuple(1)}
  *(u64 *)(r10 - 32) = 0
  *(u64 *)(r10 - 24) = 6
  *(u32 *)(r10 - 32) = -1
  r2 = r10\nr2 += -16\nr3 = 12\nr4 = r10\nr4 += -32\nr5 = 16\ncall xdp_ct_lookup\nif r0 == 0 goto out\nr6 = r0`;
const release = 'r1 = r6\ncall 86';
const ctRelease = 'r1 = r6\ncall ct_release';

const programOf = (...lines: readonly string[]): ObjectSpec => kfuncObject([...lines, 'r0 = 2', 'out: exit'].join('\n'));
const run = (...lines: readonly string[]): { readonly retval: number; readonly fault: string | undefined } => {
  const { retval, fault } = new TestMachine(programOf(...lines), { ...quietEnvironment(), network }).run({ data: new Uint8Array(64) });
  return { retval, fault: fault?.message };
};

const FINE: readonly (readonly [what: string, ...lines: readonly string[]])[] = [
  ['read and release a socket', skcLookup(), 'r1 = *(u32 *)(r6 + 72)', release],
  ['bytes of a field', skcLookup(), 'r1 = *(u8 *)(r6 + 24)', 'r1 = *(u16 *)(r6 + 26)', release],
  ['the port of the remote end', skcLookup(), 'r1 = *(u16 *)(r6 + 48)', release],
  ['make it a tcp_sock', skcLookup(), 'r1 = r6', 'call 137', release],
  ['read a connection and write its mark', ctLookup, 'r1 = *(u64 *)(r6 + 128)', '*(u32 *)(r6 + 168) = 7', ctRelease],
];

const WRONG: readonly (readonly [what: string, message: RegExp, lines: readonly string[]])[] = [
  ['keep a socket', /has not given back the struct bpf_sock/, [skcLookup()]],
  ['release it twice', /bpf_sk_release refuses r1/, [skcLookup(), release, release]],
  ['read it afterwards', /load of 4 bytes/, [skcLookup(), 'r7 = r6', release, 'r1 = *(u32 *)(r7 + 72)']],
  ['write to it', /read-only/, [skcLookup(), '*(u32 *)(r6 + 16) = 1', release]],
  ['read beyond it', /load of 4 bytes/, [skcLookup(), 'r1 = *(u32 *)(r6 + 80)', release]],
  ['release no socket', /bpf_sk_release refuses r1/, ['r6 = r10', release]],
  ['keep a connection', /has not given back the struct nf_conn/, [ctLookup]],
  ['write the status of a connection', /read-only/, [ctLookup, '*(u32 *)(r6 + 128) = 0', ctRelease]],
  ['release a connection as a socket', /bpf_sk_release refuses r1/, [ctLookup, release, ctRelease]],
  ['insert what is there already', /bpf_ct_insert_entry refuses r1/, [ctLookup, 'r1 = r6', 'call ct_insert_entry', 'r6 = r0', ctRelease]],
];

describe('sockets and connections that a program holds', () => {
  it.each(FINE)('%s', (_what, ...lines) => expect(run(...lines)).toEqual({ retval: 2, fault: undefined }));
  it.each(WRONG)('not %s', (_what, message, lines) => expect(run(...lines).fault).toMatch(message));

  it.each([
    ['bpf_skc_to_tcp6_sock', 136, []],
    ['bpf_skc_to_tcp_sock', 137, ['listener']],
    ['bpf_skc_to_tcp_timewait_sock', 138, ['time-wait']],
    ['bpf_skc_to_tcp_request_sock', 139, ['new-syn-recv']],
    ['bpf_skc_to_udp6_sock', 140, []],
    ['bpf_skc_to_unix_sock', 178, []],
    ['bpf_skc_to_mptcp_sock', 196, []],
  ])('%s', (_name, helper, kinds) => {
    const answers = [1, 2, 3].map((port) => run(skcLookup(port), 'r1 = r6', `call ${helper}`, 'r7 = r0', release, 'r0 = 0', 'if r7 == 0 goto out').retval);
    expect(['listener', 'time-wait', 'new-syn-recv'].filter((_, index) => answers[index] === 2)).toEqual(kinds);
  });

  it('does not let the fields of a tcp_sock be read', () => {
    expect(run(skcLookup(), 'r1 = r6', 'call 137', 'if r0 == 0 goto out', 'r1 = *(u32 *)(r0 + 0)', release).fault).toMatch(/load of 4 bytes/);
  });

  it('reads a flow, for which there is nothing to give back', () => {
    const ask = (opts: number): readonly string[] => [
      `r1 = r1\n${[8, 16, 24, 32, 40, 48, 56, 64].map((at) => `*(u64 *)(r10 - ${at}) = 0`).join('\n')}`,
      '*(u8 *)(r10 - 64) = 2\n*(u8 *)(r10 - 63) = 6\n*(u16 *)(r10 - 62) = 0x100\n*(u16 *)(r10 - 60) = 0x5000\n*(u32 *)(r10 - 56) = 1',
      '*(u32 *)(r10 - 48) = 0x04030201\n*(u32 *)(r10 - 32) = 0x08070605',
      `r2 = r10\nr2 += -64\nr3 = r10\nr3 += -72\n*(u64 *)(r10 - 72) = 0\nr4 = ${opts}\ncall xdp_flow_lookup`,
    ];
    expect(run(...ask(4), 'if r0 == 0 goto out', 'r0 = *(u16 *)(r0 + 60)', 'exit')).toEqual({ retval: 1500, fault: undefined });
    expect(run(...ask(8), 'r0 = *(u32 *)(r10 - 72)', 'exit')).toEqual({ retval: 2 ** 32 - 22, fault: undefined });
  });
});

withKernel('sockets and connections that a program holds, as the running kernel checks it', (kernel) => {
  it.each(FINE)('%s', (_what, ...lines) => unwrap(loadIntoKernel(kernel, programOf(...lines), 'main')).close());
  it.each(WRONG)('not %s', (_what, _message, lines) => {
    expect(loadIntoKernel(kernel, programOf(...lines), 'main')).toMatchObject({ ok: false, problem: { code: 'kernel-program-refused' } });
  });
});
