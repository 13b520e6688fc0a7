import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { MAX_PACKET_BYTES, openCapture, PcapngWriter, PcapWriter } from '../../../src/packet/index.js';

const PACKETS = 1_000_000;

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'xdp-sim-streaming-')); });
afterAll(() => rmSync(folder, { recursive: true }));

describe('a million packets', () => {
  it.each(['pcap', 'pcapng'] as const)('%s: written and read through buffers that stay the same', (format) => {
    const path = join(folder, `million.${format}`);
    const frame = new Uint8Array(64);
    const view = new DataView(frame.buffer);
    const writer = unwrap<PcapWriter | PcapngWriter>(
      format === 'pcap' ? PcapWriter.create(path) : PcapngWriter.create(path, { interfaces: [{ name: 'eth0' }] }),
    );
    const options = { queue: 0, packetId: 0 };
    for (let i = 0; i < PACKETS; i++) {
      view.setUint32(0, i);
      options.packetId = i;
      if (writer instanceof PcapWriter) writer.writePacket(frame, 0, 60 + (i & 3), i, i);
      else writer.writePacket(0, frame, 0, 60 + (i & 3), i, i, 60 + (i & 3), options);
    }
    expect(unwrap(writer.close()).packets).toBe(PACKETS);

    const reader = unwrap(openCapture(path));
    const { data } = reader;
    expect(data.byteLength).toBeLessThanOrEqual(4 * MAX_PACKET_BYTES);
    const arrayBuffersBefore = process.memoryUsage().arrayBuffers;
    let mismatches = 0;
    let i = 0;
    for (; reader.next() === 'packet'; i++) {
      const first = ((data[reader.offBytes]! << 24) | (data[reader.offBytes + 1]! << 16) | (data[reader.offBytes + 2]! << 8) | data[reader.offBytes + 3]!) >>> 0;
      if (first !== i || reader.capturedLen !== 60 + (i & 3) || reader.tSec !== i || reader.tNsec !== i || reader.packetNumber !== i + 1) mismatches++;
      if (reader.data !== data) mismatches++;
    }
    expect(reader.problem).toBeUndefined();
    expect(i).toBe(PACKETS);
    expect(mismatches).toBe(0);
    expect(process.memoryUsage().arrayBuffers).toBeLessThanOrEqual(arrayBuffersBefore);
  }, 60_000);
});
