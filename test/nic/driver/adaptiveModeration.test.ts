import { describe, expect, it } from 'vitest';
import { createAdaptiveModeration, initialModeration } from '../../../src/nic/driver/adaptiveModeration.js';
import type { AdaptiveModeration } from '../../../src/nic/driver/adaptiveModeration.js';
import { DIM_EVENTS } from '../../../src/nic/device/moderationDim.js';
import { igbProfile } from '../../../src/nic/profiles/igb.js';
import { igcProfile } from '../../../src/nic/profiles/igc.js';
import { mlx5Profile } from '../../../src/nic/profiles/mlx5.js';
import { r8169Profile } from '../../../src/nic/profiles/r8169.js';
import type { ModerationSupport, NicProfile } from '../../../src/nic/profiles/profile.js';

function adaptive({ moderation, linkMbps }: NicProfile, changes: Partial<ModerationSupport> = {}): AdaptiveModeration {
  const rule = createAdaptiveModeration({ ...moderation, ...changes }, linkMbps);
  if (rule === undefined) throw new Error('the profile is not adaptive');
  return rule;
}

/** Least time between interrupts after one poll of frames of 64 bytes, ns. */
function intervalAfter(rule: AdaptiveModeration, rxPackets: number): number | undefined {
  return rule.onPollDone({ rxPackets, rxBytes: rxPackets * 64, txPackets: 0, txBytes: 0 }, 0)?.minIntervalNs;
}

describe('adaptive moderation of the driver', () => {
  it('there is none where the driver has none', () => {
    expect(createAdaptiveModeration(r8169Profile.moderation, r8169Profile.linkMbps)).toBeUndefined();
  });

  it('igb and igc with their default, rx-usecs 3, never take more than 20k interrupts a second', () => {
    expect([intervalAfter(adaptive(igbProfile), 10), intervalAfter(adaptive(igcProfile), 10)]).toEqual([49_000, 49_000]);
  });

  it('rx-usecs 3 is no delay: the first interrupt comes at once, the next one 162 µs later', () => {
    expect(initialModeration(igbProfile.moderation)).toEqual({ rxDelayNs: 0, rxFrames: 0, txDelayNs: 0, txFrames: 0, minIntervalNs: 162_000 });
  });

  it('with rx-usecs 1 they take 70k', () => {
    expect(intervalAfter(adaptive(igbProfile, { rxUsecs: 1 }), 10)).toBe(14_000);
  });

  it('counts what came since the last poll, and is silent when nothing changes', () => {
    const rule = adaptive(igbProfile, { rxUsecs: 1 });
    expect(intervalAfter(rule, 10)).toBe(14_000);
    // 4 more packets, 9000 bytes each: TSO or jumbo frames.
    expect(rule.onPollDone({ rxPackets: 14, rxBytes: 640 + 36_000, txPackets: 0, txBytes: 0 }, 0)?.minIntervalNs).toBe(245_000);
    expect(rule.onPollDone({ rxPackets: 14, rxBytes: 640 + 36_000, txPackets: 0, txBytes: 0 }, 0)).toBeUndefined();
  });

  it('mlx5 measures over 64 interrupts after the one that begins, and changes only the receiving side', () => {
    const rule = adaptive(mlx5Profile);
    const poll = (interrupt: number): ReturnType<AdaptiveModeration['onPollDone']> =>
      rule.onPollDone({ rxPackets: interrupt * 100, rxBytes: interrupt * 6400, txPackets: 0, txBytes: 0 }, interrupt * 10_000);
    for (let interrupt = 0; interrupt < DIM_EVENTS; interrupt++) expect(poll(interrupt)).toBeUndefined();
    const base = initialModeration(mlx5Profile.moderation);
    expect(poll(DIM_EVENTS)).toEqual({ ...base, rxDelayNs: 1000, rxFrames: 256 });
  });
});
