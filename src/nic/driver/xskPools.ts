import { EINVAL, ENETDOWN, ENOMEM } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { Umem, XskBuffPool, XskZeroCopy } from '../../umem/index.js';
import { NETDEV_XDP_ACT_BASIC, NETDEV_XDP_ACT_REDIRECT, NETDEV_XDP_ACT_XSK_ZEROCOPY } from '../../xdp/index.js';
import { DMA_BIDIRECTIONAL } from '../dma/direction.js';
import { DMA_ATTR_SKIP_CPU_SYNC } from '../dma/dmaApi.js';
import type { ZeroCopySupport } from '../profiles/profile.js';
import type { DriverConfig, DriverState } from './driverState.js';
import { XskBuffers, xskLayout } from './xskBuffers.js';

/** What a device must offer for zero copy (xp_assign_dev). */
const NETDEV_XDP_ACT_XSK = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT | NETDEV_XDP_ACT_XSK_ZEROCOPY;

/** A UMEM that is mapped for the device, for as many queues (struct xsk_dma_map). */
interface UmemMapping {
  readonly iovaLow: number;
  readonly sizeBytes: number;
  users: number;
}

/** What only the driver itself can do. */
export interface XskDriver {
  /** The queue pair is stopped, and begins anew with these buffers, or, for `undefined`, with its own. */
  restart(queue: number, buffers: XskBuffers | undefined): void;
  /** Schedules the NAPI of a queue, by an interrupt that software triggers. */
  trigger(queue: number): void;
}

/**
 * AF_XDP pools on the queues of a NIC: ndo_bpf with XDP_SETUP_XSK_POOL and ndo_xsk_wakeup (ice_xsk.c and its kin, 6.18).
 *
 * Without a program in the driver a queue takes a pool and goes on with its own buffers: its sockets are in zero-copy mode, but neither receive, unless
 * generic XDP copies for them, nor send.
 */
export class XskPools implements XskZeroCopy {
  readonly maxSegments: number;
  readonly #config: DriverConfig;
  readonly #state: DriverState;
  readonly #support: ZeroCopySupport;
  readonly #driver: XskDriver;
  readonly #pools: (XskBuffPool | undefined)[];
  readonly #mappings = new Map<Umem, UmemMapping>();

  /** `undefined` for a driver without zero copy. */
  static of(state: DriverState, driver: XskDriver): XskPools | undefined {
    const { features, zeroCopy } = state.config.profile.xdp;
    return zeroCopy === undefined || (features & NETDEV_XDP_ACT_XSK) !== NETDEV_XDP_ACT_XSK ? undefined : new XskPools(state, zeroCopy, driver);
  }

  private constructor(state: DriverState, support: ZeroCopySupport, driver: XskDriver) {
    this.#config = state.config;
    this.#state = state;
    this.#support = support;
    this.#driver = driver;
    this.maxSegments = support.maxSegments;
    this.#pools = Array.from({ length: state.config.queues }, () => undefined);
  }

  get #hasProgram(): boolean {
    return this.#config.program !== undefined;
  }

  /** 0, -EINVAL (no such queue) or -ENOMEM (no I/O addresses for the UMEM). */
  setupPool(queueId: number, pool: XskBuffPool | undefined): number {
    if (queueId >= this.#pools.length) return -EINVAL;
    return pool === undefined ? this.#disable(queueId) : this.#enable(queueId, pool);
  }

  #enable(queue: number, pool: XskBuffPool): number {
    const mapping = this.#map(pool);
    if (mapping === undefined) return -ENOMEM;
    this.#pools[queue] = pool;
    if (!this.#state.isOpen || !this.#hasProgram) return 0;
    this.#driver.restart(queue, new XskBuffers(pool, this.#config.dma, mapping.iovaLow, this.#config.rxRingSize));
    // Kicks NAPI off: without a packet nobody would ask for wake-ups when FILL is too short.
    this.#driver.trigger(queue);
    return 0;
  }

  #disable(queue: number): number {
    const pool = this.#pools[queue];
    if (pool === undefined) return -EINVAL;
    if (this.#state.isOpen && this.#hasProgram) this.#driver.restart(queue, undefined);
    this.#pools[queue] = undefined;
    this.#unmap(pool.umem);
    return 0;
  }

  /** xp_dma_map: all of the UMEM, once for all its pools. The driver syncs by itself. */
  #map({ umem }: XskBuffPool): UmemMapping | undefined {
    const known = this.#mappings.get(umem);
    if (known !== undefined) {
      known.users++;
      return known;
    }
    const { dma, umems, profile } = this.#config;
    const sizeBytes = Math.ceil(umem.sizeBytes / PAGE_BYTES) * PAGE_BYTES;
    dma.cache.addRange({ start: umem.address, sizeBytes });
    const iovaLow = dma.mapPage(umem.address, sizeBytes, DMA_BIDIRECTIONAL, 'XSK pool', DMA_ATTR_SKIP_CPU_SYNC);
    if (dma.mappingError(iovaLow)) return undefined;
    const mapping = { iovaLow, sizeBytes, users: 1 };
    this.#mappings.set(umem, mapping);
    umems.add(umem, xskLayout(profile, umem, 0).deviceOffBytes);
    return mapping;
  }

  #unmap(umem: Umem): void {
    const mapping = this.#mappings.get(umem)!;
    if (--mapping.users > 0) return;
    this.#config.dma.unmap(mapping.iovaLow, mapping.sizeBytes, DMA_BIDIRECTIONAL, 'XSK pool', DMA_ATTR_SKIP_CPU_SYNC);
    this.#config.umems.remove(umem);
    this.#mappings.delete(umem);
  }

  /** -ENETDOWN, or -EINVAL and its like where nothing is to be woken. */
  wakeup(queueId: number): number {
    if (!this.#state.isOpen) return -ENETDOWN;
    if (!this.#hasProgram && this.#support.wakeupErrno !== 0) return -this.#support.wakeupErrno;
    if (this.#pools[queueId] === undefined) return -EINVAL;
    this.#driver.trigger(queueId);
    return 0;
  }

  /** The device goes away: no mapping stays. The queues have been stopped. */
  close(): void {
    this.#pools.forEach((pool, queue) => {
      if (pool === undefined) return;
      this.#pools[queue] = undefined;
      this.#unmap(pool.umem);
    });
  }
}
