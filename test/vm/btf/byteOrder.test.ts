import { describe, expect, it } from 'vitest';
import { toHex, unwrap } from '../../../src/base/index.js';
import { formatValue, loadObjectFile, networkOrderType, parseValue } from '../../../src/vm/index.js';
import type { JsonValue } from '../../../src/vm/index.js';

const btf = unwrap(loadObjectFile('fixtures/programs/xdp-tools/xdpfilt_dny_all.o')).btf!;

/** Id of the typedef with this name. */
function typedef(name: string): number {
  const id = btf.find('typedef', name);
  if (id === undefined) throw new Error(`xdpfilt_dny_all.o has no typedef ${name}`);
  return id;
}

describe('types of network byte order', () => {
  it.each<[string, string, JsonValue]>([
    ['__be16', '1f90', 8080],
    ['__be32', 'c0000201', '192.0.2.1'],
    ['__u16', '901f', 8080],
  ])('%s of bytes %s is %j, and back', (name, hex, shown) => {
    const typeId = typedef(name);
    const bytes = Uint8Array.from(Buffer.from(hex, 'hex'));
    expect(formatValue(btf, typeId, bytes)).toBe(shown);
    expect(toHex(unwrap(parseValue({ btf, typeId, sizeBytes: bytes.length, label: 'key' }, shown)))).toBe(hex);
  });

  it('a number for a __be32 is written as it is read', () => {
    expect(toHex(unwrap(parseValue({ btf, typeId: typedef('__be32'), sizeBytes: 4, label: 'key' }, 0xc0000201)))).toBe('c0000201');
  });

  it('are told by name, through qualifiers', () => {
    expect(networkOrderType(btf, typedef('__be16'))).toBe('__be16');
    expect(networkOrderType(btf, typedef('__u16'))).toBeUndefined();
  });
});
