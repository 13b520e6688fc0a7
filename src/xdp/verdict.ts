/** enum xdp_action (include/uapi/linux/bpf.h). */
export const XDP_ABORTED = 0;
export const XDP_DROP = 1;
export const XDP_PASS = 2;
export const XDP_TX = 3;
export const XDP_REDIRECT = 4;

const VERDICT_NAMES = ['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT'];

/** Index of "anything else" in counts by verdict. */
export const VERDICT_OTHER = 5;
/** Entries of an array of counts by verdict. */
export const VERDICT_COUNT = 6;

/** Where a return value is counted: itself for 0 to 4, `VERDICT_OTHER` beyond. */
export function verdictIndex(retval: number): number {
  return retval <= XDP_REDIRECT ? retval : VERDICT_OTHER;
}

/** `XDP_PASS`, or `77 (not an XDP action)`. */
export function verdictName(retval: number): string {
  return VERDICT_NAMES[retval] ?? `${retval} (not an XDP action)`;
}
