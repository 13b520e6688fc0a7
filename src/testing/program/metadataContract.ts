import { checkNamed, unwrap } from '../../base/index.js';
import { declareContract } from '../../xdp/index.js';
import type { FieldType, MetadataContract } from '../../xdp/index.js';

/**
 * Declares what program and reader of metadata have agreed on, once: for `toHaveMetadata`, `toKeepContract` and the arbitrary `metadata`. Fields lie where
 * C puts them, in this order.
 *
 * @throws Error with the field and how to mend it: holes, a size that is no multiple of 4, more than 216 bytes
 * @example
 * const offload = metadataContract('offload', { flags: 'u32', csum_start: 'u16', csum_offset: 'u16' });
 */
export function metadataContract(name: string, fields: Readonly<Record<string, FieldType>>): MetadataContract {
  checkNamed('metadataContract, fields', fields, "fields by name: { csum_start: 'u16' }");
  return unwrap(declareContract(name, Object.entries(fields)));
}
