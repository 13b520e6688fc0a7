import type { HostMemory } from '../../memory/index.js';
import type { AccessTable } from '../accessTable.js';
import type { References } from '../references.js';
import { BPF_SOCK_BYTES } from './bpfSock.js';
import { ConntrackTable } from './conntrackTable.js';
import type { Connection } from './conntrackTable.js';
import { Fib } from './fib.js';
import { FLOW_TUPLE_BYTES, writeFlowTuple } from './flowTuple.js';
import { HeldObjects } from './heldObjects.js';
import { NF_CONN_BYTES, NF_CONN_PARTS } from './nfConn.js';
import { isSameAddress } from './scenario.js';
import type { FlowSpec, Neighbour, NetInterface, NetworkScenario } from './scenario.js';
import { SocketTable } from './socketTable.js';
import type { LiveSocket } from './socketTable.js';
import { Syncookies } from './syncookie.js';

/** What bpf_skc_to_tcp_sock and its like give: an address in the socket's room of which nothing can be read. */
export const FULL_SOCK_OFF = 96;
const SOCK_SLOT_BYTES = 128;

/** The network around one machine: a scenario, and what programs make of it. */
export class Network {
  readonly scenario: NetworkScenario;
  readonly fib: Fib;
  readonly sockets: SocketTable;
  readonly conntrack: ConntrackTable;
  readonly syncookies: Syncookies;
  /** Pointers to sockets and connections that the running program has. */
  readonly heldSockets: HeldObjects<LiveSocket>;
  readonly heldConnections: HeldObjects<Connection>;
  /** Helpers and kfuncs that have asked so far. */
  readonly asked = new Set<string>();

  /** Address of the tuple of the scenario's first flow, 0 when there is none. */
  readonly #flows: number = 0;

  /** @param tNs virtual time at which the scenario begins */
  constructor(memory: HostMemory, accessTable: AccessTable, references: References, scenario: NetworkScenario, tNs: number) {
    this.scenario = scenario;
    this.fib = new Fib(scenario);
    this.sockets = new SocketTable(scenario.sockets);
    this.conntrack = new ConntrackTable(scenario.conntrack, tNs);
    this.syncookies = new Syncookies(scenario.syncookies.secrets);
    this.heldSockets = new HeldObjects({
      memory, accessTable, references, kind: 'struct bpf_sock', slotBytes: SOCK_SLOT_BYTES, parts: [{ offBytes: 0, sizeBytes: BPF_SOCK_BYTES, writable: false }],
    });
    this.heldConnections = new HeldObjects({ memory, accessTable, references, kind: 'struct nf_conn', slotBytes: NF_CONN_BYTES, parts: NF_CONN_PARTS });
    const { flows } = scenario;
    if (flows.length === 0) return;
    const sizeBytes = flows.length * FLOW_TUPLE_BYTES;
    this.#flows = memory.reserve('struct flow_offload_tuple_rhash', sizeBytes);
    flows.forEach((flow, index) => writeFlowTuple(memory, this.#flows + index * FLOW_TUPLE_BYTES, flow));
    accessTable.add({ start: this.#flows, end: this.#flows + sizeBytes, strideBytes: FLOW_TUPLE_BYTES, valueBytes: FLOW_TUPLE_BYTES, writable: false });
  }

  /** Where a program reads a flow of the scenario. */
  flowAddress(flow: FlowSpec): number {
    return this.#flows + this.scenario.flows.indexOf(flow) * FLOW_TUPLE_BYTES;
  }

  device(ifindex: number): NetInterface | undefined {
    return this.scenario.interfaces.find((device) => device.ifindex === ifindex);
  }

  /** The entry of the neighbour table, valid or not. */
  neighbour(ifindex: number, address: Uint8Array): Neighbour | undefined {
    return this.scenario.neighbours.find((neighbour) => neighbour.ifindex === ifindex && isSameAddress(neighbour.address, address));
  }

  /** Whether a namespace of that id is known: something is in it. */
  hasNetns(id: number): boolean {
    return this.sockets.hasNetns(id) || this.conntrack.hasNetns(id);
  }
}
