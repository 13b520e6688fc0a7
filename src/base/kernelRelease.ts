import { shownValue } from './options.js';
import { fail, ok } from './problem.js';
import type { Result } from './problem.js';

/** The Linux releases whose behaviour the simulator knows, oldest first. */
export const KERNEL_RELEASES = ['6.1', '6.6', '6.18'] as const;

export type KernelRelease = (typeof KERNEL_RELEASES)[number];

/** What is followed where nobody says otherwise. */
export const NEWEST_KERNEL: KernelRelease = '6.18';

/** Where releases differ in what XDP programs see: one row a change, named by what came. `docs/kernels.md` shows the table. */
export const KERNEL_CHANGES = {
  fibSkipNeigh: { since: '6.3', topic: 'bpf_fib_lookup', before: 'BPF_FIB_LOOKUP_SKIP_NEIGH: -EINVAL', after: 'the flag is known' },
  fibTableId: { since: '6.5', topic: 'bpf_fib_lookup', before: 'BPF_FIB_LOOKUP_TBID: -EINVAL', after: 'the flag is known' },
  fibSource: { since: '6.7', topic: 'bpf_fib_lookup', before: 'BPF_FIB_LOOKUP_SRC: -EINVAL', after: 'the flag is known' },
  fibMark: { since: '6.10', topic: 'bpf_fib_lookup', before: 'BPF_FIB_LOOKUP_MARK: -EINVAL', after: 'the flag is known' },
  longMetadata: { since: '6.8', topic: 'bpf_xdp_adjust_meta', before: 'at most 32 bytes of metadata, more: -EACCES', after: 'at most 252 bytes, as far as the headroom reaches' },
  anyCsumDiffSize: {
    since: '6.13', topic: 'bpf_csum_diff', before: '-EINVAL for sizes that are no multiples of 4 or together beyond 512; a sum of 32 bits', after: 'any sizes; the sum is folded to 16 bits',
  },
  redirectedFragments: { since: '6.3', topic: 'XDP_REDIRECT, native', before: 'packets of several buffers go to a CPUMAP only, else -EOPNOTSUPP', after: 'they go to devices that have NDO_XMIT_SG, too' },
  fragmentsToSockets: { since: '6.6', topic: 'XDP_REDIRECT to an XSKMAP', before: 'packets of several buffers: -EOPNOTSUPP', after: 'sockets take them' },
  genericFragments: { since: '6.9', topic: 'generic XDP', before: 'every packet is made linear', after: 'for programs in xdp.frags packets stay in several buffers' },
  socketMultiBuffer: {
    since: '6.6', topic: 'AF_XDP', before: 'XDP_USE_SG: -EINVAL; a TX descriptor with XDP_PKT_CONTD is invalid, one of length 0 is not', after: 'packets of several descriptors; length 0 is invalid',
  },
  drainsInvalid: {
    since: '6.18', topic: 'AF_XDP, copy mode', before: 'behind an invalid TX descriptor of a packet the next one begins a packet', after: 'the rest of the packet, up to its last descriptor, is thrown away with it',
  },
  txBudgetOption: { since: '6.17', topic: 'AF_XDP, copy mode', before: 'sendto sends at most 32 descriptors', after: 'XDP_MAX_TX_SKB_BUDGET raises that' },
  blockingSendFirst: { since: '6.6', topic: 'AF_XDP', before: 'a blocking sendto on a device that is down: -EOPNOTSUPP', after: '-ENETDOWN' },
  txFairness: { since: '6.10', topic: 'AF_XDP, zero copy', before: 'the first socket of a queue sends as long as it has something', after: '32 descriptors a socket, in turn' },
  zeroCopyMtu: {
    since: '6.18', topic: 'AF_XDP, zero copy', before: 'bind does not look at the MTU',
    after: '-EINVAL, or copy mode, when a frame of the MTU with two VLAN tags does not fit into a chunk, with XDP_USE_SG into as many as the driver takes',
  },
  sendStopsAtInvalid: {
    since: '6.6', topic: 'AF_XDP', before: 'invalid TX descriptors are passed over', after: 'sending stops behind one, and the rest waits for the next call, or in zero-copy mode for the next poll of the driver',
  },
  completionFullIsAgain: { since: '6.11', topic: 'AF_XDP, copy mode', before: 'sendto gives 0 when the COMPLETION ring is full', after: '-EAGAIN' },
  completesInvalid: { since: '6.18', topic: 'AF_XDP, copy mode', before: 'the address of an invalid TX descriptor is lost', after: 'it comes back on the COMPLETION ring' },
  txMetadata: {
    since: '6.8', topic: 'AF_XDP', before: 'XDP_UMEM_TX_METADATA_LEN and XDP_UMEM_TX_SW_CSUM: -EINVAL; a TX descriptor with XDP_TX_METADATA is invalid',
    after: 'struct xsk_tx_metadata before the packet asks for a checksum or a time stamp',
  },
  insnV4: { since: '6.6', topic: 'instructions of -mcpu=v4', before: 'refused at load: movsx, ldsx, bswap, sdiv, smod, gotol', after: 'known' },
  mayGoto: { since: '6.9', topic: 'may_goto', before: 'refused at load', after: 'known' },
  acquireRelease: { since: '6.15', topic: 'load_acquire, store_release', before: 'refused at load', after: 'known' },
  napiCache: { since: '6.4', topic: 'page_pool', before: 'returns from the NAPI poll go into the ring unless the driver says that they may go into the cache', after: 'they go into the cache when the driver named its NAPI' },
  fragPools: { since: '6.7', topic: 'page_pool', before: 'fragments only with PP_FLAG_PAGE_FRAG', after: 'every pool gives them' },
  fragStats: { since: '6.14', topic: 'page_pool', before: 'alloc_fast counts fragments', after: 'statistics count pages' },
  unmapAtDestroy: { since: '6.16', topic: 'page_pool', before: 'pages that are out stay mapped when the pool is destroyed', after: 'they are unmapped then' },
  clampedPoolRing: { since: '6.18', topic: 'page_pool', before: 'a ring beyond 32768: -E2BIG', after: 'rings are cut to 16384' },
} as const satisfies Readonly<Record<string, KernelChange>>;

export interface KernelChange {
  /** First release that has it, e.g. `6.13`. */
  readonly since: string;
  readonly topic: string;
  /** How it was, and how it is. */
  readonly before: string;
  readonly after: string;
}

/** Whether `release` is `since` or newer. `since` may be any release of Linux, as `4.18`. */
export function isSince(release: KernelRelease, since: string): boolean {
  const [major = 0, minor = 0] = release.split('.').map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = since.split('.').map(Number);
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

/** Whether `release` has this change. */
export function hasChange(release: KernelRelease, change: keyof typeof KERNEL_CHANGES): boolean {
  return isSince(release, KERNEL_CHANGES[change].since);
}

/** Reads `6.6`. Problem: `unknown-kernel`. */
export function parseKernelRelease(text: string, where: string): Result<KernelRelease> {
  const release = KERNEL_RELEASES.find((known) => known === text);
  if (release !== undefined) return ok(release);
  return fail({ code: 'unknown-kernel', where, message: `there is no '${shownValue(text)}'`, hint: `use one of: ${KERNEL_RELEASES.join(', ')}` });
}
