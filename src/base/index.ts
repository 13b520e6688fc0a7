export * from './errno.js';
export * from './hex.js';
export * from './kernelRelease.js';
export * from './problem.js';
export * from './rng.js';
export * from './scheduler.js';
export * from './spelling.js';
export * from './systemReason.js';
