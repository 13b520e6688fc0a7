import { PAGE_BYTES } from '../memory/index.js';
import { ringPages } from '../nic/index.js';
import type { NicSettings } from '../nic/index.js';
import { MAX_SKB_DESCRIPTORS } from '../umem/index.js';
import { objectMemoryBytes, SKB_SHARED_INFO_BYTES } from '../vm/index.js';
import { skbEndBytes } from '../xdp/index.js';
import type { HostSpec } from './createHost.js';
import { XSK_DEFAULTS, xskMemoryBytes } from './xskSettings.js';

/** Pages that rings, pools and packets on their way can hold at the same time. */
export function pagesNeeded(settings: NicSettings): number {
  const { queues, rxRingSize, txRingSize, profile } = settings;
  // A half of two pages keeps both from being given back.
  const pagesPerBuffer = profile.bufferModel === 'split_page' && profile.frameSizeBytes === PAGE_BYTES ? 2 : 1;
  return queues * ((rxRingSize + txRingSize) * pagesPerBuffer + profile.poolRingSize + 256) + 64 + skbPagesNeeded(settings);
}

/** Pages of skbs on TX rings and in the stack; beyond some number packets are dropped for want of memory, as everywhere. */
function skbPagesNeeded({ queues, txRingSize, mtu, xdpMode }: NicSettings): number {
  if (xdpMode !== 'generic') return 0;
  const headBytes = skbEndBytes(mtu + SKB_ROOM_BYTES, 'kmalloc') + SKB_SHARED_INFO_BYTES;
  // Blocks of pages are kept apart by their order: at one time there may be many large ones, at another many small ones.
  return Math.min(queues * (txRingSize + 128) * 2 * Math.ceil(headBytes / PAGE_BYTES), MAX_SKB_PAGES);
}

/** Link-layer header, headroom and what is added to what is missing. */
const SKB_ROOM_BYTES = 1024;
const MAX_SKB_PAGES = 65536;

/** Wire slots, copy lists, FIFOs and what alignment costs; for each NIC. */
const FIXED_BYTES = 4 << 20;

/** Where a socket gathers a packet of several descriptors. */
const SOCKET_COPY_BYTES = MAX_SKB_DESCRIPTORS * PAGE_BYTES;

/** Upper bound of what the host puts into its memory, bytes. */
export function hostMemoryNeed({ objects, cpus, nics, applicationBytes = 0 }: HostSpec, pageCount: number): number {
  const ofObjects = Object.values(objects).reduce((sum, object) => sum + objectMemoryBytes(object, cpus), 0);
  const ofNics = nics.reduce((sum, { settings, xsk }) => {
    const sockets = xsk === undefined ? 0 : settings.queues * (xskMemoryBytes({ ...XSK_DEFAULTS, ...xsk }) + SOCKET_COPY_BYTES);
    const shadow = settings.isDmaCoherent === false ? pageCount * PAGE_BYTES : 0;
    return sum + FIXED_BYTES + ringPages(settings) * PAGE_BYTES + shadow + sockets;
  }, 0);
  return ofObjects + pageCount * PAGE_BYTES + ofNics + applicationBytes;
}
