import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ProblemError } from '../../../src/base/index.js';
import { ChipCmd, CmdRxEnb, CmdTxEnb, DMA_BIDIRECTIONAL, DRIVER_MISTAKES, IntrMask, r8169Xdp, RxDescAddrLow, TxDescStartAddrLow } from '../../../src/nic/index.js';
import type { CoherentBlock, DeviceRegisters, DriverKernel, XdpDriver, XdpDriverFactory } from '../../../src/nic/index.js';
import { createSimulation } from '../../../src/sim/index.js';
import { captureOf } from '../../support/simulate.js';
import { MIXED_VERDICTS, mixedFrames, r8169Settings, runDriver } from './support.js';
import type { KitRun } from './support.js';

/** The example driver with some entry points exchanged. */
function withEntries(change: (driver: XdpDriver, kernel: DriverKernel, regs: DeviceRegisters) => Partial<XdpDriver>): XdpDriverFactory {
  return (kernel, regs) => {
    const driver = r8169Xdp(kernel, regs);
    return { ...driver, ...change(driver, kernel, regs) };
  };
}

/** The example driver on a kernel that something was done to. */
function onKernel(change: (kernel: DriverKernel) => void): XdpDriverFactory {
  return (kernel, regs) => {
    change(kernel);
    return r8169Xdp(kernel, regs);
  };
}

/** What is no address, no offset and no count. */
const GARBAGE = [NaN, undefined, null, 'x', -1, 0.5, 2 ** 32 + 4096, 2 ** 53, Infinity, {}] as unknown as number[];

const frames = mixedFrames(120, [1, 2, 3, 4]);

function messageOf({ judgement }: KitRun, code: string): string | undefined {
  return judgement.find((each) => each.code === code)?.message;
}

/** The run is over, every packet has ended, the mistake is named, and nothing passes for correct. */
function expectJudged(run: KitRun, code: keyof typeof DRIVER_MISTAKES, says: RegExp): void {
  expect(messageOf(run, code)).toMatch(says);
  expect(run.judgement.find((each) => each.code === code)?.hint).toBe(DRIVER_MISTAKES[code]);
  expect(run.result.audit.ok).toBe(false);
  expect(Object.values(run.outcomes).reduce((sum, count) => sum + count, 0)).toBe(run.result.packetsReceived);
}

describe('a poll that would never end', () => {
  it.each<[string, XdpDriverFactory]>([
    ['completes and schedules itself each time', withEntries((driver, kernel) => ({
      poll(budget) {
        const work = driver.poll(budget);
        kernel.napi_schedule();
        return work;
      },
    }))],
    ['schedules itself first, and completes', withEntries((driver, kernel) => ({
      poll(budget) {
        kernel.napi_schedule();
        return driver.poll(budget);
      },
    }))],
    ['returns the whole budget without work', withEntries(() => ({ poll: (budget) => budget }))],
    ['schedules and enables NAPI each time', withEntries((_driver, kernel) => ({
      poll() {
        kernel.napi_complete_done(0);
        kernel.napi_enable();
        kernel.napi_schedule();
        return 0;
      },
    }))],
    ['claims work, so that virtual time goes on', withEntries((_driver, kernel) => ({
      poll() {
        kernel.napi_complete_done(1);
        kernel.napi_schedule();
        return 1;
      },
    }))],
  ])('%s', (_, driver) => {
    expectJudged(runDriver(driver, frames), 'poll-without-end', /^poll ran 1000 times without taking a packet from the ring/);
    expectJudged(runDriver(driver, frames, { napi: { deferHardIrqs: 2, groFlushTimeoutNs: 1000 } }), 'poll-without-end', /NAPI is disabled here/);
  });
});

describe('numbers that are none', () => {
  it.each(GARBAGE.map((garbage) => [String(garbage), garbage] as const))('poll returns %s', (_, garbage) => {
    const driver = withEntries(({ poll }) => ({ poll: (budget) => (poll(budget), garbage) }));
    expectJudged(runDriver(driver, frames), 'poll-result-wrong', /^poll returned .* of a budget of 64/);
  });

  it.each([NaN, undefined, 'x', 0.5, 2 ** 40] as number[])('ndo_xdp_xmit returns %s', (garbage) => {
    const run = runDriver(withEntries(({ xdpXmit }) => ({ xdpXmit: (list, count, flags) => (xdpXmit!(list, count, flags), garbage) })), frames);
    expect(messageOf(run, 'xmit-result-wrong')).toMatch(/^ndo_xdp_xmit returned .* for \d+ frames/);
    expect(run.result.audit.ok).toBe(false);
  });

  it('every call that takes a page takes no garbage for one', () => {
    const outside = [...GARBAGE, 4096, 0xfffff000, 0];
    const run = runDriver(withEntries((driver, kernel) => ({
      open() {
        driver.open();
        const pool = kernel.page_pool_create({ flags: 0, dmaDir: 0, offsetBytes: 0, maxLenBytes: 0, poolSize: 0 });
        for (const page of outside) {
          kernel.page_pool_put_full_page(pool, page, false);
          kernel.page_pool_recycle_direct(pool, page);
          expect(kernel.page_pool_get_dma_addr(page)).toBe(0);
          const frame = { page, data: 0, len: 0, headroom: 0, metasize: 0 };
          kernel.xdp_return_frame(frame);
          kernel.xdp_return_frame_bulk([frame], 1);
          kernel.napi_gro_receive(kernel.napi_build_skb(page, 0, 60));
          const xdp = { data: page, data_end: page, data_meta: page, data_hard_start: page, frame_sz: 4096, rxq: kernel.rxq };
          expect(kernel.bpf_prog_run_xdp(kernel.xdp_prog!, xdp)).toBe(0);
          expect(kernel.xdp_convert_buff_to_frame(xdp)).toBeUndefined();
          expect(kernel.xdp_do_redirect(xdp)).toBe(-22);
        }
        kernel.page_pool_destroy(pool);
      },
    })), frames);
    expectJudged(run, 'not-a-page', /^NaN is not the start of a page/);
    expect(run.driver.counters(0).rxPackets).toBe(120);
    expect(run.judgement.map(({ code }) => code)).toEqual(Array(4).fill('not-a-page'));
  });

  it('packet memory, registers, rings and the DMA API keep inside, and read as ones', () => {
    const run = runDriver(withEntries((driver, kernel, regs) => ({
      open() {
        driver.open();
        const ring = kernel.dma_alloc_coherent(64, 'ring');
        for (const address of [...GARBAGE, 256, 257]) {
          expect([regs.read8(address), regs.read16(address), regs.read32(address)]).toEqual([0xff, 0xffff, 0xffffffff]);
          regs.write8(address, 0);
          regs.write16(address, 0);
          regs.write32(address, 0);
          expect(ring.read32(address)).toBe(0xffffffff);
          ring.write64(address, 1, 1);
          expect([kernel.packet.read8(address), kernel.packet.read16(address), kernel.packet.read32(address)]).toEqual([0xff, 0xffff, 0xffffffff]);
          kernel.packet.write8(address, 1);
          kernel.packet.write16(address, 1);
          kernel.packet.write32(address, 1);
        }
        for (const garbage of GARBAGE) {
          expect(kernel.dma_map_single(garbage, 64, DMA_BIDIRECTIONAL)).toBe(0);
          expect(kernel.dma_map_single(4096, garbage, DMA_BIDIRECTIONAL)).toBe(0);
          for (const [address, size] of [[garbage, 64], [4096, garbage]]) {
            kernel.dma_unmap_single(address, size, DMA_BIDIRECTIONAL);
            kernel.dma_sync_single_for_cpu(address, size, DMA_BIDIRECTIONAL);
            kernel.dma_sync_single_for_device(address, size, DMA_BIDIRECTIONAL);
          }
        }
        kernel.dma_free_coherent(ring);
        expect(ring.read32(0)).toBe(0xffffffff);
      },
    })), frames);
    expectJudged(run, 'bad-access', /^1 bytes at NaN of the registers/);
    expect(new Set(run.judgement.map(({ code }) => code))).toEqual(new Set(['bad-access']));
  });

  it.each<[string, (page: number) => object]>([
    ['data before the page', (page) => ({ data: page - 8 })],
    ['data_end before data', (page) => ({ data_end: page })],
    ['data_end behind the page', (page) => ({ data_end: page + 5000 })],
    ['data_meta behind data', (page) => ({ data_meta: page + 2000 })],
    ['data that is no number', () => ({ data: NaN })],
    ['data_end that is left out', () => ({ data_end: undefined })],
    ['frame_sz beyond the page', () => ({ frame_sz: 1 << 20 })],
    ['frame_sz that is no number', () => ({ frame_sz: 'x' })],
  ])('the program does not run over %s', (_, wrong) => {
    let verdict = -1;
    const run = runDriver(onKernel((kernel) => {
      const runXdp = kernel.bpf_prog_run_xdp.bind(kernel);
      kernel.bpf_prog_run_xdp = (prog, xdp) => (verdict = runXdp(prog, Object.assign(xdp, wrong(xdp.data_hard_start))));
    }), frames);
    expectJudged(run, 'packet-outside-page', /^bpf_prog_run_xdp\(\) with data .* that isn't a packet in a page of 4096 bytes/);
    expect(verdict).toBe(0);
    expect(run.driver.verdicts.every((count) => count === 0)).toBe(true);
  });

  it.each(GARBAGE.map((garbage) => [String(garbage), garbage] as const))('an skb of length %s', (_, garbage) => {
    const run = runDriver(onKernel((kernel) => {
      const build = kernel.napi_build_skb.bind(kernel);
      kernel.napi_build_skb = (page, headroom) => build(page, headroom, garbage);
    }), frames);
    expectJudged(run, 'packet-outside-page', /^napi_gro_receive\(\) with data/);
  });

  it.each([{ flags: NaN }, { flags: 0.5 }, { offsetBytes: NaN }, { maxLenBytes: NaN }, { offsetBytes: 0.5 }, { maxLenBytes: 'x' }, { poolSize: NaN }])('a page_pool with %o is refused', (wrong) => {
    const driver = onKernel((kernel) => {
      const create = kernel.page_pool_create.bind(kernel);
      kernel.page_pool_create = (params) => create(Object.assign({}, params, wrong));
    });
    expect(() => runDriver(driver, [])).toThrow(ProblemError);
    expect(() => runDriver(driver, [])).toThrow(/page_pool_create: -E|leave the page/);
  });

  it.each([NaN, 0, -16, 0.5])('dma_alloc_coherent of %s bytes is refused', (size) => {
    expect(() => runDriver(withEntries((_driver, kernel) => ({ open: () => void kernel.dma_alloc_coherent(size, 'RX ring') })), [])).toThrow(/bytes for RX ring/);
  });
});

describe('rings and coherent memory', () => {
  it.each([['RxDescAddr (0xe4)', RxDescAddrLow, CmdRxEnb], ['TxDescStartAddr (0x20)', TxDescStartAddrLow, CmdTxEnb]])('a ring at an address of %s that is none', (name, register, command) => {
    const run = runDriver(withEntries((_driver, kernel, regs) => ({
      open() {
        const gone: CoherentBlock = kernel.dma_alloc_coherent(4096, 'gone');
        kernel.dma_free_coherent(gone);
        regs.write32(register, gone.iovaLow);
        regs.write8(ChipCmd, command);
      },
      stop: () => regs.write8(ChipCmd, 0),
    })), frames);
    expectJudged(run, 'ring-not-mapped', new RegExp(`but ${name.replace(/[()]/g, '\\$&')} holds`));
  });

  it('dma_free_coherent twice, or of something else, leaves the other blocks alone', () => {
    const run = runDriver(withEntries((driver, kernel) => ({
      open() {
        driver.open();
        const block = kernel.dma_alloc_coherent(64, 'block');
        kernel.dma_free_coherent(block);
        kernel.dma_free_coherent(block);
        kernel.dma_free_coherent({ ...block } as CoherentBlock);
        kernel.dma_free_coherent(undefined as unknown as CoherentBlock);
      },
    })), frames);
    expectJudged(run, 'coherent-not-allocated', /^dma_free_coherent\(\) of memory that was freed before/);
    expect(run.judgement.map(({ code }) => code)).toEqual(Array(3).fill('coherent-not-allocated'));
  });
});

describe('NAPI', () => {
  it('napi_disable inside of its own poll', () => {
    const run = runDriver(withEntries(({ poll }, kernel) => ({ poll: (budget) => (kernel.napi_disable(), poll(budget)) })), frames);
    expectJudged(run, 'napi-disabled-in-poll', /^napi_disable\(\) inside of its own poll: the kernel would wait for ever/);
  });

  it('napi_enable twice', () => {
    expectJudged(runDriver(withEntries(({ open }, kernel) => ({ open: () => (open(), kernel.napi_enable()) })), frames), 'napi-enabled-twice', /^napi_enable\(\) of a NAPI that is enabled already/);
  });

  it('an interrupt handler that does nothing', () => {
    const run = runDriver(withEntries(() => ({ interrupt() {} })), frames);
    expectJudged(run, 'interrupt-ignored', /^the interrupt handler returned without napi_schedule\(\), with 50 packets on the ring/);
    expect(run.outcomes).toEqual({ rx_stranded: 120 });
  });

  it('a handler that only masks and unmasks', () => {
    expectJudged(runDriver(withEntries((_driver, _kernel, regs) => ({
      interrupt() {
        regs.write16(IntrMask, 0);
        regs.write16(IntrMask, 0xffff);
      },
    })), frames), 'interrupt-ignored', /without napi_schedule\(\)/);
  });

  it('NAPI that was never enabled', () => {
    expectJudged(runDriver(onKernel((kernel) => (kernel.napi_enable = () => {})), frames), 'interrupt-ignored', /while NAPI is disabled/);
  });
});

describe('a driver that throws', () => {
  const options = (driver: XdpDriverFactory) => ({ object: MIXED_VERDICTS, nic: r8169Settings(), seed: 1, cpus: 1, driver });
  const fails = (): never => {
    throw new TypeError('too small');
  };

  it.each(['createDriver', 'open'])('in %s gives no simulation, and the line', (entry) => {
    const made = createSimulation(options(entry === 'open' ? withEntries(() => ({ open: fails })) : fails));
    expect(made).toMatchObject({ ok: false, problem: { code: 'driver-threw', where: `the driver, ${entry}()`, message: expect.stringMatching(/^too small \(hostileDrivers\.test\.ts:\d+:\d+\)$/) } });
  });

  it.each(['interrupt', 'poll', 'xdpXmit', 'stop'])('in %s ends the run with a Problem', (entry) => {
    const made = createSimulation(options(withEntries(() => ({ [entry]: fails }))));
    expect(made.ok && made.value.run(captureOf(frames))).toMatchObject({ ok: false, problem: { code: 'driver-threw', where: `the driver, ${entry}()`, message: expect.stringContaining('too small') } });
  });

  it('inside of a call is told by its own line', () => {
    const made = createSimulation(options(withEntries((_driver, kernel) => ({ open: () => kernel.xdp_return_frame(undefined as never) }))));
    expect(made).toMatchObject({ ok: false, problem: { code: 'driver-threw', message: expect.stringMatching(/\(hostileDrivers\.test\.ts:\d+:\d+\)$/) } });
  });

  it('no driver at all is incomplete', () => {
    expect(createSimulation(options(() => undefined as never))).toMatchObject({ ok: false, problem: { code: 'driver-incomplete' } });
  });
});

it('docs/write-a-driver.md names every mistake, and how to run a driver from the command line', () => {
  const text = readFileSync('docs/write-a-driver.md', 'utf8');
  expect(Object.keys(DRIVER_MISTAKES).filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  expect(text).toContain('sim run --driver FILE.js');
  expect(text).toContain('export const createDriver');
});
