/** What can go wrong. Adding a kind is a row here, and the place where it strikes. */
export type FaultKind =
  | 'link' | 'wire' | 'crc' | 'rx_dma' | 'length' | 'empty' | 'error' | 'eop' | 'descriptor' | 'late' | 'interrupt' | 'tx_dma' | 'tx_stall' | 'alloc';

/** One kind of fault, for people and for those who check plans. */
export interface FaultKindSpec {
  readonly kind: FaultKind;
  /** What happens, a sentence without a full stop. */
  readonly text: string;
  /** What the dice are thrown for. */
  readonly opportunity: string;
  /** The fault lasts: `durationNs` counts. */
  readonly lasts: boolean;
  /** Something comes late: `delayNs` counts. */
  readonly delays: boolean;
}

const row = (kind: FaultKind, opportunity: string, text: string, more: Partial<FaultKindSpec> = {}): FaultKindSpec => ({
  kind, opportunity, text, lasts: false, delays: false, ...more,
});

/** Every kind of fault, in the order of a packet's way. */
export const FAULT_KINDS: readonly FaultKindSpec[] = [
  row('link', 'frame on the wire', 'the link goes down: frames are lost on the wire, nothing is sent', { lasts: true }),
  row('wire', 'frame on the wire', 'a bit of the frame is flipped, and its CRC fits all the same: only checksums can tell'),
  row('crc', 'frame on the wire', 'the frame arrives damaged: the MAC finds its CRC wrong and drops it'),
  row('rx_dma', 'buffer that the device writes', 'the IOMMU refuses the transfer although the buffer is mapped'),
  row('length', 'received frame', 'the device writes back a length beyond the buffer'),
  row('empty', 'received frame', 'the device writes back a length of 0'),
  row('error', 'received frame', 'the device writes back an error bit, where its descriptors have one'),
  row('eop', 'received frame', "the device doesn't mark the frame's last descriptor, so that it runs into the next frame"),
  row('descriptor', 'write-back of a batch', 'a bit of what the device wrote into the ring is flipped'),
  row('late', 'write-back of a batch', 'descriptors are written back some time after the interrupt', { delays: true }),
  row('interrupt', 'interrupt', 'the interrupt is lost'),
  row('tx_dma', 'buffer that the device reads', 'the IOMMU refuses the transfer although the buffer is mapped'),
  row('tx_stall', 'run of the transmit engine', 'the transmit engine of the queue stops, for a time or until it is reset', { lasts: true }),
  row('alloc', 'page of the page allocator', 'the allocation fails'),
];

/** The kind with this name. */
export function findFaultKind(name: string): FaultKindSpec | undefined {
  return FAULT_KINDS.find(({ kind }) => kind === name);
}
