import { plainProfile } from './plain.js';
import type { NicProfile } from './profile.js';
import { vethProfile } from './veth.js';

/** Every NIC profile. A new one is a file beside this and a row here. */
export const PROFILES: readonly NicProfile[] = [plainProfile, vethProfile];

/** The profile with this name. */
export function findProfile(name: string): NicProfile | undefined {
  return PROFILES.find((profile) => profile.name === name);
}
