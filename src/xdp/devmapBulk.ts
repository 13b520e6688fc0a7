import type { XdpXmitDevice } from './xdpDevice.js';

/** Frames that a bulk queue holds before the next one empties it (DEV_MAP_BULK_SIZE, include/net/xdp.h). */
export const DEV_MAP_BULK_SIZE = 16;

/**
 * Frames on their way from one CPU to one device (struct xdp_dev_bulk_queue, kernel/bpf/devmap.c, 6.18). Device of origin and program are those of the
 * first frame since the last flush: a frame that comes later by another way, say by bpf_redirect behind an entry with a program, is treated alike.
 */
export class DevmapBulk {
  readonly device: XdpXmitDevice;
  readonly frames = new Uint32Array(DEV_MAP_BULK_SIZE);
  count = 0;
  /** Interface of origin; 0: not on the flush list. */
  rxIfindex = 0;
  /** Id of the program of the entry, 0 for none. */
  programId = 0;

  constructor(device: XdpXmitDevice) {
    this.device = device;
  }
}
