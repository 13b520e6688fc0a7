export * from './entryProgram.js';
export * from './outcome.js';
export * from './redirect.js';
export * from './testRun.js';
export * from './tracepoints.js';
export * from './verdict.js';
export * from './xdpBuff.js';
export * from './xdpFrame.js';
