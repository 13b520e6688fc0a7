import type { PacketWatcher } from './packetWatcher.js';
import type { ScenarioWatcher } from './scenario.js';

type Calls = { -readonly [Hook in keyof PacketWatcher]: PacketWatcher[Hook] };

/**
 * Several watchers as one: each hears what it listens to, in the order of the list. What none of them listens to the result does not have either, so that
 * nobody gathers it.
 */
export function watchAll(watchers: readonly PacketWatcher[]): PacketWatcher {
  const [only] = watchers;
  if (watchers.length === 1) return only!;
  const calls: Calls = {};
  const arrivals = watchers.filter(({ onArrival }) => onArrival !== undefined);
  const ends = watchers.filter(({ onPacketEnd }) => onPacketEnd !== undefined);
  const frames = watchers.filter(({ onApplicationFrame }) => onApplicationFrame !== undefined);
  const wires = watchers.filter(({ onWire }) => onWire !== undefined);
  const events = watchers.filter(({ onEvent }) => onEvent !== undefined);
  const traces = watchers.filter(({ onTrace }) => onTrace !== undefined);
  if (arrivals.length > 0) {
    calls.onArrival = (packetId, address, lenBytes) => {
      for (const each of arrivals) each.onArrival!(packetId, address, lenBytes);
    };
  }
  if (ends.length > 0) {
    calls.onPacketEnd = (packet) => {
      for (const each of ends) each.onPacketEnd!(packet);
    };
  }
  if (frames.length > 0) {
    calls.onApplicationFrame = (packet) => {
      for (const each of frames) each.onApplicationFrame!(packet);
    };
  }
  if (wires.length > 0) {
    calls.onWire = (packet) => {
      for (const each of wires) each.onWire!(packet);
    };
  }
  if (events.length > 0) {
    calls.onEvent = (event) => {
      for (const each of events) each.onEvent!(event);
    };
  }
  if (traces.length > 0) {
    calls.onTrace = (record) => {
      for (const each of traces) each.onTrace!(record);
    };
  }
  return calls;
}

/** The same for a scenario and each of its hosts. */
export function watchAllHosts(watchers: readonly ScenarioWatcher[]): ScenarioWatcher {
  return {
    hostWatcher: (host) => watchAll(watchers.flatMap((each) => each.hostWatcher?.(host) ?? [])),
    onLinkFrame: (event) => {
      for (const each of watchers) each.onLinkFrame?.(event);
    },
  };
}
