/** Where an access that can't be proved goes to, as far as that is known: what to compare its address with first. */
export const REGION_PACKET = 0;
export const REGION_STACK = 1;
export const REGION_TABLE = 2;
/** A load of 4 bytes that the context allows wherever it hits a field. */
export const REGION_CONTEXT = 3;

/** A look-up in an array whose key is known to lie on the stack. */
export interface ArrayLookup {
  readonly maxEntries: number;
  readonly strideBytes: number;
  readonly valuesAddress: number;
}

/** What is known about the accesses of one function. */
export interface Facts {
  /** The access at this instruction can't leave what the program may touch. */
  isSafe(insnIndex: number): boolean;
  /** REGION_*. */
  region(insnIndex: number): number;
  /** True when some access that isn't safe may be one of the packet. */
  readonly comparesPacket: boolean;
  /** How often the loop whose head begins at this instruction comes back to it at most; `undefined` when that isn't known. */
  loopRounds(insnIndex: number): number | undefined;
  /** What the call at this instruction looks up, if it can be done in place. */
  arrayLookup(insnIndex: number): ArrayLookup | undefined;
}

/** The same without a proof: every access is checked, first against the region that it should be in, and look-ups go through the helper. */
export function checkingFacts(facts: Facts): Facts {
  return { isSafe: () => false, region: (insnIndex) => facts.region(insnIndex), comparesPacket: true, loopRounds: (insnIndex) => facts.loopRounds(insnIndex), arrayLookup: () => undefined };
}
