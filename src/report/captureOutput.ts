import { join } from 'node:path';
import { fail, ok, toHex } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import type { HostMemory } from '../memory/index.js';
import { EPB_FLAGS_INBOUND, EPB_FLAGS_OUTBOUND, PcapngWriter } from '../packet/index.js';
import type { PcapngPacketOptions } from '../packet/index.js';
import type { PacketWatcher, WatchedPacket } from '../sim/index.js';
import { WIRE_SLOT_BYTES } from '../sim/index.js';
import { Outcome, OUTCOMES } from '../xdp/index.js';
import { prepareOutputs } from './outputFiles.js';

/** File name and meaning of each destination. */
const DESTINATIONS = {
  stack: 'packets that the network stack got',
  tx: 'packets that XDP_TX or a redirect to a device sent out',
  xsk: 'packets that AF_XDP sockets got',
  'xsk-tx': 'frames that AF_XDP applications sent',
  dropped: 'packets that went nowhere, as they were then',
} as const;

type Destination = keyof typeof DESTINATIONS;

/** Writes the packets of a run into one pcapng file a destination, each with its verdict, queue and packet id. */
export class CaptureOutput implements PacketWatcher {
  readonly #u8: Uint8Array;
  readonly #writers: ReadonlyMap<Destination, PcapngWriter>;
  readonly #options: PcapngPacketOptions = {};

  private constructor(memory: HostMemory, writers: ReadonlyMap<Destination, PcapngWriter>) {
    this.#u8 = memory.u8;
    this.#writers = writers;
  }

  /**
   * Makes the directory and the files; files of an earlier run are replaced, but never the one that is being read.
   *
   * @param inputPath the capture that the run reads
   *
   * Problems: `output-directory`, `output-in-the-way`, `output-is-input`, `capture-unwritable`.
   */
  static create(directory: string, memory: HostMemory, nicName: string, inputPath: string): Result<CaptureOutput> {
    const paths = (Object.keys(DESTINATIONS) as Destination[]).map((destination) => [destination, join(directory, `${destination}.pcapng`)] as const);
    const problem = prepareOutputs(paths.map(([, path]) => path), [inputPath]);
    if (problem !== undefined) return fail(problem);
    const writers = new Map<Destination, PcapngWriter>();
    for (const [destination, path] of paths) {
      const writer = PcapngWriter.create(path, { userApplication: 'xdp-sim', interfaces: [{ name: nicName, description: DESTINATIONS[destination] }] });
      if (!writer.ok) {
        for (const open of writers.values()) open.close();
        return writer;
      }
      writers.set(destination, writer.value);
    }
    return ok(new CaptureOutput(memory, writers));
  }

  onPacketEnd(packet: WatchedPacket): void {
    this.#write(destinationOf(packet.outcome), packet, EPB_FLAGS_INBOUND);
  }

  onApplicationFrame(packet: WatchedPacket): void {
    this.#write('xsk-tx', packet, EPB_FLAGS_OUTBOUND);
  }

  #write(destination: Destination, packet: WatchedPacket, flags: number): void {
    const writer = this.#writers.get(destination);
    if (writer === undefined) throw new Error(`CaptureOutput: no writer for ${destination}`);
    const options = this.#options;
    options.flags = destination === 'tx' ? EPB_FLAGS_OUTBOUND : flags;
    options.packetId = packet.packetId === 0 ? undefined : packet.packetId;
    options.queue = packet.queue < 0 ? undefined : packet.queue;
    options.verdict = packet.retval < 0 ? undefined : packet.retval;
    options.comment = this.#comment(destination, packet);
    const kept = Math.min(packet.lenBytes, WIRE_SLOT_BYTES);
    writer.writePacket(0, this.#u8, packet.address, kept, packet.tSec, packet.tNsec, packet.lenBytes, options);
  }

  /** Why a packet was dropped, and the metadata that it carried. */
  #comment(destination: Destination, { outcome, address, metaBytes }: WatchedPacket): string | undefined {
    const reason = destination === 'dropped' ? OUTCOMES[outcome].name : undefined;
    if (metaBytes === 0) return reason;
    const metadata = `metadata ${toHex(this.#u8.subarray(address - metaBytes, address))}`;
    return reason === undefined ? metadata : `${reason}, ${metadata}`;
  }

  /** Completes the files; the first problem that any of them had. */
  close(): Problem | undefined {
    let first: Problem | undefined;
    for (const writer of this.#writers.values()) {
      const closed = writer.close();
      if (!closed.ok) first ??= closed.problem;
    }
    return first;
  }
}

function destinationOf(outcome: Outcome): Destination {
  switch (outcome) {
    case Outcome.stack:
    case Outcome.cpumap:
      return 'stack';
    case Outcome.tx:
    case Outcome.redirect:
      return 'tx';
    case Outcome.xsk:
      return 'xsk';
    default:
      return 'dropped';
  }
}
