import { afterEach, describe, expect, it, vi } from 'vitest';
import { Owner } from '../../src/memory/index.js';
import { IOMMU_WRITE, PagePool } from '../../src/nic/index.js';
import { audit, PacketTally, takeCensus } from '../../src/sim/index.js';
import type { AuditReport } from '../../src/sim/index.js';
import { nicSettings, redirectToSocket, returning, simulate, burst, udpFrame } from '../support/simulate.js';
import { NicBench, RingWatch } from '../nic/support.js';

/** Ten frames, what breaks the driver before they arrive, and the audit afterwards. */
function auditOf(retval: number, sabotage: (bench: NicBench, watch: RingWatch) => void = () => {}): AuditReport {
  const watch = new RingWatch(nicSettings().profile);
  const bench = new NicBench({ object: returning(retval), settings: { profile: watch.profile, rxRingSize: 64, txRingSize: 64 } });
  const { nic, allocator } = bench;
  sabotage(bench, watch);
  const received = new PacketTally();
  for (let id = 1; id <= 10; id++) received.add(id);
  bench.arrive(Array.from({ length: 10 }, () => udpFrame(64)));
  const ended = new PacketTally();
  for (const { packetId } of bench.ends) ended.add(packetId);
  const nics = [{ name: 'if1', nic }];
  const census = takeCensus(nics, allocator);
  nic.driver.close();
  return audit(nics, allocator, [], census, received, ended);
}

const failed = ({ checks, ok }: AuditReport): string[] => {
  const names = checks.filter((check) => !check.ok).map(({ name }) => name);
  expect(ok).toBe(names.length === 0);
  return names;
};
const detailOf = (report: AuditReport, name: string): string => report.checks.find((check) => check.name === name)?.detail ?? '';

/** Replaces the first call of a method of the only pool. */
function firstCall(name: 'recycleDirect' | 'recycle', instead: (pool: PagePool, page: number, from: Owner) => void): void {
  vi.spyOn(PagePool.prototype, name).mockImplementationOnce(function (this: PagePool, page: number, from: Owner) {
    instead(this, page, from);
  });
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe('the audit of a correct driver', () => {
  it.each([0, 1, 2, 3, 4, 77])('finds nothing when the program returns %i', (retval) => {
    const report = auditOf(retval);
    expect(failed(report)).toEqual([]);
    expect(report.checks.map(({ name }) => name)).toEqual(['packets', 'pages', 'pages after shutdown', 'DMA mappings', 'DMA rules', 'buffer rules', 'ownership']);
    expect(report.pages).toEqual({ pool: expect.any(Number), device: 63 });
  });
});

describe('the audit of a broken driver', () => {
  it('a page that is recycled twice', () => {
    const report = auditOf(1, () =>
      firstCall('recycleDirect', (pool, page, from) => {
        pool.recycleDirect(page, from);
        pool.recycleDirect(page, from);
      }),
    );
    expect(failed(report)).toEqual(['pages', 'ownership']);
    expect(detailOf(report, 'pages')).toBe('64 in use: 63 on RX rings, 2 idle in the pools');
    expect(detailOf(report, 'ownership')).toMatch(/first: page \d+ at 0x[0-9a-f]+ \(packet 1\) was to go from driver to pool, but belonged to pool/);
  });

  it('a page that is forgotten', () => {
    const report = auditOf(1, () => firstCall('recycleDirect', () => {}));
    // Its mapping is gone: page_pool_destroy unmaps what is in flight (page_pool_scrub, 6.18).
    expect(failed(report)).toEqual(['pages', 'pages after shutdown']);
    expect(detailOf(report, 'pages after shutdown')).toMatch(/1 leaked: .*driver 1/);
    expect(detailOf(report, 'pages')).toBe('64 in use: 63 on RX rings, 0 idle in the pools, astray: driver 1');
  });

  it('a page of the stack that never comes back', () => {
    const report = auditOf(2, () => firstCall('recycle', () => {}));
    expect(failed(report)).toEqual(['pages', 'pages after shutdown']);
    expect(detailOf(report, 'pages after shutdown')).toMatch(/stack 1/);
  });

  it('a page that goes to the page allocator behind the back of its pool', () => {
    const report = auditOf(1, ({ allocator }) => firstCall('recycleDirect', (_pool, page, from) => allocator.free(page, from)));
    expect(failed(report)).toEqual(['pages']);
    expect(detailOf(report, 'pages')).toMatch(/but the pools answer for/);
  });

  it('a page that is used after it was given to the pool', () => {
    const report = auditOf(3, ({ allocator, nic }, watch) => {
      allocator.ledger.move(watch.postedPage(nic.iommu, 0).page, Owner.device, Owner.pool);
    });
    expect(failed(report)).toEqual(['ownership']);
    expect(detailOf(report, 'ownership')).toMatch(/was to go from device to device, but belonged to pool/);
  });

  it('a mapping that is never taken back', () => {
    const report = auditOf(1, ({ nic }) => nic.iommu.mapPage(0x10000, IOMMU_WRITE));
    expect(failed(report)).toEqual(['DMA mappings']);
    expect(detailOf(report, 'DMA mappings')).toBe('1 left over, 0 faults');
  });

  it('a mapping of the wrong direction: the frame never leaves', () => {
    const report = auditOf(3, ({ nic: { iommu } }, watch) => watch.remap(iommu, 4, IOMMU_WRITE));
    expect(failed(report)).toEqual(['DMA mappings']);
    expect(detailOf(report, 'packets')).toBe('10 on the wire, 10 with an outcome');
    expect(detailOf(report, 'DMA mappings')).toBe('0 left over, 1 faults; first: the mapping has the other direction');
  });

  it('a packet that ends twice while another never does', () => {
    const report = auditOf(1, ({ nic, allocator: { ledger } }, watch) => {
      const { driver, iommu } = nic;
      const interrupt = driver.onInterrupt.bind(driver);
      driver.onInterrupt = (queue) => {
        const [first, second] = [0, 1].map((slot) => watch.postedPage(iommu, slot).page);
        ledger.packetId[ledger.indexOf(second)] = ledger.packetId[ledger.indexOf(first)];
        interrupt(queue);
      };
    });
    expect(failed(report)).toEqual(['packets']);
    expect(detailOf(report, 'packets')).toMatch(/10 on the wire, 10 with an outcome, but not the same/);
  });

  it('a completion that is never told to the socket', () => {
    const run = simulate({
      object: redirectToSocket(),
      frames: burst(5),
      xsk: { application: 'l2fwd' },
      before: ({ sockets }) => {
        let isFirst = true;
        const pool = sockets[0]!.pool!;
        const complete = pool.completePacket.bind(pool);
        pool.completePacket = (packet, tNs) => {
          complete(packet, tNs);
          // The entry is taken back before the application sees it.
          if (isFirst) pool.completion.ring.producer -= 1;
          isFirst = false;
        };
      },
    });
    expect(failed(run.result.audit)).toEqual(['chunks of socket 0']);
    expect(detailOf(run.result.audit, 'chunks of socket 0')).toMatch(/chunk 0 is to lie in COMPLETION slot 0/);
  });
});

describe('PacketTally', () => {
  const tally = (...ids: number[]): PacketTally => {
    const packets = new PacketTally();
    for (const id of ids) packets.add(id);
    return packets;
  };

  it('does not care for the order', () => {
    expect(tally(1, 2, 3).equals(tally(3, 1, 2))).toBe(true);
    expect(tally().equals(tally())).toBe(true);
  });

  it.each([[[1, 2], [1]], [[1, 2], [1, 1]], [[1, 4], [2, 3]], [[1, 5, 6], [2, 3, 7]], [[1], [2]]])('%j is not %j', (left, right) => {
    expect(tally(...left).equals(tally(...right))).toBe(false);
  });
});
