import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Rng, toHex, unwrap } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { parseIpAddress } from '../../../src/packet/index.js';
import { KernelObject, testRun } from '../../../src/replay/index.js';
import type { NetNamespace } from '../../../src/replay/net/netNamespace.js';
import { parseNetwork, TCP_ESTABLISHED, Vm } from '../../../src/vm/index.js';
import { TestRunner } from '../../../src/xdp/index.js';
import { withKernel } from '../../support/kernelOracle.js';
import { quietEnvironment, xdpProgram } from '../../support/xdpProgram.js';
import { namespaceTwin } from './namespaceTwin.js';

// bpf_sk_lookup_tcp, bpf_sk_lookup_udp and bpf_skc_lookup_tcp against the running kernel: a child process opens the sockets of the scenario in a
// namespace, and both sides are asked for the same tuples, drawn at random.
//
//     SOCKET_SEED=7 SOCKET_LOOKUPS=50000 npx vitest run test/vm/network/socketsKernel.test.ts

const SEED = Number(process.env.SOCKET_SEED ?? 1);
const LOOKUPS = Number(process.env.SOCKET_LOOKUPS ?? 3000);

const interfaces = [
  { ifindex: 1, name: 'lo', mac: '00:00:00:00:00:00', mtu: 65536, addresses: ['127.0.0.1/8', '::1/128'] },
  { ifindex: 2, name: 'eth0', mac: '02:00:00:00:00:02', addresses: ['10.0.2.1/24', '2001:db8:2::1/64'] },
];

/** Connected pairs come last; the ends of a pair name each other. */
const sockets = [
  { protocol: 'tcp', local: '0.0.0.0:80' },
  { protocol: 'tcp', local: '10.0.2.1:83' },
  { protocol: 'tcp', local: '[::]:81' },
  { protocol: 'tcp', local: '[::]:82', v6only: true },
  { protocol: 'tcp', local: '[2001:db8:2::1]:85', v6only: true },
  { protocol: 'tcp', local: '127.0.0.1:84' },
  { protocol: 'udp', local: '0.0.0.0:53' },
  { protocol: 'udp', local: '10.0.2.1:53' },
  { protocol: 'udp', local: '[::]:54' },
  { protocol: 'udp', local: '[::]:55', v6only: true },
  { protocol: 'udp', local: '[2001:db8:2::1]:54', v6only: true },
  { protocol: 'udp', local: '127.0.0.1:56', remote: '127.0.0.1:1056' },
  { protocol: 'udp', local: '[::1]:57', remote: '[::1]:1057' },
  { protocol: 'tcp', local: '127.0.0.1:1080', remote: '127.0.0.1:80' },
  { protocol: 'tcp', local: '127.0.0.1:80', remote: '127.0.0.1:1080' },
  { protocol: 'tcp', local: '[::1]:1081', remote: '[::1]:81' },
  { protocol: 'tcp', local: '[::1]:81', remote: '[::1]:1081' },
  { protocol: 'tcp', local: '127.0.0.1:1181', remote: '127.0.0.1:81' },
  { protocol: 'tcp', local: '[::ffff:127.0.0.1]:81', remote: '[::ffff:127.0.0.1]:1181' },
  { protocol: 'tcp', local: '127.0.0.1:1084', remote: '127.0.0.1:84', state: 'time-wait' },
];

/** Opens the sockets of `argv[1]`, says so, and waits to be killed. A socket in TIME_WAIT is one that was closed first. */
const OPENER = `
  const net = require('node:net');
  const dgram = require('node:dgram');
  const parse = (text) => { const m = /^\\[?([^\\]]*?)\\]?:(\\d+)$/.exec(text); return { host: m[1], port: Number(m[2]) }; };
  const listening = [];
  (async () => {
    for (const { protocol, local, remote, v6only, state } of JSON.parse(process.argv[1])) {
      const { host, port } = parse(local);
      const isV6 = host.includes(':');
      if (protocol === 'udp') {
        const socket = dgram.createSocket({ type: isV6 ? 'udp6' : 'udp4', ipv6Only: v6only === true, reuseAddr: true });
        await new Promise((done) => socket.bind(port, host, done));
        if (remote !== undefined) await new Promise((done) => socket.connect(parse(remote).port, parse(remote).host, done));
      } else if (remote === undefined) {
        const server = net.createServer({ allowHalfOpen: false }, (socket) => { socket.on('error', () => {}); socket.resume(); });
        await new Promise((done) => server.listen({ host, port, ipv6Only: v6only === true }, done));
        listening.push(port);
      } else if (!listening.includes(port)) {
        const socket = net.connect({ ...parse(remote), localAddress: host, localPort: port });
        await new Promise((done) => socket.once('connect', done));
        if (state === 'time-wait') await new Promise((done) => { socket.once('close', done); socket.end(); socket.resume(); });
      }
    }
    // Connections that are being closed, FIN_WAIT1 to CLOSING, have not come to rest yet.
    const isClosing = () => /^ *\\d+: \\S+ \\S+ (04|05|08|09|0B) /m.test(require('node:fs').readFileSync('/proc/self/net/tcp', 'utf8'));
    while (isClosing()) await new Promise((done) => setTimeout(done, 10));
    process.stdout.write('ready');
    setInterval(() => {}, 1000);
  })();
`;

/** Fields of struct bpf_sock that both kinds of pointer give, and those that only a full socket has; offset and size. */
const COMMON_FIELDS = [[0, 4], [4, 4], [24, 4], [28, 4], [32, 4], [36, 4], [40, 4], [44, 4], [48, 2], [52, 4], [56, 4], [60, 4], [64, 4], [68, 4], [72, 4]] as const;
const FULL_FIELDS = [...COMMON_FIELDS, [8, 4], [12, 4], [16, 4], [20, 4], [76, 4], [72, 1], [4, 1], [26, 2]] as const;

/** What an IPv6 socket has there depends on which side began: 0, or 127.0.0.6. */
const DST_IP4 = 52;
/** And whether a connection has seen a packet that was marked with its queue. */
const RX_QUEUE = 76;
const STATE = 72;
const FAMILY = 4;
const AF_INET6 = 10;
const AF_INET = 2;
const SRC_IP6 = 28;
const DST_IP6 = 56;
const TCP_TIME_WAIT = 6;

const TUPLE_WORDS = [0, 8, 16, 24];
const ANSWER_OFF = 64;

//     packet: 0 tuple  36 size  40 netns (u64)  48 flags (u64)  64 fields of the socket
const program = (helper: number, fields: readonly (readonly [number, number])[]): ReturnType<typeof xdpProgram> =>
  xdpProgram(`
  r6 = *(u32 *)(r1 + 0)
  r2 = *(u32 *)(r1 + 4)
  r3 = r6
  r3 += 160
  if r3 > r2 goto out
  ${TUPLE_WORDS.map((at) => `r3 = *(u64 *)(r6 + ${at})\n*(u64 *)(r10 - ${40 - at}) = r3`).join('\n')}
  r3 = *(u32 *)(r6 + 32)
  *(u64 *)(r10 - 8) = r3
  r3 = *(u32 *)(r6 + 36)
  r4 = *(u64 *)(r6 + 40)
  r5 = *(u64 *)(r6 + 48)
  if r3 > 40 goto out
  if r3 == 0 goto out
  r2 = r10
  r2 += -40
  call ${helper}
  if r0 == 0 goto none
  ${fields.map(([at, size]) => `r2 = *(u${size * 8} *)(r0 + ${at})\n*(u${size * 8} *)(r6 + ${ANSWER_OFF + at}) = r2`).join('\n')}
  r1 = r0
  call 86
  r0 = 1
  exit
none: r0 = 0
  exit
out: r0 = 999
  exit`);

const HELPERS = [
  { name: 'bpf_sk_lookup_tcp', object: program(84, FULL_FIELDS) },
  { name: 'bpf_sk_lookup_udp', object: program(85, FULL_FIELDS) },
  { name: 'bpf_skc_lookup_tcp', object: program(99, COMMON_FIELDS) },
];

const ENDS = sockets.flatMap(({ local, remote }) => [local, remote ?? local]).map((text) => /^\[?([^\]]*?)\]?:(\d+)$/.exec(text)!);
const ADDRESSES = [...new Set([...ENDS.map((match) => match[1]!), '10.0.2.9', '127.9.9.9', '2001:db8:2::9'])].map((text) => parseIpAddress(text)!);
const PORTS = [...new Set([...ENDS.map((match) => Number(match[2])), 9])];
/** Both ends of every connected socket, the packet's source first. */
const CONNECTIONS = sockets.flatMap(({ local, remote }) => (remote === undefined ? [] : [[remote, local]])).map((pair) => pair.map((text) => /^\[?([^\]]*?)\]?:(\d+)$/.exec(text)!));

function drawQuestion(rng: Rng): Uint8Array {
  const pick = <T>(from: readonly T[]): T => from[rng.below(from.length)]!;
  const bytes = new Uint8Array(160);
  const view = new DataView(bytes.buffer);
  const unmapped = (address: Uint8Array): Uint8Array => (address.length === 16 && toHex(address).startsWith('00000000000000000000ffff') ? address.slice(12) : address);
  const connection = pick(CONNECTIONS);
  const isKnown = rng.below(2) === 0;
  const length = pick([4, 16]);
  const among = ADDRESSES.filter((address) => address.length === length);
  const [source, destination] = isKnown ? connection.map((match) => unmapped(parseIpAddress(match[1]!)!)) : [pick(among), pick(among)];
  const [sourcePort, destinationPort] = isKnown && rng.below(8) !== 0 ? connection.map((match) => Number(match[2])) : [pick(PORTS), pick(PORTS)];
  const addressBytes = source!.length;
  bytes.set(source!, 0);
  bytes.set(destination!, addressBytes);
  view.setUint16(2 * addressBytes, sourcePort!);
  view.setUint16(2 * addressBytes + 2, destinationPort!);
  view.setUint32(36, rng.below(20) === 0 ? pick([1, 12, 13, 35, 36, 40]) : addressBytes === 4 ? 12 : 36, true);
  view.setBigUint64(40, rng.below(8) === 0 ? pick([0n, 7n, 0xffffffffn, 0x1_0000_0000n, 0x7fff_ffffn, 0x1_8000_0000n]) : 0xffff_ffff_ffff_ffffn, true);
  view.setBigUint64(48, rng.below(20) === 0 ? pick([1n, 0x1_0000_0000n]) : 0n, true);
  return bytes;
}

withKernel('socket look-ups', (kernel) => {
  let namespace: NetNamespace;
  let opener: ChildProcess;
  beforeAll(async () => {
    namespace = await namespaceTwin({ interfaces });
    opener = namespace.enter(() => spawn(process.execPath, ['-e', OPENER, JSON.stringify(sockets)], { stdio: ['ignore', 'pipe', 'inherit'] }));
    const [first] = await Promise.race([once(opener.stdout!, 'data'), once(opener, 'exit')]);
    expect(String(first)).toBe('ready');
  }, 20_000);
  afterAll(() => {
    opener.kill();
    namespace.close();
  });

  it.each(HELPERS)('$name finds what the kernel finds, drawn at random', { timeout: 120_000 }, ({ name, object }) => {
    const memory = new HostMemory(16);
    const vm = new Vm({ memory, environment: { ...quietEnvironment(), network: unwrap(parseNetwork({ interfaces, sockets }, 'test')) } });
    const ours = unwrap(vm.load(object)).program('main')!;
    const runner = new TestRunner(memory, vm);
    const loaded = new KernelObject(kernel, object);
    const rng = new Rng(SEED);
    const differences: string[] = [];
    let found = 0;
    try {
      const theirs = unwrap(loaded.loadProgram('main'));
      namespace.enter(() => {
        for (let i = 0; i < LOOKUPS; i++) {
          const data = drawQuestion(rng);
          const expected = testRun(theirs, { data });
          const observed = runner.run(ours, { data });
          if (observed.fault !== undefined) throw new Error(observed.fault.message);
          found += expected.retval === 1 ? 1 : 0;
          const text = (retval: number, bytes: Uint8Array): string => {
            const fields = bytes.slice(ANSWER_OFF, ANSWER_OFF + 80);
            if (fields[FAMILY] === AF_INET6) fields.fill(0, DST_IP4, DST_IP4 + 4);
            // A time-wait socket of IPv4 leaves what its memory held before.
            if (fields[STATE] === TCP_TIME_WAIT && fields[FAMILY] === AF_INET) for (const at of [SRC_IP6, DST_IP6]) fields.fill(0, at, at + 16);
            if (fields[STATE] === TCP_ESTABLISHED) fields.fill(0, RX_QUEUE, RX_QUEUE + 4);
            return `${retval} ${toHex(fields)}`;
          };
          const [kernelText, ourText] = [text(expected.retval, expected.dataOut), text(observed.retval, observed.dataOut)];
          if (kernelText !== ourText) differences.push(`asked ${toHex(data.subarray(0, 56))}\n  kernel ${kernelText}\n  ours   ${ourText}`);
        }
      });
    } finally {
      loaded.close();
    }
    console.info(`${name}: ${LOOKUPS} look-ups, ${found} sockets found`);
    expect(`${differences.length} differences\n${differences.slice(0, 8).join('\n')}`).toBe('0 differences\n');
    expect(found).toBeGreaterThan(LOOKUPS / 20);
  });
});
