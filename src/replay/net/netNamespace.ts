import { closeSync, openSync } from 'node:fs';
import { EINVAL, ENOSPC, EPERM, errnoName, fail, ok, systemReason } from '../../base/index.js';
import type { Problem, Result } from '../../base/index.js';
import type { NetSyscalls } from './netSyscalls.js';

const CLONE_NEWNET = 0x40000000;
/** The namespace of the calling thread; the process as a whole has no such thing. */
const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/**
 * A network namespace without a name. Nothing but this object's file descriptor, and the sockets opened inside, keeps it alive: when
 * the process is gone, for whatever reason (kill -9 included), the kernel tears it down with all its devices, and with those the
 * programs that were attached to them. There is nothing to clean up and nothing that can be left over.
 */
export class NetNamespace {
  /** For netlink attributes that name a namespace. Closed by `close`. */
  readonly fd: number;
  readonly #calls: NetSyscalls;
  #open = true;

  private constructor(calls: NetSyscalls, fd: number) {
    this.#calls = calls;
    this.fd = fd;
  }

  /** Problems: `net-no-namespace`. */
  static create(calls: NetSyscalls): Result<NetNamespace> {
    let home: number;
    try {
      home = openSync(OWN_NAMESPACE, 'r');
    } catch (error) {
      return fail({ code: 'net-no-namespace', message: `the network namespace of this process can't be opened: ${systemReason(error)}`, hint: 'mount /proc' });
    }
    try {
      const made = calls.call('unshare', CLONE_NEWNET);
      if (made < 0) return fail(namespaceProblem(made));
      try {
        return ok(new NetNamespace(calls, openSync(OWN_NAMESPACE, 'r')));
      } finally {
        goTo(calls, home);
      }
    } finally {
      closeSync(home);
    }
  }

  /**
   * Runs `body` inside the namespace. Sockets that it opens stay there. Only this thread is inside, and only until `body` returns, which
   * therefore must not wait for anything asynchronous.
   */
  enter<T>(body: () => T): T {
    const home = openSync(OWN_NAMESPACE, 'r');
    try {
      goTo(this.#calls, this.fd);
      try {
        return body();
      } finally {
        goTo(this.#calls, home);
      }
    } finally {
      closeSync(home);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    closeSync(this.fd);
  }
}

/** Whoever could make a namespace can enter it, so a refusal is a bug, and staying in the wrong one would be worse than stopping. */
function goTo(calls: NetSyscalls, fd: number): void {
  const result = calls.call('setns', fd, CLONE_NEWNET);
  if (result < 0) throw new Error(`NetNamespace: setns: ${errnoName(result)}`);
}

const REASONS = new Map<number, Pick<Problem, 'message' | 'hint'>>([
  [-EPERM, { message: 'this user may not make network namespaces (EPERM)', hint: 'run it as root, or with CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF' }],
  [-EINVAL, { message: 'this kernel has no network namespaces (EINVAL)', hint: 'use a kernel with CONFIG_NET_NS' }],
  [-ENOSPC, { message: 'this user has too many network namespaces (ENOSPC)', hint: 'raise the sysctl user.max_net_namespaces' }],
]);

function namespaceProblem(errno: number): Problem {
  return { code: 'net-no-namespace', ...(REASONS.get(errno) ?? { message: `the kernel made no network namespace: ${errnoName(errno)}` }) };
}
