import { describe, expect, it } from 'vitest';
import { NO_PACKET, TraceLog } from '../../src/sim/index.js';
import type { TraceRecord } from '../../src/sim/index.js';
import { traceLine, TRACEPOINTS } from '../../src/xdp/index.js';
import { burst, captureOf, returning, simulate, simulationOf } from '../support/simulate.js';
import { unwrap } from '../../src/base/index.js';

const lines = (records: readonly TraceRecord[]): string[] => records.map(({ packetId, tracepoint, fields }) => `${packetId} ${traceLine(tracepoint, fields)}`);

describe('the log of tracepoints', () => {
  it('has the fields of the kernel\'s records in their order, and the packet where there is one', () => {
    const log = new TraceLog({ tNs: 7, cpu: 1, packetId: 42 });
    log.xdpException(2, 30, 100);
    log.xdpBulkTx(2, 15, 1, 0);
    log.xdpRedirect(2, 30, 0, 3, 5, 0xffffffff);
    log.xdpRedirect(2, 30, -100, 3, 5, 4);
    log.xdpCpumapKthread(5, 1, 8, 0, 1, 5, 2, 1);
    log.xdpCpumapEnqueue(5, 0, 8, 2, 1);
    log.xdpDevmapXmit(2, 3, 16, 0, 0);
    expect(lines(log.kept)).toEqual([
      '42 xdp_exception: prog_id=30 action=0x64 ifindex=2',
      '0 xdp_bulk_tx: ifindex=2 action=TX sent=15 drops=1 err=0',
      '42 xdp_redirect: prog_id=30 action=REDIRECT ifindex=2 to_ifindex=3 err=0 map_id=5 map_index=-1',
      '42 xdp_redirect_err: prog_id=30 action=REDIRECT ifindex=2 to_ifindex=3 err=-100 map_id=5 map_index=4',
      '0 xdp_cpumap_kthread: kthread cpu=1 map_id=5 action=REDIRECT processed=8 drops=0 sched=1 xdp_pass=5 xdp_drop=2 xdp_redirect=1',
      '0 xdp_cpumap_enqueue: enqueue cpu=0 map_id=5 action=REDIRECT processed=8 drops=2 to_cpu=1',
      '0 xdp_devmap_xmit: ndo_xdp_xmit from_ifindex=2 to_ifindex=3 action=REDIRECT sent=16 drops=0 err=0',
    ]);
    expect(log.kept.every(({ tNs, cpu, tracepoint, fields }) => tNs === 7 && cpu === 1 && fields.length === TRACEPOINTS[tracepoint].fields.length)).toBe(true);
    expect([...log.counts]).toEqual(TRACEPOINTS.map(() => 1));
    expect(NO_PACKET).toBe(0);
  });

  it('keeps the first ten thousand and counts all; a watcher hears all', () => {
    const frames = Array.from({ length: 170 }, (_, i) => burst(64, 64, i * 1e6)).flat();
    const simulation = simulationOf({ object: returning(0) });
    let heard = 0;
    const result = unwrap(simulation.run(captureOf(frames), { onTrace: ({ packetId }) => void (heard = packetId === heard + 1 ? packetId : NaN) }));
    expect(result.traces).toHaveLength(10_000);
    expect(result.traces.at(-1)).toMatchObject({ packetId: 10_000, tracepoint: 0 });
    expect(result.traceCounts[0]).toBe(frames.length);
    expect(heard).toBe(frames.length);
  });

  it('is empty when nothing was hit', () => {
    const { result } = simulate({ object: returning(2), frames: burst(10) });
    expect(result.traces).toEqual([]);
    expect([...result.traceCounts]).toEqual(TRACEPOINTS.map(() => 0));
  });
});
