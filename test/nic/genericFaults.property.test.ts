import { describe, expect } from 'vitest';
import { PROFILES } from '../../src/nic/index.js';
import type { NicSettings } from '../../src/nic/index.js';
import { fc, prop } from '../support/property.js';
import { captureOf } from '../support/simulate.js';
import { faultPlans } from './everyProfile/faultPlans.js';
import { mixedProgram } from './everyProfile/mixedProgram.js';
import { runProfile } from './everyProfile/profileRun.js';
import { ProgramAlone } from './everyProfile/programAlone.js';
import { drawnFrames, settingsFor, trafficFor } from './everyProfile/traffic.js';
import { witness } from './everyProfile/witness.js';

/** Runs of every profile; XDP_SIM_NIC_RUNS=2000 is the long form. */
const RUNS = Number(process.env['XDP_SIM_NIC_RUNS'] ?? 2);
/** The short form is the same each time, the long one draws its seed. */
const SEED = process.env['XDP_SIM_NIC_RUNS'] === undefined ? { seed: 20261127 } : {};

describe.each(PROFILES)('$name in generic mode', (profile) => {
  prop([settingsFor(profile), fc.boolean(), drawnFrames, faultPlans], { numRuns: RUNS, endOnFailure: true, ...SEED })(
    'random faults: nothing lost or doubled, everything given back, and again the same', ({ settings }, frags, drawn, plan) => {
      const nic: NicSettings = { profile, ...settings, headroomBytes: undefined, xdpMode: 'generic', faults: plan };
      const frames = trafficFor(drawn, nic);
      const play = (): unknown => {
        const seen = witness(frames, new ProgramAlone(mixedProgram(frags), nic, false));
        const { result, simulation, queues } = runProfile({ nic, object: mixedProgram(frags), reader: captureOf(frames), watcherOf: seen.watcherOf });
        expect(result.audit.checks.filter(({ ok }) => !ok)).toEqual([]);
        expect(seen.ends.map(({ packetId }) => packetId).sort((a, b) => a - b)).toEqual(frames.map((_, i) => i + 1));
        const ends = seen.ends.map(({ bytes, ...end }) => ({ ...end, bytes: Buffer.from(bytes).toString('hex') }));
        return { ends, queues, outcomes: result.outcomes, device: simulation.nic.device.counters, faults: simulation.nic.faults!.counts() };
      };
      expect(JSON.stringify(play())).toBe(JSON.stringify(play()));
    },
  );
});
