import type { SkBuff } from './skBuff.js';

/**
 * What the redirect core needs of CPUMAPs (kernel/bpf/cpumap.c, 6.18). Frames come as `Owner.redirect` and stay so until they are dropped
 * (`XdpCore.dropFrame`), handed to the stack (`XdpCore.frameToStack`) or redirected again (`XdpCore.xdpDoRedirect`, as `Owner.driver`).
 */
export interface CpumapTarget {
  /**
   * cpu_map_enqueue: takes the frame onto the bulk queue of the CPU that runs and this entry. What becomes of it later is no error of the redirect.
   *
   * @param entry address of the map's entry (`RedirectInfo.target`): queue size and program, see `entryTarget` and `programOfEntry`
   * @param toCpu CPU of the entry: its key
   * @returns 0, or a negated errno: then the frame has not been taken
   */
  enqueue(entry: number, mapId: number, toCpu: number, frame: number): number;
  /**
   * cpu_map_generic_redirect: takes an skb, by itself and at once. On the other CPU `GenericXdp.runCpumapProgram` runs the entry's program, and what passes
   * goes on with `GenericXdp.skbToStack`. Left out: it happens at once, without queue or thread.
   *
   * @returns 0, or -ENOSPC when the queue is full: then the skb has not been taken
   */
  enqueueSkb?(entry: number, mapId: number, toCpu: number, skb: SkBuff): number;
  /** __cpu_map_flush of the CPU that runs. */
  flush(): void;
}
