import { checkOptionNames, EBUSY, EINVAL } from '../base/index.js';
import type { OptionNames } from '../base/index.js';
import { SOCK_RAW, SOL_XDP, XDP_UMEM_REG } from '../umem/index.js';
import type { Mapping, XskSyscalls } from '../umem/index.js';
import { makeQueueRings, unmapQueueRings } from './queueRings.js';
import type { QueueRings } from './queueRings.js';
import { whyNoField, whyNoSocket, whyNoUmem } from './whyRefused.js';
import { refused } from './xskProblem.js';
import type { XskResult } from './xskProblem.js';

/** struct xsk_umem_config, with the defaults of libxdp. */
export interface XskUmemConfig {
  /** Entries of FILL and COMPLETION: powers of two. Left out: 2048. */
  readonly fillSize?: number;
  readonly compSize?: number;
  /** Bytes of a chunk: 2048 or 4096, or, with unaligned chunks, anything between. Left out: 4096. */
  readonly frameSize?: number;
  /** Bytes of a chunk between XDP's own 256 and the packet. Left out: 0. */
  readonly frameHeadroom?: number;
  /** XDP_UMEM_*. Left out: 0. */
  readonly flags?: number;
  /** Bytes of metadata before packets to be sent, with XDP_UMEM_TX_METADATA_LEN. Left out: 0. */
  readonly txMetadataLen?: number;
}

const DEFAULTS: Required<XskUmemConfig> = { fillSize: 2048, compSize: 2048, frameSize: 4096, frameHeadroom: 0, flags: 0, txMetadataLen: 0 };

const CONFIG_NAMES: OptionNames<XskUmemConfig> = { fillSize: true, compSize: true, frameSize: true, frameHeadroom: true, flags: true, txMetadataLen: true };

const UMEM_REG_BYTES = 32;
/** Its length is a u64; beyond this a number is none that is exact. */
const MOST_SIZE_BITS = 53;
const WHERE = 'UMEM';

/** Entries of the rings that were made on the socket of a UMEM. */
export interface RingSizes {
  rx?: number;
  tx?: number;
}

/** A queue that sockets of a UMEM are bound to. */
export interface QueueUse {
  readonly ifindex: number;
  readonly queueId: number;
  readonly rings: QueueRings;
  /** Of its sockets. */
  readonly fds: number[];
}

/**
 * Packet memory that the application shares with the kernel (struct xsk_umem of libxdp). It comes with the socket that it is registered on, and with
 * FILL and COMPLETION of the queue that this socket will be bound to, by `XskSocket.create`.
 *
 * @example
 * const nic = createTestNic(undefined);
 * const area = nic.syscalls.mmapAnonymous(64 * 2048);
 * const umem = unwrap(XskUmem.create(nic.syscalls, area, 64 * 2048, { frameSize: 2048, fillSize: 64, compSize: 64 }));
 * umem.config.frameSize; // 2048
 */
export class XskUmem {
  readonly syscalls: XskSyscalls;
  readonly area: Mapping;
  readonly sizeBytes: number;
  readonly config: Required<XskUmemConfig>;
  /** FILL and COMPLETION of the queue that its first socket will be bound to. */
  readonly rings: QueueRings;
  /** RX and TX that exist on its socket, though bind may have failed: for `XskSocket.create`. */
  readonly ringSizes: RingSizes = {};
  /** What `getData` gives an index into. */
  readonly u8: Uint8Array;
  readonly #queues: QueueUse[] = [];
  #fd: number;

  private constructor(syscalls: XskSyscalls, fd: number, area: Mapping, sizeBytes: number, config: Required<XskUmemConfig>, rings: QueueRings) {
    this.syscalls = syscalls;
    this.#fd = fd;
    this.area = area;
    this.sizeBytes = sizeBytes;
    this.config = config;
    this.rings = rings;
    this.u8 = area.u8;
  }

  /**
   * xsk_umem__create: opens a socket, registers the memory on it, makes and maps FILL and COMPLETION.
   *
   * @param area memory of the application's own, `syscalls.mmapAnonymous`
   * @param sizeBytes as much of it as is meant
   * @returns Problems `xsk-socket`, `xsk-umem-reg`, `xsk-umem-fill-ring`, `xsk-umem-completion-ring`, `xsk-mmap`: the system call that was refused, and why
   * @throws TypeError for memory that no `mmapAnonymous` gave; Error for a member of `config` that there is not
   */
  static create(syscalls: XskSyscalls, area: Mapping, sizeBytes: number, config: XskUmemConfig = {}): XskResult<XskUmem> {
    if (typeof (syscalls as Partial<XskSyscalls> | undefined)?.setsockopt !== 'function') throw new TypeError('XskUmem.create: these are no system calls; give nic.syscalls of a test NIC, or host.afXdp');
    if (typeof area?.address !== 'bigint') throw new TypeError('XskUmem.create: the memory has no address; give what syscalls.mmapAnonymous(bytes) gave');
    checkOptionNames('XskUmem.create, config', config, CONFIG_NAMES);
    const whole = { ...DEFAULTS, ...config };
    const fd = syscalls.socket(SOCK_RAW, 0);
    if (fd < 0) return refused(WHERE, 'socket(AF_XDP)', fd, whyNoSocket(-fd));
    const rings = register(syscalls, fd, area, sizeBytes, whole);
    if (rings.ok) return { ok: true, value: new XskUmem(syscalls, fd, area, sizeBytes, whole, rings.value) };
    syscalls.close(fd);
    return rings;
  }

  /** Of the socket that it is registered on; -1 when it is deleted: the number may be somebody else's then. */
  get fd(): number {
    return this.#fd;
  }

  /** Index into `u8` of the byte at a UMEM offset (xsk_umem__get_data). */
  getData(addr: number): number {
    this.syscalls.accessed?.(this.area.offBytes + addr);
    return this.area.offBytes + addr;
  }

  /** A queue that sockets of this UMEM are bound to (xsk_get_ctx): for `XskSocket`. */
  queueUse(ifindex: number, queueId: number): QueueUse | undefined {
    return this.#queues.find((each) => each.ifindex === ifindex && each.queueId === queueId);
  }

  /** A socket of it was bound. */
  addSocket(fd: number, ifindex: number, queueId: number, rings: QueueRings): void {
    const queue = this.queueUse(ifindex, queueId);
    if (queue === undefined) this.#queues.push({ ifindex, queueId, rings, fds: [fd] });
    else queue.fds.push(fd);
  }

  /** A socket of it was deleted; the last one of a queue takes FILL and COMPLETION along (xsk_put_ctx). */
  removeSocket(fd: number, ifindex: number, queueId: number): void {
    const queue = this.queueUse(ifindex, queueId);
    if (queue === undefined) return;
    queue.fds.splice(queue.fds.indexOf(fd), 1);
    if (queue.fds.length > 0) return;
    this.#queues.splice(this.#queues.indexOf(queue), 1);
    if (queue.rings !== this.rings) unmapQueueRings(this.syscalls, queue.rings);
  }

  /**
   * xsk_umem__delete: closes its socket, which then is bound no more. The memory stays the application's.
   *
   * @returns 0, or -EBUSY while sockets use it
   * @throws Error when it is deleted already
   */
  delete(): number {
    if (this.#fd < 0) throw new Error('XskUmem.delete: it is deleted already');
    if (this.#queues.length > 0) return -EBUSY;
    unmapQueueRings(this.syscalls, this.rings);
    const fd = this.#fd;
    this.#fd = -1;
    return this.syscalls.close(fd);
  }
}

function register(syscalls: XskSyscalls, fd: number, area: Mapping, sizeBytes: number, config: Required<XskUmemConfig>): XskResult<QueueRings> {
  const { frameSize, frameHeadroom, flags, txMetadataLen } = config;
  const tooWide = whyNoField({ sizeBytes }, MOST_SIZE_BITS) ?? whyNoField({ frameSize, frameHeadroom, flags, txMetadataLen });
  if (tooWide !== undefined) return refused(WHERE, 'setsockopt(XDP_UMEM_REG)', -EINVAL, tooWide);
  const result = syscalls.setsockopt(fd, SOL_XDP, XDP_UMEM_REG, umemReg(area.address, sizeBytes, config));
  if (result < 0) return refused(WHERE, 'setsockopt(XDP_UMEM_REG)', result, whyNoUmem(-result, area.address, sizeBytes, config));
  return makeQueueRings({ syscalls, fd, where: WHERE }, config.fillSize, config.compSize);
}

/**
 * struct xdp_umem_reg:
 *
 *     0 addr u64   8 len u64   16 chunk_size u32   20 headroom u32   24 flags u32   28 tx_metadata_len u32
 */
function umemReg(address: bigint, sizeBytes: number, { frameSize, frameHeadroom, flags, txMetadataLen }: Required<XskUmemConfig>): Uint8Array {
  const bytes = new Uint8Array(UMEM_REG_BYTES);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, address, true);
  view.setBigUint64(8, BigInt(sizeBytes), true);
  view.setUint32(16, frameSize, true);
  view.setUint32(20, frameHeadroom, true);
  view.setUint32(24, flags, true);
  view.setUint32(28, txMetadataLen, true);
  return bytes;
}
