import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { unwrap } from '../../../src/base/index.js';
import { openCapture, openCaptureBytes } from '../../../src/packet/index.js';
import { pcapFile, readAll } from '../support/captureBytes.js';

let folder: string;
beforeAll(() => { folder = mkdtempSync(join(tmpdir(), 'xdp-sim-capture-')); });
afterAll(() => rmSync(folder, { recursive: true }));

describe('what is not a capture file', () => {
  it('a missing file', () => {
    const path = join(folder, 'missing.pcap');
    expect(openCapture(path)).toMatchObject({ ok: false, problem: { code: 'capture-missing', message: 'no such capture file', where: path, hint: 'check the path' } });
    expect(openCapture(join(folder, 'a\0b'))).toMatchObject({ ok: false, problem: { code: 'capture-unreadable' } });
  });

  it('a directory', () => {
    expect(openCapture(folder)).toMatchObject({ ok: false, problem: { code: 'capture-not-a-file', message: 'capture is a directory', where: folder } });
  });

  it('a pipe, without waiting for a writer', () => {
    const path = join(folder, 'pipe');
    execFileSync('mkfifo', [path]);
    expect(openCapture(path)).toMatchObject({ ok: false, problem: { code: 'capture-not-a-file', message: 'capture is a pipe', hint: /save a pipe to a file/ } });
  });

  it('a device', () => {
    expect(openCapture('/dev/null')).toMatchObject({ ok: false, problem: { code: 'capture-not-a-file', message: 'capture is not a regular file' } });
  });

  it('an empty file', () => {
    const path = join(folder, 'empty.pcap');
    writeFileSync(path, '');
    expect(openCapture(path)).toMatchObject({ ok: false, problem: { code: 'capture-empty', message: 'capture file is empty', where: path } });
  });
});

describe('what is not a capture by its first bytes', () => {
  it.each([
    ['text', [0x68, 0x65, 0x6c, 0x6c, 0x6f], 'capture-unknown-format', /not a capture: it begins with 68 65 6c 6c/],
    ['two bytes', [0xd4, 0xc3], 'capture-unknown-format', /it begins with d4 c3$/],
    ['an ELF object', [0x7f, 0x45, 0x4c, 0x46], 'capture-unknown-format', /7f 45 4c 46/],
    ['modified pcap', [0xa1, 0xb2, 0xcd, 0x34], 'unsupported-capture-format', /file is a "modified" pcap \(Kuznetzov\), big-endian/],
    ['modified pcap, little-endian', [0x34, 0xcd, 0xb2, 0xa1], 'unsupported-capture-format', /"modified" pcap \(Kuznetzov\), little-endian/],
    ['gzip', [0x1f, 0x8b, 8, 0], 'unsupported-capture-format', /compressed with gzip/],
    ['zstd', [0x28, 0xb5, 0x2f, 0xfd], 'unsupported-capture-format', /compressed with zstd/],
    ['snoop', [0x73, 0x6e, 0x6f, 0x6f, 0x70], 'unsupported-capture-format', /a snoop capture/],
  ])('%s', (_, bytes, code, message) => {
    expect(openCaptureBytes(Uint8Array.from(bytes), 'x')).toMatchObject({
      ok: false, problem: { code, message: expect.stringMatching(message), hint: expect.stringMatching(/\w/) },
    });
  });
});

describe('files', () => {
  const file = pcapFile([{ sec: 1, fraction: 2, data: [1, 2, 3] }]);

  it('are read like bytes', () => {
    const path = join(folder, 'good.pcap');
    writeFileSync(path, file);
    expect(readAll(unwrap(openCapture(path)))).toEqual(readAll(unwrap(openCaptureBytes(file, 'x'))));
  });

  it('are closed at the end, after a fault, when refused, and by close()', () => {
    const openFiles = (): number => readdirSync('/proc/self/fd').length;
    const good = join(folder, 'good2.pcap');
    const cut = join(folder, 'cut.pcap');
    const text = join(folder, 'text.pcap');
    writeFileSync(good, file);
    writeFileSync(cut, file.slice(0, -1));
    writeFileSync(text, 'hello, world');
    const before = openFiles();
    readAll(unwrap(openCapture(good)));
    readAll(unwrap(openCapture(cut)));
    openCapture(text);
    openCapture(folder);
    const reader = unwrap(openCapture(good));
    expect(openFiles()).toBe(before + 1);
    reader.close();
    reader.close();
    expect(reader.next()).toBe('end');
    expect(openFiles()).toBe(before);
  });
});
