import { afterAll, describe, expect, it } from 'vitest';
import { E2BIG, EACCES, EINVAL, ENODEV, ENOMEM, ENOSPC } from '../../src/base/index.js';
import { testRun } from '../../src/replay/index.js';
import type { KernelProgram } from '../../src/replay/index.js';
import { withKernel } from '../support/kernelOracle.js';
import { adjust, bytes, call, exit, insn, load32, loadInsns, mov, movImm } from './support/kernelPrograms.js';
import type { Insn } from './support/kernelPrograms.js';

const ADJUST_HEAD = 44;
const ADJUST_META = 54;
const ADJUST_TAIL = 65;
const GET_BUFF_LEN = 188;

withKernel('BPF_PROG_TEST_RUN', (kernel) => {
  const open: KernelProgram[] = [];
  const load = (insns: readonly Insn[], frags = false): KernelProgram => {
    const loaded = loadInsns(kernel, insns, { frags });
    open.push(loaded);
    return loaded;
  };
  afterAll(() => {
    for (const loaded of open) loaded.close();
  });

  const pass = load([movImm(0, 2), exit]);
  /** data_end - data as the program sees it. */
  const linearLength = load([load32(2, 1, 0), load32(0, 1, 4), insn(0x1f, 0, 2, 0, 0), exit]);

  describe('packet', () => {
    it('is given back as it was when the program leaves it alone', () => {
      const data = bytes(60);
      const result = testRun(pass, { data });
      expect(result).toMatchObject({ errno: 0, retval: 2, dataOutSize: 60 });
      expect(result.dataOut).toEqual(data);
      expect(result.ctxOut).toEqual({ data: 0, dataEnd: 60, dataMeta: 0, ingressIfindex: 0, rxQueueIndex: 0, egressIfindex: 0 });
    });

    it('must have 14 bytes', () => {
      for (let length = 0; length < 14; length++) expect(testRun(pass, { data: bytes(length) }).errno).toBe(EINVAL);
    });

    it('may have any length from 14 bytes on', () => {
      for (let length = 14; length <= 60; length++) {
        const data = bytes(length);
        expect(testRun(linearLength, { data })).toMatchObject({ errno: 0, retval: length, dataOutSize: length, dataOut: data });
      }
    });

    it.each([3520, 3521, 9000, 73152])('of %i bytes comes back whole, also from a program without frags', (length) => {
      const data = bytes(length);
      const result = testRun(linearLength, { data });
      expect(result).toMatchObject({ errno: 0, retval: Math.min(length, 3520), dataOutSize: length });
      expect(result.ctxOut.dataEnd).toBe(Math.min(length, 3520));
      expect(result.dataOut).toEqual(data);
    });

    it('has at most 3520 linear bytes and 17 fragments of a page', () => {
      expect(testRun(pass, { data: bytes(3520 + 17 * 4096 + 1) }).errno).toBe(ENOMEM);
    });

    it('is counted with its fragments by bpf_xdp_get_buff_len', () => {
      const length = load([call(GET_BUFF_LEN), exit], true);
      expect(testRun(length, { data: bytes(9000) }).retval).toBe(9000);
    });
  });

  describe('context', () => {
    it.each([
      ['of metadata: none', { metaBytes: 0 }, 0],
      ['of metadata: 4 bytes', { metaBytes: 4 }, 0],
      ['of metadata: 3 bytes', { metaBytes: 3 }, EINVAL],
      ['of metadata: 216 bytes', { metaBytes: 216 }, 0],
      ['of metadata: 220 bytes', { metaBytes: 220 }, EINVAL],
      ['whose data_meta is not 0', { dataMeta: 4 }, EINVAL],
      ['whose egress_ifindex is not 0', { egressIfindex: 1 }, EINVAL],
      ['whose data_end is before data', { metaBytes: 4, dataEnd: 3 }, EINVAL],
      ['whose data_end is behind the input', { dataEnd: 301 }, EINVAL],
      ['with the linear part cut to 20 bytes', { dataEnd: 20 }, 0],
      ['with no linear part', { dataEnd: 0 }, 0],
      ['of loopback', { ingressIfindex: 1, rxQueueIndex: 0 }, 0],
      ['of a queue that loopback has not', { ingressIfindex: 1, rxQueueIndex: 1 }, EINVAL],
      ['of a queue without interface', { rxQueueIndex: 1 }, EINVAL],
      ['of an unknown interface', { ingressIfindex: 0x7ffffff0 }, ENODEV],
    ])('%s', (_, ctx, errno) => {
      expect(testRun(pass, { data: bytes(300), ...ctx }).errno).toBe(errno);
    });

    it('shows loopback when no interface is given', () => {
      const ifindex = load([load32(0, 1, 12), exit]);
      expect(testRun(ifindex, { data: bytes(60) }).retval).toBe(1);
    });

    it('cuts the linear part at data_end and keeps the rest as fragments', () => {
      const data = bytes(300);
      expect(testRun(linearLength, { data, dataEnd: 20 })).toMatchObject({ retval: 20, dataOutSize: 300, dataOut: data, ctxOut: { dataEnd: 20 } });
    });

    it('needs 14 bytes of packet behind the metadata', () => {
      expect(testRun(pass, { data: bytes(17), metaBytes: 4 }).errno).toBe(EINVAL);
      expect(testRun(pass, { data: bytes(18), metaBytes: 4 }).errno).toBe(0);
    });

    it('comes back with metadata in front of the packet', () => {
      const grown = load(adjust(ADJUST_META, -4));
      const result = testRun(grown, { data: bytes(60) });
      expect(result).toMatchObject({ errno: 0, retval: 0, dataOutSize: 64, ctxOut: { data: 4, dataEnd: 64, dataMeta: 0 } });
      expect(result.dataOut.subarray(4)).toEqual(bytes(60));
    });

    it('comes back with interface and queue as they were given', () => {
      expect(testRun(pass, { data: bytes(60), ingressIfindex: 1 }).ctxOut.ingressIfindex).toBe(1);
    });
  });

  describe('room around the packet', () => {
    it.each([
      ['adjust_head', -216, 0, ADJUST_HEAD],
      ['adjust_head', -217, -EINVAL, ADJUST_HEAD],
      ['adjust_head', 46, 0, ADJUST_HEAD],
      ['adjust_head', 47, -EINVAL, ADJUST_HEAD],
      ['adjust_tail', 3460, 0, ADJUST_TAIL],
      ['adjust_tail', 3461, -EINVAL, ADJUST_TAIL],
      ['adjust_tail', -46, 0, ADJUST_TAIL],
      ['adjust_tail', -47, -EINVAL, ADJUST_TAIL],
      ['adjust_meta', -216, 0, ADJUST_META],
      ['adjust_meta', -220, -EINVAL, ADJUST_META],
      ['adjust_meta', -2, -EACCES, ADJUST_META],
      ['adjust_meta', 4, -EINVAL, ADJUST_META],
    ])('bpf_xdp_%s by %i gives %i on a packet of 60 bytes', (_, delta, result, helper) => {
      expect(testRun(load(adjust(helper, delta)), { data: bytes(60) }).retval | 0).toBe(result);
    });

    it('grows the packet into headroom and, with zeroes, into tailroom', () => {
      const head = testRun(load(adjust(ADJUST_HEAD, -216)), { data: bytes(60) });
      expect(head.dataOutSize).toBe(276);
      expect(head.dataOut.subarray(216)).toEqual(bytes(60));
      const tail = testRun(load(adjust(ADJUST_TAIL, 3460)), { data: bytes(60) });
      expect(tail.dataOut).toEqual(Uint8Array.from([...bytes(60), ...new Uint8Array(3460)]));
    });
  });

  describe('output', () => {
    it('is cut to the size that was wanted, and says so', () => {
      const result = testRun(pass, { data: bytes(60), dataSizeOut: 10 });
      expect(result).toMatchObject({ errno: ENOSPC, retval: 2, dataOutSize: 60, dataOut: bytes(10) });
    });

    it('of a size of 0 is not limited', () => {
      expect(testRun(pass, { data: bytes(60), dataSizeOut: 0 })).toMatchObject({ errno: 0, dataOutSize: 60, dataOut: bytes(60) });
    });

    it('is a copy that later runs leave alone', () => {
      const first = testRun(pass, { data: bytes(60) });
      testRun(pass, { data: new Uint8Array(60) });
      expect(first.dataOut).toEqual(bytes(60));
    });

    it('has the low 32 bits of r0 as they are', () => {
      expect(testRun(load([movImm(0, 77), exit]), { data: bytes(60) }).retval).toBe(77);
      expect(testRun(load([movImm(0, -1), exit]), { data: bytes(60) }).retval).toBe(0xffffffff);
    });
  });

  it('carries the packet over from one repeat to the next', () => {
    const shrink = load(adjust(ADJUST_HEAD, 4));
    expect(testRun(shrink, { data: bytes(60), repeat: 3 }).dataOut).toEqual(bytes(60).subarray(12));
    expect(testRun(shrink, { data: bytes(60), repeat: 0 }).dataOut).toEqual(bytes(60).subarray(4));
  });

  describe('with live frames', () => {
    const drop = load([movImm(0, 1), exit]);

    it('gives no output', () => {
      expect(testRun(drop, { data: bytes(60), liveFrames: {} })).toMatchObject({ errno: 0, retval: 0, dataOutSize: 0 });
    });

    it.each([[256, 0], [257, E2BIG]])('takes batches of %i frames: errno %i', (batchSize, errno) => {
      expect(testRun(drop, { data: bytes(60), liveFrames: { batchSize } }).errno).toBe(errno);
    });

    it.each([[3408, 0], [3409, EINVAL]])('takes packets of %i bytes: errno %i', (length, errno) => {
      expect(testRun(drop, { data: bytes(length), liveFrames: {} }).errno).toBe(errno);
    });
  });

  it('refuses programs of a devmap or cpumap', () => {
    for (const attachType of ['devmap', 'cpumap'] as const) {
      const loaded = loadInsns(kernel, [movImm(0, 2), exit], { attachType });
      open.push(loaded);
      expect(testRun(loaded, { data: bytes(60) }).errno).toBe(EINVAL);
    }
  });

  it('runs the program with the registers it was given', () => {
    expect(testRun(load([mov(6, 1), load32(0, 6, 16), exit]), { data: bytes(60) }).retval).toBe(0);
  });
});
