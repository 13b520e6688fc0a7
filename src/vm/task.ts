/** The task that a program runs in: whatever its CPU was doing when the packet came. */
export interface Task {
  /** Number of the thread, and of its process. */
  readonly pid: number;
  readonly tgid: number;
  readonly uid: number;
  readonly gid: number;
  /** Name, at most 15 bytes count. */
  readonly comm: string;
  /** Ids of its cgroups in the default hierarchy, from the root to its own. */
  readonly cgroupIds: readonly bigint[];
  /** Class of its packets (net_cls). */
  readonly cgroupClassId: number;
  /** Its PID namespace: device and inode of /proc/PID/ns/pid. */
  readonly pidNamespace: { readonly dev: number; readonly ino: number };
  /** A thread of the kernel takes no signals. */
  readonly isKernelThread: boolean;
  /** Takes signals that programs send. */
  readonly onSignal?: (signal: number, isForThread: boolean) => void;
}

/** The inode of the first PID namespace (PROC_PID_INIT_INO, include/linux/proc_ns.h) and the device of nsfs. */
const INIT_PID_NAMESPACE = { dev: 4, ino: 0xeffffffc };

/** Id of the root of the default hierarchy. */
const ROOT_CGROUP_ID = 1n;

/** Where nothing else is said: a soft interrupt came while this CPU was idle (`swapper/0`, pid 0). */
export function idleTask(cpu: number): Task {
  return {
    pid: 0, tgid: 0, uid: 0, gid: 0, comm: `swapper/${cpu}`, cgroupIds: [ROOT_CGROUP_ID], cgroupClassId: 0, pidNamespace: INIT_PID_NAMESPACE, isKernelThread: true,
  };
}
