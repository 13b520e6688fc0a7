// Adaptive interrupt throttling of igb and igc (igb_update_itr and igb_set_itr in drivers/net/ethernet/intel/igb/igb_main.c, igc alike, 6.18).

/** What kind of traffic a ring sees, from the shortest interval between interrupts to the longest. */
export type ItrClass = 'lowest' | 'low' | 'bulk';

/** Packets of one ring since the last interrupt. */
export interface ItrSample {
  readonly packets: number;
  readonly bytes: number;
}

/** EITR value of a class: 70k, 20k and 4k interrupts a second. */
export const ITR_VALUES: Readonly<Record<ItrClass, number>> = { lowest: 56, low: 196, bulk: 980 };

/** EITR of a queue that has seen nothing yet: 6k interrupts a second. */
export const ITR_START = 648;

/** EITR counts quarters of a microsecond. */
const ITR_UNIT_NS = 250;

const ORDER: readonly ItrClass[] = ['lowest', 'low', 'bulk'];

/** The class of a ring after an interval; one without packets says nothing. */
export function nextItrClass(from: ItrClass, { packets, bytes }: ItrSample): ItrClass {
  if (packets === 0) return from;
  const averageBytes = bytes / packets;
  switch (from) {
    case 'lowest':
      // TSO and jumbo frames.
      if (averageBytes >= 8001) return 'bulk';
      return packets < 5 && bytes > 512 ? 'low' : 'lowest';
    case 'low':
      if (bytes > 10_000) {
        if (packets < 10 || averageBytes >= 1201) return 'bulk';
        return packets > 35 ? 'lowest' : 'low';
      }
      if (averageBytes >= 2001) return 'bulk';
      return packets <= 2 && bytes < 512 ? 'lowest' : 'low';
    case 'bulk':
      if (bytes > 25_000) return packets > 35 ? 'low' : 'bulk';
      return bytes < 1500 ? 'low' : 'bulk';
  }
}

/**
 * EITR of a queue pair: the slower of its rings counts. Links at 10 and 100 Mbit/s always have 4k interrupts a second; the 2500 of igc are
 * treated like 1000 (igc_set_itr).
 * @param isConservative ethtool's rx-usecs 3, the default: never faster than 'low'
 */
export function itrOf(rx: ItrClass, tx: ItrClass, linkMbps: number, isConservative: boolean): number {
  if (linkMbps < 1000) return ITR_VALUES.bulk;
  const slower = ORDER[Math.max(ORDER.indexOf(rx), ORDER.indexOf(tx))];
  return ITR_VALUES[isConservative && slower === 'lowest' ? 'low' : slower];
}

/** Least time between two interrupts with this EITR value, ns. */
export function itrIntervalNs(itr: number): number {
  return itr * ITR_UNIT_NS;
}
