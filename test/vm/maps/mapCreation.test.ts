import { closeSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { errnoName } from '../../../src/base/index.js';
import { HostMemory } from '../../../src/memory/index.js';
import { AccessTable } from '../../../src/vm/accessTable.js';
import { VM_STATE_BYTES } from '../../../src/vm/layout.js';
import { MAP_TYPES, createMap, isMapTypeSupported, mapTypeName } from '../../../src/vm/maps/mapTypes.js';
import { withKernel } from '../../support/kernelOracle.js';
import { map } from '../../replay/support/kernelPrograms.js';
import type { MapSpec } from '../../../src/vm/spec.js';

const SUPPORTED = MAP_TYPES.filter(({ type }) => isMapTypeSupported(type));

const PERF_EVENT_ARRAY = 4;

/** Key size and flags of the types that don't take a key of 4 bytes. */
const SOUND: Readonly<Record<string, readonly [number, number]>> = { LPM_TRIE: [8, 1], QUEUE: [0, 0], STACK: [0, 0], BLOOM_FILTER: [0, 0], RINGBUF: [0, 0], USER_RINGBUF: [0, 0] };

function create(spec: MapSpec) {
  const memory = new HostMemory(64);
  const accessTable = new AccessTable(memory, memory.reserve('state', VM_STATE_BYTES));
  return createMap(spec, { memory, accessTable, possibleCpus: 2, id: 1 });
}

/** key_size, value_size, max_entries, map_flags */
const DEFINITIONS: readonly (readonly [number, number, number, number])[] = [
  [4, 4, 1, 0], [0, 4, 1, 0], [4, 0, 1, 0], [4, 4, 0, 0], [8, 4, 1, 0], [4, 8, 1, 0], [513, 4, 1, 0],
  ...Array.from({ length: 18 }, (_, bit) => [4, 4, 1, 1 << bit] as const),
  [4, 4, 1, 0x18], [4, 4, 1, 0x180], [4, 4, 1, 0x88], [4, 4, 1, 0x41],
  [5, 4, 1, 1], [8, 4, 1, 1], [8, 4, 1, 0], [8, 4, 1, 0x41], [260, 4, 1, 1], [261, 4, 1, 1], [8, 4, 0, 1], [8, 0, 1, 1], [8, 4, 1, 0x181], [8, 1000000, 1, 1], [8, 4194025, 1, 1],
  [0, 4, 0, 0], [0, 0, 1, 0], [0, 4, 1, 0x180], [0, 4, 1, 3], [0, 4194304, 1, 0], [0, 4194305, 1, 0],
  ...Array.from({ length: 18 }, (_, bit) => [0, 4, 1, 1 << bit] as const),
  // Up to BPF_F_TOKEN_FD, which bpf(2) looks at after everything else.
  ...Array.from({ length: 16 }, (_, bit) => [8, 4, 1, 1 | (1 << bit)] as const),
  [4, 4, 1, 3], [4, 4, 1, 6], [4, 4, 3, 2],
  // A ring has neither key nor value, and a power of two of bytes in whole pages.
  ...[0, 1, 2048, 4095, 4096, 4097, 8192, 12288, 65536].map((bytes) => [0, 0, bytes, 0] as const),
  ...Array.from({ length: 20 }, (_, bit) => [0, 0, 4096, 1 << bit] as const).filter(([, , , flags]) => flags !== 1 << 16),
  [4, 0, 4096, 0], [0, 4, 4096, 0],
  [4, 32768, 1, 0], [4, 32769, 1, 0], [4, 4194251, 1, 1], [4, 4194252, 1, 1],
];

withKernel('map definitions, against the kernel', (kernel) => {
  it.each(SUPPORTED.map((row) => [row.name, row.type] as const))('%s: the same ones are refused, for the same errno', (_, type) => {
    for (const [keySize, valueSize, maxEntries, flags] of DEFINITIONS) {
      // That libbpf would give such a map one slot for each CPU is a rule of user space.
      if (type === PERF_EVENT_ARRAY && maxEntries === 0) continue;
      const spec = map('m', type, keySize, valueSize, maxEntries, { flags });
      const fd = kernel.mapCreate(spec);
      if (fd >= 0) closeSync(fd);
      const ours = create(spec);
      const named = fd < 0 ? `(${errnoName(fd)})` : 'ok';
      expect([keySize, valueSize, maxEntries, flags, ours.ok ? 'ok' : ours.problem.message]).toEqual([
        keySize, valueSize, maxEntries, flags, expect.stringContaining(named),
      ]);
    }
  });
});

describe('createMap', () => {
  it('names an unsupported type and the ones to use', () => {
    const result = create(map('stacks', 7, 4, 8, 1));
    expect(result).toMatchObject({
      ok: false,
      problem: { code: 'unsupported-map-type', message: 'map stacks has type STACK_TRACE, which is not supported', hint: expect.stringContaining('HASH, ARRAY') },
    });
  });

  it('knows types of the future only by number', () => {
    expect(mapTypeName(99)).toBe('type 99');
    expect(create(map('m', 99, 4, 4, 1))).toMatchObject({ ok: false, problem: { code: 'unsupported-map-type' } });
  });

  it('says how to mend a size that user space was meant to set', () => {
    expect(create(map('rx_cnt', 6, 4, 8, 0))).toMatchObject({
      ok: false,
      problem: { code: 'map-invalid', message: expect.stringContaining('map rx_cnt (EINVAL): max_entries is 0'), hint: expect.stringContaining('max_entries') },
    });
  });

  // A CPUMAP is never large: there aren't so many CPUs.
  it.each(SUPPORTED.filter(({ name }) => name !== 'CPUMAP').map((row) => [row.name, row.type] as const))('%s: refuses one that does not fit in host memory', (name, type) => {
    const [keySize, flags] = SOUND[name] ?? [4, 0];
    expect(create(map('huge', type, keySize, name.endsWith('RINGBUF') ? 0 : 4, 0x80000000, { flags, innerMap: map('inner', 2, 4, 4, 1) }))).toMatchObject({ ok: false, problem: { code: 'host-memory-exhausted', message: expect.stringContaining('huge') } });
  });

  it('numbers its types like the UAPI', () => {
    expect(MAP_TYPES.map(({ type }) => type)).toEqual(MAP_TYPES.map((_, index) => index));
    expect(MAP_TYPES).toHaveLength(34);
  });
});
