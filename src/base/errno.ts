/**
 * Linux errno values (asm-generic, x86-64) that the modelled interfaces return.
 *
 * Kernel functions return them negated; so do ours. `ENOTSUPP` is the kernel-internal 524, which
 * really reaches programs (`bpf_xdp_adjust_meta`) and user space (`BPF_PROG_TEST_RUN`).
 */
export const EPERM = 1;
export const ENOENT = 2;
export const ENXIO = 6;
export const E2BIG = 7;
export const EBADF = 9;
export const EAGAIN = 11;
export const ENOMEM = 12;
export const EACCES = 13;
export const EFAULT = 14;
export const EBUSY = 16;
export const EEXIST = 17;
export const ENODEV = 19;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ERANGE = 34;
export const EDEADLK = 35;
export const EBADRQC = 56;
export const ENODATA = 61;
export const ETIME = 62;
export const ENONET = 64;
export const ENOLINK = 67;
export const EPROTO = 71;
export const EOVERFLOW = 75;
export const ENOTSOCK = 88;
export const EMSGSIZE = 90;
export const ENOPROTOOPT = 92;
export const EPROTONOSUPPORT = 93;
export const ESOCKTNOSUPPORT = 94;
export const EOPNOTSUPP = 95;
export const EAFNOSUPPORT = 97;
export const ENETDOWN = 100;
export const ENOBUFS = 105;
export const ENOTCONN = 107;
export const ENOTSUPP = 524;

const NAMES = new Map<number, string>(
  Object.entries({
    EPERM, ENOENT, ENXIO, E2BIG, EBADF, EAGAIN, ENOMEM, EACCES, EFAULT, EBUSY, EEXIST, ENODEV, EINVAL,
    ENOSPC, ERANGE, EDEADLK, EBADRQC, ENODATA, ETIME, ENONET, EPROTO, EPROTONOSUPPORT, ESOCKTNOSUPPORT, EOVERFLOW, ENOTSOCK, EMSGSIZE, ENOPROTOOPT, EOPNOTSUPP,
    EAFNOSUPPORT, ENETDOWN, ENOBUFS, ENOTSUPP, ENOLINK, ENOTCONN,
  }).map(([name, value]) => [value, name]),
);

/** Name of an errno, positive or negated: `errnoName(-22)` is `"EINVAL"`; an unknown one reads `"errno 999"`. */
export function errnoName(errno: number): string {
  const value = Math.abs(errno);
  return NAMES.get(value) ?? `errno ${value}`;
}
