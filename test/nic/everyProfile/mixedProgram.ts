import type { MapSpec, ObjectSpec, ProgramEntryMap } from '../../../src/vm/index.js';
import type { SimulationOptions } from '../../../src/sim/index.js';
import { xdpProgram, xskMap } from '../../support/simulate.js';

const devices: MapSpec = { ...xskMap, name: 'devices', type: 14, valueSize: 8, maxEntries: 4 };

/** Bytes of a frame that tell the program what to do; they lie in the destination address, so that every frame has them. */
export const VERDICT_BYTE = 1;
export const CHANGE_BYTE = 2;
export const AMOUNT_BYTE = 3;
/** Where the program writes what its helper returned. */
const RESULT_BYTE = 5;

export const VERDICTS = 16;
export const CHANGES = 8;

/**
 * Every verdict and every change of a packet's bounds, chosen by bytes of the frame; keeps nothing between packets.
 *
 * Verdicts: 0 ABORTED, 1 DROP, 2 PASS, 3 TX, 4 REDIRECT without a helper's call, 5 no verdict; 6 to the own device, 7 to the socket of the
 * queue or PASS, 8 a fault, 9 to the own device through a DEVMAP, 10 to a device that isn't there, 11 4294967295, 12 to 14 as 1 to 3,
 * 15 to the socket of the queue or ABORTED.
 * Changes: 1 and 2 adjust_head to the front and back, 3 and 4 adjust_tail to the front and back, 5 adjust_meta to the front,
 * 6 adjust_head to the back by the sixteenfold, 7 adjust_tail to the front by the sixteenfold. What comes into the packet at its front is filled:
 * whatever lay in the headroom before would differ.
 */
export function mixedProgram(frags: boolean): ObjectSpec {
  return xdpProgram(
    `r6 = r1
    r1 = *(u32 *)(r6 + 0)
    r2 = *(u32 *)(r6 + 4)
    r3 = r1
    r3 += 14
    r0 = 1
    if r3 > r2 goto out
    r7 = *(u8 *)(r1 + ${VERDICT_BYTE})
    r8 = *(u8 *)(r1 + ${CHANGE_BYTE})
    r9 = *(u8 *)(r1 + ${AMOUNT_BYTE})
    r7 &= 15
    r8 &= 7
    r1 = r6
    r2 = r9
    if r8 == 1 goto head_front
    if r8 == 2 goto head
    if r8 == 3 goto tail
    if r8 == 4 goto tail_front
    if r8 == 5 goto meta
    if r8 == 6 goto head_far
    if r8 == 7 goto tail_far
    r0 = 0
    goto note
    head_far: r2 <<= 4
    goto head
    head_front: r2 = 0
    r2 -= r9
    call 44
    if r0 != 0 goto note
    r1 = *(u32 *)(r6 + 0)
    r2 = r1
    r2 += r9
    goto fill
    head: call 44
    goto note
    tail_far: r2 <<= 4
    tail_front: r3 = r2
    r2 = 0
    r2 -= r3
    tail: call 65
    goto note
    meta: r2 &= 31
    r2 <<= 2
    r3 = r2
    r2 = 0
    r2 -= r3
    call 54
    if r0 != 0 goto note
    r1 = *(u32 *)(r6 + 8)
    r2 = *(u32 *)(r6 + 0)
    fill: if r1 >= r2 goto note
    *(u8 *)(r1 + 0) = r9
    r1 += 1
    goto fill
    note: r1 = *(u32 *)(r6 + 0)
    r2 = *(u32 *)(r6 + 4)
    r3 = r1
    r3 += 14
    if r3 > r2 goto verdict
    *(u8 *)(r1 + ${RESULT_BYTE}) = r0
    verdict: r0 = r7
    if r7 < 6 goto out
    if r7 == 6 goto own
    if r7 == 7 goto socket
    if r7 == 8 goto fault
    if r7 == 9 goto through_map
    if r7 == 10 goto nowhere
    r0 = 0xffffffff ll
    if r7 == 11 goto out
    r0 = r7
    r0 -= 11
    if r7 < 15 goto out
    r3 = 0
    goto socket_or
    socket: r3 = 2
    socket_or: r2 = *(u32 *)(r6 + 16)
    r1 = map xsks
    call 51
    goto out
    own: r1 = 1
    r2 = 0
    call 23
    goto out
    nowhere: r1 = 4711
    r2 = 0
    call 23
    goto out
    through_map: r1 = map devices
    r2 = 0
    r3 = 0
    call 51
    goto out
    fault: r0 = *(u8 *)(r10 + 8)
    out: exit`,
    { frags, maps: [xskMap, devices] },
  );
}

/** Puts the own device into the program's DEVMAP. */
export const fillDevmap: NonNullable<SimulationOptions['prepare']> = (loaded) => {
  const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
  const error = (loaded.maps.get('devices') as ProgramEntryMap).updateEntry(u32(0), 1, undefined, 0);
  if (error !== 0) throw new Error(`the DEVMAP refuses the own device: ${error}`);
  return undefined;
};
