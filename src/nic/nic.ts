import { fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import type { HostMemory, PageAllocator } from '../memory/index.js';
import type { XskSocket } from '../umem/index.js';
import type { LoadedProgram, Vm } from '../vm/index.js';
import { Outcome, xdpFrameData } from '../xdp/index.js';
import type { RedirectTargets } from '../xdp/index.js';
import { Iommu } from './device/iommu.js';
import { maxFrameBytes } from './device/mac.js';
import { LOSS_ADDRESS, LOSS_DMA, LOSS_MISSED, LOSS_OVER_LENGTH, LOSS_RUNT, NicDevice } from './device/nicDevice.js';
import type { DeviceLoss } from './device/nicDevice.js';
import { Rss, RSS_KEY_MICROSOFT } from './device/rss.js';
import { NicDriver, rxBufferBytes } from './driver/driver.js';
import { TX_XDP_TX, TX_XSK_SKB } from './driver/txQueue.js';
import type { NicProfile } from './profiles/profile.js';
import type { Scheduler } from './scheduler.js';

/** How a NIC is set up; what is left out is the profile's default. */
export interface NicSettings {
  readonly profile: NicProfile;
  readonly queues: number;
  readonly rxRingSize: number;
  readonly txRingSize: number;
  readonly mtu: number;
  /** Time from the first received frame to its interrupt (ethtool -C rx-usecs), ns. */
  readonly interruptDelayNs: number;
  readonly ifindex: number;
}

/** Where a NIC reports to. One call for each packet's end, one for each frame that an application sent. */
export interface NicObserver {
  /**
   * A received packet reached its end. Its bytes (linear) lie at `address`, `metaBytes` of metadata before them.
   *
   * @param retval what the program returned, -1 when no program saw the packet
   * @param queue -1 when the packet reached no queue
   */
  onPacketEnd(packetId: number, outcome: Outcome, retval: number, queue: number, address: number, lenBytes: number, metaBytes: number): void;
  /** A frame of an AF_XDP application left for the wire; `packetId` is the packet that its chunk had carried, 0 for none. */
  onApplicationFrame(packetId: number, queue: number, address: number, lenBytes: number): void;
  onFault(packetId: number): void;
  onSocketReady(socket: XskSocket): void;
}

/** One NIC: device and driver, joined only by host memory, doorbells and interrupts. */
export interface Nic {
  readonly settings: NicSettings;
  readonly device: NicDevice;
  readonly driver: NicDriver;
  readonly iommu: Iommu;
}

const OUTCOME_OF_LOSS: Record<DeviceLoss, Outcome> = {
  [LOSS_RUNT]: Outcome.macRunt,
  [LOSS_OVER_LENGTH]: Outcome.macOverLength,
  [LOSS_ADDRESS]: Outcome.macAddress,
  [LOSS_MISSED]: Outcome.rxMissed,
  [LOSS_DMA]: Outcome.dmaError,
};

/** Locally administered address of the model NIC. */
const MAC_ADDRESS = Uint8Array.from([0x02, 0, 0, 0, 0, 0x01]);

/** Checks settings against the limits of the profile. */
export function checkSettings(settings: NicSettings): Problem | undefined {
  const { profile, queues, rxRingSize, txRingSize, mtu, interruptDelayNs } = settings;
  const where = `NIC ${profile.name}`;
  if (!Number.isInteger(queues) || queues < 1 || queues > profile.queuesMax) {
    return { code: 'nic-queues', where, message: `${queues} queues are out of range (EINVAL)`, hint: `use 1 to ${profile.queuesMax}` };
  }
  for (const [name, size] of [['RX', rxRingSize], ['TX', txRingSize]] as const) {
    const isPowerOfTwo = Number.isInteger(size) && size > 0 && (size & (size - 1)) === 0;
    if (!isPowerOfTwo || size < profile.ringMin || size > profile.ringMax) {
      return {
        code: 'nic-ring-size',
        where,
        message: `a ${name} ring of ${size} descriptors is out of range (EINVAL)`,
        hint: `use a power of two from ${profile.ringMin} to ${profile.ringMax}`,
      };
    }
  }
  if (!Number.isInteger(mtu) || mtu < profile.mtuMin || mtu > profile.mtuMax) {
    return { code: 'nic-mtu', where, message: `MTU ${mtu} is out of range (EINVAL)`, hint: `use ${profile.mtuMin} to ${profile.mtuMax}` };
  }
  if (!Number.isFinite(interruptDelayNs) || interruptDelayNs < 0) {
    return { code: 'nic-coalesce', where, message: `an interrupt delay of ${interruptDelayNs} ns is out of range (EINVAL)`, hint: 'use 0 or more' };
  }
  return undefined;
}

/** Whether the driver lets this program be attached natively with these settings (dev_xdp_attach, net/core/dev.c, 6.18, and the driver). */
export function checkAttach(settings: NicSettings, program: LoadedProgram): Problem | undefined {
  const { profile, mtu } = settings;
  const { attachType, section, name } = program.spec;
  if (attachType !== 'xdp') {
    return {
      code: 'attach-type',
      where: `program ${name} on NIC ${profile.name}`,
      message: `a program in section ${section} belongs into an entry of a ${attachType.toUpperCase()}, not on a device (EINVAL)`,
      hint: 'attach one in SEC("xdp")',
    };
  }
  const linearBytes = rxBufferBytes(profile);
  if (maxFrameBytes(mtu) <= linearBytes || (program.spec.frags && profile.hasMultiBuffer)) return undefined;
  const mtuMax = linearBytes - (maxFrameBytes(mtu) - mtu);
  return {
    code: 'attach-mtu',
    where: `program ${program.spec.name} on NIC ${profile.name}`,
    message: `MTU ${mtu} is too large for a program without multi-buffer support (ERANGE): one buffer takes ${linearBytes} bytes`,
    hint: `use --mtu ${mtuMax} or less, or put the program into SEC("xdp.frags")`,
  };
}

/** What `createNic` needs besides settings. */
export interface NicParts {
  readonly memory: HostMemory;
  readonly allocator: PageAllocator;
  readonly scheduler: Scheduler;
  readonly vm: Vm;
  readonly program: LoadedProgram | undefined;
  readonly targets: RedirectTargets;
  readonly observer: NicObserver;
}

/** Builds a NIC and opens it. Problems: `nic-queues`, `nic-ring-size`, `nic-mtu`, `nic-coalesce`, `attach-type`, `attach-mtu`. */
export function createNic(settings: NicSettings, parts: NicParts): Result<Nic> {
  const problem = checkSettings(settings) ?? (parts.program === undefined ? undefined : checkAttach(settings, parts.program));
  if (problem !== undefined) return fail(problem);
  const { profile, queues, mtu, ifindex } = settings;
  const { memory, allocator, scheduler, observer } = parts;
  const iommu = new Iommu(allocator.ledger.count + settings.txRingSize * queues * 2 + 4096);
  const driver = new NicDriver({
    memory,
    allocator,
    iommu,
    scheduler,
    profile,
    queues,
    rxRingSize: settings.rxRingSize,
    txRingSize: settings.txRingSize,
    ifindex,
    mtu,
    vm: parts.vm,
    program: parts.program,
    targets: parts.targets,
    observer,
  });
  const device = new NicDevice(
    {
      memory,
      pages: allocator.ledger,
      iommu,
      scheduler,
      format: profile.format,
      mac: { address: MAC_ADDRESS, promiscuous: true, mtu },
      rss: new Rss(RSS_KEY_MICROSOFT, queues),
      queues,
      interruptDelayNs: settings.interruptDelayNs,
      observer: {
        onLost(packetId, reason, address, lenBytes, queue) {
          observer.onPacketEnd(packetId, OUTCOME_OF_LOSS[reason], -1, queue, address, lenBytes, 0);
        },
        onTransmit(queue, descriptorIndex, address, lenBytes, packetId) {
          const tx = driver.txQueue(queue);
          const slot = descriptorIndex & (tx.ring.size - 1);
          if (tx.kind[slot] === TX_XSK_SKB) observer.onApplicationFrame(packetId, queue, address, lenBytes);
          else {
            const outcome = tx.kind[slot] === TX_XDP_TX ? Outcome.tx : Outcome.redirect;
            observer.onPacketEnd(packetId, outcome, tx.retval[slot], queue, address, lenBytes, 0);
          }
        },
        onTransmitLost(queue, descriptorIndex) {
          const tx = driver.txQueue(queue);
          const slot = descriptorIndex & (tx.ring.size - 1);
          if (tx.kind[slot] === TX_XSK_SKB) return;
          const page = tx.page[slot];
          const packetId = allocator.ledger.packetId[allocator.ledger.indexOf(page)];
          const { address, lenBytes } = xdpFrameData(memory.u32, page);
          observer.onPacketEnd(packetId, Outcome.txDmaError, tx.retval[slot], queue, address, lenBytes, 0);
        },
      },
    },
    (queue) => driver.onInterrupt(queue),
  );
  driver.open(device);
  return ok({ settings, device, driver, iommu });
}
