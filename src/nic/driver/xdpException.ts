import type { XdpFailure } from '../profiles/profile.js';
import type { DriverState } from './driverState.js';

/** The verdict `act` came to nothing: xdp_exception, if the driver says so of such a failure. */
export function traceException({ config }: DriverState, failure: XdpFailure, act: number): void {
  const { tracer, ifindex, program, profile } = config;
  if (profile.xdp.untraced?.includes(failure) === true) return;
  tracer.xdpException(ifindex, program!.id, act);
}
