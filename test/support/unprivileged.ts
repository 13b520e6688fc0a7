import { thisHost } from '../../src/replay/index.js';

/** setresuid and prlimit64 (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const NUMBERS = { x64: { setresuid: 117, prlimit64: 302 }, arm64: { setresuid: 147, prlimit64: 261 } } as const;
const NOBODY = 65534;
const RLIMIT_MEMLOCK = 8;

/** Runs `body` without any capability and with this RLIMIT_MEMLOCK, bytes. */
export type RunUnprivileged = <T>(memlockBytes: number, body: () => T) => T;

/**
 * A way to make system calls as the user nobody, for a test that runs as root: by the bare system calls, which change the calling thread alone, and with root
 * as the saved user, so that there is a way back.
 */
export async function openUnprivileged(): Promise<RunUnprivileged> {
  const koffi = await thisHost.importKoffi();
  const syscall = koffi.load(null).func('syscall', 'long', ['long', 'long', 'long', 'long', 'long', 'long', 'long']);
  const numbers = NUMBERS[thisHost.arch as keyof typeof NUMBERS];
  const must = (name: keyof typeof numbers, a: number, b: number, c: number, d = 0): void => {
    if (syscall(numbers[name], a, b, c, d, 0, 0) !== 0) throw new Error(`${name}: errno ${koffi.errno()}`);
  };
  /** struct rlimit64 (rlim_cur, rlim_max) and its address. */
  const limits = (): [BigUint64Array, number] => {
    const memory = new ArrayBuffer(16);
    return [new BigUint64Array(memory), Number(koffi.address(new Uint8Array(memory)))];
  };
  return (memlockBytes, body) => {
    const [before, beforeAt] = limits();
    const [now, nowAt] = limits();
    must('prlimit64', 0, RLIMIT_MEMLOCK, 0, beforeAt);
    now[0] = BigInt(memlockBytes);
    now[1] = before[1]!;
    must('prlimit64', 0, RLIMIT_MEMLOCK, nowAt);
    must('setresuid', NOBODY, NOBODY, 0);
    try {
      return body();
    } finally {
      must('setresuid', 0, 0, 0);
      must('prlimit64', 0, RLIMIT_MEMLOCK, beforeAt);
    }
  };
}
