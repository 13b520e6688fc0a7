/** No redirect helper was called: XDP_REDIRECT fails with EBADRQC. */
export const REDIRECT_NONE = 0;
/** To a device by its ifindex. */
export const REDIRECT_IFINDEX = 1;
/** To an entry of a map. */
export const REDIRECT_MAP = 2;

/**
 * What the last redirect helper of this run asked for (struct bpf_redirect_info, include/linux/filter.h). It counts only
 * if the program then returns XDP_REDIRECT. Cleared at the start of every run.
 */
export interface RedirectInfo {
  /** REDIRECT_NONE, REDIRECT_IFINDEX or REDIRECT_MAP. */
  kind: number;
  /**
   * REDIRECT_IFINDEX: the target's ifindex. REDIRECT_MAP: index or key in the map. One field for both, as in the kernel (tgt_index): a
   * map look-up that misses turns the redirect into one to an ifindex and leaves here what was set last, be it a key or an ifindex.
   */
  targetIndex: number;
  /** REDIRECT_MAP: what the map's slot held when the helper looked (tgt_value), socket id + 1 of an XSKMAP, address of the entry of a DEVMAP or CPUMAP. */
  target: number;
  mapId: number;
  mapType: number;
  /** REDIRECT_MAP: BPF_F_BROADCAST, and BPF_F_EXCLUDE_INGRESS with it; 0 for one entry. */
  flags: number;
}

export function createRedirectInfo(): RedirectInfo {
  return { kind: REDIRECT_NONE, targetIndex: 0, target: 0, mapId: 0, mapType: 0, flags: 0 };
}

export function clearRedirect(info: RedirectInfo): void {
  info.kind = REDIRECT_NONE;
  info.targetIndex = 0;
  info.target = 0;
  info.mapId = 0;
  info.mapType = 0;
  info.flags = 0;
}
