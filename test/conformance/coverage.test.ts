import { describe, expect, it } from 'vitest';
import { HELPERS, KFUNCS, MAP_TYPES, immAt, insnsBetween, mapTypeName, slotCount } from '../../src/vm/index.js';
import { fixtureObjects } from '../support/fixtures.js';

// Between them the fixture programs use everything that is supported, so everything is compared with the kernel somewhere.

const objects = fixtureObjects().map(({ spec }) => spec);
const programs = objects.flatMap((object) => object.programs);
const calledHelpers = new Set(
  programs.flatMap(({ insns }) => [...insnsBetween(insns, 0, slotCount(insns))].filter(({ row }) => row?.operation === 'helper').map(({ index }) => immAt(insns, index))),
);

describe('fixture programs use', () => {
  it('every map type', () => {
    const used = new Set(objects.flatMap(({ maps }) => maps.map(({ type }) => mapTypeName(type))));
    expect(MAP_TYPES.filter(({ create, name }) => create !== undefined && !used.has(name)).map(({ name }) => name)).toEqual([]);
  });

  it('every helper', () => {
    expect(HELPERS.filter((helper) => helper?.support !== undefined && !calledHelpers.has(helper.id)).map((helper) => helper?.name)).toEqual([]);
  });

  it('every kernel function, but for one that needs CONFIG_NF_FLOW_TABLE', () => {
    const called = new Set(programs.flatMap(({ kfuncs = [] }) => kfuncs.map(({ name }) => name)));
    expect(KFUNCS.filter(({ support, name }) => support !== undefined && !called.has(name)).map(({ name }) => name)).toEqual(['bpf_xdp_flow_lookup']);
  });
});
