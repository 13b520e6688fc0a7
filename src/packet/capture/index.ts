/** Captures: pcap and pcapng, read and written. */
export type { CaptureReader } from './captureReader.js';
export { openCapture, openCaptureBytes } from './openCapture.js';
