export * from './applications/application.js';
export * from './applications/table.js';
export * from './audit.js';
export * from './eventQueue.js';
export * from './mapFile.js';
export * from './packetTally.js';
export * from './simulation.js';
export * from './traffic.js';
