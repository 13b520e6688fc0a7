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
  /** REDIRECT_IFINDEX: the target. A map look-up that missed leaves what an earlier bpf_redirect set, else 0. */
  ifindex: number;
  /** REDIRECT_MAP: what the map's slot held when the helper looked (tgt_value), e.g. socket id + 1 of an XSKMAP. */
  target: number;
  mapId: number;
  mapType: number;
  /** Index or key in the map. */
  key: number;
  /** Flags of bpf_redirect_map. */
  flags: number;
}

export function createRedirectInfo(): RedirectInfo {
  return { kind: REDIRECT_NONE, ifindex: 0, target: 0, mapId: 0, mapType: 0, key: 0, flags: 0 };
}

export function clearRedirect(info: RedirectInfo): void {
  info.kind = REDIRECT_NONE;
  info.ifindex = 0;
  info.target = 0;
  info.mapId = 0;
  info.mapType = 0;
  info.key = 0;
  info.flags = 0;
}
