import type { Nic } from './nic.js';
import { counterSources, readStatistics } from './profiles/statistics.js';

/** `ethtool -S` of a NIC, under the names of its driver and in its order. */
export function nicStatistics({ settings, device, driver, missed }: Nic): Map<string, number> {
  const queues = Array.from({ length: settings.queues }, (_, queue) => queue);
  const sources = counterSources(device.counters, missed, queues.map((queue) => driver.counters(queue)), queues.map((queue) => driver.bufferUse(queue).stats));
  return readStatistics(settings.profile.statistics, sources);
}
