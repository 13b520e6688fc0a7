import { NEWEST_KERNEL, unwrap } from '../../src/base/index.js';
import type { KernelRelease } from '../../src/base/index.js';
import { findProfile, NETDEV_XDP_ACT_RX_SG } from '../../src/nic/index.js';
import type { NicProfile } from '../../src/nic/index.js';
import { createScenario, IDEAL_LINK } from '../../src/sim/index.js';
import type { Host, HostNicSpec } from '../../src/sim/index.js';
import { XskMap } from '../../src/vm/index.js';
import { fixture } from '../support/simulate.js';
import type { Bed, BedEnd, BedKind, BedWishes, Mode, Program } from './bed.js';

const IFINDEX = 1;
const NAMES = ['sender', 'receiver'] as const;

/** Room for the UMEMs and rings of a case. What isn't written to costs nothing. */
const APPLICATION_BYTES = 160 << 20;

/** Busy polling as Documentation/networking/napi.rst sets it up: the interrupt is off as long as the application comes in time. */
const BUSY_POLLED_NAPI = { deferHardIrqs: 2, groFlushTimeoutNs: 200_000 };

export interface SimulatedKindOptions {
  readonly kernel?: KernelRelease;
}

/** Beds in the simulator, with NICs of one profile. */
export function simulatedKind(profileName: string, { kernel = NEWEST_KERNEL }: SimulatedKindOptions = {}): BedKind {
  const profile = findProfile(profileName);
  if (profile === undefined) throw new Error(`there is no profile ${profileName}`);
  const { rxRing, txRing } = profile;
  return {
    name: kernel === NEWEST_KERNEL ? profileName : `${profileName}, kernel ${kernel}`,
    kernel,
    hasMetadata: profile.xdp.hasMetadata,
    receivesFragments: (profile.xdp.features & NETDEV_XDP_ACT_RX_SG) !== 0,
    growsFragments: profile.xdp.growsFragments !== false,
    nicRings: rxRing.min === rxRing.max ? undefined : { minRx: rxRing.min, minTx: txRing.min, maxRx: rxRing.max, maxTx: txRing.max },
    zeroCopySegments: zeroCopySegments(profile),
    zeroCopyPrefixBytes: profile.prefixInHeadroom === true ? 0 : profile.format.rxPrefixBytes,
    open: (mode, wishes, isBusyPolled) => openBed(profile, kernel, mode, wishes, isBusyPolled),
  };
}

/** What the driver says that it can, asked of one that has a program. */
function zeroCopySegments(profile: NicProfile): number {
  const scenario = makeScenario(profile, NEWEST_KERNEL, 'DRV', {}, false);
  return scenario.hosts[0].afXdp.device(IFINDEX)?.zeroCopy?.maxSegments ?? 0;
}

function makeScenario(profile: NicProfile, kernel: KernelRelease, mode: Mode, { mtu = 1500, nicRings, program = 'to_socket' }: BedWishes, isBusyPolled: boolean): ReturnType<typeof createScenarioOf> {
  const nic = (name: Program): HostNicSpec => ({
    name: 'eth0',
    settings: {
      profile, queues: 1, rxRingSize: nicRings?.rx ?? profile.rxRing.default, txRingSize: nicRings?.tx ?? profile.txRing.default, mtu, ifindex: IFINDEX,
      xdpMode: mode === 'SKB' ? 'generic' : 'native', interruptDelayNs: 0, napi: isBusyPolled ? BUSY_POLLED_NAPI : undefined,
    },
    xdp: { object: 'steer', program: name },
  });
  return createScenarioOf(kernel, [nic('to_socket'), nic(program)]);
}

function createScenarioOf(kernel: KernelRelease, nics: readonly HostNicSpec[]) {
  const object = fixture('xsk_steer');
  return unwrap(createScenario({
    seed: 1,
    hosts: nics.map((nic, i) => ({ name: NAMES[i], cpus: 1, objects: { steer: object }, nics: [nic], kernel, applicationBytes: APPLICATION_BYTES })),
    links: [{ between: [{ host: NAMES[0], nic: 'eth0' }, { host: NAMES[1], nic: 'eth0' }], ...IDEAL_LINK }],
    traffic: [],
  }));
}

function openBed(profile: NicProfile, kernel: KernelRelease, mode: Mode, wishes: BedWishes, isBusyPolled: boolean): Bed {
  const scenario = makeScenario(profile, kernel, mode, wishes, isBusyPolled);
  const [sender, receiver] = scenario.hosts;
  return {
    ends: [endOf(sender), endOf(receiver)],
    settle: () => unwrap(scenario.settle()),
    patience: 2,
    pass: (ms) => unwrap(scenario.settle(ms * 1e6)),
    close: () => {
      const { hosts, linkAudit } = unwrap(scenario.run());
      const audits = [linkAudit, ...hosts.map(({ result }) => result.audit)];
      const failed = audits.flatMap(({ checks }) => checks.filter((check) => !check.ok).map(({ name, detail }) => `audit, ${name}: ${detail}`));
      const wrong = hosts.flatMap(({ host, result }) => [
        ...result.faults.map(({ fault }) => `${host.name}: ${fault.message}`),
        ...host.nics.flatMap(({ nic }) => nic.driver.mistakes().map(({ message }) => `${host.name}: ${message}`)),
      ]);
      const findings = hosts.flatMap(({ result }) => result.xskFindings.map(({ code }) => code));
      return { wrong: [...failed, ...wrong], findings: [...new Set(findings)].sort() };
    },
  };
}

function endOf({ afXdp, objects, sockets }: Host): BedEnd {
  const object = objects.get('steer')!;
  const map = object.maps.get('xsks');
  if (!(map instanceof XskMap)) throw new Error('xsk_steer has no XSKMAP xsks');
  map.setQueues((id) => sockets[id]?.queueId ?? 0);
  return {
    calls: afXdp,
    ifindex: IFINDEX,
    putSocket: (slot, fd) => map.updateBytes(bytes(slot), bytes(afXdp.socketOf(fd)!.id + 1), 0),
    setTailChange: (by) => unwrap(object.setVariable('tail_change', String(by))),
    get tailError() {
      return Number(unwrap(object.readVariable('tail_error')));
    },
  };
}

const bytes = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer);
