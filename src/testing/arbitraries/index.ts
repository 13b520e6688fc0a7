/** Arbitraries for fast-check: packets, flows, captures, metadata, maps, rings. */
export { ipv4Address, ipv6Address, macAddress, port, servicePort } from './addresses.js';
export { mapElements, mapKey, mapOperations, mapValue } from './mapElements.js';
export type { DrawnElement, MapOperation } from './mapElements.js';
export { fieldValue, metadata } from './metadata.js';
export type { ContractMetadata } from './metadata.js';
export { ringOperations } from './ringOperations.js';
export type { RingOperation, RingOperationOptions } from './ringOperations.js';
export { valueOfType } from './values.js';
export { packet, packetBytes } from './packets.js';
export type { PacketOptions, Protocol } from './packets.js';
export { anyFrame, mutatedPacket } from './mutations.js';
export type { MutatedPacket, Mutation } from './mutations.js';
export { capture, flow } from './flows.js';
export type { CaptureOptions, DrawnCapturePacket, Flow, FlowOptions, FlowPacket } from './flows.js';
