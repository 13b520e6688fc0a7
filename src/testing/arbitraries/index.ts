/** Arbitraries for fast-check: packets, flows, captures, metadata, maps, rings. */
export { ipv4Address, ipv6Address, macAddress, port } from './addresses.js';
export { mapElements, mapKey, mapOperations, mapValue } from './mapElements.js';
export type { DrawnElement, MapOperation } from './mapElements.js';
export { fieldValue, metadata } from './metadata.js';
export type { ContractMetadata } from './metadata.js';
export { ringOperations } from './ringOperations.js';
export type { RingOperation, RingOperationOptions } from './ringOperations.js';
export { valueOfType } from './values.js';
