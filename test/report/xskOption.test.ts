import { describe, expect, it } from 'vitest';
import { formatProblem } from '../../src/base/index.js';
import { readXskOptions, RUN_DEFAULTS, runCapture } from '../../src/report/index.js';
import type { RunOptions, RunReport, XskOptions } from '../../src/report/index.js';
import { redirectToSocket, returning } from '../support/simulate.js';

const OPTIONS: RunOptions = {
  ...RUN_DEFAULTS, object: 'fixtures/programs/xsk_redirect/xsk_redirect.o', pcap: 'fixtures/pcaps/mixed.pcap', set: [], map: [],
};

const withXskMap = redirectToSocket();
const without = returning(2);

describe('readXskOptions', () => {
  const read = (options: Partial<XskOptions>, object = withXskMap): unknown => {
    const result = readXskOptions({ xsk: 'auto', ...options }, object);
    if (!result.ok) return formatProblem(result.problem);
    const { application: _application, ...settings } = result.value.spec ?? { application: undefined };
    return [result.value.name, settings];
  };

  it('takes rxdrop when there is an XSKMAP, and nothing else', () => {
    expect(read({})).toEqual(['rxdrop', {}]);
    expect(read({}, without)).toEqual(['none', {}]);
    expect(read({ xsk: 'none' })).toEqual(['none', {}]);
    expect(read({ xsk: 'l2fwd' }, without)).toEqual(['l2fwd', {}]);
  });

  it('takes what is said of the sockets, and no more', () => {
    expect(read({ xsk: 'echo', xskMode: 'zerocopy', xskFrames: 64, xskFrameSize: 2048, xskHeadroom: 100, xskUnaligned: true, xskNeedWakeup: true, xskSg: true, xskTxMetadata: 32, xskSwCsum: true, xskRings: '64' })).toEqual([
      'echo',
      { mode: 'zerocopy', chunkCount: 64, chunkSizeBytes: 2048, headroomBytes: 100, isUnaligned: true, usesNeedWakeup: true, hasSg: true, txMetadataBytes: 32, hasTxSwCsum: true, rings: { rx: 64, tx: 64, fill: 64, completion: 64 } },
    ]);
    expect(read({ xskRings: 'rx=2048,comp=16' })).toEqual(['rxdrop', { rings: { rx: 2048, tx: 2048, fill: 4096, completion: 16 } }]);
    expect(read({ xsk: 'txonly:metadata=both' })).toEqual(['txonly', { txMetadataBytes: 24 }]);
    expect(read({ xsk: 'txonly:metadata=both', xskTxMetadata: 64 })).toEqual(['txonly', { txMetadataBytes: 64 }]);
  });

  it.each<[Partial<XskOptions>, string]>([
    [{ xskFrames: 0 }, '--xsk-frames: 0 is out of range; use a whole number from 1 to 1048576'],
    [{ xskFrameSize: 2048.5 }, '--xsk-frame-size: 2048.5 is out of range; use a whole number from 0 to 4294967295'],
    [{ xskHeadroom: NaN }, '--xsk-headroom: NaN is out of range; use a whole number from 0 to 4294967295'],
    [{ xskMemlock: 0.5 }, `--xsk-memlock: 0.5 is out of range; use a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`],
    [{ xskTxMetadata: -8 }, '--xsk-tx-metadata: -8 is out of range; use a whole number from 0 to 4294967295'],
    [{ xskMode: 'zero' }, "--xsk-mode: there is no 'zero'; did you mean zerocopy?"],
    [{ xskMode: 'toString' }, "--xsk-mode: there is no 'toString'; use one of: auto, copy, zerocopy"],
    [{ xskRings: 'rx=64,rx=64' }, '--xsk-rings: rx is there twice; write --xsk-rings 2048, or --xsk-rings rx=2048,fill=4096 with rx, tx, fill and comp'],
    [{ xskRings: 'completion=64' }, "--xsk-rings: there is no ring 'completion'; write --xsk-rings 2048, or --xsk-rings rx=2048,fill=4096 with rx, tx, fill and comp"],
    [{ xskRings: 'rx=1e3' }, "--xsk-rings: '1e3' is no size; write --xsk-rings 2048, or --xsk-rings rx=2048,fill=4096 with rx, tx, fill and comp"],
    [{ xskRings: '' }, "--xsk-rings: there is no ring ''; write --xsk-rings 2048, or --xsk-rings rx=2048,fill=4096 with rx, tx, fill and comp"],
    [{ xsk: 'rxdorp' }, "--xsk: there is no 'rxdorp'; did you mean rxdrop?"],
    [{ xsk: 'none', xskSg: true }, '--xsk-sg: it is for the sockets of an AF_XDP application, and --xsk none says that there is none; leave it out, or choose an application: --xsk rxdrop, txonly, l2fwd, echo'],
  ])('%o', (options, problem) => {
    expect(read(options)).toBe(problem);
  });

  it('a setting of sockets for an object that has no use for any', () => {
    expect(read({ xskRings: '64' }, without)).toContain('--xsk-rings: it is for the sockets of an AF_XDP application, and the object has no XSKMAP for one');
  });
});

describe('runCapture', () => {
  const run = (options: Partial<RunOptions>): RunReport | string => {
    const result = runCapture({ ...OPTIONS, ...options });
    return result.ok ? result.value : formatProblem(result.problem);
  };

  it.each<[Partial<RunOptions>, string]>([
    [{ xskFrameSize: 1024 }, '--xsk-frame-size: setsockopt(XDP_UMEM_REG): EINVAL, --xsk-frame-size 1024 is out of range; use 2048 or 4096, or, with unaligned chunks, any size from 2048 to 4096'],
    [{ xskFrameSize: 0 }, '--xsk-frame-size: setsockopt(XDP_UMEM_REG): EINVAL, --xsk-frame-size 0 is out of range; use 2048 or 4096, or, with unaligned chunks, any size from 2048 to 4096'],
    [{ xskFrameSize: 3000 }, '--xsk-frame-size: setsockopt(XDP_UMEM_REG): EINVAL, --xsk-frame-size 3000 is no power of two; use 2048 or 4096, or set --xsk-unaligned'],
    [{ xskHeadroom: 3393 }, '--xsk-headroom: setsockopt(XDP_UMEM_REG): EINVAL, --xsk-headroom 3393 leaves too little of a chunk; use at most 3392: 256 bytes are XDP\'s own, 448 must be left'],
    [{ xskMemlock: 65535, xskFrames: 16 }, "--xsk-memlock: setsockopt(XDP_UMEM_REG): ENOBUFS, so much memory can't be locked; raise --xsk-memlock (ulimit -l), or use fewer chunks"],
    [{ xskTxMetadata: 20 }, '--xsk-tx-metadata: setsockopt(XDP_UMEM_REG): EINVAL, --xsk-tx-metadata 20 is not allowed; use a multiple of 8 below 256; struct xsk_tx_metadata has 24 bytes'],
    [{ xskRings: 'fill=3' }, '--xsk-rings: setsockopt(XDP_UMEM_FILL_RING): EINVAL, 3 entries are not allowed; use a power of two'],
    [{ xskRings: 'tx=0' }, '--xsk-rings: 0 entries are not allowed for the tx ring (EINVAL); use a power of two'],
    [{ xskRings: 'rx=2147483648' }, '--xsk-rings: setsockopt(XDP_RX_RING): ENOMEM, there is no memory for 2147483648 entries; use a smaller ring; 2048 is what libxdp takes'],
    [{ xskMode: 'zerocopy' }, "--xsk-mode: bind(): EOPNOTSUPP, --xsk-mode zerocopy was asked for, and the driver can't, or not with these packets; without --xsk-mode zerocopy the socket gets copy mode then; a driver that can has xsk-zerocopy among its XDP features (docs/nic.md, sim nic show NAME)"],
    [{ xskSg: true, kernel: '6.1' }, '--xsk-sg: bind(): EINVAL, interface 1 has no queue 0, or the kernel is too old for --xsk-sg; look at ethtool -l; --xsk-sg takes Linux 6.6'],
    [{ xskTxMetadata: 24, kernel: '6.6' }, '--xsk-sw-csum: setsockopt(XDP_UMEM_REG): EINVAL, this kernel may be too old for metadata of packets to be sent; it takes Linux 6.8; leave --xsk-sw-csum and --xsk-tx-metadata out'],
  ])('%o: what the kernel refuses, in terms of the flags', (options, problem) => {
    expect(run(options)).toBe(problem);
  });

  it('more chunks than host memory has room for', () => {
    expect(run({ xskFrames: 2 ** 20 })).toBe('--xsk-frames, --xsk-frame-size, --queues: 1048576 chunks of 4096 bytes for each of 4 queues are more than host memory has room for, 4293918720 bytes; use fewer or smaller chunks, or fewer queues');
    expect(run({ xskFrameSize: 2 ** 32 - 1, queues: 1 })).toContain(': 4096 chunks of 4294967295 bytes for each of 1 queues');
  });

  it.each([0, 8])('requests for a device that metadata of %i bytes has no room for', (xskTxMetadata) => {
    expect(run({ xsk: 'txonly:count=3,metadata=both', xskTxMetadata })).toContain(`txonly: its requests take 16 bytes of metadata before each packet, and the UMEM has ${xskTxMetadata}`);
  });

  it('every combination of chunks and modes delivers the same packets', () => {
    const outcomes = (options: Partial<RunOptions>): unknown => {
      const report = run(options) as RunReport;
      expect(report.audit.ok).toBe(true);
      return [report.outcomes['xsk'], report.outcomes['stack']];
    };
    for (const nic of ['plain', 'i40e', 'mlx5', 'virtio_net']) {
      const expected = outcomes({ nic, xskMode: 'copy' });
      for (const options of [{ xskMode: 'auto' }, { xskFrameSize: 2048 }, { xskFrameSize: 3000, xskUnaligned: true }, { xskNeedWakeup: true }, { xskSg: true }, { xskHeadroom: 128, xskSg: true, xskNeedWakeup: true }]) {
        expect(outcomes({ nic, xsk: 'l2fwd', ...options }), JSON.stringify([nic, options])).toEqual(expected);
      }
    }
  });
});
