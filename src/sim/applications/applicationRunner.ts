import { ProblemError } from '../../base/index.js';
import type { Scheduler } from '../../base/index.js';
import type { XskSocket } from '../../xsk/index.js';
import type { XskApplication, XskApplicationFactory } from './application.js';

/** An application that has asked for the time so often in a row, while nothing happened on its socket, would do so for ever. */
const MOST_IDLE_WAKES = 10_000_000;

interface Running {
  readonly application: XskApplication;
  readonly where: string;
  /** When it asked to be run; Infinity: it did not. */
  wakeNs: number;
  /** Runs that it asked for since something happened on its socket. */
  idleWakes: number;
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
    this.#ready = scheduler.register((id) => this.#onReady(id));
    this.#time = scheduler.register((id) => this.#onTime(id));
  }

  /**
   * Makes an application and starts it; it runs for the first time when time begins to go on.
   *
   * @param id of the kernel's socket
   * @throws ProblemError `application-incomplete`; and from then on, as the application runs, `application-async` and `application-never-rests`
   */
  start(id: number, socket: XskSocket, factory: XskApplicationFactory): void {
    const scheduler = this.#scheduler;
    const where = `AF_XDP application on interface ${socket.ifindex}, queue ${socket.queueId}`;
    if (typeof factory !== 'function') throw incomplete(where, 'it is no function that makes one');
    const application = factory(socket, {
      get nowNs() {
        return scheduler.nowNs;
      },
      wakeAt: (tNs) => this.#wakeAt(id, tNs),
    });
    for (const name of ['start', 'run'] as const) if (typeof application?.[name] !== 'function') throw incomplete(where, `what was made has no function ${name}`);
    this.#running.set(id, { application, where, wakeNs: Infinity, idleWakes: 0 });
    refusePromise(where, 'start', application.start());
    this.#onRun();
    this.wake(id);
  }

  /** Something has happened on the rings of a socket, which may have no application here. */
  wake(id: number): void {
    this.#scheduler.schedule(this.#scheduler.nowNs, this.#ready, id);
  }

  #wakeAt(id: number, tNs: number): void {
    const { nowNs } = this.#scheduler;
    if (!(tNs >= nowNs) || (tNs > Number.MAX_SAFE_INTEGER && tNs !== Infinity)) {
      throw new RangeError(`XskApplicationHost.wakeAt: ${tNs} ns is no time from now, ${nowNs} ns, to 2^53 ns: ask for nowNs plus something, or Infinity for never`);
    }
    const running = this.#running.get(id);
    if (running === undefined || tNs >= running.wakeNs) return;
    running.wakeNs = Math.ceil(tNs);
    this.#scheduler.schedule(running.wakeNs, this.#time, id);
  }

  #onReady(id: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    running.idleWakes = 0;
    this.#run(running);
  }

  #onTime(id: number): void {
    const running = this.#running.get(id);
    // An earlier request took the place of this one.
    if (running?.wakeNs !== this.#scheduler.nowNs) return;
    running.wakeNs = Infinity;
    if (++running.idleWakes > MOST_IDLE_WAKES) {
      throw new ProblemError({
        code: 'application-never-rests', where: running.where, message: `it has asked to be run ${MOST_IDLE_WAKES} times in a row while nothing happened on its socket`,
        hint: 'call wakeAt only while there is something to do, and for a later time',
      });
    }
    this.#run(running);
  }

  #run({ application, where }: Running): void {
    refusePromise(where, 'run', application.run());
    this.#onRun();
  }
}

function incomplete(where: string, message: string): ProblemError {
  return new ProblemError({ code: 'application-incomplete', where, message, hint: 'write (socket, host) => ({ start() { ... }, run() { ... } })' });
}

/** What comes after an `await` happens when nobody looks any more. */
function refusePromise(where: string, entry: string, result: unknown): void {
  if (!(result instanceof Promise)) return;
  // Its error would come out of nowhere later.
  result.catch(() => {});
  throw new ProblemError({ code: 'application-async', where: `${where}, ${entry}()`, message: 'gives a Promise, which nobody waits for', hint: 'write it without async and await: virtual time goes on as soon as it returns' });
}
