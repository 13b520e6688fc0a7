export * from './xskProblem.js';
export * from './xskRing.js';
export * from './xskRingCons.js';
export * from './xskRingProd.js';
export * from './xskSocket.js';
export * from './xskUmem.js';
