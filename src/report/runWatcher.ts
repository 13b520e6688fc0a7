import type { PacketWatcher, WatchedPacket } from '../sim/index.js';
import type { Vm } from '../vm/index.js';
import { Outcome } from '../xdp/index.js';

/** Packets that may use up their instruction budget before the user is told: with a large budget each of them takes long. */
const PATIENCE = 16;

/** Watches the packets of a run for what the report or the user must know. */
export class RunWatcher implements PacketWatcher {
  /** Length of the longest frame that was longer than the MTU allows, 0 when there was none. */
  longestOverLength = 0;
  readonly #vm: Vm;
  readonly #onSlow: () => void;
  #budgetFaults = 0;

  /** @param onSlow called once, when the instruction budget was used up at PATIENCE packets */
  constructor(vm: Vm, onSlow: () => void) {
    this.#vm = vm;
    this.#onSlow = onSlow;
  }

  onPacketEnd(packet: WatchedPacket): void {
    if (packet.outcome === Outcome.macOverLength) this.longestOverLength = Math.max(this.longestOverLength, packet.lenBytes);
    else if (packet.outcome === Outcome.programFault && this.#budgetFaults < PATIENCE) this.#lookAtFault();
  }

  #lookAtFault(): void {
    if (this.#vm.fault().name !== 'instruction-budget') return;
    this.#budgetFaults++;
    if (this.#budgetFaults === PATIENCE) this.#onSlow();
  }
}
