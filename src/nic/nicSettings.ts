import { shownValue } from '../base/index.js';
import type { Problem } from '../base/index.js';
import type { XdpMode } from '../xdp/index.js';
import { NIC_FEATURES } from './attach/driverRule.js';
import type { NicFeature } from './attach/driverRule.js';
import type { OffloadSettings } from './device/deviceConfig.js';
import { checkFaultPlan } from './device/faults/faultPlan.js';
import type { FaultPlan } from './device/faults/faultPlan.js';
import type { NapiSettings } from './driver/napi.js';
import { checkLimit, effectiveSetting } from './profiles/checkLimits.js';
import type { NicProfile } from './profiles/profile.js';
import { PROFILES } from './profiles/table.js';

const INT_MAX = 2 ** 31 - 1;
/** One second. */
const DELAY_MAX_NS = 1e9;
const OFFLOADS = ['rxChecksum', 'rxVlanStrip', 'rxTimestamp', 'rxHash'];
/** napi_defer_hard_irqs is an s32 (netdev.yaml, 6.18); the times are unsigned long, here as far as ns are exact. */
const NAPI_MAX: Readonly<Record<keyof NapiSettings, number>> = { deferHardIrqs: INT_MAX, groFlushTimeoutNs: Number.MAX_SAFE_INTEGER, irqSuspendTimeoutNs: Number.MAX_SAFE_INTEGER };

/** The other end of a veth pair, as far as it matters to this one. */
export interface VethPeer {
  /** It has a program in its driver, so that NAPI runs there and takes XDP frames (veth_set_xdp_features, drivers/net/veth.c, 6.18). */
  readonly hasNativeXdp: boolean;
}

/** How a NIC is set up; what is left out is the profile's default. */
export interface NicSettings {
  readonly profile: NicProfile;
  readonly queues: number;
  readonly rxRingSize: number;
  readonly txRingSize: number;
  readonly mtu: number;
  /** Bytes before the packet; left out: the profile's. */
  readonly headroomBytes?: number | undefined;
  /** False: the CPU's cache and the device don't see each other's writes until the driver syncs, as on many Arm machines. Left out: true, as on x86. */
  readonly isDmaCoherent?: boolean | undefined;
  /**
   * Time from the first received frame to its interrupt, ns (`ethtool -C adaptive-rx off rx-usecs …`); left out: the profile's moderation, which
   * may be adaptive.
   */
  readonly interruptDelayNs?: number | undefined;
  /** Deferral of interrupts (napi_defer_hard_irqs, gro_flush_timeout); left out: none. */
  readonly napi?: Partial<NapiSettings> | undefined;
  /** Offloads that are switched otherwise than the driver does (`ethtool -K`). */
  readonly offloads?: Partial<OffloadSettings> | undefined;
  /**
   * Transmit queues that are set up for launch times (`tc qdisc replace … etf offload`), in the cycle of a second that the driver makes of it; left out:
   * none, and what frames ask for is passed over.
   */
  readonly launchTimeQueues?: readonly number[] | undefined;
  /** What is to go wrong; left out: nothing. */
  readonly faults?: FaultPlan | undefined;
  readonly ifindex: number;
  /** Of a veth; left out: an end like this one. */
  readonly peer?: VethPeer | undefined;
  /** Where the program runs; left out: native. */
  readonly xdpMode?: XdpMode | undefined;
  /** Whether the driver honours the private contract about checksums on XDP_TX (txContract.ts), which mainline lacks; left out: the profile's. */
  readonly hasTxContract?: boolean | undefined;
  /** What else is switched on in the device, which only matters to whether a program can be attached; left out: nothing. */
  readonly features?: readonly NicFeature[] | undefined;
}

/** Headroom in receive buffers with these settings, bytes. In generic mode the driver has no program, and leaves what its skbs need. */
export function headroomOf({ profile, headroomBytes, xdpMode }: NicSettings): number {
  const { how, bufferHeadroomBytes } = profile.skb;
  return headroomBytes ?? (xdpMode === 'generic' && how === 'buffer' ? bufferHeadroomBytes : profile.headroom.default);
}

/** Types don't hold in plain JavaScript: what comes may be a name, as `createTestNic` takes it, or the `undefined` of a name that `findProfile` doesn't know. */
function isProfile(profile: NicProfile | undefined): boolean {
  return profile?.rxRing !== undefined;
}

/** What the driver makes of settings that it takes: some round ring sizes up. */
export function effectiveSettings(settings: NicSettings): NicSettings {
  const { profile, rxRingSize, txRingSize } = settings;
  if (!isProfile(profile)) return settings;
  return { ...settings, rxRingSize: effectiveSetting(profile.rxRing, rxRingSize), txRingSize: effectiveSetting(profile.txRing, txRingSize) };
}

/**
 * Checks settings against the limits of the profile: `nic-profile`, `nic-queues`, `nic-ring-size`, `nic-mtu`, `nic-headroom`, `nic-coalesce`, `nic-offload`,
 * `nic-dma`, `nic-napi`, `nic-launch-time`, `nic-feature`, `nic-ifindex`, `fault-*`.
 */
export function checkSettings(settings: NicSettings): Problem | undefined {
  const { profile, queues, rxRingSize, txRingSize, mtu, interruptDelayNs } = settings;
  if (!isProfile(profile)) {
    return { code: 'nic-profile', where: 'NIC settings', message: `${JSON.stringify(profile)} is no profile`, hint: "give what findProfile('ice') gave" };
  }
  const problem =
    checkLimit(profile.queues, queues, 'nic-queues', 'queue count', profile.name) ??
    checkLimit(profile.rxRing, rxRingSize, 'nic-ring-size', 'RX ring size', profile.name) ??
    checkLimit(profile.txRing, txRingSize, 'nic-ring-size', 'TX ring size', profile.name) ??
    checkLimit(profile.mtu, mtu, 'nic-mtu', 'MTU', profile.name) ??
    checkLimit(profile.headroom, settings.headroomBytes ?? profile.headroom.default, 'nic-headroom', 'headroom', profile.name);
  if (problem !== undefined) return problem;
  const where = `NIC ${profile.name}`;
  if (settings.isDmaCoherent !== undefined && typeof settings.isDmaCoherent !== 'boolean') {
    return { code: 'nic-dma', where, message: `isDmaCoherent is ${String(settings.isDmaCoherent)}, and neither true nor false`, hint: 'use false for a machine that needs syncs, true for one like x86' };
  }
  if (interruptDelayNs !== undefined && !(Number.isInteger(interruptDelayNs) && interruptDelayNs >= 0 && interruptDelayNs <= DELAY_MAX_NS)) {
    return { code: 'nic-coalesce', where, message: `an interrupt delay of ${interruptDelayNs} ns is refused (EINVAL): whole numbers up to ${DELAY_MAX_NS}, as nobody waits more than a second for an interrupt`, hint: `use 0 to ${DELAY_MAX_NS}` };
  }
  for (const [name, isOn] of Object.entries(settings.offloads ?? {}) as [keyof OffloadSettings, boolean][]) {
    if (!OFFLOADS.includes(name)) return { code: 'nic-offload', where, message: `there is no offload ${name} that can be switched`, hint: `use one of: ${OFFLOADS.join(', ')}` };
    if (isOn !== undefined && typeof isOn !== 'boolean') return { code: 'nic-offload', where, message: `${name} is ${String(isOn)}, and neither true nor false`, hint: 'use true for on, false for off' };
    if (name === 'rxHash' && isOn === false && profile.driver === 'veth') return { code: 'nic-offload', where, message: "rxHash can't be switched off: of a veth it is fixed", hint: 'leave it out' };
    if (isOn !== true || (name === 'rxHash' ? profile.rss !== undefined : profile.offloads[name])) continue;
    return { code: 'nic-offload', where, message: `${name} can't be switched on: the device doesn't have it (EOPNOTSUPP)`, hint: 'leave it off, or choose a NIC that has it: sim nic list' };
  }
  for (const [name, value] of Object.entries(settings.napi ?? {})) {
    const max = NAPI_MAX[name as keyof NapiSettings];
    if (!Object.hasOwn(NAPI_MAX, name)) return { code: 'nic-napi', where, message: `NAPI has no setting ${name}`, hint: `use one of: ${Object.keys(NAPI_MAX).join(', ')}` };
    if (value === undefined || (Number.isInteger(value) && value >= 0 && value <= max)) continue;
    return { code: 'nic-napi', where, message: `${name} of ${value} is out of range (ERANGE)`, hint: `use a whole number from 0 to ${max}` };
  }
  const launchTimeProblem = checkLaunchTimes(settings, where);
  if (launchTimeProblem !== undefined) return launchTimeProblem;
  for (const feature of settings.features ?? []) {
    const known = featuresOf(profile);
    if (known.includes(feature)) continue;
    const has = known.length === 0 ? 'it has none that matter to XDP' : `use one of: ${known.join(', ')}`;
    return { code: 'nic-feature', where, message: feature in NIC_FEATURES ? `the device has no ${feature} that matters to XDP (EOPNOTSUPP)` : `there is no feature '${feature}'`, hint: has };
  }
  if (!Number.isInteger(settings.ifindex) || settings.ifindex < 1 || settings.ifindex > INT_MAX) {
    return { code: 'nic-ifindex', where, message: `${settings.ifindex} is no interface number`, hint: `use a whole number from 1 to ${INT_MAX}` };
  }
  return settings.faults && checkFaultPlan(settings.faults);
}

/** EOPNOTSUPP of drivers without ETF offload (etf_enable_offload, net/sched/sch_etf.c), EINVAL for a queue that there is not (igc_save_launchtime_params; 6.18). */
function checkLaunchTimes({ profile, queues, launchTimeQueues = [] }: NicSettings, where: string): Problem | undefined {
  if (launchTimeQueues.length === 0) return undefined;
  const problem = (message: string, hint: string): Problem => ({ code: 'nic-launch-time', where, message, hint });
  if (!hasLaunchTimes(profile)) {
    const able = PROFILES.filter(hasLaunchTimes).map(({ name }) => name);
    return problem(`queue ${shownValue(launchTimeQueues[0])} can't be set up for launch times: the driver doesn't have them (EOPNOTSUPP)`, `leave it out, or choose a NIC that has them: ${able.join(', ')}`);
  }
  const stranger = launchTimeQueues.find((queue) => !(Number.isInteger(queue) && queue >= 0 && queue < queues));
  return stranger === undefined ? undefined : problem(`there is no transmit queue ${shownValue(stranger)} to set up for launch times (EINVAL)`, `use a queue from 0 to ${queues - 1}`);
}

function hasLaunchTimes({ xdp }: NicProfile): boolean {
  return xdp.zeroCopy?.txMetadata?.launchTime === true;
}

/** What can be switched on in this NIC that a driver or the core asks about before it takes a program. */
export function featuresOf({ xdp }: NicProfile): readonly NicFeature[] {
  return [...new Set([...(xdp.attachRules ?? []).flatMap(({ feature }) => feature ?? []), ...(xdp.coreFeatures ?? [])])];
}
