import type { Problem } from '../../base/index.js';
import type { ByteWindow } from './byteWindow.js';
import { MAX_PACKET_BYTES } from './captureReader.js';

/** The operating system refused to read. */
export function unreadableProblem(readError: string, where: string): Problem {
  return { code: 'capture-unreadable', message: `reading failed: ${readError}`, where, hint: 'check the disk or copy the file again' };
}

/** Why `window.ensure(needBytes)` failed: the file ends inside `what`, or the operating system couldn't read it. */
export function truncatedProblem(window: ByteWindow, what: string, needBytes: number, where: string): Problem {
  if (window.readError !== undefined) return unreadableProblem(window.readError, where);
  return {
    code: 'capture-truncated',
    message: `${what} is cut short: it needs ${needBytes} bytes, the file has ${window.availableBytes} left`,
    where,
    hint: 'the capture was cut off while it was written or copied; capture again, or keep the whole packets with editcap',
  };
}

/** Names of link types that people really hand in, from the tcpdump.org registry, for messages. */
const LINKTYPE_NAMES = new Map<number, string>([
  [0, 'BSD loopback'],
  [1, 'Ethernet'],
  [9, 'PPP'],
  [101, 'raw IP'],
  [105, 'IEEE 802.11'],
  [108, 'OpenBSD loopback'],
  [113, 'Linux cooked capture v1'],
  [127, 'IEEE 802.11 with radiotap'],
  [195, 'IEEE 802.15.4'],
  [228, 'raw IPv4'],
  [229, 'raw IPv6'],
  [249, 'USB'],
  [253, 'netlink'],
  [276, 'Linux cooked capture v2'],
]);

/** Any packet on a link that isn't Ethernet: an XDP program always sees an Ethernet frame. */
export function linkTypeProblem(linkType: number, where: string): Problem {
  const name = LINKTYPE_NAMES.get(linkType);
  return {
    code: 'unsupported-link-type',
    message: `link type ${linkType}${name === undefined ? '' : ` (${name})`} can't be replayed, only Ethernet (1) can`,
    where,
    hint: 'capture on one Ethernet interface (tcpdump -i eth0), not on "any" or a tunnel',
  };
}

/** The lengths of a packet that contradict the format or each other; `undefined` when they are sound. */
export function lengthProblem(capturedLen: number, originalLen: number, where: string): Problem | undefined {
  if (capturedLen > MAX_PACKET_BYTES) {
    return {
      code: 'capture-bad-length',
      message: `captured length ${capturedLen} is more than the ${MAX_PACKET_BYTES} bytes that a packet can have`,
      where,
      hint: 'the capture is damaged here; keep the packets before it with editcap -r',
    };
  }
  if (capturedLen > originalLen) {
    return {
      code: 'capture-bad-length',
      message: `captured length ${capturedLen} is more than the original length ${originalLen}`,
      where,
      hint: 'the capture is damaged here, or its writer swapped the two lengths',
    };
  }
  return undefined;
}
