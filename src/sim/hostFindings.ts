import { inOrder, TX_METADATA_REQUESTS, xskFinding, xskFindings } from '../umem/index.js';
import type { XdpSock, XskFinding } from '../umem/index.js';
import { socketOfSlot, XskMap } from '../vm/index.js';
import type { HostNic } from './host.js';

/** What the AF_XDP applications of a host do wrong or leave undone, and sockets that wait where nothing comes or nobody redirects to. Meant for the end of a run. */
export function hostFindings(nics: readonly HostNic[], sockets: readonly XdpSock[]): XskFinding[] {
  const asleep = nics.flatMap((each) => sleepingDrivers(each, sockets));
  // Such a driver can't be woken, so that nobody failed to do it.
  const found = xskFindings(sockets).filter(({ code, ring, socket }) => code !== 'missing-wakeup' || ring !== 'TX' || !asleep.some((finding) => finding.socket === socket));
  return inOrder([...found, ...asleep, ...nics.flatMap((each) => [...idleQueues(each, sockets), ...unreachableSockets(each, sockets), ...passedOver(each, sockets)])]);
}

/** Packets on TX of zero-copy sockets that a driver without a program does not take: bind() asks for none, but the driver's rings have no pool then (ice_xsk_pool_setup and its like, 6.18). */
function sleepingDrivers({ name, nic: { settings }, program }: HostNic, all: readonly XdpSock[]): XskFinding[] {
  if (program !== undefined && (settings.xdpMode ?? 'native') === 'native') return [];
  return all
    .filter(({ isBound, isZeroCopy, ifindex, tx }) => isBound && isZeroCopy && ifindex === settings.ifindex && tx !== undefined && !tx.ring.isEmpty)
    .map(({ id, queueId, tx }) => xskFinding({
      code: 'no-program-in-driver', socket: id, queue: queueId, ring: 'TX', firstNs: 0, history: '',
      message: `socket ${id} is in zero-copy mode, but the driver of ${name} runs no program, and takes nothing from TX without one: ${tx!.ring.used} of its entries wait`,
      hint: 'attach a program natively, or bind the socket in copy mode',
    }, tx!.ring.used));
}

/** Sockets on queues without traffic, while queues without a socket have some. */
function idleQueues({ name, nic }: HostNic, all: readonly XdpSock[]): XskFinding[] {
  const { queues, ifindex } = nic.settings;
  const sockets = all.filter((socket) => socket.isBound && socket.ifindex === ifindex && socket.rx !== undefined);
  const packets = Array.from({ length: queues }, (_, queue) => nic.driver.counters(queue).rxPackets);
  const others = packets.flatMap((count, queue) => (count > 0 && !sockets.some(({ queueId }) => queueId === queue) ? [queue] : []));
  if (others.length === 0) return [];
  const elsewhere = others.map((queue) => `${packets[queue]} to queue ${queue}`).join(', ');
  return sockets
    .filter(({ queueId }) => packets[queueId] === 0)
    .map(({ id, queueId }) => xskFinding({
      code: 'idle-queue', socket: id, queue: queueId, ring: undefined, firstNs: 0, history: '',
      message: `nothing came to queue ${queueId} of ${name}, where socket ${id} waits; of the packets that came to queues without a socket ${elsewhere}`,
      hint: 'bind a socket to every queue, or steer the traffic to the queue with ethtool (-X, -N)',
    }, others.reduce((sum, queue) => sum + packets[queue], 0)));
}

/**
 * Sockets that no XSKMAP of the NIC's program has, though packets came to their queues. Who gives chunks to FILL wants to receive; a socket that is only to send
 * needs no map. Where there is no map at all, it is said once for all of them.
 */
function unreachableSockets({ name, nic, program, loaded }: HostNic, all: readonly XdpSock[]): XskFinding[] {
  const maps = [...(loaded?.maps.values() ?? [])].filter((map) => map instanceof XskMap);
  const reachable = new Set(maps.flatMap((map) => [...map.entries()].map(({ value }) => socketOfSlot(value))));
  const packetsOf = ({ queueId }: XdpSock): number => nic.driver.counters(queueId).rxPackets;
  const wantsPackets = ({ isBound, rx, rxPackets, pool }: XdpSock): boolean => isBound && rx !== undefined && rxPackets === 0 && pool?.fill.ring.producer !== 0;
  const waiting = all.filter((socket) => socket.ifindex === nic.settings.ifindex && wantsPackets(socket) && !reachable.has(socket.id) && packetsOf(socket) > 0);
  if (waiting.length === 0) return [];
  const finding = ({ id, queueId }: XdpSock, count: number, message: string, hint: string): XskFinding =>
    xskFinding({ code: 'not-in-xskmap', socket: id, queue: queueId, ring: undefined, firstNs: 0, history: '', message, hint }, count);
  if (maps.length === 0) {
    const why = program === undefined ? `${name} has no program` : `program ${program.spec.name} has no XSKMAP`;
    const count = waiting.reduce((sum, socket) => sum + packetsOf(socket), 0);
    return [finding(waiting[0]!, count, `${why}, so none of the ${count} packets that came to ${name} could get to an AF_XDP socket`, 'redirect them with bpf_redirect_map and a map of type BPF_MAP_TYPE_XSKMAP; an application that only sends needs none')];
  }
  const names = maps.map(({ spec }) => spec.name).join(', ');
  return waiting.map((socket) => finding(socket, packetsOf(socket), `socket ${socket.id} is in no slot of ${names}, so none of the ${packetsOf(socket)} packets that came to queue ${socket.queueId} could get to it`,
    'put it into the slot that the program redirects that queue to; a map with fewer slots than queues needs more max_entries'));
}

const PASSED_OVER_HINTS = {
  'time stamp': 'time stamps need a NIC with tx-timestamp, or copy mode',
  checksum: 'checksums need a NIC with tx-checksum, or copy mode, where the CPU computes them',
  'launch time': 'launch times need a NIC with tx-launch-time-fifo and a queue that is set up for them (tc qdisc … etf offload; here launch_time_queues)',
} as const;

/** What the metadata of packets asked for, and the driver did nothing about. */
function passedOver({ name, nic: { settings } }: HostNic, all: readonly XdpSock[]): XskFinding[] {
  const pools = new Set(all.flatMap(({ pool, ifindex }) => (pool === undefined || ifindex !== settings.ifindex ? [] : pool)));
  return [...pools].flatMap((pool) => {
    const requests = TX_METADATA_REQUESTS.flatMap((request, i) => (pool.passedOver[i] > 0 ? [{ request, count: pool.passedOver[i] }] : []));
    const [socket] = pool.txSockets;
    if (requests.length === 0 || socket === undefined) return [];
    return [xskFinding({
      code: 'request-passed-over', socket: socket.id, queue: pool.queueId, ring: 'TX', firstNs: 0, history: '',
      message: `queue ${pool.queueId} of ${name} does nothing about ${requests.map(({ request, count }) => `${count} ${count === 1 ? 'request' : 'requests'} for a ${request}`).join(' and ')} in the metadata of packets`,
      hint: `${requests.map(({ request }) => PASSED_OVER_HINTS[request]).join('; ')}; sim nic show lists what a NIC does (xsk-features)`,
    }, requests.reduce((sum, { count }) => sum + count, 0))];
  });
}
