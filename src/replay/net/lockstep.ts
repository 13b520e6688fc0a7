import { fail, ok, ProblemError, toHex } from '../../base/index.js';
import type { Result } from '../../base/index.js';
import { compareObservations } from '../../cases/index.js';
import type { RunResult, Simulation, WatchedPacket } from '../../sim/index.js';
import { Outcome } from '../../xdp/index.js';
import type { Arrival, Destination, Wire } from './kernelWire.js';
import { DifferenceList } from './netReport.js';
import type { NetEnds } from './netReport.js';
import type { TraceTwin } from './traceTwin.js';
import type { WireCapture } from './wireCapture.js';

/** What became of a packet on one side. */
interface End {
  readonly destination: Destination | 'dropped';
  /** The packet as it arrived; empty when it didn't. */
  readonly bytes: Uint8Array;
}

const VLAN_TPIDS: readonly number[] = [0x8100, 0x88a8];
/** What a frame with a VLAN tag must have: addresses, TPID, tag, and the EtherType behind it. */
const TAGGED_BYTES = 20;

const NO_BYTES = new Uint8Array(0);
const DROPPED: End = { destination: 'dropped', bytes: NO_BYTES };

/** Counts of one side. */
class Tally {
  readonly ends = { stack: 0, wire: 0, dropped: 0 };
  wireBytes = 0;

  add({ destination, bytes }: End): void {
    this.ends[destination]++;
    if (destination === 'wire') this.wireBytes += bytes.length;
  }
}

export interface LockstepResult {
  readonly run: RunResult;
  /** Packets that arrived, for all that can be known: see `isUnseen`. */
  readonly unseen: number;
  readonly simulator: { readonly ends: NetEnds; readonly wireBytes: number };
  readonly kernel: { readonly ends: NetEnds };
  readonly differences: DifferenceList;
}

/**
 * Runs the simulation over a capture and gives each packet to the kernel as soon as the simulator is done with it and with all that
 * came before. So the memory that this takes doesn't grow with the capture, and each arrival has the packet that it came from.
 *
 * Problems: those of `Simulation.run`, `net-send`, `net-noise`.
 */
export function runInLockstep(
  simulation: Simulation, capture: WireCapture, wire: Wire, onProgress: (packets: number) => void, traces?: TraceTwin,
): Result<LockstepResult> {
  const simulated = new Tally();
  const real = new Tally();
  const differences = new DifferenceList();
  const waiting = new Map<number, End>();
  let unseen = 0;
  const noise = wire.settle();
  if (noise.length > 0) return fail({ code: 'net-noise', message: `${noise.length} packets arrived before any was sent`, hint: 'file a bug: the stacks are meant to be silent' });

  const step = (packetId: number, end: End): void => {
    const { packetNumber, bytes } = capture.takeFrame(packetId);
    const isHidden = isUnseen(end);
    const sent = wire.send(bytes, end.destination !== 'dropped' && !isHidden);
    if (!sent.ok) throw new ProblemError({ where: `packet ${packetNumber}`, ...sent.problem });
    traces?.takeKernel(packetId, packetNumber);
    traces?.compareBefore(packetId, differences);
    const [first = isHidden ? end : DROPPED, ...others] = sent.value;
    if (isHidden) unseen++;
    simulated.add(end);
    real.add(first);
    compareEnds(packetNumber, end, first, differences);
    for (const other of others) addSurplus(other, differences, packetNumber);
  };
  try {
    const run = simulation.run(
      capture,
      {
        onPacketEnd(packet) {
          waiting.set(packet.packetId, endOf(packet, simulation.memory.u8));
          for (let id = wire.sent + 1, end = waiting.get(id); end !== undefined; end = waiting.get(++id)) {
            waiting.delete(id);
            step(id, end);
          }
        },
        ...(traces === undefined ? {} : { onTrace: (record) => traces.noteSimulated(record.packetId, record) }),
      },
      onProgress,
    );
    if (!run.ok) return run;
    for (const arrival of wire.settle()) addSurplus(arrival, differences);
    traces?.compareBefore(Infinity, differences);
    return ok({ run: run.value, unseen, simulator: simulated, kernel: real, differences });
  } catch (error) {
    if (error instanceof ProblemError) return fail(error.problem);
    throw error;
  }
}

function endOf({ outcome, address, lenBytes }: WatchedPacket, u8: Uint8Array): End {
  const bytes = (): Uint8Array => u8.slice(address, address + lenBytes);
  switch (outcome) {
    case Outcome.stack:
    case Outcome.cpumap: return { destination: 'stack', bytes: bytes() };
    case Outcome.tx:
    case Outcome.redirect: return { destination: 'wire', bytes: bytes() };
    default: return DROPPED;
  }
}

/**
 * A frame that is too short for the VLAN tag that it begins is dropped by whichever stack gets it, before any socket sees it
 * (skb_vlan_untag, net/core/skbuff.c, 6.18). That it got so far is then known by the counters only.
 */
function isUnseen({ bytes }: End): boolean {
  return bytes.length > 0 && bytes.length < TAGGED_BYTES && VLAN_TPIDS.includes((bytes[12] << 8) | bytes[13]);
}

function compareEnds(packet: number, simulator: End, kernel: End, differences: DifferenceList): void {
  if (simulator.destination !== kernel.destination) {
    differences.add({ packet, part: 'end', simulator: simulator.destination, kernel: kernel.destination });
  } else if (Buffer.compare(simulator.bytes, kernel.bytes) !== 0) {
    for (const { part, expected, observed } of compareObservations({ data_out: toHex(simulator.bytes) }, { data_out: toHex(kernel.bytes) })) {
      differences.add({ packet, part: part.replace(/^data_out/, 'frame'), simulator: expected, kernel: observed });
    }
  }
}

/** An arrival that no packet accounts for: at the latest found after this packet. */
function addSurplus({ destination, bytes }: Arrival, differences: DifferenceList, packet?: number): void {
  differences.add({ ...(packet === undefined ? {} : { packet }), part: `surplus arrival, ${destination}`, simulator: 'none', kernel: toHex(bytes) });
}
