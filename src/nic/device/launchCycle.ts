/**
 * Length of the cycle that launch times count in (QBVCYCLET): what igc sets up where `tc` gave a queue launch times, but no schedule of taprio
 * (igc_qbv_clear_schedule and igc_tsn_enable_offload, 6.18). Cycles begin at whole seconds of the device's clock.
 */
export const LAUNCH_CYCLE_NS = 1e9;

/**
 * When the device sends the frame at the head of a queue, by its clock, ns; a time that is past means at once.
 *
 * @param nowNs when the frame comes to the head, by the same clock
 * @param lastSentNs when the queue sent its last frame, -Infinity for never
 * @param launchNs of the context descriptor: ns from the start of the cycle
 * @param opensCycle the context's FIRST: the frame is the first of its queue in a cycle, and if the queue has sent in this one, then in the next
 */
export function launchMoment(nowNs: number, lastSentNs: number, launchNs: number, opensCycle: boolean): number {
  const cycle = Math.floor(nowNs / LAUNCH_CYCLE_NS);
  const waits = opensCycle && Math.floor(lastSentNs / LAUNCH_CYCLE_NS) === cycle;
  return (waits ? cycle + 1 : cycle) * LAUNCH_CYCLE_NS + launchNs;
}
