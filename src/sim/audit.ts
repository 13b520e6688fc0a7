import type { PageAllocator } from '../memory/index.js';
import type { OwnerLedger } from '../memory/index.js';
import { auditChunks } from '../umem/index.js';
import type { Umem, XdpSock } from '../umem/index.js';
import type { HostNic } from './host.js';
import type { PacketTally } from './packetTally.js';

/** One thing that the audit looked at. */
export interface AuditCheck {
  readonly name: string;
  readonly ok: boolean;
  /** The numbers behind it, as a sentence. */
  readonly detail: string;
}

/** Result of the audit at the end of a run. */
export interface AuditReport {
  readonly ok: boolean;
  readonly checks: readonly AuditCheck[];
  /** Who owned the pages and chunks before the NIC was shut down. */
  readonly pages: Readonly<Record<string, number>>;
  readonly chunks: Readonly<Record<string, number>>;
}

/** Pages as the run left them, before anything is shut down. */
export interface PageCensus {
  readonly owners: Record<string, number>;
  /** Pages that the pools took from the allocator and still answer for, and of these the idle ones. */
  readonly inflight: number;
  readonly idle: number;
  /** Pages on RX rings, as the drivers count them. */
  readonly posted: number;
  /** On TX rings: receive buffers, and pages of their own. */
  readonly sending: number;
  readonly skbs: number;
}

/** The NICs of a host, as the audit looks at them. */
type AuditedNics = readonly Pick<HostNic, 'name' | 'nic'>[];

/** Counts pages while the NICs still run. */
export function takeCensus(nics: AuditedNics, allocator: PageAllocator): PageCensus {
  let inflight = 0;
  let idle = 0;
  let posted = 0;
  let sending = 0;
  let skbs = 0;
  for (const { nic } of nics) {
    for (let queue = 0; queue < nic.settings.queues; queue++) {
      const buffers = nic.driver.bufferUse(queue);
      inflight += buffers.inflight;
      idle += buffers.idle;
      const rings = nic.driver.ringUse(queue);
      posted += rings.rxPosted - (rings.rxChunks ?? 0);
      sending += rings.txRxBuffers ?? 0;
      skbs += rings.txOwnPages ?? 0;
    }
  }
  const { free: _free, ...owners } = allocator.ledger.census();
  return { owners, inflight, idle, posted, sending, skbs };
}

/** The application had a chunk in two places at once, and the device receives into chunks. */
function hasTwoPlaces({ isZeroCopy, umem }: XdpSock): boolean {
  return isZeroCopy && umem?.watch?.isTainted.some((each) => each !== 0) === true;
}

/**
 * Proves conservation: every packet ended once, every page and chunk has the owner it must have, nothing broke the ownership
 * rule, nothing stayed mapped. Call it after the NICs were shut down.
 *
 * @param census what `takeCensus` saw before the shutdown
 */
export function audit(
  nics: AuditedNics,
  allocator: PageAllocator,
  sockets: readonly XdpSock[],
  census: PageCensus,
  received: PacketTally,
  ended: PacketTally,
): AuditReport {
  const checks: AuditCheck[] = [];
  const check: Check = (name, isOk, detail) => {
    checks.push({ name, ok: isOk, detail });
  };
  const isMixedUp = received.count === ended.count && !received.equals(ended);
  // The device wrote two packets into one chunk: which one comes out of it nobody can say.
  const isBlurred = !received.equals(ended) && sockets.some(hasTwoPlaces);
  check(
    'packets',
    received.equals(ended) || isBlurred,
    `${received.count} on the wire, ${ended.count} with an outcome${isMixedUp ? ', but not the same: some ended twice and others never' : ''}` +
      (isBlurred ? '; an application had given the device a chunk twice, and packets in it were overwritten' : ''),
  );

  const owned = Object.values(census.owners).reduce((sum, count) => sum + count, 0);
  const { pool: _pool, device: _device, txRing = 0, ...others } = census.owners;
  const strays = txRing === census.sending + census.skbs ? others : { txRing, ...others };
  check(
    'pages',
    owned === census.inflight + census.skbs && census.inflight === census.idle + census.posted + census.sending,
    `${owned} in use: ${census.posted} on RX rings, ${census.idle} idle in the pools` +
      (Object.keys(strays).length === 0 ? '' : `, astray: ${describeCounts(strays)}`) +
      (census.sending + census.skbs === 0 ? '' : `, ${census.sending + census.skbs} on TX rings`) +
      (census.inflight + census.skbs === owned ? '' : `, but the pools answer for ${census.inflight}`),
  );
  const leaked = allocator.usedCount;
  check('pages after shutdown', leaked === 0, leaked === 0 ? 'all given back' : `${leaked} leaked: ${describeCensus(allocator.ledger)}`);

  for (const each of nics) checkNic(each, nics.length === 1 ? '' : ` of ${each.name}`, check);

  const chunks: Record<string, number> = {};
  for (const umem of umemsOf(sockets)) checkUmem(umem, sockets.filter((socket) => socket.umem === umem), chunks, check);

  const ledgers = [allocator.ledger, ...umemsOf(sockets).map(({ chunks }) => chunks)];
  const violations = ledgers.flatMap((ledger) => ledger.violations);
  const violationCount = ledgers.reduce((sum, ledger) => sum + ledger.violationCount, 0);
  const first = violations[0];
  check(
    'ownership',
    violationCount === 0,
    first === undefined
      ? 'every hand-over came from the owner'
      : `${violationCount} hand-overs by somebody else; first: ${first.buffer} (packet ${first.packetId}) was to go from ${first.expected} to ${first.next}, but belonged to ${first.found}`,
  );
  return { ok: checks.every((each) => each.ok), checks, pages: census.owners, chunks };
}

type Check = (name: string, isOk: boolean, detail: string) => void;

/** @param suffix of the names of the checks, where there are several NICs */
function checkNic({ nic }: AuditedNics[number], suffix: string, check: Check): void {
  const { mappedCount, faultCount, faults } = nic.iommu;
  check(
    `DMA mappings${suffix}`,
    mappedCount === 0 && faultCount === 0,
    `${mappedCount} left over, ${faultCount} faults${faults.length === 0 ? '' : `; first: ${faults[0].reason}`}`,
  );
  const { errorCount, reports } = nic.dma.debug;
  check(`DMA rules${suffix}`, errorCount === 0, errorCount === 0 ? 'every buffer was mapped, synced and unmapped as it must be' : `${errorCount} broken; first: ${reports[0].message}`);
  const mistakes = nic.driver.mistakes();
  check(`buffer rules${suffix}`, mistakes.length === 0, mistakes.length === 0 ? 'every buffer went back by a way that is open to it' : `${mistakes.length} broken; first: ${mistakes[0].message}`);

  const own = nic.driver.driverMistakes?.();
  if (own !== undefined) {
    check(`driver rules${suffix}`, own.length === 0, own.length === 0 ? 'the driver kept to what kernel and hardware ask of it' : `broken; first, in the ${own[0].where}: ${own[0].message}. To mend it: ${own[0].hint}`);
  }
}

/** The UMEMs of sockets, each once. */
function umemsOf(sockets: readonly XdpSock[]): Umem[] {
  return [...new Set(sockets.flatMap(({ umem }) => umem ?? []))];
}

/** @param sockets those that share it */
function checkUmem(umem: Umem, sockets: readonly XdpSock[], chunks: Record<string, number>, check: Check): void {
  const { ok, detail, owners } = auditChunks(umem);
  for (const [owner, count] of Object.entries(owners)) chunks[owner] = (chunks[owner] ?? 0) + count;
  check(`chunks of socket ${sockets.map(({ id }) => id).join(', ')}`, ok, detail);
}

function describeCensus(ledger: OwnerLedger): string {
  return describeCounts(ledger.census());
}

function describeCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([owner, count]) => `${owner} ${count}`)
    .join(', ');
}
