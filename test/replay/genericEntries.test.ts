import { describe, expect, it } from 'vitest';
import { formatProblem, unwrap } from '../../src/base/index.js';
import { probeKernel, replayOverVeth, thisHost } from '../../src/replay/index.js';
import { CpuBinding } from '../../src/replay/cpuBinding.js';
import { loadIntoKernel } from '../../src/replay/kernelObject.js';
import { NetSyscalls } from '../../src/replay/net/netSyscalls.js';
import { VethPair } from '../../src/replay/net/vethPair.js';
import { waitForFrame } from '../../src/replay/net/packetSocket.js';
import { XdpLink } from '../../src/replay/net/xdpLink.js';
import { loadObjectFile } from '../../src/vm/index.js';
import type { ObjectSpec, ProgramEntryMap } from '../../src/vm/index.js';
import { captureOf } from '../support/simulate.js';
import { returning } from '../support/xdpProgram.js';
import { ETH0, frameOf, GenericHost } from '../xdp/genericSupport.js';

// Programs of a DEVMAP's entries behind generic XDP: what they are shown, and whether those after them see what they write.

const BROADCAST = 8;
const PATIENCE_MS = 1000;
const QUIET_MS = 20;

const object = (): ObjectSpec => unwrap(loadObjectFile('test/replay/objects/generic_entry.o'));
const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
const u64 = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);

interface Seen {
  readonly isIngress: boolean;
  readonly isEgress: boolean;
  readonly rxQueue: number;
  readonly metaBytes: number;
  readonly firstByte: number;
}

interface Outcome {
  readonly seen: readonly Seen[];
  /** First byte of each packet that left, in order. */
  readonly sent: readonly number[];
}

function seenOf(value: Uint8Array, ifindex: number): Seen {
  const [ingress, egress, rxQueue, metaBytes, firstByte] = new Uint32Array(value.slice().buffer);
  return { isIngress: ingress === ifindex, isEgress: egress === ifindex, rxQueue, metaBytes, firstByte };
}

/** All entries lead back to the device itself. */
async function onKernel(entries: number, flags: number, frame: Uint8Array): Promise<Outcome> {
  const kernel = unwrap(await probeKernel(thisHost));
  const calls = new NetSyscalls(await thisHost.importKoffi(), thisHost.arch);
  return unwrap(new CpuBinding(kernel.syscalls, 0).run(() => {
    const pair = unwrap(VethPair.create(calls, 1500));
    const parts: { close(): void }[] = [pair];
    try {
      const { ifindex, namespace } = pair.receiver;
      const program = unwrap(loadIntoKernel(kernel, object(), 'redirect'));
      parts.push(program);
      unwrap(program.object.writeVariable('flags', u64(flags)));
      namespace.enter(() => {
        for (let key = 0; key < entries; key++) expect(program.object.writeEntry('devices', u32(key), ifindex, 'entry')).toMatchObject({ ok: true, value: 0 });
      });
      parts.push(unwrap(XdpLink.attach(kernel, pair.receiver, program.fd, 'generic')));
      expect(pair.sender.socket.send(frame)).toBeGreaterThanOrEqual(0);
      const sent: number[] = [];
      for (let left = PATIENCE_MS / QUIET_MS; left > 0 && sent.length < entries; left--) {
        for (let bytes = pair.sender.socket.receive(); bytes !== undefined; bytes = pair.sender.socket.receive()) sent.push(bytes[0]);
        waitForFrame(calls, [pair.sender.socket], QUIET_MS);
      }
      const seen = Array.from({ length: entries }, (_, run) => seenOf(program.object.maps.get('seen')!.lookupBytes(u32(run))!, ifindex));
      return { seen, sent };
    } finally {
      for (const part of parts.toReversed()) part.close();
    }
  }));
}

function simulated(entries: number, flags: number, frame: Uint8Array): Outcome {
  const host = new GenericHost(object(), { program: 'redirect' });
  unwrap(host.loaded.setVariable('flags', String(flags)));
  const devices = host.loaded.maps.get('devices') as ProgramEntryMap;
  for (let key = 0; key < entries; key++) expect(devices.updateEntry(u32(key), ETH0, host.loaded.program('entry'), 0)).toBe(0);
  host.receive({ bytes: frame, headroomBytes: 2, spareBytes: 14, allocation: 'kmalloc' });
  expect(host.isClean).toBe(true);
  const seen = Array.from({ length: entries }, (_, run) => seenOf(host.loaded.maps.get('seen')!.lookupBytes(u32(run))!, ETH0));
  return { seen, sent: host.sent.map(({ bytes }) => bytes[0]) };
}

const tried = await replayOverVeth({ object: returning(2), pcap: captureOf([{ bytes: frameOf(60) }]), mode: 'generic' });
if (!tried.ok) console.warn(`SKIPPED, programs of entries not compared with the kernel: ${formatProblem(tried.problem)}`);

describe.skipIf(!tried.ok)('programs of DEVMAP entries behind generic XDP, on the kernel', () => {
  it('are shown the devices, the queue that was recorded, and no metadata', async () => {
    const kernel = await onKernel(1, 0, frameOf(60));
    expect(kernel).toEqual({ seen: [{ isIngress: true, isEgress: true, rxQueue: 0, metaBytes: 0, firstByte: 2 }], sent: [0x10] });
    expect(simulated(1, 0, frameOf(60))).toEqual(kernel);
  });

  it('of a broadcast write into bytes of their own', async () => {
    const frame = frameOf(60);
    const kernel = await onKernel(3, BROADCAST, frame);
    expect(kernel.seen.map(({ firstByte }) => firstByte)).toEqual([2, 2, 2]);
    expect(kernel.sent).toEqual([0x10, 0x12, 0x14]);
    expect(simulated(3, BROADCAST, frame)).toEqual(kernel);
  });
});
