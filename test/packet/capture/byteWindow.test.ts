import { mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ByteWindow, WINDOW_SIZE_BYTES } from '../../../src/packet/capture/byteWindow.js';
import { PcapReader } from '../../../src/packet/capture/pcapReader.js';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'xdp-sim-window-')); });
afterAll(() => rmSync(folder, { recursive: true }));

describe('ByteWindow over a file', () => {
  it('moves forward over more than it holds, in one buffer', () => {
    const path = join(folder, 'big');
    const lengthBytes = 3 * WINDOW_SIZE_BYTES + 5;
    const bytes = Uint8Array.from({ length: lengthBytes }, (_, i) => (i * 31) & 0xff);
    writeFileSync(path, bytes);
    const window = ByteWindow.overFile(openSync(path, 'r'));
    const { data } = window;
    let offset = 0;
    for (const step of [1, WINDOW_SIZE_BYTES, 3, WINDOW_SIZE_BYTES - 7, 100_000]) {
      expect(window.ensure(step)).toBe(true);
      expect(window.fileOffsetBytes).toBe(offset);
      expect(Buffer.compare(data.subarray(window.posBytes, window.posBytes + step), bytes.subarray(offset, offset + step))).toBe(0);
      window.posBytes += step;
      offset += step;
    }
    window.skip(lengthBytes - offset - 5);
    expect(window.fileOffsetBytes).toBe(lengthBytes - 5);
    expect(window.ensure(6)).toBe(false);
    expect(window.availableBytes).toBe(5);
    expect(window.ensure(5)).toBe(true);
    expect(data[window.posBytes]).toBe(bytes[lengthBytes - 5]);
    expect(window.data).toBe(data);
    expect(data.byteLength).toBe(WINDOW_SIZE_BYTES);
    window.close();
  });

  it('skips beyond the end without harm; the next look fails', () => {
    const path = join(folder, 'small');
    writeFileSync(path, 'abc');
    const window = ByteWindow.overFile(openSync(path, 'r'));
    window.skip(0xfffffff0);
    expect(window.ensure(1)).toBe(false);
    expect(window.readError).toBeUndefined();
    window.close();
  });

  it('tells a failed read from the end of the file', () => {
    const window = ByteWindow.overFile(openSync(folder, 'r')); // reading a directory fails with EISDIR
    expect(window.ensure(1)).toBe(false);
    expect(window.readError).toBe('it is a directory');
    expect(PcapReader.open(window, 'x.pcap')).toMatchObject({ ok: false, problem: { code: 'capture-unreadable', message: expect.stringMatching(/reading failed: it is a directory/) } });
    window.close();
  });

  it('throws when asked for more than it can ever hold', () => {
    const path = join(folder, 'small2');
    writeFileSync(path, 'abc');
    const window = ByteWindow.overFile(openSync(path, 'r'));
    expect(() => window.ensure(WINDOW_SIZE_BYTES + 1)).toThrow(RangeError);
    window.close();
  });
});

describe('ByteWindow over bytes', () => {
  it('ends with them', () => {
    const window = ByteWindow.overBytes(Uint8Array.of(1, 2, 3));
    window.skip(2);
    expect(window.ensure(1)).toBe(true);
    expect(window.ensure(2)).toBe(false);
    window.skip(100);
    expect(window.availableBytes).toBe(0);
  });
});
