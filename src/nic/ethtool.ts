import { newDeviceCounters } from './device/deviceConfig.js';
import { newCounters } from './driver/queuePair.js';
import type { Nic } from './nic.js';
import type { NicProfile } from './profiles/profile.js';
import { counterSources, readStatistics } from './profiles/statistics.js';

/** `ethtool -S` of a NIC, under the names of its driver and in its order. */
export function nicStatistics({ settings, device, driver, missed }: Nic): Map<string, number> {
  const queues = Array.from({ length: settings.queues }, (_, queue) => queue);
  const sources = counterSources(device.counters, missed, queues.map((queue) => driver.counters(queue)), queues.map((queue) => driver.bufferUse(queue).stats));
  const statistics = readStatistics(settings.profile.statistics, sources);
  if (settings.xdpMode !== 'generic' || settings.profile.countsNativeOnly !== true) return statistics;
  return new Map([...statistics.keys()].map((name) => [name, 0]));
}

/** `ethtool -S` of a NIC that has just come up: all of it 0. */
export function freshStatistics({ statistics, queues }: NicProfile): Map<string, number> {
  return readStatistics(statistics, counterSources(newDeviceCounters(), [], Array.from({ length: queues.default }, newCounters), []));
}
