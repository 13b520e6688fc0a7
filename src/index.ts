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
export { loadKernelConfig, loadKernelTypes, loadObjectBytes, loadObjectFile, parseKernelConfig, parseNetwork, PerfEventArray, readKernelTypes, RingBuf, UserMap, UserRingBuf } from './vm/index.js';
export type { BatchResult, BpfMap, CoreTarget, CountResult, KernelConfig, KeyResult, LoadedObject, LoadObjectOptions, MapEntry, NetworkScenario, ObjectSpec, ProgramSpec, ValueResult } from './vm/index.js';
export { findProfile, PROFILES } from './nic/index.js';
export type { NicProfile, NicSettings } from './nic/index.js';
export { OUTCOMES } from './xdp/index.js';
export { createSimulation, XSK_APPLICATIONS } from './sim/index.js';
export type { EventCount, PacketWatcher, ProgramEvent, RunResult, Simulation, SimulationOptions, WatchedPacket } from './sim/index.js';
export { openCaseFiles, readCaseFile, runCaseFiles, runCases, SimulatorBackend } from './cases/index.js';
export type { CaseBackend, CaseFile, CaseObservation, CaseReport, CaseRunner, TestCase } from './cases/index.js';
export { chooseBackend, replayOverVeth } from './replay/index.js';
export type { NetReplayOptions, NetReport } from './replay/index.js';
export { isClean, runCapture, RUN_DEFAULTS } from './report/index.js';
export type { RunOptions, RunReport } from './report/index.js';
