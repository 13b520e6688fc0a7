import type { DeviceRegisters } from './deviceRegisters.js';
import type { DriverKernel } from './driverKernel.js';
import type { XdpFrame } from './xdpObjects.js';

/**
 * A driver as its author writes it: the entry points that the kernel calls, for a NIC with one queue pair. In C they are
 * `ndo_open`, `ndo_stop`, the interrupt handler, the NAPI poll function and `ndo_xdp_xmit`.
 *
 * The kit counts packets, follows every page, and says where each packet ended; a driver reports nothing. It only calls the kernel's functions
 * (`DriverKernel`), reads and writes registers, descriptors and packets, and is judged by that.
 */
export interface XdpDriver {
  /** ndo_open: makes pool and rings, posts the first buffers, tells the device where the rings are, enables NAPI and interrupts. */
  open(): void;
  /** ndo_stop: stops the device, gives every page back, frees the rings and destroys the pool. */
  stop(): void;
  /** The interrupt handler: masks the interrupt, schedules NAPI and acknowledges. */
  interrupt(): void;
  /**
   * The NAPI poll function.
   *
   * @param budget received packets that may be handled
   * @returns packets that were handled, every verdict counts; below the budget only after `napi_complete_done`
   */
  poll(budget: number): number;
  /**
   * ndo_xdp_xmit: frames that were redirected to this device. They come from anywhere, so they need mappings of their own.
   *
   * @param frames the first `count` are meant
   * @param flags XDP_XMIT_FLUSH: ring the doorbell at the end
   * @returns how many were queued, from the first on; the kernel frees the others
   */
  xdpXmit?(frames: readonly XdpFrame[], count: number, flags: number): number;
  /** `ethtool -S`, if the driver counts by itself. */
  statistics?(): Readonly<Record<string, number>>;
}

/** Makes a driver; called once for each NIC. What C keeps in `struct net_device` comes with the kernel. */
export type XdpDriverFactory = (kernel: DriverKernel, device: DeviceRegisters) => XdpDriver;

export { XDP_XMIT_FLUSH } from '../../xdp/index.js';
