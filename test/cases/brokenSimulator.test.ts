import { describe, expect, it } from 'vitest';
import { EACCES, unwrap } from '../../src/base/index.js';
import { runCases, SimulatorBackend } from '../../src/cases/index.js';
import { HELPERS } from '../../src/vm/index.js';
import type { HelperFunction, HelperSupport } from '../../src/vm/index.js';
import { fixtureCases } from './support.js';

// Cases are worth something only if they notice a simulator that is wrong. Each test breaks one helper.

/** Runs the cases of a file while a helper does something else; gives the parts that differ. */
function partsWith(helperName: string, breakIt: (right: HelperFunction) => HelperFunction, caseFileName: string): string[] {
  const row = HELPERS.find((helper) => helper?.name === helperName) as { support: HelperSupport };
  const { support } = row;
  const { file, object } = fixtureCases(caseFileName);
  row.support = { ...support, make: (context) => breakIt(support.make(context)) };
  try {
    return unwrap(runCases(file, object, new SimulatorBackend())).flatMap(({ differences }) => differences.map(({ part }) => part));
  } finally {
    row.support = support;
  }
}

describe('a simulator is caught', () => {
  it.each<[string, string, (right: HelperFunction) => HelperFunction, string, string]>([
    ['that adds wrong', 'bpf_csum_diff', (right) => (from, fromSize, to, toSize, seed) => right(from, fromSize, to, toSize, (seed + 1) | 0), 'csum_diff', 'data_out[24] ipv4.checksum'],
    ['that does not cut', 'bpf_xdp_adjust_tail', () => () => 0, 'adjust_tail', 'data_out length'],
    ['that refuses metadata', 'bpf_xdp_adjust_meta', () => () => -EACCES, 'meta_writer', 'ctx_out.data'],
    ['that forgets metadata', 'bpf_xdp_adjust_meta', (right) => (ctx, delta, ...rest) => right(ctx, delta - 4, ...rest), 'meta_writer', 'ctx_out.data'],
    ['that moves too little', 'bpf_xdp_adjust_head', (right) => (ctx, delta, ...rest) => right(ctx, delta + 2, ...rest), 'vlan_push', 'data_out length'],
    ['that loses updates', 'bpf_map_update_elem', () => () => 0, 'count_hash', 'maps.packets_by_source[c0000201]'],
    ['that counts a byte too many', 'bpf_xdp_get_buff_len', (right) => (...args) => right(...args) + 1024, 'frags_pass', 'maps.packets_by_length[01000000]'],
    ['that ignores sockets', 'bpf_redirect_map', (right) => (map, _key, ...rest) => right(map, 7, ...rest), 'xsk_redirect', 'retval'],
  ])('%s: %s', (_, helper, breakIt, cases, part) => {
    expect(partsWith(helper, breakIt, cases)).toContain(part);
    expect(partsWith(helper, (right) => right, cases)).toEqual([]);
  });
});
