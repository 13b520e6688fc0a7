/**
 * The tracepoints of XDP (include/trace/events/xdp.h, 6.18; names and fields as in `trace_event_raw_*` of the kernel's BTF). Those of `xdp_redirect_map`
 * and `xdp_redirect_map_err` are other names of `xdp_redirect` and `xdp_redirect_err` and have no row.
 */
export interface XdpTracer {
  /** An action that came to nothing: XDP_ABORTED, a number that is no action, XDP_TX that could not be sent; in some drivers a failed redirect. */
  xdpException(ifindex: number, progId: number, act: number): void;
  /** A driver that sends XDP_TX in bulks (veth) has sent one. */
  xdpBulkTx(ifindex: number, sent: number, drops: number, err: number): void;
  /**
   * A redirect was accepted (`err` 0, `xdp_redirect`) or refused (`err` negative, `xdp_redirect_err`).
   *
   * @param toIfindex device that it goes to, 0 where it isn't known; for a map that is no DEVMAP, its key
   * @param mapId 0 for bpf_redirect
   */
  xdpRedirect(ifindex: number, progId: number, err: number, toIfindex: number, mapId: number, mapIndex: number): void;
  /** A bulk of frames went to a device's ndo_xdp_xmit. */
  xdpDevmapXmit(fromIfindex: number, toIfindex: number, sent: number, drops: number, err: number): void;
  /** A bulk of frames went onto the queue of another CPU. */
  xdpCpumapEnqueue(mapId: number, cpu: number, processed: number, drops: number, toCpu: number): void;
  /** The thread of a CPUMAP's entry went through a batch. */
  xdpCpumapKthread(mapId: number, cpu: number, processed: number, drops: number, sched: number, pass: number, drop: number, redirect: number): void;
}

/** Traces nothing. */
export const NO_TRACER: XdpTracer = {
  xdpException() {},
  xdpBulkTx() {},
  xdpRedirect() {},
  xdpDevmapXmit() {},
  xdpCpumapEnqueue() {},
  xdpCpumapKthread() {},
};
