import { EINVAL, ENOENT, EPERM } from '../../base/index.js';
import { RETURN_INT, RETURN_U32, RETURN_U64, VM_REGS } from '../layout.js';
import { idleTask } from '../task.js';
import type { Task } from '../task.js';
import type { HelperContext, HelperFunction, HelperSupport } from './helper.js';

// What the task is that a program interrupted (kernel/bpf/helpers.c, kernel/trace/bpf_trace.c, net/core/filter.c, 6.18).

const PIDNS_INFO_BYTES = 8;
/** sizeof(task_struct.comm). */
const TASK_COMM_LEN = 16;
/** _NSIG. */
const LAST_SIGNAL = 64;

function taskOf({ environment }: HelperContext): Task {
  return environment.task ?? idleTask(environment.cpu);
}

/** A helper without checks whose result has 64 bits. */
function answering(answer: (task: Task, argument: number) => bigint): HelperSupport {
  return {
    args: ['anything'],
    returns: RETURN_U64,
    make: (context): HelperFunction => (argument) => {
      context.memory.view.setBigUint64(context.stateAddress + VM_REGS, BigInt.asUintN(64, answer(taskOf(context), argument)), true);
      return 0;
    },
  };
}

/** bpf_get_current_pid_tgid(): the process in the upper half. */
export const getCurrentPidTgid: HelperSupport = answering(({ pid, tgid }) => (BigInt(tgid) << 32n) | BigInt(pid));

/** bpf_get_current_uid_gid(): the group in the upper half. */
export const getCurrentUidGid: HelperSupport = answering(({ uid, gid }) => (BigInt(gid) << 32n) | BigInt(uid));

/** bpf_get_current_cgroup_id(). */
export const getCurrentCgroupId: HelperSupport = answering(({ cgroupIds }) => cgroupIds[cgroupIds.length - 1] ?? 0n);

/** bpf_get_current_ancestor_cgroup_id(ancestor_level): 0 where there is none. */
export const getCurrentAncestorCgroupId: HelperSupport = answering(({ cgroupIds }, level) => cgroupIds[level] ?? 0n);

/** bpf_get_cgroup_classid(): for XDP that of the task, not of a packet. */
export const getCgroupClassid: HelperSupport = { args: [], returns: RETURN_U32, make: (context) => () => taskOf(context).cgroupClassId };

/** bpf_get_current_comm(buf, size): 0; the name, cut if need be, and zeros behind it. */
export const getCurrentComm: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size'],
  returns: RETURN_INT,
  make: (context) => (buf, size) => {
    const { args, memory } = context;
    if (!args.isSize(2, false) || !args.isMemory(1, size, true)) return 0;
    const start = buf >>> 0;
    const name = Buffer.from(taskOf(context).comm, 'utf8').subarray(0, Math.min(TASK_COMM_LEN, size) - 1);
    memory.u8.fill(0, start, start + size);
    memory.u8.set(name, start);
    return 0;
  },
};

/** bpf_get_ns_current_pid_tgid(dev, ino, nsdata, size): 0, or -EINVAL for another namespace and zeros in nsdata. */
export const getNsCurrentPidTgid: HelperSupport = {
  args: ['anything', 'anything', 'ptr_to_uninit_mem', 'const_size'],
  returns: RETURN_INT,
  make: (context) => (dev, ino, nsdata, size) => {
    const { args, memory } = context;
    if (!args.isSize(4, false) || !args.isMemory(3, size, true)) return 0;
    const start = nsdata >>> 0;
    const { pid, tgid, pidNamespace } = taskOf(context);
    const isSame = args.upperHalf(1) === 0 && dev === pidNamespace.dev && args.upperHalf(2) === 0 && ino >>> 0 === pidNamespace.ino;
    memory.u8.fill(0, start, start + size);
    if (size !== PIDNS_INFO_BYTES || !isSame) return -EINVAL;
    memory.view.setUint32(start, pid, true);
    memory.view.setUint32(start + 4, tgid, true);
    return 0;
  },
};

/** bpf_send_signal(sig): to the process. A thread of the kernel gets none (-EPERM). */
export const sendSignal: HelperSupport = signalling(false);

/** bpf_send_signal_thread(sig): to the thread. */
export const sendSignalThread: HelperSupport = signalling(true);

function signalling(isForThread: boolean): HelperSupport {
  return {
    args: ['anything'],
    returns: RETURN_INT,
    make: (context) => (signal) => {
      const task = taskOf(context);
      if (task.isKernelThread) return -EPERM;
      if (signal < 0 || signal > LAST_SIGNAL) return -EINVAL;
      if (signal > 0) task.onSignal?.(signal, isForThread);
      return 0;
    },
  };
}

/** bpf_get_branch_snapshot(entries, size, flags): a simulated CPU records no branches (-ENOENT). */
export const getBranchSnapshot: HelperSupport = {
  args: ['ptr_to_uninit_mem', 'const_size_or_zero', 'anything'],
  returns: RETURN_INT,
  make: ({ args }) => (_entries, size, flags) => {
    if (!args.isSize(2, true) || (size > 0 && !args.isMemory(1, size, true))) return 0;
    return flags !== 0 || args.upperHalf(3) !== 0 ? -EINVAL : -ENOENT;
  },
};
