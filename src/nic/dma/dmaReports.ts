import type { HostMemory, OwnerLedger } from '../../memory/index.js';
import { IOVA_HIGH } from '../device/iommu.js';
import { directionName } from './direction.js';
import { DMA_ERROR_NUMBERS } from './errorClasses.js';
import type { DmaErrorClass } from './errorClasses.js';
import { MappingKind } from './mappingTable.js';
import type { MappingTable } from './mappingTable.js';

/** A mistake that was seen. `message` holds all of it; the parts are there for tools. */
export interface DmaReport {
  readonly number: number;
  readonly key: string;
  readonly message: string;
  readonly hint: string;
  /** The memory: number of its page or chunk, packet in it, place in host memory. */
  readonly buffer: string;
  /** I/O address, size, direction, where it was mapped (and unmapped). */
  readonly mapping: string;
  /** Call that made the mistake. */
  readonly site: string;
}

/** Reports of one class that are kept; more are only counted. */
const KEPT_PER_CLASS = 4;

/** The mistakes that the checker has seen, each with its buffer, its mapping and the call. */
export class DmaReports {
  readonly list: DmaReport[] = [];
  errorCount = 0;
  /** Mistakes by number of their class. */
  readonly counts = new Uint32Array(DMA_ERROR_NUMBERS);
  readonly #memory: HostMemory;
  readonly #mappings: MappingTable;
  readonly #ledgers: readonly OwnerLedger[];

  /** @param ledgers those that know buffers by number; the first is the one of the pages */
  constructor(memory: HostMemory, mappings: MappingTable, ledgers: readonly OwnerLedger[]) {
    this.#memory = memory;
    this.#mappings = mappings;
    this.#ledgers = ledgers;
  }

  /** A report on what is or was mapped at an I/O page. */
  onMapping(error: DmaErrorClass, detail: string, slot: number, iovaLow: number, site: string): void {
    const table = this.#mappings;
    const isKnown = slot < table.kind.length && table.kind[slot] !== MappingKind.none;
    const buffer = isKnown ? this.describeBuffer(table.hostAddress[slot] + Math.max(0, iovaLow - table.iovaLow[slot])) : 'none';
    this.add(error, detail, buffer, isKnown ? this.describeMapping(slot) : `none: nothing was ever mapped at iova ${iovaText(iovaLow)}`, site);
  }

  /** A report on memory that has no mapping. */
  add(error: DmaErrorClass, detail: string, buffer: string, mapping: string, site: string): void {
    const { number, key, what, hint } = error;
    this.errorCount++;
    if (++this.counts[number] > KEPT_PER_CLASS) return;
    const message = `${site}: ${what}${detail === '' ? '' : ` (${detail})`}. Buffer: ${buffer}. Mapping: ${mapping}.`;
    this.list.push({ number, key, message, hint, buffer, mapping, site });
  }

  /** I/O address, size and direction of a mapping, who mapped and who unmapped it. */
  describeMapping(first: number): string {
    const table = this.#mappings;
    const end = table.firstOf[first] === first ? '' : `, unmapped by ${table.unmapSite[first]}`;
    const range = `iova ${iovaText(table.iovaLow[first])}, ${table.sizeBytes[first]} bytes, ${directionName(table.direction[first])}`;
    return `${range}, mapped by ${table.mapSite[first]}${end}`;
  }

  /** The memory at a host address: by the name of its ledger, and where it lies. */
  describeBuffer(address: number): string {
    const place = this.#memory.describe(address);
    const name = this.nameBuffer(address);
    return name === place ? place : `${name} (${place})`;
  }

  /** `page 12 (packet 5) at offset 256`, or where the address lies in host memory when no ledger knows it. */
  nameBuffer(address: number): string {
    for (const ledger of this.#ledgers) {
      const { baseAddress, unitBytes, count, unitName, packetId } = ledger;
      if (address < baseAddress || address >= baseAddress + unitBytes * count) continue;
      const index = ledger.indexOf(address);
      const packet = packetId[index] === 0 ? '' : ` (packet ${packetId[index]})`;
      const offBytes = address - ledger.bufferOf(address);
      if (ledger.isWhole(address)) return `page ${index >>> 1}${packet} at offset ${offBytes}`;
      return `${unitName} ${index}${packet} at offset ${offBytes}`;
    }
    return this.#memory.describe(address);
  }
}

function iovaText(iovaLow: number): string {
  return `0x${IOVA_HIGH}${(iovaLow >>> 0).toString(16).padStart(8, '0')}`;
}
