export * from './captureOutput.js';
export * from './caseJunit.js';
export * from './caseText.js';
export * from './mapReport.js';
export * from './progress.js';
export * from './runCapture.js';
export * from './runReport.js';
export * from './runText.js';
export { counted, grouped, printable, textTable } from './textTable.js';
