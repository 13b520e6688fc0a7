import { describe, expect, it } from 'vitest';
import { RUN_DEFAULTS, runCapture, runText } from '../../src/report/index.js';
import type { RunOptions, RunReport } from '../../src/report/index.js';
import { unwrap } from '../../src/base/index.js';

const run = (options: Partial<RunOptions>): RunReport => unwrap(runCapture({
  ...RUN_DEFAULTS, object: 'fixtures/programs/xsk_redirect/xsk_redirect.o', pcap: 'fixtures/pcaps/dns.pcap', set: [], map: [], xsk: 'l2fwd', queues: 2, ...options,
}));
const bound = (options: Partial<RunOptions>): unknown =>
  run(options).xsk.map(({ queue, mode, need_wakeup: needWakeup, frames, frame_size: size, rings }) => [queue, mode, needWakeup, frames, size, rings.rx.size, rings.tx.size, rings.fill.size, rings.completion.size]);

describe('the report said nothing of how a socket was bound', () => {
  it('by default: zero copy where the driver can', () => {
    expect(bound({})).toEqual([0, 1].map((queue) => [queue, 'copy', false, 4096, 4096, 2048, 2048, 4096, 2048]));
    expect(bound({ nic: 'ice' })).toEqual([0, 1].map((queue) => [queue, 'zero-copy', false, 4096, 4096, 2048, 2048, 4096, 2048]));
    expect(run({ nic: 'ice', xskMode: 'copy' }).xsk).toMatchObject([{ mode: 'copy' }, { mode: 'copy' }]);
  });

  it('as it was asked for', () => {
    expect(bound({ nic: 'ice', queues: 1, xskNeedWakeup: true, xskFrames: 4000, xskFrameSize: 2048, xskRings: 'rx=512,tx=256,fill=1024,comp=128' }))
      .toEqual([[0, 'zero-copy', true, 4000, 2048, 512, 256, 1024, 128]]);
    expect(run({ queues: 1, xskFrames: 100, xskFrameSize: 3000, xskUnaligned: true }).xsk).toMatchObject([{ mode: 'copy', frames: 100, frame_size: 3000 }]);
  });

  it('in one line of text for all that are bound alike', () => {
    const report = run({ nic: 'ice', xskNeedWakeup: true });
    expect(runText(report, (title) => title)).toContain('AF_XDP sockets (l2fwd; rings as the run left them)\n  bound: zero-copy, need_wakeup on, 4,096 frames of 4,096 bytes each\n  socket');
    const [first, second] = report.xsk;
    const text = runText({ ...report, xsk: [first!, { ...second!, mode: 'copy' }] }, (title) => title);
    expect(text).toContain('  bound (0): zero-copy, need_wakeup on, 4,096 frames of 4,096 bytes\n  bound (1): copy, need_wakeup on, 4,096 frames of 4,096 bytes\n');
  });
});
