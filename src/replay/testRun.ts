import { ENOSPC } from '../base/index.js';
import type { TestRunContext, TestRunInput } from '../xdp/index.js';
import { setAddress } from './kernelBpf.js';
import type { KernelBpf } from './kernelBpf.js';
import type { KernelProgram } from './kernelObject.js';
import { TEST_RUN_ATTR_BYTES, XDP_MD_BYTES } from './testRunBuffers.js';
import { BPF_F_TEST_XDP_LIVE_FRAMES, BPF_PROG_TEST_RUN } from './uapi.js';

/** One BPF_PROG_TEST_RUN: what the simulator's takes, and what only a kernel can do. */
export interface TestRunRequest extends TestRunInput {
  /** Carries the verdict out, in batches of that many frames: PASS goes into the stack, TX and REDIRECT send. Gives no output but errno and retval. */
  readonly liveFrames?: { readonly batchSize?: number };
}

export interface TestRunResult {
  /** 0, or the errno of the call (positive): EINVAL for a packet under 14 bytes, ENOSPC when the output didn't fit. */
  readonly errno: number;
  /** r0 of the program, its low 32 bits; only after errno 0 or ENOSPC, else 0. */
  readonly retval: number;
  /** Metadata, linear part, fragments; cut to `dataSizeOut`. A copy. */
  readonly dataOut: Uint8Array;
  /** Bytes that the kernel had to give, also when it could not give them all. */
  readonly dataOutSize: number;
  readonly ctxOut: TestRunContext;
  /** Average time of one run, ns. */
  readonly durationNs: number;
}

/** Runs a program once (or `repeat` times) over a packet in the kernel. What the kernel refuses is in `errno`; nothing throws. */
export function testRun(program: KernelProgram, request: TestRunRequest): TestRunResult {
  return testRunFd(program.object.kernel, program.fd, request);
}

/**
 * BPF_PROG_TEST_RUN of an XDP program: bpf_prog_test_run_xdp, net/bpf/test_run.c.
 *
 *     attr    0 prog_fd  4 retval  8 data_size_in  12 data_size_out  16 data_in (address)  24 data_out (address)
 *            32 repeat  36 duration  40 ctx_size_in  44 ctx_size_out  48 ctx_in (address)  56 ctx_out (address)
 *            64 flags  68 cpu  72 batch_size
 *     xdp_md  0 data  4 data_end  8 data_meta  12 ingress_ifindex  16 rx_queue_index  20 egress_ifindex
 */
export function testRunFd(kernel: KernelBpf, programFd: number, request: TestRunRequest): TestRunResult {
  const { data, liveFrames } = request;
  kernel.testRunBuffers.reserve(data.length);
  const { attr, ctxIn, ctxOut, dataIn, dataOut } = kernel.testRunBuffers;

  dataIn.bytes.set(data);
  const md = ctxIn.view;
  md.setUint32(0, request.metaBytes ?? 0, true);
  md.setUint32(4, request.dataEnd ?? data.length, true);
  md.setUint32(8, request.dataMeta ?? 0, true);
  md.setUint32(12, request.ingressIfindex ?? 0, true);
  md.setUint32(16, request.rxQueueIndex ?? 0, true);
  md.setUint32(20, request.egressIfindex ?? 0, true);

  const { view } = attr;
  attr.bytes.fill(0);
  ctxOut.bytes.fill(0);
  view.setUint32(0, programFd, true);
  view.setUint32(8, data.length, true);
  setAddress(view, 16, dataIn.address);
  view.setUint32(32, request.repeat ?? 1, true);
  view.setUint32(40, XDP_MD_BYTES, true);
  setAddress(view, 48, ctxIn.address);
  if (liveFrames === undefined) {
    view.setUint32(12, request.dataSizeOut ?? dataOut.bytes.length, true);
    setAddress(view, 24, dataOut.address);
    view.setUint32(44, XDP_MD_BYTES, true);
    setAddress(view, 56, ctxOut.address);
  } else {
    view.setUint32(64, BPF_F_TEST_XDP_LIVE_FRAMES, true);
    view.setUint32(72, liveFrames.batchSize ?? 0, true);
  }
  // A cut output may be shorter than it says; what lies there must not be an earlier run's.
  if (request.dataSizeOut !== undefined) dataOut.bytes.fill(0);

  const result = kernel.syscalls.bpf(BPF_PROG_TEST_RUN, attr, TEST_RUN_ATTR_BYTES);
  const errno = result < 0 ? -result : 0;
  const hasOutput = liveFrames === undefined && (errno === 0 || errno === ENOSPC);
  const dataOutSize = hasOutput ? view.getUint32(12, true) : 0;
  const wanted = request.dataSizeOut || dataOut.bytes.length;
  const out = ctxOut.view;
  return {
    errno,
    retval: view.getUint32(4, true),
    dataOut: dataOut.bytes.slice(0, Math.min(dataOutSize, wanted)),
    dataOutSize,
    ctxOut: {
      data: out.getUint32(0, true),
      dataEnd: out.getUint32(4, true),
      dataMeta: out.getUint32(8, true),
      ingressIfindex: out.getUint32(12, true),
      rxQueueIndex: out.getUint32(16, true),
      egressIfindex: out.getUint32(20, true),
    },
    durationNs: view.getUint32(36, true),
  };
}
