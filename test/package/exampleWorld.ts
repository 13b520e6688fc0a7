import { unwrap } from '../../src/base/index.js';
import { ethernet } from '../../src/packet/index.js';
import { createTestNic, loadProgram, metadataContract } from '../../src/testing/index.js';
import type { EndedPacket, TestNic, TestProgram, TestRun } from '../../src/testing/index.js';
import type { MetadataContract } from '../../src/xdp/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';

/** What examples in docstrings may use without saying where it comes from. */
export interface ExampleWorld {
  /** UDP from 192.0.2.1 to port 53 of 192.0.2.2, 60 bytes. */
  readonly data: Uint8Array;
  /** The same. */
  readonly bytes: Uint8Array;
  /** Two packets that differ. */
  readonly expected: Uint8Array;
  readonly actual: Uint8Array;
  /** It has run on `data` three times. */
  readonly program: TestProgram;
  readonly run: TestRun;
  /** A NIC that reflects; `packet` is what it made of `data`. */
  readonly nic: TestNic;
  readonly packet: EndedPacket;
  readonly contract: MetadataContract;
  /** On queue 0 of a NIC that redirects UDP to it; its FILL ring has 4 chunks. */
  readonly socket: XskSocket;
  readonly umem: XskUmem;
}

/** The same for the compiler, beside `packet`. */
export const WORLD_TYPES = `
import type { ExampleWorld } from './exampleWorld.js';
declare const world: ExampleWorld;
const { data, bytes, expected, actual, program, run, nic, contract, socket, umem } = world;
`;

/** Program that the examples of a file are about. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'src/testing/program/programGlobals.ts': 'dnat',
  'src/testing/program/programLog.ts': 'printk',
  'src/testing/matchers/verdictMatchers.ts': 'switch_drop',
  'src/testing/matchers/packetMatchers.ts': 'dnat',
  'src/testing/matchers/metadataMatchers.ts': 'meta_writer',
};

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;

/** What an example uses of it, made anew. */
export function exampleWorld(path: string, code: string): Partial<ExampleWorld> {
  const uses = (...names: readonly string[]): boolean => names.some((name) => new RegExp(`\\b${name}\\b`).test(code));
  const data = ethernet({ src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' }).ipv4({ src: '192.0.2.1', dst: '192.0.2.2' }).udp({ src: 5000, dst: 53 }).payload('hello').pad().build();
  return {
    data, bytes: data, expected: data, actual: ethernet().arp().build(),
    contract: metadataContract('offload', { offload_flags: 'u32', csum_start: 'u16', csum_offset: 'u16' }),
    ...(uses('program', 'run') ? runProgram(PROGRAMS[path] ?? 'count_hash', data) : {}),
    ...(uses('nic', 'packet') ? receiveOne(data) : {}),
    ...(uses('socket', 'umem') ? openSocket(data) : {}),
  };
}

function runProgram(name: string, data: Uint8Array): Pick<ExampleWorld, 'program' | 'run'> {
  const program = loadProgram(object(name));
  const [run] = Array.from({ length: 3 }, () => program.testRun({ data }));
  return { program, run: run! };
}

function receiveOne(data: Uint8Array): Pick<ExampleWorld, 'nic' | 'packet'> {
  const nic = createTestNic(object('reflector'));
  const [packet] = nic.receive(data);
  return { nic, packet: packet! };
}

function openSocket(data: Uint8Array): Pick<ExampleWorld, 'socket' | 'umem'> {
  const nic = createTestNic(object('xsk_redirect'), { profile: 'ice' });
  const bytes = 16 * 4096;
  const umem = unwrap(XskUmem.create(nic.syscalls, nic.syscalls.mmapAnonymous(bytes), bytes));
  const { fill } = umem.rings;
  fill.reserve(4);
  for (let i = 0; i < 4; i++) fill.setAddr(fill.index + i, i * 4096);
  fill.submit(4);
  const socket = unwrap(XskSocket.create(umem, nic.ifindex, 0));
  nic.maps.get('xsks_map').set(0, socket);
  nic.receive(data);
  return { socket, umem };
}
