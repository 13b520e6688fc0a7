import type { NicObserver } from '../nic/index.js';
import type { XdpSock } from '../umem/index.js';
import type { Vm } from '../vm/index.js';
import type { EventQueue } from './eventQueue.js';
import type { RunState } from './runState.js';
import type { WireSink } from './wireSource.js';

/** Whom a NIC's observer tells. */
export interface HostObserverParts {
  readonly ifindex: number;
  readonly state: RunState;
  readonly events: EventQueue;
  readonly vm: Vm;
  /** Where frames of the NIC go; `undefined`: they leave the scenario. */
  sink(): WireSink | undefined;
  wakeSocket(socket: XdpSock): void;
}

/** What a NIC tells its host: counts, and what the host's watcher hears. */
export function hostObserver({ ifindex, state, events, vm, sink, wakeSocket }: HostObserverParts): NicObserver {
  return {
    onPacketEnd(packetId, outcome, retval, queue, address, lenBytes, metaBytes) {
      state.outcomes[outcome]++;
      state.ended.add(packetId);
      if (state.watcher.onPacketEnd !== undefined) {
        state.watcher.onPacketEnd(state.describe(events.nowNs, packetId, ifindex, outcome, retval, queue, address, lenBytes, metaBytes));
      }
    },
    onApplicationFrame(packetId, queue, address, lenBytes) {
      state.applicationFrames++;
      if (state.watcher.onApplicationFrame !== undefined) {
        state.watcher.onApplicationFrame(state.describe(events.nowNs, packetId, ifindex, 0, -1, queue, address, lenBytes, 0));
      }
    },
    onWire(packetId, queue, address, lenBytes) {
      if (state.watcher.onWire !== undefined) state.watcher.onWire(state.describe(events.nowNs, packetId, ifindex, 0, -1, queue, address, lenBytes, 0));
      sink()?.send(packetId, address, lenBytes);
    },
    onFault(packetId) {
      state.addFault(packetId, () => vm.fault());
    },
    onSocketReady: wakeSocket,
  };
}
