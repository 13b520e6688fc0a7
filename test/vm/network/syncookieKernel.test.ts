import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rng, toHex, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import { parseNetwork, Vm } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { quietEnvironment, xdpProgram } from '../../support/xdpProgram.js';
import { namespaceTwin } from './namespaceTwin.js';

// bpf_tcp_gen_syncookie and bpf_tcp_check_syncookie against the running kernel. The cookies can't be equal, as the kernel draws its secrets at
// boot; errors, MSS values, and whether a cookie that was just made is taken back, are.

const SEED = Number(process.env.SYNCOOKIE_SEED ?? 1);
const CALLS = Number(process.env.SYNCOOKIE_CALLS ?? 3000);

const LISTENERS = [
  { protocol: 'tcp', local: '127.0.0.1:80' },
  { protocol: 'tcp', local: '[::]:81' },
  { protocol: 'tcp', local: '[::]:82', v6only: true },
];
const OPENER = `
  const net = require('node:net');
  const open = (options) => new Promise((done) => net.createServer().listen(options, done));
  Promise.all([open({ port: 80, host: '127.0.0.1' }), open({ port: 81, host: '::' }), open({ port: 82, host: '::', ipv6Only: true })]).then(() => process.stdout.write('ready'));
  setInterval(() => {}, 1000);
`;

//     packet: 0 tuple of the listener  36 its size  40 IP header (40)  80 TCP header (60)  140 length of the IP header  144 of the TCP header
//             answers: 152 what gen gave (u64)  160 what check gave  168 what check gave for the cookie that gen made
const PACKET_BYTES = 176;
const load = (from: number, stack: number, words: number): string =>
  Array.from({ length: words }, (_, i) => `r3 = *(u32 *)(r6 + ${from + 4 * i})\n*(u32 *)(r10 - ${stack - 4 * i}) = r3`).join('\n');
const call = (helper: number): string => `r1 = r7\nr2 = r10\nr2 += -160\nr3 = r8\nr4 = r10\nr4 += -120\nr5 = r9\ncall ${helper}`;

const program = xdpProgram(`
  r7 = r1
  r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r3 = r6
  r3 += ${PACKET_BYTES}
  if r3 > r2 goto out
  ${load(0, 40, 9)}
  ${load(40, 160, 10)}
  ${load(80, 120, 15)}
  r8 = *(u32 *)(r6 + 140)
  r9 = *(u32 *)(r6 + 144)
  if r8 > 40 goto out
  if r8 == 0 goto out
  if r9 > 60 goto out
  if r9 == 0 goto out
  r3 = *(u32 *)(r6 + 36)
  if r3 > 36 goto out
  if r3 == 0 goto out
  r1 = r7
  r2 = r10
  r2 += -40
  r4 = -1
  r5 = 0
  call 99
  if r0 == 0 goto out
  r7 = r0
  ${call(100)}
  *(u64 *)(r6 + 160) = r0
  ${call(110)}
  *(u64 *)(r6 + 152) = r0
  if r0 s< 0 goto done
  r1 = r0
  w1 = w1
  r1 += 1
  r1 = be32 r1
  *(u32 *)(r10 - 112) = r1
  r1 = *(u32 *)(r10 - 116)
  r1 = be32 r1
  r1 += 1
  r1 = be32 r1
  *(u32 *)(r10 - 116) = r1
  r1 = 0x10
  *(u8 *)(r10 - 107) = r1
  ${call(100)}
  *(u64 *)(r6 + 168) = r0
done: r1 = r7
  call 86
  r0 = 1
  exit
out: r0 = 999
  exit`);

function drawCall(rng: Rng): Uint8Array {
  const pick = <T>(from: readonly T[]): T => from[rng.below(from.length)]!;
  const rarely = <T>(usual: T, others: readonly T[]): T => (rng.below(12) === 0 ? pick(others) : usual);
  const data = new Uint8Array(PACKET_BYTES);
  const view = new DataView(data.buffer);
  const port = pick([80, 81, 82]);
  const isV4 = port === 80;
  const bytes = isV4 ? 4 : 16;
  data.set(isV4 ? [127, 0, 0, 1] : [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], bytes);
  view.setUint16(2 * bytes + 2, port);
  view.setUint32(36, isV4 ? 12 : 36, true);
  for (let i = 40; i < 140; i++) data[i] = rng.below(256);
  data[40] = pick([0x45, 0x60, 0x60, 0x50]);
  const optionBytes = pick([0, 4, 8, 40]);
  const headerBytes = 20 + optionBytes;
  data[92] = (rarely(headerBytes, [20, 24, 60, 16]) / 4) << 4;
  data[93] = rarely(0x02, [0x10, 0x12, 0x04, 0x06, 0x03, 0x00, 0x14]);
  const options = pick([[2, 4, 5, 180], [1, 2, 4, 2, 24, 0, 0, 0], [2, 4, 0, 0], [8, 10, 0, 0, 0, 0, 0, 0, 0, 0, 2, 4, 35, 40], [3, 1, 2, 4, 5, 180], [2, 4, 4, 0x14, 2, 4, 5, 180]]);
  data.set(options.slice(0, optionBytes), 100);
  view.setUint32(140, rarely(data[40] === 0x45 ? 20 : 40, [1, 19, 20, 39, 40]), true);
  view.setUint32(144, rarely(headerBytes, [1, 19, 20, 24, 60]), true);
  return data;
}

withKernel('SYN cookies of listeners', (kernel) => {
  let namespace: NetNamespace;
  let opener: ChildProcess;
  beforeAll(async () => {
    namespace = await namespaceTwin({ interfaces: [] });
    opener = namespace.enter(() => spawn(process.execPath, ['-e', OPENER], { stdio: ['ignore', 'pipe', 'inherit'] }));
    const [first] = await Promise.race([once(opener.stdout!, 'data'), once(opener, 'exit')]);
    expect(String(first)).toBe('ready');
  }, 20_000);
  afterAll(() => {
    opener.kill();
    namespace.close();
  });

  it.each([0, 1, 2])('with tcp_syncookies %i: errors, MSS values and round trips are those of the kernel', { timeout: 60_000 }, (mode) => {
    const memory = new HostMemory(16);
    const network = unwrap(parseNetwork({ sockets: LISTENERS, syncookies: { mode } }, 'test'));
    const vm = new Vm({ memory, environment: { ...quietEnvironment(), network } });
    const ours = unwrap(vm.load(program)).program('main')!;
    const runner = new TestRunner(memory, vm);
    const loaded = new KernelObject(kernel, program);
    const rng = new Rng(SEED);
    const differences: string[] = [];
    let roundTrips = 0;
    try {
      const theirs = unwrap(loaded.loadProgram('main'));
      namespace.enter(() => {
        writeFileSync('/proc/sys/net/ipv4/tcp_syncookies', String(mode));
        for (let i = 0; i < CALLS; i++) {
          const data = drawCall(rng);
          const expected = testRun(theirs, { data });
          const observed = runner.run(ours, { data });
          if (observed.fault !== undefined) throw new Error(observed.fault.message);
          const text = (retval: number, bytes: Uint8Array): string => {
            const view = new DataView(bytes.buffer, bytes.byteOffset);
            const made = view.getBigInt64(152, true);
            return `${retval} gen ${made < 0n ? made : `MSS ${made >> 32n}`} check ${view.getInt32(160, true)} round trip ${view.getBigInt64(168, true)}`;
          };
          const [kernelText, ourText] = [text(expected.retval, expected.dataOut), text(observed.retval, observed.dataOut)];
          if (kernelText.includes('MSS')) roundTrips++;
          if (kernelText !== ourText) differences.push(`asked ${toHex(data.subarray(0, 148))}\n  kernel ${kernelText}\n  ours   ${ourText}`);
        }
      });
    } finally {
      loaded.close();
    }
    console.info(`SYN cookies, mode ${mode}: ${CALLS} calls, ${roundTrips} round trips`);
    expect(`${differences.length} differences\n${differences.slice(0, 8).join('\n')}`).toBe('0 differences\n');
    expect(roundTrips > 0).toBe(mode === 2);
  });
});
