import { describe, expect, it } from 'vitest';
import { errnoName } from '../../../src/base/index.js';
import { checkAttach, findProfile, PROFILES, rxLayout } from '../../../src/nic/index.js';
import { rxHintNames, xdpFeatureNames } from '../../../src/report/index.js';
import { nicSettings, returning, simulationOf } from '../../support/simulate.js';

/**
 * What is known of the drivers, Linux 6.1 and newer, written down independently of the profiles: native XDP since; headroom; xdp->frame_sz; largest
 * MTU with a program without multi-buffer support, and the errno beyond it; default and largest RX ring; default and largest TX ring.
 */
const NUMBERS: Readonly<Record<string, readonly [since: string, headroom: number, frameSize: number, mtu: number, errno: string, rx: [number, number], tx: [number, number]]>> = {
  mlx4: ['4.8', 256, 4096, 3498, 'EOPNOTSUPP', [1024, 8192], [1024, 8192]],
  mlx5: ['4.9', 256, 4096, 3498, 'EINVAL', [1024, 8192], [1024, 8192]],
  igb: ['5.10', 192, 2048, 1510, 'EINVAL', [256, 4096], [256, 4096]],
  igc: ['5.13', 256, 4096, 1500, 'EOPNOTSUPP', [256, 4096], [256, 4096]],
  ixgbe: ['4.12', 192, 2048, 1514, 'EINVAL', [512, 4096], [512, 4096]],
  i40e: ['4.13', 192, 4096, 3046, 'EINVAL', [512, 4096], [512, 4096]],
  ice: ['5.5', 192, 4096, 3046, 'EOPNOTSUPP', [2048, 8160], [256, 8160]],
  bnxt: ['4.11', 256, 4096, 3502, 'EOPNOTSUPP', [511, 8191], [511, 2047]],
  nfp: ['4.10', 256, 4096, 3498, 'EINVAL', [4096, 8192], [4096, 8192]],
  mvneta: ['5.5', 256, 4096, 3520, 'EOPNOTSUPP', [512, 512], [1024, 1024]],
  octeontx2: ['5.16', 128, 2048, 1508, 'EOPNOTSUPP', [1024, 8192], [4096, 8192]],
  mtk_eth_soc: ['6.0', 256, 4096, 3520, 'EOPNOTSUPP', [512, 512], [512, 512]],
  ena: ['5.6', 256, 4096, 3498, 'EINVAL', [1024, 8192], [1024, 1024]],
  virtio_net: ['4.10', 256, 4096, 3506, 'EINVAL', [256, 256], [256, 256]],
  veth: ['4.19', 256, 4096, 3506, 'ERANGE', [256, 256], [256, 256]],
};

/** xdp-features and hints, and drivers whose ctx->data_meta is invalid. */
const FEATURES: Readonly<Record<string, readonly [features: string, hints: string]>> = {
  r8169: ['', ''],
  mlx4: ['basic redirect', 'timestamp hash'],
  mlx5: ['basic redirect ndo-xmit xsk-zerocopy rx-sg ndo-xmit-sg', 'timestamp hash vlan-tag'],
  igb: ['basic redirect ndo-xmit xsk-zerocopy', ''],
  igc: ['basic redirect ndo-xmit xsk-zerocopy', 'timestamp hash'],
  ixgbe: ['basic redirect ndo-xmit xsk-zerocopy', ''],
  i40e: ['basic redirect ndo-xmit xsk-zerocopy rx-sg', ''],
  ice: ['basic redirect ndo-xmit xsk-zerocopy rx-sg ndo-xmit-sg', 'timestamp hash vlan-tag'],
  bnxt: ['basic redirect ndo-xmit rx-sg', ''],
  nfp: ['basic xsk-zerocopy hw-offload', ''],
  mvneta: ['basic redirect ndo-xmit rx-sg ndo-xmit-sg', ''],
  octeontx2: ['basic redirect ndo-xmit xsk-zerocopy', ''],
  mtk_eth_soc: ['basic redirect ndo-xmit ndo-xmit-sg', ''],
  ena: ['basic redirect ndo-xmit', ''],
  virtio_net: ['basic redirect ndo-xmit xsk-zerocopy rx-sg', ''],
  veth: ['basic redirect ndo-xmit rx-sg ndo-xmit-sg', 'timestamp hash vlan-tag'],
};

describe('profiles have the numbers of their drivers', () => {
  it.each(Object.entries(NUMBERS))('%s', (name, [since, headroom, frameSize, mtu, errno, rx, tx]) => {
    const { xdp, headroom: room, frameSizeBytes, rxRing, txRing } = findProfile(name)!;
    expect([xdp.since, room.default, frameSizeBytes, xdp.mtuMaxLinear, errnoName(xdp.mtuErrno), [rxRing.default, rxRing.max], [txRing.default, txRing.max]]).toEqual([since, headroom, frameSize, mtu, errno, rx, tx]);
  });

  it.each(Object.entries(FEATURES))('%s: features and hints', (name, [features, hints]) => {
    const profile = findProfile(name)!;
    expect([xdpFeatureNames(profile.xdp.features).join(' '), rxHintNames(profile).join(' ')]).toEqual([features, hints]);
  });

  it('octeontx2 alone has no metadata; the quirks are where they belong', () => {
    expect(PROFILES.filter(({ xdp }) => !xdp.hasMetadata).map(({ name }) => name)).toEqual(['octeontx2']);
    expect(PROFILES.filter(({ quirks }) => Object.keys(quirks).length > 0).map(({ name, quirks }) => [name, ...Object.keys(quirks)])).toEqual([
      ['r8169', 'noChecksumBelow60'], ['r8169-xdp', 'noChecksumBelow60'], ['nfp', 'redirectIsInvalid'], ['octeontx2', 'failedVerdictsPass'], ['ena', 'countsFailedTxAsSent'],
    ]);
  });

  it.each(Object.entries(NUMBERS))('%s takes a program at its largest MTU, as far as one buffer holds a frame with two tags, and refuses it one beyond', (name, [, headroom, , mtu, errno]) => {
    const { program } = simulationOf({ object: returning(2) });
    const profile = findProfile(name)!;
    const most = Math.min(mtu, rxLayout(profile, headroom).packetBytes - 22);
    const settings = nicSettings({ profile, mtu: most });
    expect(checkAttach(settings, program)).toBeUndefined();
    expect(checkAttach({ ...settings, mtu: most + 1 }, program)).toMatchObject({ code: 'attach-mtu', message: expect.stringContaining(`MTU ${most + 1} is too large (${errno}): the driver takes at most ${most}`) });
  });
});
