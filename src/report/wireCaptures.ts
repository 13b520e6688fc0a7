import { join } from 'node:path';
import { fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { EPB_FLAGS_OUTBOUND, PcapngWriter } from '../packet/index.js';
import type { PcapngPacketOptions } from '../packet/index.js';
import { WIRE_SLOT_BYTES } from '../sim/index.js';
import type { Host, PacketWatcher, ScenarioFile, ScenarioWatcher } from '../sim/index.js';
import { prepareOutputs } from './outputFiles.js';

/** Writes what NICs of a scenario send, a pcapng file a NIC, each frame with the number of its packet. */
export class WireCaptures implements ScenarioWatcher {
  /** By `HOST.IFINDEX`. */
  readonly #writers: ReadonlyMap<string, PcapngWriter>;
  readonly #options: PcapngPacketOptions = { flags: EPB_FLAGS_OUTBOUND };

  private constructor(writers: ReadonlyMap<string, PcapngWriter>) {
    this.#writers = writers;
  }

  /**
   * Makes the files that the scenario names, and, with a directory, one for every other NIC: `HOST.NIC.pcapng`. Files of an earlier run are
   * replaced, but never one that the scenario reads.
   *
   * Problems: `output-in-the-way`, `output-is-input`, `output-twice`, `output-directory`, `capture-unwritable`.
   */
  static create(file: ScenarioFile, directory: string | undefined): Result<WireCaptures> {
    const paths = new Map<string, { readonly path: string; readonly name: string }>();
    for (const host of file.hosts) {
      for (const { name, settings, output } of host.nics) {
        const path = output ?? (directory === undefined ? undefined : join(directory, `${host.name}.${name}.pcapng`));
        if (path !== undefined) paths.set(`${host.name}.${settings.ifindex}`, { path, name: `${host.name}.${name}` });
      }
    }
    const problem = checkPaths([...paths.values()].map(({ path }) => path), file);
    if (problem !== undefined) return fail(problem);
    const writers = new Map<string, PcapngWriter>();
    for (const [key, { path, name }] of paths) {
      const writer = PcapngWriter.create(path, { userApplication: 'xdp-sim', interfaces: [{ name, description: 'what this NIC sent' }] });
      if (!writer.ok) {
        for (const open of writers.values()) open.close();
        return writer;
      }
      writers.set(key, writer.value);
    }
    return ok(new WireCaptures(writers));
  }

  hostWatcher(host: Host): PacketWatcher {
    const writers = host.nics.map(({ nic: { settings } }) => this.#writers.get(`${host.name}.${settings.ifindex}`));
    if (writers.every((writer) => writer === undefined)) return {};
    const { u8 } = host.memory;
    const options = this.#options;
    const byIfindex = new Map(host.nics.map(({ nic: { settings } }, i) => [settings.ifindex, writers[i]]));
    return {
      onWire({ ifindex, packetId, queue, address, lenBytes, tSec, tNsec }) {
        options.packetId = packetId === 0 ? undefined : packetId;
        options.queue = queue < 0 ? undefined : queue;
        byIfindex.get(ifindex)?.writePacket(0, u8, address, Math.min(lenBytes, WIRE_SLOT_BYTES), tSec, tNsec, lenBytes, options);
      },
    };
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

function checkPaths(paths: readonly string[], { inputs }: ScenarioFile): Problem | undefined {
  const twice = paths.find((path, i) => paths.indexOf(path) < i);
  if (twice !== undefined) return { code: 'output-twice', where: twice, message: 'two NICs are to write there', hint: 'give each a file of its own' };
  return prepareOutputs(paths, inputs);
}
