import { ENOSPC, errnoName, fromHex, toHex } from '../base/index.js';
import type { TestRunContext, TestRunInput } from '../xdp/index.js';
import type { CaseContext, CaseObservation, TestCase } from './caseFile.js';

/** CPU that runs every case: the kernel backend binds itself to the same. */
export const CASE_CPU = 0;

/** What a case gives to BPF_PROG_TEST_RUN. */
export function testRunInput(testCase: TestCase): TestRunInput {
  const { ctx_in: context = {}, data_size_out: dataSizeOut } = testCase;
  return {
    data: fromHex(testCase.data_in) ?? new Uint8Array(0),
    metaBytes: context.data ?? 0,
    dataMeta: context.data_meta ?? 0,
    ...(context.data_end === undefined ? {} : { dataEnd: context.data_end }),
    ingressIfindex: context.ingress_ifindex ?? 0,
    rxQueueIndex: context.rx_queue_index ?? 0,
    egressIfindex: context.egress_ifindex ?? 0,
    repeat: testCase.repeat ?? 1,
    ...(dataSizeOut === undefined ? {} : { dataSizeOut }),
  };
}

/** The part of BPF_PROG_TEST_RUN's results that both backends give. */
export interface TestRunOutput {
  readonly errno: number;
  readonly retval: number;
  readonly dataOut: Uint8Array;
  readonly ctxOut: TestRunContext;
}

/**
 * What BPF_PROG_TEST_RUN gave back, in the words of a case file. A call that failed shows its errno; only ENOSPC comes after the
 * program ran, with everything but the context.
 *
 * @param state maps and variables after the run; only read when the program ran
 */
export function observationOf(output: TestRunOutput, state: () => Pick<CaseObservation, 'maps' | 'globals'>): CaseObservation {
  const { errno, retval } = output;
  if (errno !== 0 && errno !== ENOSPC) return { errno: errnoName(errno) };
  return {
    ...(errno === 0 ? {} : { errno: errnoName(errno) }),
    retval,
    data_out: toHex(output.dataOut),
    ...(errno === 0 ? { ctx_out: contextOf(output.ctxOut) } : {}),
    ...state(),
  };
}

function contextOf(context: TestRunContext): CaseContext {
  return {
    data: context.data,
    data_end: context.dataEnd,
    data_meta: context.dataMeta,
    ingress_ifindex: context.ingressIfindex,
    rx_queue_index: context.rxQueueIndex,
    egress_ifindex: context.egressIfindex,
  };
}
