import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../../src/base/index.js';
import { ChipCmd, CmdRxEnb, DRIVER_MISTAKES, IntrMask, r8169Xdp, RxDescAddrLow, TxPoll } from '../../../src/nic/index.js';
import type { DeviceRegisters, DriverKernel, XdpDriver, XdpDriverFactory, XdpFrame } from '../../../src/nic/index.js';
import { returning } from '../../support/simulate.js';
import { MIXED_VERDICTS, mixedFrames, runDriver } from './support.js';
import type { KitRun } from './support.js';

/** The example driver, with something between it and the kernel, or between the kernel and it. */
function tampered(tamper: (kernel: DriverKernel, regs: DeviceRegisters) => void, wrap: (driver: XdpDriver, kernel: DriverKernel, regs: DeviceRegisters) => XdpDriver = (driver) => driver): XdpDriverFactory {
  return (kernel, regs) => {
    const driver = r8169Xdp(kernel, regs);
    tamper(kernel, regs);
    return wrap(driver, kernel, regs);
  };
}

const untouched = (): void => {};

function codes({ judgement }: KitRun): string[] {
  return [...new Set(judgement.map(({ code }) => code))];
}

const mixed = mixedFrames(330, [1, 2, 3, 4, 8]);

describe('the judge notices', () => {
  it.each<[string, XdpDriverFactory, RegExp]>([
    ['missing-dma-rmb', tampered((kernel) => (kernel.dma_rmb = untouched)), /^packet 1 is read after OWN without dma_rmb\(\)/],
    ['missing-dma-wmb', tampered((kernel) => (kernel.dma_wmb = untouched)), /^TX descriptor 0: OWN is written without dma_wmb\(\) after the other fields/],
    ['skb-not-recycled', tampered((kernel) => (kernel.skb_mark_for_recycle = untouched)), /^packet 2 goes up in an skb that isn't marked for recycling/],
    ['frame-size-wrong', tampered((kernel) => {
      const init = kernel.xdp_init_buff.bind(kernel);
      kernel.xdp_init_buff = (xdp, _size, rxq) => init(xdp, 2048, rxq);
    }), /^xdp->frame_sz of packet 1 is 2048, but its buffer is a page/],
    ['work-not-counted', tampered(untouched, (driver) => ({ ...driver, poll: (budget) => driver.poll(budget) - 1 })), /^poll handled 50 packets, but returned 49/],
    ['poll-not-completed', tampered((kernel) => (kernel.napi_complete_done = () => false)), /^poll returned 50 of a budget of 64 without napi_complete_done\(\)/],
    ['interrupt-left-off', tampered(untouched, (driver, _kernel, regs) => ({
      ...driver,
      poll(budget) {
        const work = driver.poll(budget);
        regs.write16(IntrMask, 0);
        return work;
      },
    })), /^poll completed NAPI, but left the interrupt off/],
    ['completed-with-whole-budget', tampered(untouched, (driver) => ({ ...driver, poll: (budget) => Math.max(driver.poll(budget), budget) })), /returned its whole budget of 64/],
    ['budget-exceeded', tampered(untouched, (driver) => ({ ...driver, poll: (budget) => driver.poll(budget) + budget })), /exceeded its budget: 114 of 64/],
    ['not-a-page', tampered((kernel) => {
      const recycle = kernel.page_pool_put_full_page.bind(kernel);
      kernel.page_pool_put_full_page = (pool, page, direct) => recycle(pool, page + 256, direct);
    }), /^0x[0-9a-f]+ is not the start of a page/],
    ['ring-end-missing', tampered((kernel) => {
      const alloc = kernel.dma_alloc_coherent.bind(kernel);
      kernel.dma_alloc_coherent = (size, name) => {
        const block = alloc(size, name);
        const write = block.write32.bind(block);
        block.write32 = (offset, value) => write(offset, offset % 16 === 0 ? (value & ~0x40000000) >>> 0 : value);
        return block;
      };
    }), /^RX descriptor 255, the last of its ring, is given to the device without RingEnd/],
  ])('%s', (code, driver, says) => {
    const run = runDriver(driver, mixed);
    expect(codes(run)).toContain(code);
    expect(run.judgement.find((each) => each.code === code)?.message).toMatch(says);
    expect(run.result.audit.ok).toBe(false);
  });

  it('a TX buffer that is freed before it is sent', () => {
    const held: XdpFrame[] = [];
    const run = runDriver(
      tampered((kernel) => {
        const convert = kernel.xdp_convert_buff_to_frame.bind(kernel);
        kernel.xdp_convert_buff_to_frame = (xdp) => {
          const frame = convert(xdp);
          if (frame !== undefined) held.push(frame);
          return frame;
        };
      }, (driver, kernel) => ({
        ...driver,
        poll(budget) {
          const work = driver.poll(budget);
          for (const frame of held.splice(0)) kernel.xdp_return_frame_rx_napi(frame);
          return work;
        },
      })),
      mixedFrames(20, [3]),
    );
    expect(run.judgement[0]).toMatchObject({ code: 'returned-while-sending', where: 'NAPI poll', packetId: 1, message: expect.stringMatching(/is given back while the device still owns its TX descriptor/) });
  });

  it('a page that goes back twice', () => {
    const run = runDriver(tampered((kernel) => {
      const recycle = kernel.page_pool_recycle_direct.bind(kernel);
      kernel.page_pool_recycle_direct = (pool, page) => {
        recycle(pool, page);
        recycle(pool, page);
      };
    }), mixedFrames(20, [1]));
    expect(codes(run)).toContain('not-the-owner');
    expect(run.judgement.find(({ code }) => code === 'not-the-owner')?.message).toMatch(/was to go from driver to pool, but belonged to pool/);
  });

  it('the first of each kind only, with where it was and how to mend it', () => {
    const run = runDriver(tampered((kernel) => (kernel.dma_rmb = untouched)), mixed);
    expect(run.judgement.length).toBe(4);
    expect(run.judgement[0]).toEqual({ code: 'missing-dma-rmb', where: 'NAPI poll', message: expect.any(String), hint: DRIVER_MISTAKES['missing-dma-rmb'], packetId: 1 });
  });
});

describe('a driver', () => {
  it('without ndo_xdp_xmit gets no redirected frames', () => {
    const run = runDriver(tampered(untouched, ({ open, stop, interrupt, poll }) => ({ open, stop, interrupt, poll })), mixedFrames(20, [4, 1]));
    expect(run.judgement).toEqual([]);
    expect(run.outcomes).toEqual({ redirect_not_supported: 10, xdp_drop: 10 });
  });

  it('whose pool is refused does not open', () => {
    const driver = tampered((kernel) => {
      const create = kernel.page_pool_create.bind(kernel);
      kernel.page_pool_create = (params) => create({ ...params, maxLenBytes: 0 });
    });
    expect(() => runDriver(driver, [], {}, returning(1))).toThrow(ProblemError);
    expect(() => runDriver(driver, [], {}, returning(1))).toThrow(/-EINVAL: PP_FLAG_DMA_SYNC_DEV with max_len 0/);
  });

  it('that starts the device without telling it where the ring is hears what is missing', () => {
    const driver = tampered(untouched, (inner, _kernel, regs) => ({
      ...inner,
      open() {
        regs.write32(RxDescAddrLow, 0x1234);
        regs.write8(ChipCmd, CmdRxEnb);
      },
      stop() {},
    }));
    const run = runDriver(driver, [], {}, returning(1));
    expect(run.judgement.find(({ code }) => code === 'ring-not-mapped')?.message).toMatch(/RxDescAddr \(0xe4\) holds 1234, where no memory of dma_alloc_coherent begins/);
  });

  it('that touches a register before open hears why there is none', () => {
    expect(() => runDriver((kernel, regs) => (regs.write8(TxPoll, 0x40), r8169Xdp(kernel, regs)), [], {}, returning(1))).toThrow(/there is no device yet/);
  });

  it('that reads beyond its ring is stopped', () => {
    const driver = tampered((kernel) => {
      const alloc = kernel.dma_alloc_coherent.bind(kernel);
      kernel.dma_alloc_coherent = (size, name) => alloc(size / 2, name);
    });
    const run = runDriver(driver, [], {}, MIXED_VERDICTS);
    expect(run.judgement[0]).toMatchObject({ code: 'bad-access', where: 'ndo_open', message: '4 bytes at offset 2052 of a block of 2048 bytes of coherent memory' });
  });
});
