/** Matchers as plain functions, for `expect.extend` of vitest, jest or one's own runner. `xdp-sim/vitest` registers them by itself. */
export { toAbortPacket, toDropPacket, toEndAs, toHaveVerdict, toPassPacket, toRedirectPacket, toRunWithin, toTransmitPacket } from './verdictMatchers.js';
export type { ExpectedRedirect } from './verdictMatchers.js';
export { toHaveCounter, toHaveElement, toHaveLogged, toHaveNoLeaks, toHaveSum } from './stateMatchers.js';
export { toHaveMetadata, toKeepContract } from './metadataMatchers.js';
export { toHaveNoXskFindings, toHaveXskFinding } from './xskMatchers.js';
export type { XskFindingOptions } from './xskMatchers.js';
export type { MatcherResult } from './matcher.js';
export type { PacketSubject } from './subject.js';
export { toEqualPacket, toHaveValidChecksums } from './packetMatchers.js';
export type { PacketComparison } from './packetMatchers.js';
