import type { Scheduler } from '../../base/index.js';
import type { XskSocket } from '../../xsk/index.js';
import type { XskApplication, XskApplicationFactory } from './application.js';

interface Running {
  readonly application: XskApplication;
  /** When it asked to be run; Infinity: it did not. */
  wakeNs: number;
}

/** Runs the applications of a host when something happens on their sockets, and at the times that they ask for. */
export class ApplicationRunner {
  readonly #scheduler: Scheduler;
  readonly #onRun: () => void;
  readonly #ready: number;
  readonly #time: number;
  /** By the number of the kernel's socket. */
  readonly #running = new Map<number, Running>();

  /** @param onRun called when an application has run: the moment at which it did something to its rings */
  constructor(scheduler: Scheduler, onRun: () => void = () => {}) {
    this.#scheduler = scheduler;
    this.#onRun = onRun;
    this.#ready = scheduler.register((id) => this.#run(this.#running.get(id)));
    this.#time = scheduler.register((id) => this.#onTime(id));
  }

  /** Makes an application and starts it; it runs for the first time when time begins to go on. @param id of the kernel's socket */
  start(id: number, socket: XskSocket, factory: XskApplicationFactory): void {
    const scheduler = this.#scheduler;
    const application = factory(socket, {
      get nowNs() {
        return scheduler.nowNs;
      },
      wakeAt: (tNs) => this.#wakeAt(id, tNs),
    });
    this.#running.set(id, { application, wakeNs: Infinity });
    application.start();
    this.#onRun();
    this.wake(id);
  }

  /** Something has happened on the rings of a socket, which may have no application here. */
  wake(id: number): void {
    this.#scheduler.schedule(this.#scheduler.nowNs, this.#ready, id);
  }

  #wakeAt(id: number, tNs: number): void {
    const running = this.#running.get(id);
    if (running === undefined || tNs >= running.wakeNs) return;
    running.wakeNs = tNs;
    this.#scheduler.schedule(tNs, this.#time, id);
  }

  #onTime(id: number): void {
    const running = this.#running.get(id);
    // An earlier request took the place of this one.
    if (running?.wakeNs !== this.#scheduler.nowNs) return;
    running.wakeNs = Infinity;
    this.#run(running);
  }

  #run(running: Running | undefined): void {
    if (running === undefined) return;
    running.application.run();
    this.#onRun();
  }
}
