import type { Btf } from './btf.js';

const NETWORK_ORDER = /^__be(16|32|64)$/;

/**
 * The kernel's types of network byte order: `__be16`, `__be32` or `__be64`, when that is what the type, or a typedef on its way, is called;
 * else `undefined`. Qualifiers and variables are looked through.
 */
export function networkOrderType(btf: Btf, typeId: number): string | undefined {
  for (let id = typeId; ; ) {
    const type = btf.type(id);
    switch (type.kind) {
      case 'typedef':
        if (NETWORK_ORDER.test(type.name)) return btf.sizeOf(id) === Number(type.name.slice(4)) / 8 ? type.name : undefined;
        break;
      case 'const':
      case 'volatile':
      case 'restrict':
      case 'typeTag':
      case 'var':
        break;
      default:
        return undefined;
    }
    id = type.typeId;
  }
}

/** Four bytes as an IPv4 address. */
export function dottedQuad(bytes: Uint8Array): string {
  return bytes.join('.');
}
