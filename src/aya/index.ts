// The only door of src/aya/.

export * from './ayaLog.js';
