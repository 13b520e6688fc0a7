import { EACCES, EINVAL, ENOENT, EPROTONOSUPPORT } from '../../base/index.js';
import type { HostMemory } from '../../memory/index.js';
import { TCP_ACK, TCP_ACK_OFF, TCP_DATA_OFFSET_OFF, TCP_FIN, TCP_FLAGS_OFF, TCP_MIN_HEADER_BYTES, TCP_RST, TCP_SEQ_OFF, TCP_SYN } from '../../packet/index.js';
import { HZ, jiffiesAt } from '../jiffies.js';
import { RETURN_INT, RETURN_U64, VM_REGS } from '../layout.js';
import { AF_INET6, familyOf } from '../network/bpfSock.js';
import { TCP_LISTEN } from '../network/scenario.js';
import type { LiveSocket } from '../network/socketTable.js';
import type { CookieFlow } from '../network/syncookie.js';
import type { HelperContext, HelperSupport } from './helper.js';
import { heldSocket } from './socketHelpers.js';

const IPV4_BYTES = 20;
const IPV6_BYTES = 40;
/** MSS of a client that names none (TCP_MSS_DEFAULT; IPV6_MIN_MTU without headers). */
const DEFAULT_MSS_V4 = 536;
const DEFAULT_MSS_V6 = 1220;
/** How long a listener believes in cookies after it has sent one (TCP_SYNCOOKIE_VALID), ns. */
const VALID_NS = 120e9;

const TCPOPT_EOL = 0;
const TCPOPT_NOP = 1;
const TCPOPT_MSS = 2;
const TCPOLEN_MSS = 4;

const TWO_TO_32 = 2 ** 32;

/** tcp_cookie_time: minutes by jiffies. */
function cookieMinute(tNs: number): number {
  return Math.floor(jiffiesAt(tNs) / (60 * HZ));
}

function flowOf({ u8 }: HostMemory, iph: number, th: number, isV4: boolean): CookieFlow {
  const [at, length] = isV4 ? [iph + 12, 4] : [iph + 8, 16];
  return { source: u8.slice(at, at + length), destination: u8.slice(at + length, at + 2 * length), sourcePort: u8.slice(th, th + 2), destinationPort: u8.slice(th + 2, th + 4) };
}

/** tcp_parse_mss_option: the last of several, 0 when the header has none. The whole header is there. */
function mssOption({ u8, view }: HostMemory, th: number): number {
  const end = th + (u8[th + TCP_DATA_OFFSET_OFF] >> 4) * 4;
  let mss = 0;
  for (let at = th + TCP_MIN_HEADER_BYTES; at < end; ) {
    const kind = u8[at];
    if (kind === TCPOPT_EOL) return mss;
    if (kind === TCPOPT_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? u8[at + 1] : 0;
    if (length < 2 || at + length > end) return mss;
    if (kind === TCPOPT_MSS && length === TCPOLEN_MSS) mss = view.getUint16(at + 2) || mss;
    at += length;
  }
  return mss;
}

function makeCookie({ memory, network, environment }: HelperContext, iph: number, th: number, isV4: boolean): { readonly cookie: number; readonly mss: number } {
  const mss = mssOption(memory, th) || (isV4 ? DEFAULT_MSS_V4 : DEFAULT_MSS_V6);
  return network.syncookies.make(flowOf(memory, iph, th, isV4), memory.view.getUint32(th + TCP_SEQ_OFF), mss, cookieMinute(environment.tNs));
}

function isCookie({ memory, network, environment }: HelperContext, iph: number, th: number, isV4: boolean): boolean {
  const { view } = memory;
  const [seq, cookie] = [view.getUint32(th + TCP_SEQ_OFF) - 1, view.getUint32(th + TCP_ACK_OFF) - 1];
  return network.syncookies.check(flowOf(memory, iph, th, isV4), seq, cookie, cookieMinute(environment.tNs)) > 0;
}

/** Writes an s64 into r0: a negated errno, or a cookie with its MSS above it. */
function setResult({ memory, stateAddress }: HelperContext, low: number, high: number): number {
  const r0 = (stateAddress + VM_REGS) >>> 2;
  memory.u32[r0] = low;
  memory.u32[r0 + 1] = high;
  return 0;
}

function setErrno(context: HelperContext, errno: number): number {
  return setResult(context, TWO_TO_32 - errno, TWO_TO_32 - 1);
}

/** bpf_tcp_raw_gen_syncookie_ipv4 and _ipv6 (iph, th, th_len) (net/core/filter.c, 6.18): the cookie, the MSS in bits 32 to 47. */
function rawGen(name: string, isV4: boolean): HelperSupport {
  return {
    args: ['ptr_to_mem', 'ptr_to_mem', 'const_size_or_zero'],
    returns: RETURN_U64,
    make: (context) => (iph, th, thLen) => {
      const { args, memory, network } = context;
      if (!args.isMemory(1, isV4 ? IPV4_BYTES : IPV6_BYTES, false) || !args.isSize(3, true)) return 0;
      if (thLen > 0 && !args.isMemory(2, thLen, false)) return 0;
      network.asked.add(name);
      if (thLen < TCP_MIN_HEADER_BYTES || thLen !== (memory.u8[(th >>> 0) + TCP_DATA_OFFSET_OFF] >> 4) * 4) return setErrno(context, EINVAL);
      const { cookie, mss } = makeCookie(context, iph >>> 0, th >>> 0, isV4);
      return setResult(context, cookie, mss);
    },
  };
}

/** bpf_tcp_raw_check_syncookie_ipv4 and _ipv6 (iph, th) (net/core/filter.c, 6.18): 0, or -EACCES for an ACK without a valid cookie. */
function rawCheck(name: string, isV4: boolean): HelperSupport {
  return {
    args: ['ptr_to_mem', 'ptr_to_mem'],
    returns: RETURN_INT,
    make: (context) => (iph, th) => {
      const { args, network } = context;
      if (!args.isMemory(1, isV4 ? IPV4_BYTES : IPV6_BYTES, false) || !args.isMemory(2, TCP_MIN_HEADER_BYTES, false)) return 0;
      network.asked.add(name);
      return isCookie(context, iph >>> 0, th >>> 0, isV4) ? 0 : -EACCES;
    },
  };
}

export const tcpRawGenSyncookieIpv4: HelperSupport = rawGen('bpf_tcp_raw_gen_syncookie_ipv4', true);
export const tcpRawGenSyncookieIpv6: HelperSupport = rawGen('bpf_tcp_raw_gen_syncookie_ipv6', false);
export const tcpRawCheckSyncookieIpv4: HelperSupport = rawCheck('bpf_tcp_raw_check_syncookie_ipv4', true);
export const tcpRawCheckSyncookieIpv6: HelperSupport = rawCheck('bpf_tcp_raw_check_syncookie_ipv6', false);

/** IP version of the header, if the listener takes such packets and the header is long enough; else a negated errno. */
function versionFor(memory: HostMemory, { spec }: LiveSocket, iph: number, iphLen: number): number {
  if (iphLen < IPV4_BYTES) return -EINVAL;
  const version = memory.u8[iph] >> 4;
  const isV6Socket = familyOf(spec) === AF_INET6;
  if (version === 4) return isV6Socket && spec.isV6Only ? -EINVAL : 4;
  if (version !== 6) return -EPROTONOSUPPORT;
  return iphLen < IPV6_BYTES || !isV6Socket ? -EINVAL : 6;
}

/** Both take (sk, iph, iph_len, th, th_len) under the same conditions. */
function headersAreReadable({ args }: HelperContext, iphLen: number, thLen: number): boolean {
  return args.isSize(3, false) && args.isMemory(2, iphLen, false) && args.isSize(5, false) && args.isMemory(4, thLen, false);
}

const isListener = ({ spec }: LiveSocket): boolean => spec.protocol === 'tcp' && spec.state === TCP_LISTEN;

/** bpf_tcp_check_syncookie(sk, iph, iph_len, th, th_len) (net/core/filter.c, 6.18): 0 for an ACK with a valid cookie, else a negated errno. */
export const tcpCheckSyncookie: HelperSupport = {
  args: ['ptr_to_sock', 'ptr_to_mem', 'const_size', 'ptr_to_mem', 'const_size'],
  returns: RETURN_INT,
  make: (context) => (sk, iph, iphLen, th, thLen) => {
    const { args, memory, network, environment } = context;
    const socket = heldSocket(args, network, 1, sk);
    if (socket === undefined || !headersAreReadable(context, iphLen, thLen)) return 0;
    if (thLen < TCP_MIN_HEADER_BYTES || !isListener(socket) || network.scenario.syncookies.mode === 0) return -EINVAL;
    const flags = memory.u8[(th >>> 0) + TCP_FLAGS_OFF];
    if ((flags & (TCP_ACK | TCP_RST | TCP_SYN)) !== TCP_ACK) return -ENOENT;
    if (iphLen < IPV4_BYTES) return -EINVAL;
    if (environment.tNs > socket.cookiesUntilNs) return -ENOENT;
    const version = versionFor(memory, socket, iph >>> 0, iphLen);
    if (version < 0) return version;
    return isCookie(context, iph >>> 0, th >>> 0, version === 4) ? 0 : -ENOENT;
  },
};

/** bpf_tcp_gen_syncookie(sk, iph, iph_len, th, th_len) (net/core/filter.c, 6.18): the cookie, the MSS in bits 32 to 47; or a negated errno. */
export const tcpGenSyncookie: HelperSupport = {
  args: ['ptr_to_sock', 'ptr_to_mem', 'const_size', 'ptr_to_mem', 'const_size'],
  returns: RETURN_U64,
  make: (context) => (sk, iph, iphLen, th, thLen) => {
    const { args, memory, network, environment } = context;
    const socket = heldSocket(args, network, 1, sk);
    if (socket === undefined || !headersAreReadable(context, iphLen, thLen)) return 0;
    const at = th >>> 0;
    if (thLen < TCP_MIN_HEADER_BYTES || thLen !== (memory.u8[at + TCP_DATA_OFFSET_OFF] >> 4) * 4 || !isListener(socket)) return setErrno(context, EINVAL);
    const { mode } = network.scenario.syncookies;
    if (mode === 0) return setErrno(context, ENOENT);
    if ((memory.u8[at + TCP_FLAGS_OFF] & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)) !== TCP_SYN) return setErrno(context, EINVAL);
    const version = versionFor(memory, socket, iph >>> 0, iphLen);
    if (version < 0) return setErrno(context, -version);
    // tcp_get_syncookie_mss: only when there is need for it.
    if (mode !== 2 && !socket.spec.isSynQueueFull) return setErrno(context, ENOENT);
    const { cookie, mss } = makeCookie(context, iph >>> 0, at, version === 4);
    socket.cookiesUntilNs = Math.max(socket.cookiesUntilNs, environment.tNs + VALID_NS);
    return setResult(context, cookie, mss);
  },
};
