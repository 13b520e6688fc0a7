import { xskFinding, xskFindings } from '../umem/index.js';
import type { XdpSock, XskFinding } from '../umem/index.js';
import type { HostNic } from './host.js';

/** What the AF_XDP applications of a host do wrong or leave undone, and sockets that wait where nothing comes. Meant for the end of a run. */
export function hostFindings(nics: readonly HostNic[], sockets: readonly XdpSock[]): XskFinding[] {
  return [...xskFindings(sockets), ...nics.flatMap((each) => idleQueues(each, sockets))];
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
