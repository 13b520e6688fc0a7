// IntrMitigate (0xe2) of the RTL8169 and RTL8168 (drivers/net/ethernet/realtek/r8169_main.c, rtl_get_coalesce and rtl_set_coalesce, 6.18):
//
//   15       12 11        8 7         4 3         0
//  ┌───────────┬───────────┬───────────┬───────────┐
//  │  TX time  │ TX frames │  RX time  │ RX frames │   frames in fours, time in units of base × {1, 8, 16, 32}[CPlusCmd 1:0]
//  └───────────┴───────────┴───────────┴───────────┘
import type { InterruptModeration } from './interrupt.js';

/** Time of one unit at the finest scale, ns, by link speed (rtl_coalesce_info_8168_8136 and rtl_coalesce_info_8169). */
export const R8169_BASE_NS = {
  rtl8168: { 10: 40_960, 100: 2560, 1000: 5000 },
  rtl8169: { 10: 40_960, 100: 2560, 1000: 320 },
} as const;

const SCALES = [1, 8, 16, 32] as const;
const FIELD_MAX = 15;
const FRAMES_PER_STEP = 4;

/** The register, and the scale in CPlusCmd[1:0] that it needs. */
export interface IntrMitigate {
  /** 16 bits. */
  readonly register: number;
  /** 0 to 3. */
  readonly scale: number;
}

/** What the register means with a base of `baseNs`. */
export function decodeIntrMitigate({ register, scale }: IntrMitigate, baseNs: number): InterruptModeration {
  const unitNs = baseNs * SCALES[scale & 3];
  const field = (shift: number): number => (register >> shift) & FIELD_MAX;
  return { txDelayNs: field(12) * unitNs, txFrames: field(8) * FRAMES_PER_STEP, rxDelayNs: field(4) * unitNs, rxFrames: field(0) * FRAMES_PER_STEP };
}

/**
 * The register with the finest scale that reaches both delays, rounded up. A count of 1 is none. Undefined when a delay or a count (60) is out
 * of reach (ERANGE), and for a count without a delay, which the chip can't do (EINVAL).
 */
export function encodeIntrMitigate({ rxDelayNs, rxFrames, txDelayNs, txFrames }: InterruptModeration, baseNs: number): IntrMitigate | undefined {
  const scale = SCALES.findIndex((factor) => Math.max(rxDelayNs, txDelayNs) <= FIELD_MAX * baseNs * factor);
  if (scale < 0 || Math.max(rxFrames, txFrames) > FIELD_MAX * FRAMES_PER_STEP) return undefined;
  if ((rxFrames > 1 && rxDelayNs === 0) || (txFrames > 1 && txDelayNs === 0)) return undefined;
  const unitNs = baseNs * SCALES[scale];
  const time = (delayNs: number): number => Math.ceil(delayNs / unitNs);
  const frames = (count: number): number => (count === 1 ? 0 : Math.ceil(count / FRAMES_PER_STEP));
  return { register: (time(txDelayNs) << 12) | (frames(txFrames) << 8) | (time(rxDelayNs) << 4) | frames(rxFrames), scale };
}
