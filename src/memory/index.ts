export * from './frameCopier.js';
export * from './hostMemory.js';
export * from './ownership.js';
export * from './pageAllocator.js';
export * from './ptrRing.js';
export * from './structPages.js';
export * from './wasmModule.js';
