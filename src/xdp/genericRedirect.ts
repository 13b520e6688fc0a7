import { EBADRQC, EINVAL, EMSGSIZE, ENETDOWN, ENODEV, ENOMEM, ENXIO, EOPNOTSUPP } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import {
  BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS, BPF_MAP_TYPE_CPUMAP, BPF_MAP_TYPE_XSKMAP, entryTarget, programOfEntry, REDIRECT_IFINDEX, REDIRECT_NONE,
} from '../vm/index.js';
import type { LoadedProgram, ProgramEntryMap, Vm } from '../vm/index.js';
import { Outcome } from './outcome.js';
import type { SkBuff } from './skBuff.js';
import type { SkbMemory } from './skbMemory.js';
import type { SkbProgram } from './skbProgram.js';
import { STOPPED } from './skbProgram.js';
import { REDIRECT_WITHOUT_MAP } from './tracepoints.js';
import { XDP_DROP, XDP_PASS, XDP_TX } from './verdict.js';
import type { XdpCore } from './xdpCore.js';
import { xdpOkFwdDev } from './xdpDevice.js';
import type { XdpXmitDevice } from './xdpDevice.js';
import { xskErrorOutcome } from './xskOutcome.js';

/**
 * Redirects of skbs (xdp_do_generic_redirect, net/core/filter.c, 6.18). They differ from those of frames: any device will do, also one without
 * ndo_xdp_xmit, as skbs leave by ndo_start_xmit; nothing waits for a flush; the program of a DEVMAP's entry runs before the redirect is traced; and the
 * first device of a broadcast that does not take the packet ends it.
 */
export class GenericRedirect {
  /** Where the packet of the last `redirect` that failed is to end. */
  failure: Outcome = Outcome.redirectNoTarget;
  readonly #vm: Vm;
  readonly #memory: HostMemory;
  readonly #core: XdpCore;
  readonly #skbs: SkbMemory;
  readonly #program: SkbProgram;

  constructor(vm: Vm, core: XdpCore, skbs: SkbMemory, program: SkbProgram) {
    this.#vm = vm;
    this.#memory = vm.memory;
    this.#core = core;
    this.#skbs = skbs;
    this.#program = program;
  }

  /**
   * Carries out what the last run asked for.
   *
   * @param program that asked
   * @returns 0: the skb is gone. Negated errno: it is the caller's to drop, with `failure`
   */
  redirect(skb: SkBuff, program: LoadedProgram): number {
    // A program of an entry overwrites what stands here.
    const { kind, mapType, mapId, targetIndex, target, flags } = this.#vm.redirect;
    const { tracer } = this.#core;
    const { ifindex } = skb;
    if (kind === REDIRECT_IFINDEX) {
      const device = this.#core.device(targetIndex);
      const error = device === undefined ? this.#fail(EINVAL, Outcome.redirectNoTarget) : this.#check(device, skb);
      tracer.xdpRedirect(ifindex, program.id, error, targetIndex, REDIRECT_WITHOUT_MAP, 0);
      if (error === 0) this.transmit(skb, device!, program);
      return error;
    }
    // Of a broadcast it is whatever stands under the key, which is not looked at otherwise.
    const isDevmap = kind !== REDIRECT_NONE && mapType !== BPF_MAP_TYPE_XSKMAP && mapType !== BPF_MAP_TYPE_CPUMAP && target !== 0;
    const toIfindex = isDevmap ? entryTarget(this.#memory, target) : 0;
    let error: number;
    if (kind === REDIRECT_NONE) error = this.#fail(EBADRQC, Outcome.redirectNoHelper);
    else if (mapType === BPF_MAP_TYPE_XSKMAP) error = this.#toSocket(skb, target);
    else if (mapType === BPF_MAP_TYPE_CPUMAP) error = this.#toCpu(skb, target, mapId, targetIndex);
    else if ((flags & BPF_F_BROADCAST) !== 0) error = this.#broadcast(skb, program, this.#vm.map(mapId) as ProgramEntryMap, flags);
    else error = this.#toEntry(skb, program, target);
    tracer.xdpRedirect(ifindex, program.id, error, toIfindex, mapId, targetIndex);
    return error;
  }

  #fail(errno: number, outcome: Outcome): number {
    this.failure = outcome;
    return -errno;
  }

  /** xdp_ok_fwd_dev. */
  #check(device: XdpXmitDevice, skb: SkBuff): number {
    const error = xdpOkFwdDev(device, skb.lenBytes);
    if (error === -ENETDOWN) return this.#fail(ENETDOWN, Outcome.redirectDeviceDown);
    return error === 0 ? 0 : this.#fail(EMSGSIZE, Outcome.redirectTooLong);
  }

  /** generic_xdp_tx: straight to the driver, past the qdisc. What finds no room is dropped; for the redirect that is no error. */
  transmit(skb: SkBuff, device: XdpXmitDevice, program: LoadedProgram): void {
    skb.ifindex = device.ifindex;
    if (device.startXmit?.(skb) === true) return;
    this.#core.tracer.xdpException(device.ifindex, program.id, XDP_TX);
    this.#skbs.drop(skb, Outcome.txRingFull);
  }

  /** xsk_generic_rcv, which wakes the application at once. */
  #toSocket(skb: SkBuff, target: number): number {
    const socket = this.#core.sockets[target - 1];
    if (socket === undefined) return this.#fail(ENXIO, Outcome.xskNotBound);
    const rxQueue = skb.rxQueue < 0 ? 0 : skb.rxQueue;
    const refused = socket.checkReceive(skb.ifindex, rxQueue, skb.lenBytes);
    if (refused !== 0) return this.#fail(-refused, xskErrorOutcome(refused));
    const error = socket.copyPacket(this.#skbs.linearAddress(skb), skb.lenBytes, skb.metaBytes, skb.fragmentBytes > 0, skb.packetId);
    socket.flush();
    if (error !== 0) return this.#fail(-error, xskErrorOutcome(error));
    this.#core.readySockets.add(socket);
    this.#core.flushSockets();
    this.#skbs.drop(skb, Outcome.xsk);
    return 0;
  }

  #toCpu(skb: SkBuff, entry: number, mapId: number, toCpu: number): number {
    const error = this.#core.cpumap.enqueueSkb(entry, mapId, toCpu, skb);
    return error === 0 ? 0 : this.#fail(-error, Outcome.cpumapFull);
  }

  /** dev_map_generic_redirect: 0 also when the entry's program drops the packet. */
  #toEntry(skb: SkBuff, program: LoadedProgram, entry: number): number {
    const device = this.#core.device(entryTarget(this.#memory, entry));
    if (device === undefined) return this.#fail(ENODEV, Outcome.redirectNotSimulated);
    const error = this.#check(device, skb);
    if (error !== 0) return error;
    const programId = programOfEntry(this.#memory, entry);
    if (programId === 0 || this.#entryPasses(skb, this.#vm.program(programId)!, device)) this.transmit(skb, device, program);
    return 0;
  }

  /** dev_map_bpf_prog_run_skb: whether the packet goes on. */
  #entryPasses(skb: SkBuff, program: LoadedProgram, device: XdpXmitDevice): boolean {
    const verdict = this.#program.run(skb, program, device.ifindex);
    if (verdict === XDP_PASS) return true;
    if (verdict === STOPPED) skb.origin!.observer.onFault(skb.packetId);
    else if (verdict !== XDP_DROP) this.#core.tracer.xdpException(device.ifindex, program.id, verdict);
    this.#skbs.drop(skb, verdict === STOPPED ? Outcome.entryProgramFault : Outcome.devmapDrop);
    return false;
  }

  /** dev_map_redirect_multi: copies go to all devices of the map but the last, the packet itself to that. */
  #broadcast(skb: SkBuff, program: LoadedProgram, map: ProgramEntryMap, flags: number): number {
    const excluded = (flags & BPF_F_EXCLUDE_INGRESS) !== 0 ? skb.ifindex : 0;
    let last = 0;
    for (let slot = 0; slot < map.slotCount; slot++) {
      const entry = map.slotTarget(slot);
      if (entry === 0 || entryTarget(this.#memory, entry) === excluded) continue;
      if (last !== 0) {
        const error = this.#toEntryByCopy(skb, program, last);
        if (error !== 0) return error;
      }
      last = entry;
    }
    if (last !== 0) return this.#toEntry(skb, program, last);
    this.#skbs.drop(skb, Outcome.redirectNoReceiver);
    return 0;
  }

  /** dev_map_redirect_clone: fragments can't be cloned, as the copies' programs would write into them. */
  #toEntryByCopy(skb: SkBuff, program: LoadedProgram, entry: number): number {
    if (skb.fragmentBytes > 0) return this.#fail(EOPNOTSUPP, Outcome.redirectNotSupported);
    const copy = this.#skbs.copy(skb);
    if (copy === undefined) return this.#fail(ENOMEM, Outcome.redirectCopyFailed);
    const error = this.#toEntry(copy, program, entry);
    if (error !== 0) this.#skbs.free(copy);
    return error;
  }
}
