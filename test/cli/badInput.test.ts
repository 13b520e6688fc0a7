import { mkdirSync, readFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, sim } from '../support/simCommand.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

// What people hand in by mistake. Each answer is one line that says what is wrong, where, and how to mend it: exit status 2, nothing
// on standard output, no stack trace.

beforeAll(ensureBuilt);
const folder = temporaryFolder();

const REFLECTOR = 'fixtures/programs/reflector/reflector.o';
const COUNT_HASH = 'fixtures/programs/count_hash/count_hash.o';
const COUNT_PERCPU = 'fixtures/programs/count_percpu/count_percpu.o';
const SWITCH_DROP = 'fixtures/programs/switch_drop/switch_drop.o';
const MULTI = 'fixtures/programs/multi/multi.o';
const XSK_REDIRECT = 'fixtures/programs/xsk_redirect/xsk_redirect.o';
const DNS = 'fixtures/pcaps/dns.pcap';

interface BadInput {
  readonly name: string;
  readonly args: readonly string[];
  /** Text that the line has, in this order: what and where, then how to mend it. */
  readonly says: readonly string[];
}

/** A good object over a good capture, with more arguments. */
function reflector(...more: readonly string[]): string[] {
  return ['run', REFLECTOR, '--pcap', DNS, ...more];
}

function over(object: string, ...more: readonly string[]): string[] {
  return ['run', object, '--pcap', DNS, ...more];
}

function capture(pcap: string): string[] {
  return ['run', REFLECTOR, '--pcap', pcap];
}

/** `--map packets_by_source=` a file with this text. */
let mapFiles = 0;
function mapFile(text: string, object = COUNT_HASH): string[] {
  return over(object, '--map', `packets_by_source=${folder.write(`map${mapFiles++}.json`, text)}`);
}

const goodObject = readFileSync(REFLECTOR);
const shortObject = folder.write('short.o', goodObject.subarray(0, goodObject.length - 100));
const headlessObject = folder.write('headless.o', goodObject.subarray(0, 40));
const flippedObject = folder.write('flipped.o', goodObject.map((byte, at) => (at === 0x28 + 5 ? byte ^ 0x40 : byte)));
const textFile = folder.write('notes.txt', 'this is neither an object nor a capture\n');
const emptyFile = folder.write('empty.o', '');
mkdirSync(folder.at('taken'));
mkdirSync(folder.at('taken/tx.pcapng'));
const input = folder.write('xsk.pcapng', readFileSync('fixtures/pcaps/http.pcapng'));
const fifo = folder.at('fifo');
const hasFifo = spawnSync('mkfifo', [fifo]).status === 0;

const OBJECTS: readonly BadInput[] = [
  { name: 'a missing file', args: over('no/such.o'), says: ['no/such.o: there is no such file', 'check the path'] },
  { name: 'a directory', args: over('fixtures'), says: ['fixtures: this is a directory', 'object file'] },
  { name: 'an empty file', args: over(emptyFile), says: ['empty.o: the file is empty', 'clang'] },
  { name: 'a text file', args: over(textFile), says: ['notes.txt', 'not an ELF', 'clang'] },
  { name: 'an object for another machine', args: over('fixtures/bad/x86_64.o'), says: ['x86_64.o', 'x86-64, not for BPF', '-target bpf'] },
  { name: 'a big-endian object', args: over('fixtures/bad/big_endian.o'), says: ['big_endian.o', 'big-endian', 'bpfel'] },
  { name: 'an object that ends early', args: over(shortObject), says: ['short.o', 'byte', ';'] },
  { name: 'an object that ends in its header', args: over(headlessObject), says: ['headless.o', ';'] },
  { name: 'an object with a flipped bit', args: over(flippedObject), says: ['flipped.o', ';'] },
  { name: 'no XDP program', args: over('fixtures/bad/no_xdp.o'), says: ['no_xdp.o: no XDP program, only no_xdp in section tc', 'SEC("xdp")'] },
  { name: 'several programs', args: over(MULTI), says: ['multi.o: 2 XDP programs: drop_udp, drop_tcp', '--prog'] },
  { name: 'an unknown program', args: over(MULTI, '--prog', 'drop_icmp'), says: ['no XDP program drop_icmp', '--prog', 'drop_udp, drop_tcp'] },
  {
    name: 'an unsupported map type',
    args: over('fixtures/bad/unsupported_map.o'),
    says: ['program unsupported_map', 'unsupported_map.c:17', 'map stacks', 'STACK_TRACE', 'use one of'],
  },
  {
    name: 'an unsupported helper',
    args: over('fixtures/bad/unsupported_helper.o'),
    says: ['program unsupported_helper', 'unsupported_helper.c:10', 'bpf_skb_load_bytes', 'use bpf_xdp_load_bytes'],
  },
];

const CAPTURES: readonly BadInput[] = [
  { name: 'a missing file', args: capture('no/such.pcap'), says: ['no/such.pcap: no such capture file', 'check the path'] },
  { name: 'a directory', args: capture('fixtures'), says: ['fixtures: capture is a directory', 'pcap'] },
  { name: 'a text file', args: capture(textFile), says: ['notes.txt, byte 0: not a capture: it begins with 74 68 69 73', 'tcpdump -w'] },
  { name: 'an object', args: capture(REFLECTOR), says: ['reflector.o, byte 0: not a capture', 'tcpdump -w'] },
  { name: '0 bytes', args: capture('fixtures/bad/empty.pcap'), says: ['empty.pcap: capture file is empty', 'capture again'] },
  { name: 'a header and no packet', args: capture('fixtures/bad/no-packets.pcap'), says: ['no-packets.pcap: the capture holds no packets', 'capture again'] },
  { name: 'a packet that is cut off', args: capture('fixtures/bad/truncated.pcap'), says: ['truncated.pcap, packet 4, byte 254: packet is cut short', 'editcap'] },
  { name: 'a length that lies', args: capture('fixtures/bad/lying-length.pcap'), says: ['lying-length.pcap, packet 2, byte 82: captured length 4294967280', 'editcap'] },
  { name: 'another link type', args: capture('fixtures/bad/rawip.pcap'), says: ['rawip.pcap, byte 20: link type 101 (raw IP)', 'Ethernet interface'] },
];

const NIC: readonly BadInput[] = [
  { name: 'an unknown NIC', args: reflector('--nic', 'e1000'), says: ["--nic: there is no 'e1000'", 'plain'] },
  { name: 'an unknown mode', args: reflector('--mode', 'skb'), says: ["--mode: there is no 'skb'", 'use one of: auto, native'] },
  { name: 'a mode that the NIC has not', args: reflector('--mode', 'offload'), says: ['the device runs no programs (EINVAL)', 'attach it natively'] },
  { name: 'an unknown engine', args: reflector('--engine', 'magic'), says: ["--engine: there is no 'magic'", 'jit, interpreter'] },
  { name: 'an unknown AF_XDP application', args: reflector('--xsk', 'pktgen'), says: ["--xsk: there is no 'pktgen'", 'rxdrop, txonly, l2fwd, echo'] },
  ...['0', '65', '1.5', '-1', '1e9'].map((queues) => ({ name: `${queues} queues`, args: reflector('--queues', queues), says: [`queue count ${Number(queues)} is refused (EINVAL)`, 'use 1 to 64'] })),
  { name: 'queues that are no number', args: reflector('--queues', 'all'), says: ["--queues: 'all' is no number", 'write a number'] },
  ...['0', '32', '7', '96', '100000', '512.5', '-512'].map((size) => ({ name: `an RX ring of ${size}`, args: reflector('--rx-ring', size), says: [`RX ring size ${size} is refused (EINVAL)`, 'power of two from 64 to 8192'] })),
  { name: 'a TX ring of 16384', args: reflector('--tx-ring', '16384'), says: ['TX ring size 16384 is refused (EINVAL): at most 8192', 'power of two from 64 to 8192'] },
  { name: 'a ring that is no number', args: reflector('--rx-ring', 'big'), says: ["--rx-ring: 'big' is no number"] },
  ...['0', '67', '9001', '1500.5'].map((mtu) => ({ name: `an MTU of ${mtu}`, args: reflector('--mtu', mtu), says: [`MTU ${mtu} is refused (EINVAL)`, 'use 68 to 9000'] })),
  { name: 'an MTU too large for the program', args: reflector('--mtu', '9000'), says: ['program reflector', 'MTU 9000 is too large', '--mtu', 'xdp.frags'] },
  ...['0', '257', '2.5'].map((cpus) => ({ name: `${cpus} CPUs`, args: reflector('--cpus', cpus), says: [`--cpus: ${cpus} is out of range`, 'from 1 to 256'] })),
  ...['-1', '4294967296', '0.5'].map((seed) => ({ name: `seed ${seed}`, args: reflector('--seed', seed), says: [`--seed: ${seed} is out of range`, 'from 0 to 4294967295'] })),
  ...['0', '2147483648'].map((budget) => ({ name: `a budget of ${budget}`, args: reflector('--budget', budget), says: [`--budget: ${budget} is out of range`, 'from 1 to 2147483647'] })),
  ...['-1', '1e30', '0.1'].map((usecs) => ({ name: `${usecs} µs of moderation`, args: reflector('--rx-usecs', usecs), says: ['--rx-usecs:', 'is out of range', 'from 0 to 1000000'] })),
  {
    name: 'more memory than there is',
    args: reflector('--queues', '64', '--rx-ring', '8192', '--tx-ring', '8192'),
    says: ['bytes of host memory', 'use fewer or smaller maps, rings or queues'],
  },
];

const VARIABLES: readonly BadInput[] = [
  { name: "no '='", args: over(SWITCH_DROP, '--set', 'drop_all'), says: ["--set: 'drop_all' has no '='", '--set VAR=VALUE'] },
  { name: 'no name', args: over(SWITCH_DROP, '--set', '=1'), says: ["--set: '=1' has no name", '--set VAR=VALUE'] },
  { name: 'an unknown name', args: over(SWITCH_DROP, '--set', 'drop_none=1'), says: ['switch_drop.o: there is no global variable drop_none', 'use one of drop_udp_port'] },
  { name: 'a value out of range', args: over(SWITCH_DROP, '--set', 'drop_udp_port=65536'), says: ['drop_udp_port: 65536', 'from 0 to 65535', '--set drop_udp_port=VALUE'] },
  { name: 'a value of another type', args: over(SWITCH_DROP, '--set', 'drop_all=maybe'), says: ['drop_all', '"maybe"', '--set drop_all=VALUE'] },
  { name: 'a bool that is neither', args: over(SWITCH_DROP, '--set', 'drop_all=2'), says: ['drop_all is a bool', '"2"', '--set drop_all=VALUE with true or false'] },
  { name: 'no value', args: over(SWITCH_DROP, '--set', 'drop_all='), says: ['drop_all', '--set drop_all=VALUE'] },
  { name: 'brackets without end', args: over(SWITCH_DROP, '--set', `drop_all=${'['.repeat(100_000)}`), says: ['--set drop_all', 'brackets inside each other', ';'] },
];

const MAPS: readonly BadInput[] = [
  { name: "no '='", args: over(COUNT_HASH, '--map', 'packets_by_source'), says: ["--map: 'packets_by_source' has no '='", '--map NAME=FILE'] },
  { name: 'an unknown map', args: over(COUNT_HASH, '--map', 'packets=x.json'), says: ['count_hash.o: no map packets', 'packets_by_source'] },
  { name: 'an object without maps', args: reflector('--map', 'packets=x.json'), says: ['reflector.o: no map packets', 'no maps'] },
  { name: 'a missing file', args: over(COUNT_HASH, '--map', 'packets_by_source=no/such.json'), says: ['no/such.json: ', 'no such file', 'check the path'] },
  { name: 'a directory', args: over(COUNT_HASH, '--map', 'packets_by_source=fixtures'), says: ['fixtures: ', 'no plain file', 'give the path of a map file'] },
  { name: 'no JSON', args: mapFile('packets\nand bytes'), says: ['is no JSON', 'write [{"key": "0.0.0.0", "value": {"packets":0,"bytes":0}}], as docs/report.md describes'] },
  { name: 'JSON that ends early', args: mapFile('[{"key":\n'), says: ['is no JSON', 'write [{"key"'] },
  { name: 'no list', args: mapFile('{"key": 1, "value": 2}'), says: ['is no list of entries', 'write [{"key"'] },
  { name: 'an entry without value', args: mapFile('[{"key": "10.0.0.1", "value": {}}, {"key": 2}]'), says: ['entry 1: has no key and value', 'write [{"key"'] },
  { name: 'a key of another type', args: mapFile('[{"key": "10.0.0.256", "value": {}}]'), says: ['entry 0: key of map packets_by_source', '10.0.0.256', ';'] },
  { name: 'an unknown member', args: mapFile('[{"key": 1, "value": {"packet": 1}}]'), says: ["entry 0: value of map packets_by_source has no 'packet'", 'packets, bytes'] },
  { name: 'a value out of range', args: mapFile('[{"key": 1, "value": {"packets": -1}}]'), says: ['entry 0: value of map packets_by_source.packets: -1', ';'] },
  { name: 'too many entries', args: mapFile(JSON.stringify(Array.from({ length: 1025 }, (_, key) => ({ key, value: {} })))), says: ['entry 1024: map packets_by_source refused the entry (E2BIG): key "0.0.4.0", the map has 1024', 'max_entries'] },
  {
    name: 'a key beyond an XSKMAP',
    args: over(XSK_REDIRECT, '--map', `xsks_map=${folder.write('beyond.json', '[{"key": 64, "value": "socket 0"}]')}`),
    says: ['entry 0: map xsks_map refused the entry (E2BIG): key 64, the map has 64', 'use keys from 0 to 63'],
  },
  {
    name: 'no list for an XSKMAP',
    args: over(XSK_REDIRECT, '--map', `xsks_map=${folder.write('nolist.json', '7')}`),
    says: ['is no list of entries', 'write [{"key": 0, "value": "socket 0"}]'],
  },
  {
    name: 'no list for a PROG_ARRAY',
    args: over('fixtures/programs/tail_calls/tail_calls.o', '--prog', 'xdp_entry', '--map', `jmp_table=${folder.write('nolist.json', '7')}`),
    says: ['is no list of entries', 'write [{"key": 0, "value": "'],
  },
  { name: 'values for each CPU of a map that has one', args: mapFile('[{"key": 1, "values": [{}, {}]}]'), says: ['entry 0: map packets_by_source is no per-CPU map', 'write "value"'] },
  { name: 'values for too few CPUs', args: mapFile('[{"key": 1, "values": [{}, {}]}]', COUNT_PERCPU), says: ['entry 0: value of map packets_by_source has 2 values', 'give 4 values'] },
  {
    name: 'a socket that does not exist',
    args: over(XSK_REDIRECT, '--map', `xsks_map=${folder.write('sockets.json', '[{"key": 0, "value": "socket 4"}]')}`),
    says: ['entry 0: value "socket 4" is no socket', 'use "socket 0" to "socket 3"'],
  },
  { name: 'brackets without end', args: mapFile(`[{"key": ${'['.repeat(200_000)}`), says: ['brackets inside each other', ';'] },
];

const OUTPUT: readonly BadInput[] = [
  { name: 'a file where the directory should be', args: reflector('--out', textFile), says: ['notes.txt: ', 'directory', '--out'] },
  { name: 'a directory below a file', args: reflector('--out', `${textFile}/ends`), says: ['notes.txt/ends: ', 'directory', '--out'] },
  { name: 'a place where nothing can be made', args: reflector('--out', '/proc/ends'), says: ['/proc/ends: ', 'directory', '--out'] },
  { name: 'a directory in the way of a file', args: reflector('--out', folder.at('taken')), says: ['tx.pcapng: this is no plain file', 'remove it', '--out'] },
  { name: 'the capture that is being read', args: [...capture(input), '--out', folder.path], says: ['xsk.pcapng: the run reads this file', '--out'] },
];

const COMMAND_LINES: readonly BadInput[] = [
  { name: 'nothing', args: [], says: ['say what to do', 'sim run prog.o --pcap trace.pcap', 'sim --help'] },
  { name: 'a mistyped command', args: ['rnu', REFLECTOR], says: ["no command 'rnu'", 'did you mean run?'] },
  { name: 'an unknown command', args: ['attach', REFLECTOR], says: ["no command 'attach'", 'there is: run'] },
  { name: 'an option in front', args: ['--pcap', DNS, 'run', REFLECTOR], says: ["'--pcap' stands where the command belongs", 'e.g. sim run'] },
  { name: 'no object', args: ['run', '--pcap', DNS], says: ['the object is missing', 'give it after sim run'] },
  { name: 'no capture', args: ['run', REFLECTOR], says: ['--pcap is missing', 'give the capture'] },
  { name: 'a capture without --pcap', args: ['run', REFLECTOR, DNS], says: ['--pcap is missing', 'give the capture to play'] },
  { name: '--pcap without value', args: ['run', REFLECTOR, '--pcap'], says: ['--pcap has no value', 'give it one'] },
  { name: '--pcap before another option', args: ['run', REFLECTOR, '--pcap', '--json'], says: ['--pcap has no value', 'give it one'] },
  { name: '--pcap= without value', args: ['run', REFLECTOR, '--pcap='], says: ['--pcap has no value', 'give it one'] },
  { name: 'a mistyped option', args: ['run', REFLECTOR, '--pcpa', DNS], says: ['there is no option --pcpa', 'did you mean --pcap?'] },
  { name: 'an option of another tool', args: reflector('--interface', 'eth0'), says: ['there is no option --interface', 'sim run --help'] },
  { name: 'an option given twice', args: reflector('--seed', '1', '--seed', '2'), says: ['--seed is given twice', 'keep one'] },
  { name: 'a dash for the capture', args: capture('-'), says: ['--pcap: standard input is not supported; give a file'] },
  { name: 'a dash for the capture, with =', args: ['run', REFLECTOR, '--pcap=-'], says: ['--pcap: standard input is not supported; give a file'] },
  { name: 'a dash for the object', args: over('-'), says: ['sim run: standard input is not supported; give a file'] },
  { name: 'a dash for the directory', args: reflector('--out', '-'), says: ['--out: standard input is not supported; give a file'] },
  { name: 'a dash for a variable', args: reflector('--set', '-'), says: ['--set: standard input is not supported; give a file'] },
  { name: 'a dash for a number', args: reflector('--seed', '-'), says: ["--seed: '-' is no number"] },
  { name: 'a dash for a case file', args: ['check', '-'], says: ['sim check: standard input is not supported; give a file'] },
  { name: 'a switch with a value', args: reflector('--json=yes'), says: ["--json takes no value, but has 'yes'", 'write --json'] },
];

describe.each([
  ['object', OBJECTS], ['capture', CAPTURES], ['NIC', NIC], ['variable', VARIABLES], ['map', MAPS], ['output', OUTPUT], ['command line', COMMAND_LINES],
])('%s', (_, inputs) => {
  it.concurrent.each(inputs)('$name', { timeout: 120_000 }, async ({ args, says }) => {
    const result = await sim(...args);
    expectOneLine(result, says);
  });
});

it.skipIf(!hasFifo)('does not wait for a pipe that nobody writes to', async () => {
  for (const args of [over(fifo), capture(fifo), over(COUNT_HASH, '--map', `packets_by_source=${fifo}`)]) expectOneLine(await sim(...args), ['fifo: ', ';']);
});

it('leaves the capture that it reads alone', async () => {
  await sim(...capture(input), '--out', folder.path);
  expect(readFileSync(input).equals(readFileSync('fixtures/pcaps/http.pcapng'))).toBe(true);
});

it('shows control characters of file names instead of sending them to the terminal', async () => {
  const result = await sim(...over('evil\u001b[2Jname\n.o'));
  expectOneLine(result, ['evil\\x1b[2Jname\\x0a.o']);
});

function expectOneLine({ exitCode, stdout, stderr }: Awaited<ReturnType<typeof sim>>, says: readonly string[]): void {
  expect(stderr).toMatch(/^sim: [^\n]+\n$/);
  let at = 0;
  for (const text of says) {
    const found = stderr.indexOf(text, at);
    expect(found, `"${text}" in ${stderr}`).toBeGreaterThanOrEqual(0);
    at = found + text.length;
  }
  expect(stderr).not.toMatch(/\n\s+at |node:|NaN|undefined|\[object|ENOENT: |ENOTDIR: |EEXIST: |, (?:stat|open|mkdir) '/);
  expect(stdout).toBe('');
  expect(exitCode).toBe(2);
}
