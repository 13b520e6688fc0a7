import { Owner } from '../../memory/index.js';
import { XskSocket } from '../../umem/index.js';
import { contextSharedInfo, fragmentAddress, fragmentCount, metadataBytes, packetBytes, XDP_MD_RX_QUEUE_INDEX } from '../../vm/index.js';
import { Outcome, redirectErrorOutcome, redirectProgramId, resolveRedirect, runEntryProgram, XDP_PASS, XDP_REDIRECT } from '../../xdp/index.js';
import type { XdpXmitDevice } from '../../xdp/index.js';
import { TX_XDP_XMIT } from '../bufferTags.js';
import { NO_VERDICT } from './driverState.js';
import type { DriverState } from './driverState.js';
import { endPacket, failPacket, linearAddress, passToStack } from './packetEnd.js';
import type { QueuePair } from './queuePair.js';
import { convertToFrame, queueXdpFrame } from './xdpTransmit.js';

/** CPUs that a packet may be handed over to, one after the other: programs that redirect for ever must not hang the simulation. */
const MAX_CPU_HOPS = 64;

/** Carries out a redirect of the packet in the context block; behind a CPUMAP a program may ask for the next one. */
export function redirect(state: DriverState, pair: QueuePair, buffer: number, packetId: number): void {
  const { memory, vm, targets, ifindex } = state.config;
  const { counters } = pair;
  for (let hops = 0; hops < MAX_CPU_HOPS; hops++) {
    const target = resolveRedirect(vm, targets, packetBytes(memory.u32, vm.contextAddress), ifindex);
    if (typeof target !== 'number') {
      if (target instanceof XskSocket) toSocket(state, pair, buffer, packetId, target);
      else toDevice(state, pair, buffer, packetId, target);
      return;
    }
    if (target < 0) {
      counters.xdpRedirectErrors++;
      failPacket(state, pair, buffer, packetId, redirectErrorOutcome(target), XDP_REDIRECT);
      return;
    }
    if (!toCpu(state, pair, buffer, packetId, target)) return;
  }
  counters.xdpRedirectErrors++;
  failPacket(state, pair, buffer, packetId, Outcome.redirectLoop, XDP_REDIRECT);
}

function toSocket(state: DriverState, pair: QueuePair, buffer: number, packetId: number, socket: XskSocket): void {
  const { memory, allocator, vm, ifindex } = state.config;
  const { ledger } = allocator;
  const { counters } = pair;
  const context = vm.contextAddress;
  // Not the queue of the pair: behind a CPUMAP nobody knows it any more.
  const rxQueue = memory.u32[(context + XDP_MD_RX_QUEUE_INDEX) >>> 2];
  if (socket.queueId !== rxQueue || socket.ifindex !== ifindex) {
    counters.xdpRedirectErrors++;
    failPacket(state, pair, buffer, packetId, Outcome.xskWrongQueue, XDP_REDIRECT);
    return;
  }
  ledger.move(buffer, Owner.driver, Owner.redirect);
  const error = socket.receive(linearAddress(state), packetBytes(memory.u32, context), metadataBytes(memory.u32, context), packetId);
  ledger.move(buffer, Owner.redirect, Owner.driver);
  if (error === 0) {
    counters.xdpRedirect++;
    state.readySockets.add(socket);
    endPacket(state, pair, buffer, packetId, Outcome.xsk, XDP_REDIRECT);
  } else {
    counters.xdpRedirectErrors++;
    failPacket(state, pair, buffer, packetId, redirectErrorOutcome(error), XDP_REDIRECT);
  }
}

/**
 * The frame goes onto the bulk queue of the device, which is this one, and with the flush into ndo_xdp_xmit: out of the queue of this
 * CPU, which is the one that is polled. A frame that can't be made is an error of the redirect; one that can't be sent is the target's.
 * The program of a DEVMAP's entry runs before that; the kernel runs it on up to 16 frames at once, here it sees each by itself.
 */
function toDevice(state: DriverState, pair: QueuePair, buffer: number, packetId: number, device: XdpXmitDevice): void {
  if (device !== state.device) throw new Error(`redirect: no way to transmit on interface ${device.ifindex}`);
  const { counters } = pair;
  const programId = redirectProgramId(state.config.vm);
  if (programId !== 0 && convertToFrame(state, buffer)) {
    const verdict = runProgramOfEntry(state, pair, buffer, packetId, programId, device.ifindex);
    if (verdict !== XDP_PASS) {
      counters.xdpRedirect++;
      endPacket(state, pair, buffer, packetId, verdict === NO_VERDICT ? Outcome.entryProgramFault : Outcome.devmapDrop, XDP_REDIRECT);
      return;
    }
  }
  const outcome = queueXdpFrame(state, pair, buffer, TX_XDP_XMIT, XDP_REDIRECT);
  if (outcome === Outcome.txNoHeadroom) {
    counters.xdpRedirectErrors++;
    failPacket(state, pair, buffer, packetId, outcome, XDP_REDIRECT);
    return;
  }
  counters.xdpRedirect++;
  if (outcome === Outcome.tx) {
    counters.txXdpXmit++;
    return;
  }
  counters.txXdpXmitErrors++;
  endPacket(state, pair, buffer, packetId, outcome, XDP_REDIRECT);
}

/**
 * The frame goes onto the queue of another CPU, whose thread runs the entry's program and makes an skb (cpu_map_kthread_run). CPUs cost
 * no time here, so the queue is never full.
 *
 * @returns true when the program redirects the packet on
 */
function toCpu(state: DriverState, pair: QueuePair, buffer: number, packetId: number, cpu: number): boolean {
  const { vm } = state.config;
  const { counters } = pair;
  if (!convertToFrame(state, buffer)) {
    counters.xdpRedirectErrors++;
    failPacket(state, pair, buffer, packetId, Outcome.txNoHeadroom, XDP_REDIRECT);
    return false;
  }
  const programId = redirectProgramId(vm);
  const { environment } = vm;
  const pollingCpu = environment.cpu;
  environment.cpu = cpu;
  const verdict = programId === 0 ? XDP_PASS : runProgramOfEntry(state, pair, buffer, packetId, programId, 0);
  environment.cpu = pollingCpu;
  if (verdict === XDP_REDIRECT) return true;
  counters.xdpRedirect++;
  // The program may have left no room for struct xdp_frame (xdp_update_frame_from_buff).
  if (verdict === XDP_PASS && convertToFrame(state, buffer)) passToStack(state, pair, buffer, packetId, XDP_REDIRECT, Outcome.cpumap);
  else if (verdict === XDP_PASS) endPacket(state, pair, buffer, packetId, Outcome.txNoHeadroom, XDP_REDIRECT);
  else endPacket(state, pair, buffer, packetId, verdict === NO_VERDICT ? Outcome.entryProgramFault : Outcome.cpumapDrop, XDP_REDIRECT);
  return false;
}

/** Runs the program of a map's entry: what it returns, or NO_VERDICT when it was stopped. */
function runProgramOfEntry(
  state: DriverState, pair: QueuePair, buffer: number, packetId: number, programId: number, egressIfindex: number,
): number {
  const { memory, allocator, vm, observer } = state.config;
  const { u32 } = memory;
  const { contextAddress: context } = vm;
  const fragments = fragmentCount(u32, context);
  const { ledger } = allocator;
  ledger.move(buffer, Owner.driver, Owner.program);
  const fault = runEntryProgram(vm, vm.program(programId)!, egressIfindex);
  ledger.move(buffer, Owner.program, Owner.driver);
  const sharedInfo = contextSharedInfo(u32, context);
  for (let i = fragmentCount(u32, context); i < fragments; i++) {
    pair.rx.buffers.recycleDirect(ledger.bufferOf(fragmentAddress(u32, sharedInfo, i)), Owner.driver);
  }
  if (fault === 0) return vm.retval;
  observer.onFault(packetId);
  return NO_VERDICT;
}
