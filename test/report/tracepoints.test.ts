import { describe, expect, it } from 'vitest';
import { runText } from '../../src/report/index.js';
import { reportOf } from './support.js';

const textOf = (...args: Parameters<typeof reportOf>): string => runText(reportOf(...args), (title) => title);

describe('tracepoints in the report', () => {
  it('are counted, and told with packet, time and CPU', () => {
    const { tracepoints, tracepoint_counts: counts, verdicts } = reportOf('aborter', 'arp-icmp.pcap', { queues: 1 });
    expect(counts).toEqual({ xdp_exception: 21 });
    expect(verdicts.XDP_ABORTED).toBe(21);
    expect(tracepoints).toHaveLength(21);
    expect(tracepoints[0]).toEqual({ name: 'xdp_exception', packet: 3, t_ns: 1_000_034_000, cpu: 0, fields: { prog_id: 1, act: 0, ifindex: 1 } });
    expect(tracepoints.every(({ packet }, i) => i === 0 || packet > tracepoints[i - 1]!.packet)).toBe(true);
  });

  it('are a section of the text, in the lines of trace_pipe', () => {
    const text = textOf('return_77', 'http.pcap', { queues: 1 });
    expect(text).toContain(
      '\nTracepoints (of failures: seconds since boot, CPU, line of trace_pipe)\n  xdp_exception  53\n  1.000000000 [000] xdp_exception: prog_id=1 action=0x4d ifindex=1\n',
    );
    expect(text).toContain('\n  and 33 more failures (--json shows all)\n');
  });

  it('are only counted in the text where nothing failed', () => {
    expect(textOf('redirect_self', 'vlan.pcap', { queues: 1 })).toMatch(/\nTracepoints\n {2}xdp_redirect +39\n {2}xdp_devmap_xmit +\d+\n\n/);
  });

  it('are nowhere when there are none', () => {
    expect(reportOf('count_hash', 'dns.pcap')).toMatchObject({ tracepoints: [], tracepoint_counts: {} });
    expect(textOf('count_hash', 'dns.pcap')).not.toContain('Tracepoints');
  });

  it.each([['ena', 0], ['octeontx2', 0], ['ice', 53], ['veth', 53], ['virtio_net', 53]])('of a verdict that is none are hit as the driver of %s does: %i times', (nic, hits) => {
    const counts = reportOf('return_77', 'http.pcap', { nic }).tracepoint_counts;
    expect(counts['xdp_exception'] ?? 0).toBe(hits);
  });
});
