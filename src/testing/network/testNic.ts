import { badOption, ProblemError, unwrap } from '../../base/index.js';
import { nicStatistics } from '../../nic/index.js';
import { hostFindings } from '../../sim/index.js';
import type { Host, HostNic, Scenario } from '../../sim/index.js';
import type { XdpSock, XskFinding, XskSyscalls } from '../../umem/index.js';
import { packetBytesOf } from '../program/objectSource.js';
import type { PacketBytes } from '../program/objectSource.js';
import { ProgramGlobals } from '../program/programGlobals.js';
import { ayaLine } from '../program/programLog.js';
import { ProgramMaps } from '../program/programMaps.js';
import type { EndedPacket, PacketJournal, SentFrame } from './packetJournal.js';
import type { TestNetwork } from './testNetwork.js';

/**
 * A NIC of a network under test: what arrives, what becomes of it, what it counts.
 *
 * @example
 * const nic = createTestNic('fixtures/programs/reflector/reflector.o');
 * nic.receive([ethernet().ipv4().udp(), ethernet().arp()]).map(({ outcome }) => outcome); // ['tx', 'stack']
 */
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

  /** Number of its interface. */
  get ifindex(): number {
    return this.#port.nic.settings.ifindex;
  }

  /**
   * Lets packets arrive from the wire and everything come to rest.
   *
   * @param gapNs between one packet and the next; left out: 0, a burst
   * @returns every packet that ended meanwhile, on any host, in the order of their numbers; the first ones are those that arrived here
   * @throws Error if there is a link at this NIC, or the network is shut down; and what a builder throws, then nothing has arrived
   * @example
   * const [packet] = nic.receive(ethernet().ipv4().udp());
   * packet?.outcome; // 'tx'
   */
  receive(packets: PacketBytes | readonly PacketBytes[], gapNs = 0): EndedPacket[] {
    if (!(Number.isFinite(gapNs) && gapNs >= 0)) throw badOption('receive(packets, gapNs)', gapNs, 'nanoseconds from 0 on');
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

  /**
   * Frames that it has put on the wire since the last call.
   *
   * @example
   * nic.takeSent();
   * nic.receive(ethernet().ipv4().udp());
   * nic.takeSent().length; // 1
   */
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
    const { vm, afXdp } = this.#host;
    this.#maps ??= new ProgramMaps(this.#loaded, {
      cpus: vm.environment.possibleCpus, socketCount: () => afXdp.sockets.length, socketOf: (fd) => afXdp.socketOf(fd)?.id,
    });
    return this.#maps;
  }

  /** Global variables of the program's object. @throws Error when the NIC has no program */
  get globals(): ProgramGlobals {
    return new ProgramGlobals(this.#loaded);
  }

  /** Lines of bpf_printk and aya-log of all programs of the host, by their times. */
  get log(): readonly string[] {
    const { log, events } = this.#host.state;
    const aya = events.kept.flatMap(({ map, bytes, tNs }) => {
      const line = ayaLine(map, bytes);
      return line === undefined ? [] : [{ tNs, text: line.message }];
    });
    return [...log, ...aya].sort((a, b) => a.tNs - b.tNs).map(({ text }) => text);
  }

  /** AF_XDP sockets that are bound to its queues, as the kernel has them: those of the option `xsk`, and those that the test has opened. */
  get sockets(): readonly XdpSock[] {
    return this.#host.afXdp.sockets.filter((socket) => socket.isBound && socket.ifindex === this.ifindex);
  }

  /**
   * What the AF_XDP applications on its queues do wrong or leave undone at this moment (docs/af-xdp.md): meant for when all has come to rest, as after `receive`. For
   * `toHaveNoXskFindings`.
   */
  get xskFindings(): readonly XskFinding[] {
    return hostFindings([this.#port], this.#host.afXdp.sockets.filter((socket) => !socket.isBound || socket.ifindex === this.ifindex));
  }

  /**
   * System calls of AF_XDP on the host, for sockets that the test opens itself. A socket gets packets when it is in the map:
   * `nic.maps.get('xsks_map').set(queue, socket)`.
   *
   * @example
   * const umem = unwrap(XskUmem.create(nic.syscalls, nic.syscalls.mmapAnonymous(64 * 4096), 64 * 4096));
   * const socket = unwrap(XskSocket.create(umem, nic.ifindex, 0));
   */
  get syscalls(): XskSyscalls {
    return this.#host.afXdp;
  }

  get #loaded(): NonNullable<HostNic['loaded']> {
    if (this.#port.loaded === undefined) throw new ProblemError({ code: 'no-program', where: this.name, message: 'the NIC has no program', hint: 'give createTestNic an object, or the NIC an `xdp`' });
    return this.#port.loaded;
  }
}
