import { describe, expect, it } from 'vitest';
import { inScenarioWords } from '../../src/report/scenarioWords.js';

describe('problems in the words of a scenario file', () => {
  it('of maps that the object gives no size', () => {
    const hint = 'user space was meant to set the size before it loads the object: sim run --map-size NAME=N does, or give max_entries in the source';
    expect(inScenarioWords({ code: 'map-invalid', message: 'max_entries is 0', hint }).hint).toBe('user space was meant to set the size before it loads the object: "map_sizes": {"NAME": N} of the object does, or give max_entries in the source');
    const inner = 'define it with __array(values, struct { ... }), or give it an inner map when the object is loaded: sim run --inner-map NAME=MAP, innerMaps of loadObject';
    expect(inScenarioWords({ code: 'map-invalid', message: '', hint: inner }).hint).toBe('define it with __array(values, struct { ... })');
  });

  it.each([
    ['XDP_ZEROCOPY and XDP_COPY', '"mode": "zerocopy" and "mode": "copy"'],
    ['frameSize 100, frameHeadroom 1', '"frame_size" 100, "headroom" 1'],
    ['txMetadataLen without XDP_UMEM_TX_METADATA_LEN', '"tx_metadata" without "tx_metadata"'],
    ['XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_UMEM_TX_SW_CSUM', '"unaligned": true, "sw_csum": true'],
    ['XDP_USE_SG, XDP_USE_NEED_WAKEUP', '"sg": true, "need_wakeup": true'],
    ['choose one with --prog, use --queues 3', 'choose one with "program" in "xdp" of the NIC, use "queues": 3'],
  ])('%s', (text, says) => {
    expect(inScenarioWords({ code: 'any', message: text, hint: text })).toEqual({ code: 'any', message: says, hint: says });
  });

  it('leave words alone that only begin like one of them, and a problem without a hint', () => {
    const problem = { code: 'any', where: '--prog', message: '--program, MY_XDP_COPY, frameSizes' };
    expect(inScenarioWords(problem)).toEqual(problem);
  });
});
