import type { XdpRxqInfo } from '../../xdp/index.js';

/** struct xdp_buff, the fields that drivers use (include/net/xdp.h). Addresses are host addresses. One per poll is enough. */
export interface XdpBuff {
  data: number;
  data_end: number;
  data_meta: number;
  data_hard_start: number;
  frame_sz: number;
  rxq: XdpRxqInfo;
}

/** struct xdp_frame: what `xdp_convert_buff_to_frame` makes. In memory it lies in the first 40 bytes of the packet's page. */
export interface XdpFrame {
  /** Start of the page. */
  readonly page: number;
  data: number;
  len: number;
  headroom: number;
  /** Bytes of metadata before `data`; the metadata is there only if this says so. */
  metasize: number;
}

/** struct sk_buff, as far as a driver fills it in. */
export interface SkBuff {
  /** Start of the page, what napi_build_skb got. */
  head: number;
  data: number;
  len: number;
  /** skb_metadata_set. */
  metaBytes: number;
  /** skb_mark_for_recycle: the page goes back to its page_pool when the skb is freed. */
  pp_recycle: boolean;
}
