import { describe, expect, it } from 'vitest';
import { NO_TX_METADATA, readTxMetadata, readTxTimestamp, writeTxMetadata, writeTxTimestamp, XDP_TX_METADATA, XSK_TX_METADATA_BYTES } from '../../src/umem/index.js';
import { fc, prop } from '../support/property.js';
import { SocketBench } from './support.js';

const EINVAL = -22;
const CHUNK = 2048;
const TIMESTAMP = 1;
const CHECKSUM = 2;
const LAUNCH_TIME = 4;

interface Request {
  readonly flags: number;
  readonly csumStart?: number;
  readonly csumOffset?: number;
  readonly txMetadataBytes?: number;
  readonly options?: number;
}

/** A socket with `txMetadataBytes`, and one packet of 60 bytes at 256 with this metadata before it. */
function bench({ flags, csumStart = 0, csumOffset = 0, txMetadataBytes = 24, options = XDP_TX_METADATA }: Request): SocketBench {
  const addr = 256;
  const made = new SocketBench({ chunkCount: 8, chunkSizeBytes: CHUNK, txMetadataBytes });
  request(made, addr - txMetadataBytes, flags, csumStart, csumOffset);
  made.queue(addr, 60, options);
  return made;
}

function request({ memory: { view }, umemAddress }: SocketBench, offBytes: number, flags: number, csumStart: number, csumOffset: number): void {
  if (offBytes < 0) return;
  view.setBigUint64(umemAddress + offBytes, BigInt(flags), true);
  view.setUint16(umemAddress + offBytes + 8, csumStart, true);
  view.setUint16(umemAddress + offBytes + 10, csumOffset, true);
}

describe('tx_metadata_len', () => {
  it('is charged to every descriptor, also to those without metadata', () => {
    const send = (addr: number, len: number): number => {
      const made = new SocketBench({ chunkCount: 8, chunkSizeBytes: CHUNK, txMetadataBytes: 24 });
      made.queue(addr, len);
      made.send();
      return made.socket.statistics.tx_invalid_descs;
    };
    expect(send(24, CHUNK - 24)).toBe(0);
    expect(send(23, 60)).toBe(1);
    expect(send(24, CHUNK - 23)).toBe(1);
    expect(send(CHUNK + 23, 60)).toBe(1);
  });
});

describe('what an application writes', () => {
  const request = fc.record({
    wantsTimestamp: fc.boolean(), csumStart: fc.integer({ min: -1, max: 40 }), csumOffset: fc.nat(18),
    launchTimeNs: fc.oneof(fc.constant(-1), fc.nat(2 ** 31 - 1), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })),
  });

  prop([request, fc.uint8Array({ minLength: XSK_TX_METADATA_BYTES, maxLength: XSK_TX_METADATA_BYTES })])('the kernel reads, whatever stood there', (asked, bytes) => {
    const view = new DataView(bytes.buffer);
    writeTxMetadata(view, 0, asked);
    const read = { ...NO_TX_METADATA };
    expect(readTxMetadata(view, 0, 60, read)).toBe(0);
    expect(read).toEqual({ ...asked, csumOffset: asked.csumStart < 0 ? 0 : asked.csumOffset });
  });

  it('has 16 bytes without a launch time, and no others are touched', () => {
    const bytes = new Uint8Array(XSK_TX_METADATA_BYTES).fill(0xee);
    writeTxMetadata(new DataView(bytes.buffer), 0, { wantsTimestamp: true, csumStart: 34, csumOffset: 6, launchTimeNs: -1 });
    expect(Buffer.from(bytes).toString('hex')).toBe('0300000000000000' + '22000600' + 'ee'.repeat(12));
  });

  prop([fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })])('reads the time that the kernel wrote', (tNs) => {
    const view = new DataView(new ArrayBuffer(XSK_TX_METADATA_BYTES));
    writeTxTimestamp(view, 0, tNs);
    expect(readTxTimestamp(view, 0)).toBe(tNs);
  });
});

describe('struct xsk_tx_metadata', () => {
  it('asks for a checksum, counted from csum_start', () => {
    const made = bench({ flags: CHECKSUM, csumStart: 34, csumOffset: 6 });
    expect(made.send()).toBe(0);
    expect(made.checksums).toEqual([[34, 6]]);
  });

  it('is looked at only where the descriptor says that it is there', () => {
    const made = bench({ flags: CHECKSUM, csumStart: 34, csumOffset: 6, options: 0 });
    expect(made.send()).toBe(0);
    expect(made.checksums).toEqual([[-1, 0]]);
  });

  it('lies at its low end when tx_metadata_len is larger than the struct', () => {
    const made = bench({ flags: CHECKSUM, csumStart: 34, csumOffset: 6, txMetadataBytes: 64 });
    expect(made.send()).toBe(0);
    expect(made.checksums).toEqual([[34, 6]]);
  });

  it.each<[string, Request]>([
    ['a flag that is not known', { flags: 8 }],
    ['a checksum behind the packet', { flags: CHECKSUM, csumStart: 57, csumOffset: 2 }],
    ['metadata of a UMEM without any', { flags: CHECKSUM, csumStart: 34, csumOffset: 6, txMetadataBytes: 0 }],
  ])('%s is EINVAL, as often as one asks, until it is mended in place', (_, what) => {
    const made = bench(what);
    for (let call = 0; call < 3; call++) expect(made.send()).toBe(EINVAL);
    expect([made.tx.consumer, made.sent.length, made.socket.statistics.tx_invalid_descs]).toEqual([0, 0, 0]);
    if (what.txMetadataBytes === 0) return;
    request(made, 256 - 24, CHECKSUM, 58, 0);
    expect(made.send()).toBe(0);
    expect(made.checksums).toEqual([[58, 0]]);
  });

  it('gets the time at which the frame was sent over the request', () => {
    const made = bench({ flags: TIMESTAMP | LAUNCH_TIME });
    made.send();
    made.completeOldest(5_000_000_123);
    expect(made.memory.view.getBigUint64(made.umemAddress + 256 - 24 + 8, true)).toBe(5_000_000_123n);
  });

  it('stays as it is without a wish for a time', () => {
    const made = bench({ flags: CHECKSUM, csumStart: 34, csumOffset: 6 });
    made.send();
    made.completeOldest(5_000_000_123);
    expect(made.memory.view.getUint16(made.umemAddress + 256 - 24 + 8, true)).toBe(34);
  });

  it('is an option that no kernel before 6.8 knows', () => {
    const made = new SocketBench({ chunkCount: 8, chunkSizeBytes: CHUNK, kernel: '6.6' });
    made.queue(256, 60, XDP_TX_METADATA);
    expect(made.send()).toBe(0);
    expect(made.socket.statistics.tx_invalid_descs).toBe(1);
  });
});
