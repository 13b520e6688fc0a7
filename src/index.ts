/**
 * xdp-sim as a library: load an object, build a simulation, run a capture, look at everything.
 *
 * The command line is a thin layer over `runCapture`.
 */
export { formatProblem, unwrap } from './base/index.js';
export type { Problem, Result } from './base/index.js';
export { decodeAyaLog } from './aya/index.js';
export type { AyaLogRecord } from './aya/index.js';
export { openCapture, openCaptureBytes } from './packet/index.js';
export type { CaptureReader } from './packet/index.js';
// Checksums: docs/checksums.md.
export {
  addToSum, checkChecksums, csumDiff, fold, foldIntoChecksum, internetChecksum, isChecksumValid, pseudoHeaderSumV4, pseudoHeaderSumV6, repairChecksums, updateChecksum, updateChecksum32, updateChecksumRange,
} from './packet/index.js';
export type { ChecksumCheck, ChecksumState } from './packet/index.js';
export { loadKernelConfig, loadKernelTypes, loadObjectBytes, loadObjectFile, parseKernelConfig, parseNetwork, PerfEventArray, readKernelTypes, RingBuf, UserMap, UserRingBuf } from './vm/index.js';
export type { BatchResult, BpfMap, CoreTarget, CountResult, KernelConfig, KeyResult, LoadedObject, LoadObjectOptions, MapEntry, NetworkScenario, ObjectSpec, ProgramSpec, ValueResult } from './vm/index.js';
export { findProfile, PROFILES } from './nic/index.js';
export type { NicProfile, NicSettings } from './nic/index.js';
// Attaching: docs/xdp.md.
export { attachByLink, attachByNetlink, detachLink, NOTHING_ATTACHED, updateLink } from './xdp/index.js';
export type { AttachProblem, AttachResult, XdpAttachable, XdpMode, XdpNetdev, XdpState } from './xdp/index.js';
export { checkAttach, NIC_FEATURES } from './nic/index.js';
export type { NicFeature } from './nic/index.js';
// A driver of one's own: docs/write-a-driver.md.
export {
  BROKEN_DRIVERS, ChipCmd, CmdReset, CmdRxEnb, CmdTxEnb, CPlusCmd, DMA_BIDIRECTIONAL, DMA_FROM_DEVICE, DMA_TO_DEVICE, DRIVER_MISTAKES, IntrMask, IntrMitigateRegister, IntrStatus, KitDriver, makeR8169Xdp,
  NPQ, PP_FLAG_DMA_MAP, PP_FLAG_DMA_SYNC_DEV, R8169_STEPS, r8169Xdp, RxConfig, RxDescAddrHigh, RxDescAddrLow, RxErr, RxMaxSize, RxOK, RxOverflow, TxConfig,
  TxDescStartAddrHigh, TxDescStartAddrLow, TxErr, TxOK, TxPoll, XDP_XMIT_FLUSH,
} from './nic/index.js';
export type { CoherentBlock, DeviceRegisters, DriverKernel, DriverMistake, R8169Steps, SkBuff, XdpBuff, XdpDriver, XdpDriverFactory, XdpFrame } from './nic/index.js';
// Metadata contracts: docs/metadata.md.
export { checkMetadata, compareContracts, contractOfStruct, declareContract, encodeMetadata, readMetadata } from './xdp/index.js';
export type { FieldType, MetadataContract, MetadataField, MetadataValue } from './xdp/index.js';
// Dispatcher chains and extensions: docs/dispatcher.md.
export { createDispatcher, orderChain, readRunConfig } from './xdp/index.js';
export type { ChainLink, DispatcherOptions, DispatcherProgram, RunConfig } from './xdp/index.js';
export { linkExtensions } from './vm/index.js';
export type { Extension } from './vm/index.js';
// What AF_XDP applications do wrong, and a look at the rings: docs/af-xdp.md.
export { auditChunks, historyText, viewRings, xskFindings } from './umem/index.js';
export type { ChunkAudit, EntryView, RingView, SocketView, XskFinding, XskFindingCode } from './umem/index.js';
export { OUTCOMES, traceLine, TRACEPOINTS, XDP_ABORTED, XDP_DROP, XDP_PACKET_HEADROOM, XDP_PASS, XDP_REDIRECT, XDP_TX } from './xdp/index.js';
export type { Tracepoint } from './xdp/index.js';
// AF_XDP: docs/af-xdp.md.
export { CompletionRing, FillRing, RxRing, TxRing, XskSocket, XskUmem } from './xsk/index.js';
export type { XskProblem, XskResult, XskSharedSocketConfig, XskSocketConfig, XskUmemConfig } from './xsk/index.js';
export { AppSocket, echo, l2fwd, readXskApplication, rxdrop, txonly, XSK_DEFAULTS } from './sim/index.js';
export type { TxonlyOptions, XskApplication, XskApplicationFactory, XskApplicationHost, XskSettings, XskSpec } from './sim/index.js';
export {
  AfXdp, KERNEL_QUIRKS, NO_TX_METADATA, POLLIN, POLLOUT, readTxTimestamp, writeTxMetadata, XDP_COPY, XDP_PKT_CONTD, XDP_TX_METADATA, XDP_TXMD_FLAGS_CHECKSUM, XDP_TXMD_FLAGS_LAUNCH_TIME, XDP_TXMD_FLAGS_TIMESTAMP, XDP_UMEM_TX_METADATA_LEN, XDP_UMEM_TX_SW_CSUM,
  XDP_UMEM_UNALIGNED_CHUNK_FLAG, XDP_USE_NEED_WAKEUP, XDP_USE_SG, XDP_ZEROCOPY, XSK_TX_METADATA_BYTES,
} from './umem/index.js';
export type { Mapping, TxMetadata, XskQuirks, XskSyscalls } from './umem/index.js';
// Several hosts and NICs: docs/scenario.md.
export { createScenario, fillMap, IDEAL_LINK, loadScenario, parseScenario, readScenarioFile } from './sim/index.js';
export type { Host, HostNicSpec, HostSpec, LinkEvent, LinkSettings, LinkSpec, Scenario, ScenarioFile, ScenarioResult, ScenarioSpec, ScenarioWatcher, TrafficSpec } from './sim/index.js';
export { createSimulation, XSK_APPLICATIONS } from './sim/index.js';
export type { EventCount, PacketWatcher, ProgramEvent, RunResult, Simulation, SimulationOptions, TraceRecord, WatchedPacket } from './sim/index.js';
export { openCaseFiles, readCaseFile, runCaseFiles, runCases, SimulatorBackend } from './cases/index.js';
export type { CaseBackend, CaseFile, CaseObservation, CaseReport, CaseRunner, TestCase } from './cases/index.js';
export { chooseBackend, replayOverVeth } from './replay/index.js';
export type { NetReplayOptions, NetReport } from './replay/index.js';
export { isClean, runCapture, RUN_DEFAULTS, runScenario } from './report/index.js';
export type { RunOptions, RunReport, ScenarioOptions, ScenarioReport } from './report/index.js';
// Tests of one's own: docs/testing.md.
export {
  createTestNetwork, createTestNic, loadProgram, metadataContract, ProgramGlobals, ProgramLog, ProgramMap, ProgramMaps, redirectText, TestNetwork, TestNic, TestProgram, verdictName,
} from './testing/index.js';
export type {
  EndedPacket, LoadProgramOptions, MapElement, ObjectSource, OneNicOptions, PacketBytes, ProgramLogLine, RedirectTarget, SentFrame, TestHostOptions, TestNetworkOptions, TestNicOptions, TestProgramEvent,
  TestRun, TestRunContext, TestRunOptions, VerdictName,
} from './testing/index.js';
