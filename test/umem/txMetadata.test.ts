import { describe, expect, it } from 'vitest';
import { XDP_TX_METADATA } from '../../src/umem/index.js';
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
