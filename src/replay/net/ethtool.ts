import type { KernelBuffer } from '../bpfSyscall.js';
import { setAddress } from '../kernelBpf.js';
import type { NetSyscalls } from './netSyscalls.js';

const SIOCETHTOOL = 0x8946;
const ETHTOOL_GSTRINGS = 0x1b;
const ETHTOOL_GSTATS = 0x1d;
const ETHTOOL_SGRO = 0x2c;
const ETHTOOL_GSSET_INFO = 0x37;
const ETH_SS_STATS = 1;
const ETH_GSTRING_LEN = 32;
/** More counters than any veth has: nine a queue and one. */
const MAX_STATS = 1024;
const GSTRINGS_HEADER_BYTES = 12;
const GSTATS_HEADER_BYTES = 8;

/**
 * Requests of ethtool to one interface.
 *
 *     ifreq    0 name[16]   16 data (address)
 */
export class Ethtool {
  readonly #calls: NetSyscalls;
  readonly #fd: number;
  readonly #ifreq: KernelBuffer;
  readonly #data: KernelBuffer;

  /** @param fd any socket of the interface's namespace */
  constructor(calls: NetSyscalls, fd: number, interfaceName: string) {
    this.#calls = calls;
    this.#fd = fd;
    this.#ifreq = calls.buffer(40);
    this.#data = calls.buffer(GSTRINGS_HEADER_BYTES + MAX_STATS * ETH_GSTRING_LEN);
    new TextEncoder().encodeInto(interfaceName, this.#ifreq.bytes);
    setAddress(this.#ifreq.view, 16, this.#data.address);
  }

  /**
   * `ethtool -K gro off`. A negated errno, or 0.
   *
   *     ethtool_value    0 cmd  4 data
   */
  disableGro(): number {
    return this.#request(ETHTOOL_SGRO, 0);
  }

  /**
   * `ethtool -S`: the driver's counters in its order. A negated errno when there are none.
   *
   *     ethtool_sset_info    0 cmd  4 reserved  8 sset_mask (u64)  16 data[]: number of strings
   *     ethtool_gstrings     0 cmd  4 string_set  8 len  12 data: names of 32 bytes
   *     ethtool_stats        0 cmd  4 n_stats  8 data (u64 each)
   */
  statistics(): Map<string, number> | number {
    const { bytes, view } = this.#data;
    const asked = this.#request(ETHTOOL_GSSET_INFO, 0, 1 << ETH_SS_STATS);
    if (asked < 0) return asked;
    const count = view.getUint32(16, true);
    if (count > MAX_STATS) throw new Error(`Ethtool.statistics: ${count} counters`);

    const named = this.#request(ETHTOOL_GSTRINGS, ETH_SS_STATS, count);
    if (named < 0) return named;
    const names = Array.from({ length: count }, (_, i) => {
      const name = bytes.slice(GSTRINGS_HEADER_BYTES + i * ETH_GSTRING_LEN, GSTRINGS_HEADER_BYTES + (i + 1) * ETH_GSTRING_LEN);
      return new TextDecoder().decode(name).replace(/\0.*$/s, '');
    });

    const counted = this.#request(ETHTOOL_GSTATS, count);
    if (counted < 0) return counted;
    return new Map(names.map((name, i) => [name, Number(view.getBigUint64(GSTATS_HEADER_BYTES + i * 8, true))]));
  }

  #request(command: number, second: number, third = 0): number {
    const { bytes, view } = this.#data;
    bytes.fill(0);
    view.setUint32(0, command, true);
    view.setUint32(4, second, true);
    view.setUint32(8, third, true);
    return this.#calls.call('ioctl', this.#fd, SIOCETHTOOL, this.#ifreq);
  }
}
