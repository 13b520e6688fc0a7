/** A map whose address a program loads, as far as the translator uses it. */
export interface KnownMap {
  /** Bytes of a value that a look-up gives, when it gives the address of plain memory; else 0. */
  readonly valueBytes: number;
  readonly isWritable: boolean;
  /** An ARRAY: where its values lie, so that look-ups need no helper. */
  readonly array: { readonly maxEntries: number; readonly strideBytes: number; readonly valuesAddress: number } | undefined;
}

/** What a lddw loads: a map, or the address of a byte in the value of a map. */
export interface KnownAddress {
  readonly map: KnownMap;
  readonly kind: 'map' | 'value';
  readonly offBytes: number;
}

/** What is known about a program beyond its instructions. */
export interface ProgramKnowledge {
  /** First instructions of the functions whose address it takes, so that helpers may call them. */
  readonly callbacks: readonly number[];
  /** What its lddw load, by instruction. */
  readonly addresses: ReadonlyMap<number, KnownAddress>;
  /** Helpers that leave the packet where it is and write to no memory of the program. */
  readonly quietHelpers: ReadonlySet<number>;
}

export const NO_KNOWLEDGE: ProgramKnowledge = { callbacks: [], addresses: new Map(), quietHelpers: new Set() };
