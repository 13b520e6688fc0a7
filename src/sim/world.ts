import { ok } from '../base/index.js';
import type { Result } from '../base/index.js';
import { WireBatch } from '../nic/index.js';
import { BOOT_NS } from './captureClock.js';
import { EventQueue } from './eventQueue.js';
import type { Host, HostNic } from './host.js';
import type { PacketOrigins } from './packetOrigins.js';
import { WIRE_SLOT_BYTES } from './wireSource.js';
import type { WireSource } from './wireSource.js';

/** A source of frames and the NIC where they arrive. */
interface Arrivals {
  readonly host: Host;
  readonly port: HostNic;
  readonly source: WireSource;
}

/**
 * One virtual clock for all hosts, their NICs, and what lies between them. What happens is in a total order: by time, and at the same time
 * timers of programs go first, then events in the order in which they were scheduled, then frames that arrive, in the order in which their
 * wires were plugged in.
 */
export class World {
  readonly events = new EventQueue(BOOT_NS);
  readonly origins: PacketOrigins;
  readonly hosts: Host[] = [];
  readonly #arrivals: Arrivals[] = [];
  /** What is looked at and when, the earliest first. */
  readonly #looks: { readonly tNs: number; readonly look: () => void }[] = [];
  readonly #batch = new WireBatch();

  constructor(origins: PacketOrigins) {
    this.origins = origins;
  }

  /** Frames of `source` arrive at this NIC. */
  plug(host: Host, port: HostNic, source: WireSource): void {
    this.#arrivals.push({ host, port, source });
  }

  /** Calls `look` when all that happens until this time has happened, or at the end of the run. It must change nothing. @param tNs virtual time, ns */
  lookAt(tNs: number, look: () => void): void {
    this.#looks.push({ tNs, look });
    this.#looks.sort((a, b) => a.tNs - b.tNs);
  }

  #lookUntil(nextNs: number): void {
    while (this.#looks.length > 0 && this.#looks[0].tNs < nextNs) this.#looks.shift()!.look();
  }

  /**
   * Lets time run until no frame is on its way and everything has come to rest, or up to a moment. May be called again and again.
   *
   * @param onArrival called after each batch
   * @param untilNs virtual time; what happens at that moment has happened then, and the clock stands there
   * @returns the Problem of a capture that is broken
   */
  run(onArrival: () => void, untilNs = Infinity): Result<void> {
    const { events } = this;
    for (;;) {
      const next = this.#nextArrival();
      const arrivalNs = next === undefined ? Infinity : next.source.nextNs;
      // Events go first: what one batch set off is done before the next batch of the same time arrives.
      const nextNs = Math.min(events.nextNs, arrivalNs);
      if (this.#looks.length > 0) this.#lookUntil(nextNs);
      // Timers whose time lies behind all that happens don't fire any more: they may go on for ever.
      if (nextNs === Infinity || nextNs > untilNs) {
        if (untilNs !== Infinity && events.nowNs < untilNs) events.nowNs = untilNs;
        return ok(undefined);
      }
      const timerHost = this.#nextTimer(nextNs);
      if (timerHost !== undefined) {
        events.nowNs = Math.max(events.nowNs, timerHost.vm.nextTimerNs);
        timerHost.runTimer();
      } else if (next === undefined || events.nextNs <= arrivalNs) {
        events.step();
      } else {
        const arrived = this.#arrive(next);
        if (!arrived.ok) return arrived;
        onArrival();
      }
    }
  }

  #arrive({ host, port, source }: Arrivals): Result<void> {
    const batch = this.#batch;
    const { state } = host;
    this.events.nowNs = source.nextNs;
    const taken = source.take(this.events.nowNs, batch);
    if (!taken.ok) return taken;
    for (let i = 0; i < batch.count; i++) {
      state.received.add(batch.packetId[i]);
      port.bytes += batch.lenBytes[i];
    }
    port.packets += batch.count;
    if (state.watcher.onArrival !== undefined) {
      for (let i = 0; i < batch.count; i++) state.watcher.onArrival(batch.packetId[i], batch.address[i], Math.min(batch.lenBytes[i], WIRE_SLOT_BYTES));
    }
    port.nic.device.receive(batch);
    return taken;
  }

  /** The source whose frame arrives first. */
  #nextArrival(): Arrivals | undefined {
    let first: Arrivals | undefined;
    for (const each of this.#arrivals) if (each.source.nextNs < (first?.source.nextNs ?? Infinity)) first = each;
    return first;
  }

  /** The host with the first timer of a program that fires by `untilNs`. */
  #nextTimer(untilNs: number): Host | undefined {
    let first: Host | undefined;
    for (const host of this.hosts) {
      const { nextTimerNs } = host.vm;
      if (nextTimerNs <= untilNs && nextTimerNs < (first?.vm.nextTimerNs ?? Infinity)) first = host;
    }
    return first;
  }
}
