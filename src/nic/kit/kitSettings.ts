import type { Problem } from '../../base/index.js';
import { PAGE_BYTES } from '../../memory/index.js';
import type { NicSettings } from '../nicSettings.js';
import { NETDEV_XDP_ACT_BASIC } from '../profiles/profile.js';

const FORMATS = ['r8169-v1', 'r8169-v2'];

/**
 * Whether a driver of one's own can have such a NIC: `driver-nic`, when the kit doesn't know its registers and descriptors;
 * `driver-mode`, as the driver runs the program; and `driver-headroom`, as the driver itself says by the address in each descriptor where a packet begins.
 */
export function checkKitSettings({ profile, queues, headroomBytes, xdpMode }: NicSettings): Problem | undefined {
  const where = `NIC ${profile.name}`;
  const hint = 'use the NIC r8169-xdp';
  if ((profile.xdp.features & NETDEV_XDP_ACT_BASIC) === 0) {
    return { code: 'driver-nic', where, message: 'the profile is that of a driver without native XDP, and a driver of your own is judged by the profile of one that has it', hint };
  }
  if (!FORMATS.includes(profile.format.name) || queues !== 1 || profile.frameSizeBytes !== PAGE_BYTES) {
    const buffers = profile.frameSizeBytes === PAGE_BYTES ? '' : ` in buffers of ${profile.frameSizeBytes} bytes`;
    return {
      code: 'driver-nic', where, hint,
      message: `a driver of your own drives one queue with r8169 descriptors and whole pages, but the NIC has ${queues} with ${profile.format.name} descriptors${buffers}`,
    };
  }
  if (xdpMode !== undefined && xdpMode !== 'native') {
    return { code: 'driver-mode', where, message: `a driver of your own runs the program itself: ${xdpMode} XDP passes it by`, hint: 'use --mode native' };
  }
  if (headroomBytes === undefined || headroomBytes === profile.headroom.default) return undefined;
  return {
    code: 'driver-headroom', where,
    message: `a headroom of ${headroomBytes} bytes reaches no driver of your own: it makes the headroom itself, by the address in each descriptor`,
    hint: 'leave the headroom out, and write it into the driver',
  };
}
