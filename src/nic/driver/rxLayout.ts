import { SKB_SHARED_INFO_BYTES } from '../../vm/index.js';
import type { NicProfile } from '../profiles/profile.js';

//     buffer                                                                                            buffer + frame size
//     │◄──────────── headroom ────────────►│◄─ prefix, if any ─►│◄──── packet ────►│  tailroom  │◄─ skb_shared_info ─►│
//                                          ▲ the device writes from here on        (igc: time stamp, 16 bytes)
//     │◄──────── headroom ─── prefix ─────►│◄──── packet ────►│                    (virtio: header, 12 bytes, within the headroom)

/** How a receive buffer is divided: bytes from its start. */
export interface RxLayout {
  /** Where xdp->data_hard_start is, and how far xdp->frame_sz reaches from there. */
  readonly hardStartOffBytes: number;
  readonly frameSizeBytes: number;
  /** Where the device begins to write, and how much it may: what the descriptor says. */
  readonly deviceOffBytes: number;
  readonly deviceBytes: number;
  /** Where the packet begins in the first buffer of a frame, and how much of it fits in there. */
  readonly packetOffBytes: number;
  readonly packetBytes: number;
}

/** Divides the buffers of a profile. */
export function rxLayout(profile: NicProfile, headroomBytes: number): RxLayout {
  const { frameSizeBytes, format } = profile;
  const prefix = format.rxPrefixBytes;
  const deviceOffBytes = profile.prefixInHeadroom === true ? headroomBytes - prefix : headroomBytes;
  const room = frameSizeBytes - SKB_SHARED_INFO_BYTES - deviceOffBytes;
  const deviceBytes = profile.bufferBytes === undefined ? room : Math.min(room, profile.bufferBytes);
  return { hardStartOffBytes: 0, frameSizeBytes, deviceOffBytes, deviceBytes, packetOffBytes: deviceOffBytes + prefix, packetBytes: deviceBytes - prefix };
}

/** Bytes of packet that one receive buffer of the profile takes. */
export function rxBufferBytes(profile: NicProfile): number {
  return rxLayout(profile, profile.headroom.default).packetBytes;
}
