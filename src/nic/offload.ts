import { Outcome, XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX } from '../xdp/index.js';
import { LOSS_DMA, LOSS_MISSED, LOSS_STEERED } from './device/deviceConfig.js';
import type { DeviceLoss, DeviceObserver } from './device/deviceConfig.js';
import { maxFrameBytes } from './device/mac.js';
import { OFFLOAD_FAULT, OffloadedXdp } from './device/offloadedXdp.js';
import type { NicObserver, NicParts } from './nic.js';
import type { NicSettings } from './nicSettings.js';

const NO_VERDICT = -1;
/** Reports of the device name no queue. */
const NO_QUEUE = -1;

/** The program in the device, in mode `offload`; else `undefined`. */
export function createOffload({ profile, xdpMode, ifindex, mtu }: NicSettings, { memory, vm, scheduler, program }: NicParts): OffloadedXdp | undefined {
  const { offload } = profile.xdp;
  if (xdpMode !== 'offload' || program === undefined || offload === undefined) return undefined;
  return new OffloadedXdp({ memory, vm, scheduler, program, ifindex, headroomBytes: offload.headroomBytes, maxFrameBytes: maxFrameBytes(mtu) });
}

/** Tells how packets end that a program in the device kept from the host. */
export function offloadEnd(observer: NicObserver): DeviceObserver['onOffloadEnd'] {
  return (packetId, verdict, address, lenBytes) => {
    if (verdict === OFFLOAD_FAULT) observer.onFault(packetId);
    observer.onPacketEnd(packetId, outcomeOf(verdict), verdict, NO_QUEUE, address, lenBytes, 0);
    if (verdict === XDP_TX) observer.onWire?.(packetId, NO_QUEUE, address, lenBytes);
  };
}

/** Behind a program in the device: what comes to the driver, and is seen by no other program, was passed. */
export function behindOffload(observer: NicObserver): NicObserver {
  return {
    ...observer,
    onPacketEnd: (packetId, outcome, retval, ...rest) => observer.onPacketEnd(packetId, outcome, retval === NO_VERDICT ? XDP_PASS : retval, ...rest),
  };
}

/** What a packet that the device lost had been given as a verdict: the program comes after the MAC, and before steering and transfer. */
export function verdictAtLoss(offload: OffloadedXdp | undefined, reason: DeviceLoss): number {
  return offload !== undefined && (reason === LOSS_MISSED || reason === LOSS_DMA || reason === LOSS_STEERED) ? XDP_PASS : NO_VERDICT;
}

function outcomeOf(verdict: number): Outcome {
  switch (verdict) {
    case OFFLOAD_FAULT:
      return Outcome.programFault;
    case XDP_ABORTED:
      return Outcome.xdpAborted;
    case XDP_DROP:
      return Outcome.xdpDrop;
    case XDP_TX:
      return Outcome.tx;
    default:
      return Outcome.invalidVerdict;
  }
}
