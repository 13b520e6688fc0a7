import { ProblemError, unwrap } from '../../base/index.js';
import { nicStatistics } from '../../nic/index.js';
import type { Host, HostNic, Scenario } from '../../sim/index.js';
import type { XdpSock, XskSyscalls } from '../../umem/index.js';
import { packetBytesOf } from '../program/objectSource.js';
import type { PacketBytes } from '../program/objectSource.js';
import { ProgramGlobals } from '../program/programGlobals.js';
import { ProgramMaps } from '../program/programMaps.js';
import type { EndedPacket, PacketJournal, SentFrame } from './packetJournal.js';
import type { TestNetwork } from './testNetwork.js';

/** A NIC of a network under test: what arrives, what becomes of it, what it counts. */
export class TestNic {
  /** `HOST.NIC`. */
  readonly name: string;
  readonly network: TestNetwork;
  readonly #scenario: Scenario;
  readonly #journal: PacketJournal;
  readonly #host: Host;
  readonly #port: HostNic;
  #maps: ProgramMaps | undefined;
  #sentSeen = 0;

  /** Made by `TestNetwork`. */
  constructor(network: TestNetwork, scenario: Scenario, journal: PacketJournal, host: Host, port: HostNic) {
    this.network = network;
    this.name = `${host.name}.${port.name}`;
    this.#scenario = scenario;
    this.#journal = journal;
    this.#host = host;
    this.#port = port;
  }

  get ifindex(): number {
    return this.#port.nic.settings.ifindex;
  }

  /**
   * Lets packets arrive from the wire and everything come to rest.
   *
   * @param gapNs between one packet and the next; left out: 0, a burst
   * @returns every packet that ended meanwhile, on any host, in the order of their numbers; the first ones are those that arrived here
   * @throws Error if there is a link at this NIC
   */
  receive(packets: PacketBytes | readonly PacketBytes[], gapNs = 0): EndedPacket[] {
    const list = Array.isArray(packets) ? (packets as readonly PacketBytes[]) : [packets as PacketBytes];
    const before = this.#journal.ended.length;
    const [host, nic] = this.#place;
    unwrap(this.#scenario.inject({ host, nic }, list.map(packetBytesOf), gapNs));
    this.network.settle();
    return this.#journal.ended.slice(before).sort((a, b) => a.packetId - b.packetId);
  }

  get #place(): readonly [string, string] {
    return [this.#host.name, this.#port.name];
  }

  /** Every packet that ended on this host so far. */
  get ended(): readonly EndedPacket[] {
    return this.#journal.ended.filter(({ host }) => host === this.#host.name);
  }

  /** Every frame that this NIC has put on the wire so far. */
  get sent(): readonly SentFrame[] {
    return this.#journal.sent.filter(({ host, ifindex }) => host === this.#host.name && ifindex === this.ifindex);
  }

  /** Frames that it has put on the wire since the last call. */
  takeSent(): SentFrame[] {
    const all = this.sent.slice(this.#sentSeen);
    this.#sentSeen += all.length;
    return all;
  }

  /** Statistics as `ethtool -S` shows them, by the names of the driver. */
  get statistics(): Readonly<Record<string, number>> {
    return Object.fromEntries(nicStatistics(this.#port.nic));
  }

  /** Maps of the program's object. @throws Error when the NIC has no program */
  get maps(): ProgramMaps {
    this.#maps ??= new ProgramMaps(this.#loaded, this.#host.vm.environment.possibleCpus);
    return this.#maps;
  }

  /** Global variables of the program's object. */
  get globals(): ProgramGlobals {
    return new ProgramGlobals(this.#loaded);
  }

  /** Lines of bpf_printk of all programs of the host. */
  get log(): readonly string[] {
    return this.#host.state.log.map(({ text }) => text);
  }

  /** AF_XDP sockets on its queues, as the kernel has them. */
  get sockets(): readonly XdpSock[] {
    return this.#port.sockets;
  }

  /** System calls of AF_XDP on the host, for sockets that the test opens itself: `XskUmem.create(nic.syscalls, …)`. */
  get syscalls(): XskSyscalls {
    return this.#host.afXdp;
  }

  get #loaded(): NonNullable<HostNic['loaded']> {
    if (this.#port.loaded === undefined) throw new ProblemError({ code: 'no-program', where: this.name, message: 'the NIC has no program', hint: 'give createTestNic an object, or the NIC an `xdp`' });
    return this.#port.loaded;
  }
}
