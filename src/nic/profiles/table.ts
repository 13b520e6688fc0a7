import { bnxtProfile } from './bnxt.js';
import { enaProfile } from './ena.js';
import { i40eProfile } from './i40e.js';
import { iceProfile } from './ice.js';
import { igbProfile } from './igb.js';
import { igcProfile } from './igc.js';
import { ixgbeProfile } from './ixgbe.js';
import { mlx4Profile } from './mlx4.js';
import { mlx5Profile } from './mlx5.js';
import { mtkEthSocProfile } from './mtkEthSoc.js';
import { mvnetaProfile } from './mvneta.js';
import { mvpp2Profile } from './mvpp2.js';
import { nfpProfile } from './nfp.js';
import { octeontx2Profile } from './octeontx2.js';
import { plainProfile } from './plain.js';
import { r8169Profile } from './r8169.js';
import { r8169XdpProfile } from './r8169Xdp.js';
import { vethProfile } from './veth.js';
import { virtioNetProfile } from './virtioNet.js';
import type { NicProfile } from './profile.js';

/** Every NIC profile. A new one is a file beside this and a row here. */
export const PROFILES: readonly NicProfile[] = [
  plainProfile, vethProfile, r8169Profile, r8169XdpProfile, igbProfile, igcProfile, ixgbeProfile, i40eProfile,
  iceProfile, mlx5Profile, mlx4Profile, bnxtProfile, nfpProfile, mvnetaProfile, mvpp2Profile, octeontx2Profile, mtkEthSocProfile, enaProfile, virtioNetProfile,
];

/** The profile with this name. */
export function findProfile(name: string): NicProfile | undefined {
  return PROFILES.find((profile) => profile.name === name);
}
