import { expect, it } from 'vitest';
import { unwrap } from '../../src/base/index.js';
import { writePackets } from '../../src/packet/capture/index.js';
import { RUN_DEFAULTS, runCapture } from '../../src/report/index.js';
import type { RunReport } from '../../src/report/index.js';
import { udpFrame } from '../support/simulate.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

const folder = temporaryFolder();

// Once a wrong checksum of an arrival was taken for the program's work, as nobody behind --rings-at heard of arrivals.
it('--rings-at changes nothing of what --verify-checksums finds', () => {
  const pcap = folder.at('wrong.pcap');
  const wrong = udpFrame(60);
  wrong.set([0x12, 0x34], 40);
  writePackets(pcap, [wrong, udpFrame(80)]);
  const run = (ringsAt?: string): RunReport => unwrap(runCapture({
    ...RUN_DEFAULTS, object: 'fixtures/programs/xsk_redirect/xsk_redirect.o', pcap, queues: 1, xsk: 'l2fwd', xskMode: 'copy', set: [], map: [], verifyChecksums: true, ...(ringsAt === undefined ? {} : { ringsAt }),
  }));
  const { rings_at: rings, ...report } = run('packet:1,1ms');
  expect(rings!.map(({ status }) => status)).toEqual(['seen', 'after-end']);
  expect(report).toEqual(run());
  expect(report.checksums).toMatchObject({ packets: 4, wrong_count: 0 });
  expect(report.checksums!.wrong_on_arrival).toBeGreaterThan(0);
});
