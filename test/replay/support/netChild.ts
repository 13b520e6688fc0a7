// A process that replays over a veth until a file appears, and then throws: tests stop it. Run it by plain node with typescriptHooks.mjs.
import { existsSync, writeSync } from 'node:fs';
import { replayOverVeth } from '../../../src/replay/net/replayOverVeth.js';
import { EndlessCapture } from './endlessCapture.js';

const STDOUT = 1;
/** Packets by which everything is surely up. */
const WELL_UNDER_WAY = 1000;

const [, , object, throwFile] = process.argv;
let hasSaidSo = false;
const result = await replayOverVeth({
  object,
  pcap: new EndlessCapture(new Uint8Array(64)),
  onProgress: (packets) => {
    if (existsSync(throwFile)) throw new Error('as the test wants it');
    if (hasSaidSo || packets < WELL_UNDER_WAY) return;
    hasSaidSo = true;
    writeSync(STDOUT, 'running\n');
  },
});
writeSync(STDOUT, `ended: ${JSON.stringify(result)}\n`);
