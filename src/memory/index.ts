export * from './hostMemory.js';
export * from './ownership.js';
export * from './pageAllocator.js';
