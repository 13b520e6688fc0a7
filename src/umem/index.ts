export * from './addressRing.js';
export * from './descriptorRing.js';
export * from './ring.js';
export * from './txMetadata.js';
export * from './umem.js';
export * from './xskSocket.js';
