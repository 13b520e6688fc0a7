import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EINVAL, ENOENT, EPERM, formatProblem, ok, unwrap } from '../../src/base/index.js';
import { findProfile } from '../../src/nic/index.js';
import { netText, probeKernel, replayOverVeth, thisHost } from '../../src/replay/index.js';
import type { KernelBpf, Koffi, NetReplayOptions, NetReport } from '../../src/replay/index.js';
import type { Arrival, Wire } from '../../src/replay/net/kernelWire.js';
import { runInLockstep } from '../../src/replay/net/lockstep.js';
import { natureNotes } from '../../src/replay/net/natureNotes.js';
import { attribute, Netlink, readAttributes, text, u32 } from '../../src/replay/net/netlink.js';
import { NetNamespace } from '../../src/replay/net/netNamespace.js';
import { NetSyscalls } from '../../src/replay/net/netSyscalls.js';
import { WireCapture } from '../../src/replay/net/wireCapture.js';
import { loadObjectFile } from '../../src/vm/index.js';
import type { LoadedObject } from '../../src/vm/index.js';
import { burst, captureOf, simulationOf, udpFrame } from '../support/simulate.js';
import { temporaryFolder } from '../support/temporaryFolder.js';
import { returning, xdpProgram } from '../support/xdpProgram.js';

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;
const capturePath = (name: string): string => `fixtures/pcaps/${name}`;
const MODES = ['native', 'generic'] as const;

/** A frame that no protocol takes. */
function plainFrame(lenBytes: number, etherType = 0x88b5): Uint8Array {
  const frame = Uint8Array.from({ length: lenBytes }, (_, i) => i & 0xff);
  frame.set([etherType >> 8, etherType & 0xff].slice(0, Math.max(0, lenBytes - 12)), Math.min(12, lenBytes));
  return frame;
}

const replay = async (options: NetReplayOptions): Promise<NetReport> => unwrap(await replayOverVeth(options));

/** XDP_TX of a frame with 8 more bytes in front. */
const GROWS_BY_8 = `r6 = r1
  r2 = -8
  call 44
  r1 = *(u32 *)(r6 + 0)
  r2 = *(u32 *)(r6 + 4)
  r3 = r1
  r3 += 16
  if r3 > r2 goto out
  *(u32 *)(r1 + 0) = 0
  *(u32 *)(r1 + 4) = 0
  *(u32 *)(r1 + 8) = 0
  *(u32 *)(r1 + 12) = 0
  out: r0 = 3
  exit`;

const tried = await replayOverVeth({ object: returning(2), pcap: captureOf(burst(1)) });

/** Tests that need namespaces, veth and bpf(2). Where that is impossible they are skipped, with one loud line that says why. */
function withVeth(name: string, body: () => void): void {
  if (tried.ok) {
    describe(name, body);
    return;
  }
  console.warn(`SKIPPED, not run over a veth: ${name}: ${formatProblem(tried.problem)}`);
  describe(name, () => {
    it.skip('needs root and a kernel with veth', () => {});
  });
}

/** The value of fixture rx_hints, in hex, but for the hash (bytes 36 to 39). */
function withoutHash(value: unknown): string {
  const hex = String(value);
  return hex.slice(0, 72) + hex.slice(80);
}

withVeth('replay over a veth', () => {
  /** Program, capture, where its packets end, more options. */
  const cases: [string, string, NetReport['ends']['kernel'], Partial<NetReplayOptions>?][] = [
    ['reflector', 'mixed.pcap', { stack: 47, wire: 233, dropped: 0 }],
    ['count_hash', 'mixed.pcap', { stack: 280, wire: 0, dropped: 0 }],
    ['count_percpu', 'http.pcap', { stack: 53, wire: 0, dropped: 0 }],
    ['switch_drop', 'mixed.pcap', { stack: 274, wire: 0, dropped: 6 }],
    ['meta_writer', 'mixed.pcap', { stack: 280, wire: 0, dropped: 0 }],
    ['vlan_push', 'mixed.pcap', { stack: 280, wire: 0, dropped: 0 }],
    ['vlan_push', 'vlan.pcap', { stack: 0, wire: 39, dropped: 0 }, { prepare: setting('transmit', '1') }],
    ['return_77', 'http.pcap', { stack: 0, wire: 0, dropped: 53 }],
    ['aborter', 'arp-icmp.pcap', { stack: 4, wire: 0, dropped: 21 }],
    ['redirect_self', 'vlan.pcap', { stack: 0, wire: 39, dropped: 0 }],
    ['tail_calls', 'dns.pcap', { stack: 12, wire: 0, dropped: 12 }, { program: 'xdp_entry' }],
    ['frags_pass', 'jumbo.pcap', { stack: 48, wire: 0, dropped: 0 }, { mtu: 9000 }],
  ];

  describe.each(MODES)('%s', (mode) => {
    it.each(cases)('%s does with %s what the simulator does', async (name, capture, ends, more = {}) => {
      const report = await replay({ object: object(name), pcap: capturePath(capture), mode, ...more });
      expect(report.differences).toEqual([]);
      expect(report).toMatchObject({ ok: true, difference_count: 0, mode, packets: { too_short: 0, too_long: 0 } });
      expect(report.ends).toEqual({ simulator: ends, kernel: ends });
      expect(report.program_runs).toEqual({ simulator: report.packets.sent, kernel: report.packets.sent });
    });
  });

  it.each(['mixed.pcap', 'fragments.pcap', 'ipv6-nd.pcap', 'vlan.pcap'])('tells programs about the packets of %s what a veth tells', async (capture) => {
    const report = await replay({ object: object('rx_hints'), pcap: capturePath(capture), exclude: ['maps.hints'] });
    expect(report).toMatchObject({ differences: [], by_nature: ['the program asks for the hash, and the kernel keys its own at random'] });
    // With the hash itself, that is all that differs: results, time stamps, VLAN tags.
    const [difference, ...others] = (await replay({ object: object('rx_hints'), pcap: capturePath(capture) })).differences;
    expect(others).toEqual([]);
    expect(difference).toMatchObject({ part: 'maps.hints[00000000]' });
    expect(withoutHash(difference!.simulator)).toBe(withoutHash(difference!.kernel));
  });

  it.each(['mixed.pcap', 'vlan.pcap'])('leaves in memory what a veth leaves there when it has no hint: %s', async (capture) => {
    const [difference, ...others] = (await replay({ object: object('rx_hint_memory'), pcap: capturePath(capture) })).differences;
    expect(others).toEqual([]);
    // The hash, which the kernel keys at random, is the last word.
    expect(String(difference!.simulator).slice(0, -8)).toBe(String(difference!.kernel).slice(0, -8));
    expect(String(difference!.kernel)).toMatch(/^00000000 ?00000000 ?c3ffffff/);
  });

  // In generic mode the kernel finds less room in its skbs, and the fixture drops what it can't pull.
  it('pulls what lies in fragments into the linear part (native)', async () => {
    const report = await replay({ object: object('pull_data'), pcap: capturePath('jumbo.pcap'), mtu: 9000 });
    const ends = { stack: 44, wire: 4, dropped: 0 };
    expect(report).toMatchObject({ differences: [], ends: { simulator: ends, kernel: ends } });
  });

  it('attaches programs that are bound to the device natively only', async () => {
    expect(await replayOverVeth({ object: object('rx_hints'), pcap: capturePath('dns.pcap'), mode: 'generic' })).toMatchObject({ ok: false, problem: { code: 'attach-bound-generic' } });
  });

  it('counts as the driver does', async () => {
    const counted = async (name: string): Promise<Record<string, number | null>> => {
      const { counters } = await replay({ object: object(name), pcap: capturePath('http.pcap') });
      return Object.fromEntries(counters.filter(({ kernel }) => kernel !== 0).map(({ name: counter, kernel }) => [counter, kernel]));
    };
    const rx = { rx_queue_0_xdp_packets: 53, rx_queue_0_xdp_bytes: 16039, 'link.rx_packets': 53, 'link.rx_bytes': 16039 };
    const tx = { 'link.tx_packets': 53, 'link.tx_bytes': 16781 };
    expect(await counted('return_77')).toEqual({ ...rx, rx_queue_0_xdp_drops: 53 });
    expect(await counted('reflector')).toEqual({ ...rx, ...tx, rx_queue_0_xdp_tx: 53 });
    expect(await counted('redirect_self')).toEqual({ ...rx, ...tx, rx_queue_0_xdp_redirect: 53, tx_queue_0_xdp_xmit: 53 });
  });

  it.each([
    ['to an interface that does not exist', 'r1 = 9999\nr2 = 0\ncall 23\nexit'],
    ['without a call of a redirect helper', 'r0 = 4\nexit'],
  ])('agrees about a redirect %s: the driver drops', async (_, program) => {
    const report = await replay({ object: xdpProgram(program), pcap: captureOf(burst(20)) });
    expect(report.differences).toEqual([]);
    expect(report.ends.kernel.dropped).toBe(20);
    expect(report.counters).toContainEqual({ name: 'rx_queue_0_drops', simulator: 20, kernel: 20 });
  });

  // Found by random changes in generic mode: only the simulator had let 1519 bytes out.
  it.each(MODES)('loses what a program made longer than the MTU of the other end allows (%s)', async (mode) => {
    const report = await replay({ object: xdpProgram(GROWS_BY_8), pcap: captureOf([1510, 1511, 1514, 1000].map((lenBytes) => ({ bytes: udpFrame(lenBytes) }))), mode });
    const ends = { stack: 0, wire: 2, dropped: 2 };
    expect(report).toMatchObject({ differences: [], ends: { simulator: ends, kernel: ends } });
  });

  it('loses it with its fragments, too', async () => {
    const report = await replay({ object: xdpProgram(GROWS_BY_8, { frags: true }), pcap: captureOf([9010, 9011].map((lenBytes) => ({ bytes: udpFrame(lenBytes) }))), mtu: 9000 });
    const ends = { stack: 0, wire: 1, dropped: 1 };
    expect(report).toMatchObject({ differences: [], ends: { simulator: ends, kernel: ends } });
  });

  it.each(MODES)('gives an outer VLAN tag back, whichever TPID it has (%s)', async (mode) => {
    const tags = [0x8100, 0x88a8].map((tpid) => ({ bytes: plainFrame(100, tpid) }));
    const report = await replay({ object: returning(2), pcap: captureOf(tags), mode });
    expect(report.differences).toEqual([]);
    expect(report.ends.kernel.stack).toBe(2);
  });

  it.each(MODES)('counts frames with a cut VLAN tag, which no socket sees, as arrived (%s)', async (mode) => {
    const frames = [0x8100, 0x88a8].flatMap((tpid) => [14, 19, 20].map((lenBytes) => ({ bytes: plainFrame(lenBytes, tpid) })));
    for (const retval of [2, 3]) {
      const report = await replay({ object: returning(retval), pcap: captureOf(frames), mode });
      expect(report.differences).toEqual([]);
      expect(report.packets).toMatchObject({ sent: 6, unseen: 4 });
    }
  });

  it('gives the kernel what was set in the simulator: variables, map entries, programs for tail calls', async () => {
    const dropAll = await replay({ object: object('switch_drop'), pcap: capturePath('dns.pcap'), prepare: setting('drop_all', '1') });
    expect(dropAll).toMatchObject({ ok: true, ends: { kernel: { dropped: 24 } } });

    const readOnly = await replay({ object: object('switch_drop'), pcap: capturePath('dns.pcap'), prepare: setting('drop_udp_port', '54') });
    expect(readOnly).toMatchObject({ ok: true, ends: { kernel: { stack: 24 } } });

    const counting = await replay({
      object: object('count_hash'),
      pcap: capturePath('dns.pcap'),
      prepare: (loaded) => {
        const full = Uint8Array.from({ length: 16 }, () => 0xff);
        expect(loaded.maps.get('packets_by_source')!.updateBytes(Uint8Array.of(192, 0, 2, 1), full, 0)).toBe(0);
        return undefined;
      },
    });
    expect(counting.differences).toEqual([]);
  });

  it.each([
    ['aborter', 'arp-icmp.pcap', 21], ['return_77', 'http.pcap', 53], ['redirect_self', 'vlan.pcap', 39], ['count_hash', 'http.pcap', 0],
  ] as const)('compares the tracepoints that %s hits with %s, in both modes', async (name, capture, hits) => {
    for (const mode of MODES) {
      const report = await replay({ object: object(name), pcap: capturePath(capture), mode });
      expect(report).toMatchObject({ ok: true, tracepoints: hits });
      expect(netText(report)).toMatch(new RegExp(`\\n {2}tracepoints compared +${hits} +${hits}\\n`));
    }
  });

  it('leaves out on both sides what a packet socket refuses', async () => {
    const frames = [13, 14, 1514, 1515].map((lenBytes) => ({ bytes: plainFrame(lenBytes) }));
    const tagged = [1518, 1519].map((lenBytes) => ({ bytes: plainFrame(lenBytes, 0x8100) }));
    const report = await replay({ object: returning(3), pcap: captureOf([...frames, ...tagged]) });
    expect(report.differences).toEqual([]);
    expect(report.packets).toEqual({ read: 6, sent: 3, too_short: 1, too_long: 2, unseen: 0 });
    expect(report.ends.kernel.wire).toBe(3);
  });

  it('finds what differs by nature, says so, and leaves it out when told to', async () => {
    const options = { object: object('printk'), pcap: capturePath('dns.pcap') };
    const report = await replay(options);
    expect(report.differences.map(({ part }) => part)).toEqual(['maps.last[00000000]']);
    expect(report.ok).toBe(false);
    expect(report.by_nature).toEqual([expect.stringMatching(/clock/), expect.stringMatching(/random/)]);
    expect(netText(report)).toMatch(/1 difference:\n {2}maps\.last\[00000000\]: simulator .*\nmay differ by nature: the program reads a clock/);

    const excluded = await replay({ ...options, exclude: ['maps.last'] });
    expect(excluded).toMatchObject({ ok: true, excluded: ['maps.last'] });
    expect(netText(excluded)).toMatch(/not judged: maps\.last\nno differences/);
  });

  it('finds the tailroom that a native veth has less', async () => {
    // 54 bytes stand in a fragment of 64: they can grow by 10 bytes, not by 16.
    const report = await replay({ object: object('adjust_tail'), pcap: captureOf([{ bytes: plainFrame(54) }]) });
    expect(report.differences[0]).toEqual({ packet: 1, part: 'end', simulator: 'wire', kernel: 'dropped' });
    expect(report.by_nature).toEqual([expect.stringMatching(/adjust_tail/)]);
  });

  it('tells why a program or a setting is refused', async () => {
    const outside = xdpProgram('r1 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r1 + 0)\nexit');
    const codes = await Promise.all(
      [{ object: outside }, { mtu: 67 }, { mtu: 9000 }, { object: object('multi') }, { object: 'no such file' }, { mode: 'offload' }, { exclude: ['maps.x'] }].map(async (more) => {
        const result = await replayOverVeth({ object: returning(2), pcap: captureOf(burst(1)), ...more });
        return result.ok ? 'ok' : result.problem.code;
      }),
    );
    expect(codes).toEqual(['kernel-program-refused', 'nic-mtu', 'attach-mtu', 'several-programs', 'file-missing', 'unknown-mode', 'unknown-part']);
  });

  it('refuses a capture without packets', async () => {
    const result = await replayOverVeth({ object: returning(2), pcap: captureOf([]) });
    expect(result).toMatchObject({ ok: false, problem: { code: 'capture-without-packets' } });
  });
});

function setting(variable: string, value: string) {
  return (loaded: LoadedObject) => {
    const set = loaded.setVariable(variable, value);
    return set.ok ? undefined : set.problem;
  };
}

withVeth('what a replay leaves behind', () => {
  const openFiles = (): string[] => readdirSync('/proc/self/fd').map((fd) => linkOf(`/proc/self/fd/${fd}`)).filter((link) => /net:|bpf|socket/.test(link));

  it('is no file descriptor: neither after a run, nor after one that was refused, nor after an exception', async () => {
    const before = openFiles();
    await replay({ object: object('reflector'), pcap: capturePath('dns.pcap') });
    await replayOverVeth({ object: returning(2), pcap: captureOf(burst(1)), mtu: 9000 });
    const failing = replayOverVeth({
      object: returning(2),
      pcap: captureOf(burst(1)),
      onProgress: () => {
        throw new Error('as the test wants it');
      },
    });
    await expect(failing).rejects.toThrow('as the test wants it');
    expect(openFiles()).toEqual(before);
  });

  it('is the network namespace that the thread had before', async () => {
    const before = readlinkSync('/proc/thread-self/ns/net');
    await replay({ object: object('reflector'), pcap: capturePath('dns.pcap') });
    expect(readlinkSync('/proc/thread-self/ns/net')).toBe(before);
  });

  const folder = temporaryFolder();

  it.each([
    ['kill -9', (child: ChildProcess) => child.kill('SIGKILL'), 'SIGKILL'],
    ['Ctrl-C', (child: ChildProcess) => child.kill('SIGINT'), 'SIGINT'],
    ['SIGTERM', (child: ChildProcess) => child.kill('SIGTERM'), 'SIGTERM'],
    ['an uncaught exception', (_: ChildProcess, throwFile: string) => writeFileSync(throwFile, ''), 1],
  ] as const)('is nothing after %s in the middle: namespaces, veth and programs are gone', async (name, stop, end) => {
    const throwFile = folder.at(name);
    const child = await startChild(throwFile);
    const witness = await Witness.of(child.pid!);
    expect(witness.living()).toEqual({ namespaces: 2, links: 2, programs: 7 });
    const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
    stop(child, throwFile);
    expect(await ended).toBe(end);
    // The kernel takes namespaces down in the background.
    for (let waited = 0; waited < 200 && Object.values(witness.living()).some((count) => count > 0); waited++) await sleep(50);
    expect(witness.living()).toEqual({ namespaces: 0, links: 0, programs: 0 });
    witness.close();
  });
});

/** Starts a process that replays until `throwFile` is there, and waits until it does. */
async function startChild(throwFile: string): Promise<ChildProcess> {
  const args = ['--import', './test/replay/support/typescriptHooks.mjs', 'test/replay/support/netChild.ts', object('reflector'), throwFile];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      said += data.toString();
      if (said.startsWith('running')) resolve();
      else if (said.includes('\n')) reject(new Error(said));
    });
    child.stderr.on('data', (data: Buffer) => (said += data.toString()));
    child.once('exit', () => reject(new Error(`netChild ended: ${said}`)));
  });
  return child;
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

const RTM_GETLINK = 18;
const RTM_NEWNSID = 88;
const RTM_GETNSID = 90;
const NETNSA_NSID = 1;
const NETNSA_FD = 3;
const IFLA_IFNAME = 3;
const IFLA_TARGET_NETNSID = 46;
const BPF_PROG_GET_FD_BY_ID = 13;

/** Watches what another process made in the kernel, without keeping any of it alive: by numbers, not by file descriptors. */
class Witness {
  readonly #kernel: KernelBpf;
  readonly #netlink: Netlink;
  /** How the namespace of this process calls the two of the other. */
  readonly #namespaceIds: readonly number[];
  readonly #programIds: readonly number[];

  private constructor(kernel: KernelBpf, netlink: Netlink, namespaceIds: readonly number[], programIds: readonly number[]) {
    this.#kernel = kernel;
    this.#netlink = netlink;
    this.#namespaceIds = namespaceIds;
    this.#programIds = programIds;
  }

  static async of(pid: number): Promise<Witness> {
    const calls = new NetSyscalls(await thisHost.importKoffi(), process.arch);
    const netlink = Netlink.open(calls);
    if (typeof netlink === 'number') throw new Error(`no netlink socket: ${netlink}`);
    const own = readlinkSync('/proc/self/ns/net');
    const fds = readdirSync(`/proc/${pid}/fd`);
    const namespaces = new Map(fds.map((fd) => [linkOf(`/proc/${pid}/fd/${fd}`), fd] as const).filter(([link]) => link.startsWith('net:') && link !== own));
    const namespaceIds = [...namespaces.values()].map((fd) => nameNamespace(netlink, `/proc/${pid}/fd/${fd}`));
    const programIds = fds.flatMap((fd) => [...readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8').matchAll(/^prog_id:\s*(\d+)$/gm)].map(([, id]) => Number(id)));
    return new Witness(unwrap(await probeKernel()), netlink, namespaceIds, [...new Set(programIds)]);
  }

  living() {
    const links = ['wire0', 'xdp0'].flatMap((name) => this.#namespaceIds.filter((id) => this.#find(id, name) >= 0));
    return {
      namespaces: this.#namespaceIds.filter((id) => this.#find(id, 'lo') >= 0).length,
      links: links.length,
      programs: this.#programIds.filter((id) => this.#hasProgram(id)).length,
    };
  }

  close(): void {
    this.#netlink.close();
  }

  /** 0, or -EINVAL when there is no such namespace, or -ENODEV. */
  #find(namespaceId: number, name: string): number {
    const message = Buffer.concat([new Uint8Array(16), attribute(IFLA_IFNAME, text(name)), attribute(IFLA_TARGET_NETNSID, u32(namespaceId))]);
    return this.#netlink.request(RTM_GETLINK, 0, message).errno;
  }

  #hasProgram(id: number): boolean {
    const attr = this.#kernel.syscalls.buffer(12);
    attr.view.setUint32(0, id, true);
    const fd = this.#kernel.syscalls.bpf(BPF_PROG_GET_FD_BY_ID, attr, 12);
    if (fd >= 0) closeSync(fd);
    else expect(fd).toBe(-ENOENT);
    return fd >= 0;
  }
}

/** Gives a namespace a number in ours (`ip netns set`), which holds no reference. */
function nameNamespace(netlink: Netlink, path: string): number {
  const fd = openSync(path, 'r');
  try {
    const which = attribute(NETNSA_FD, u32(fd));
    const named = netlink.request(RTM_NEWNSID, 0, Buffer.concat([new Uint8Array(4), which, attribute(NETNSA_NSID, u32(0xffffffff))]));
    expect(named.errno).toBe(0);
    const answer = netlink.request(RTM_GETNSID, 0, Buffer.concat([new Uint8Array(4), which]));
    const id = readAttributes(answer.payload.subarray(4)).get(NETNSA_NSID)!;
    return new DataView(id.buffer).getInt32(0, true);
  } finally {
    closeSync(fd);
  }
}

describe('replay over a veth, where it is impossible', () => {
  const options = { object: returning(2), pcap: captureOf(burst(1)) };
  const koffiThatSays = (errno: number): Koffi => ({ load: () => ({ func: () => () => -1 }), errno: () => errno, address: () => 0n, view: () => new ArrayBuffer(0) });

  it('says that this is no Linux', async () => {
    const result = await replayOverVeth({ ...options, host: { ...thisHost, platform: 'darwin' } });
    expect(result).toMatchObject({ ok: false, problem: { code: 'kernel-not-linux' } });
  });

  it('says that koffi is missing', async () => {
    const result = await replayOverVeth({ ...options, host: { ...thisHost, importKoffi: () => Promise.reject(new Error('Cannot find package')) } });
    expect(result).toMatchObject({ ok: false, problem: { code: 'kernel-no-koffi', hint: expect.stringMatching(/npm install koffi/) } });
  });

  it('says that programs may not be loaded', async () => {
    const result = await replayOverVeth({ ...options, host: { ...thisHost, importKoffi: () => Promise.resolve(koffiThatSays(EPERM)) } });
    expect(result).toMatchObject({ ok: false, problem: { code: process.platform === 'linux' ? 'kernel-no-privilege' : 'kernel-not-linux' } });
  });

  it.runIf(process.platform === 'linux').each([
    [EPERM, /may not make network namespaces/, /CAP_SYS_ADMIN/],
    [EINVAL, /has no network namespaces/, /CONFIG_NET_NS/],
  ])('says why there is no namespace (errno %i)', (errno, message, hint) => {
    const result = NetNamespace.create(new NetSyscalls(koffiThatSays(errno), 'x64'));
    expect(result).toMatchObject({ ok: false, problem: { code: 'net-no-namespace', message: expect.stringMatching(message), hint: expect.stringMatching(hint) } });
  });
});

describe('lockstep', () => {
  /** Runs a program against a wire that behaves as it should, except where `send` says otherwise. */
  function run(retval: number, frames: number, send: (frame: Uint8Array, number: number) => Arrival[], settle: Arrival[][] = []) {
    const capture = new WireCapture(captureOf(burst(frames)), 1500);
    const wire: Wire & { sent: number } = {
      sent: 0,
      send: (frame) => ok(send(frame, ++wire.sent)),
      settle: () => settle.shift() ?? [],
    };
    const simulation = simulationOf({ object: returning(retval), nic: { profile: findProfile('veth')!, rxRingSize: 256, txRingSize: 256 } });
    return runInLockstep(simulation, capture, wire, () => {});
  }

  const differencesOf = (result: ReturnType<typeof run>) => unwrap(result).differences.kept;
  const passOn = (bytes: Uint8Array): Arrival[] => [{ destination: 'stack', bytes }];

  it('finds nothing where there is nothing', () => {
    const result = unwrap(run(2, 300, passOn));
    expect(result.differences.count).toBe(0);
    expect(result.simulator.ends).toEqual({ stack: 300, wire: 0, dropped: 0 });
    expect(result.kernel.ends).toEqual({ stack: 300, wire: 0, dropped: 0 });
  });

  it('names the header field of a byte that differs, and the packet', () => {
    const damaged = (frame: Uint8Array, number: number): Arrival[] => passOn(frame.with(30, number === 70 ? 99 : frame[30]));
    expect(differencesOf(run(2, 100, damaged))).toEqual([{ packet: 70, part: 'frame[30] ipv4.dst', simulator: '0a000002', kernel: '63000002' }]);
  });

  it('notices a packet that is lost, one that ends elsewhere and one that should have been dropped', () => {
    const lost = (frame: Uint8Array, number: number): Arrival[] => (number === 2 ? [] : passOn(frame));
    expect(differencesOf(run(2, 3, lost))).toEqual([{ packet: 2, part: 'end', simulator: 'stack', kernel: 'dropped' }]);
    expect(differencesOf(run(3, 1, passOn))).toEqual([{ packet: 1, part: 'end', simulator: 'wire', kernel: 'stack' }]);
    expect(differencesOf(run(1, 1, passOn))).toEqual([{ packet: 1, part: 'end', simulator: 'dropped', kernel: 'stack' }]);
  });

  it('notices an arrival too many, at once or after everything', () => {
    const twice = (frame: Uint8Array, number: number): Arrival[] => (number === 2 ? [...passOn(frame), ...passOn(frame)] : passOn(frame));
    expect(differencesOf(run(2, 3, twice))).toMatchObject([{ packet: 2, part: 'surplus arrival, stack', simulator: 'none' }]);
    expect(differencesOf(run(2, 3, passOn, [[], passOn(udpFrame(60))]))).toMatchObject([{ part: 'surplus arrival, stack', simulator: 'none' }]);
  });

  it('refuses a wire that is not silent', () => {
    expect(run(2, 3, passOn, [passOn(udpFrame(60))])).toMatchObject({ ok: false, problem: { code: 'net-noise' } });
  });

  it('keeps the first differences and counts all', () => {
    const { differences } = unwrap(run(2, 500, () => []));
    expect(differences.count).toBe(500);
    expect(differences.kept.length).toBe(64);
  });
});

describe('notes on what differs by nature', () => {
  const notesOf = (name: string, mode: 'native' | 'generic'): string[] => natureNotes(unwrap(loadObjectFile(object(name))).programs, mode);

  it('depend on the helpers that a program calls, and on the mode', () => {
    expect(notesOf('reflector', 'native')).toEqual([]);
    expect(notesOf('printk', 'generic').length).toBe(2);
    expect(notesOf('vlan_push', 'native')).toEqual([]);
    expect(notesOf('vlan_push', 'generic')).toEqual([]);
    expect(notesOf('adjust_tail', 'native')).toEqual([expect.stringMatching(/adjust_tail/)]);
    expect(notesOf('adjust_tail', 'generic')).toEqual([]);
    expect(notesOf('buffer_room', 'generic')).toEqual([expect.stringMatching(/skb->len/)]);
  });
});
