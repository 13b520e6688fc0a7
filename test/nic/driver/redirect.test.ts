import { describe, expect, it } from 'vitest';
import { burst, redirectToSocket, simulate, udpFrame, xdpProgram, xskMap } from '../../support/simulate.js';

const redirectTo = (ifindex: number): string => `r1 = ${ifindex}\nr2 = 0\ncall 23\nexit`;

describe('redirect that fails', () => {
  it.each([
    ['to an interface that does not exist', redirectTo(9), 'redirect_no_target'],
    ['to interface 0', redirectTo(0), 'redirect_no_target'],
    ['without a helper call', 'r0 = 4\nexit', 'redirect_no_helper'],
    ['after bpf_redirect refused its flags', 'r1 = 1\nr2 = 1\ncall 23\nr0 = 4\nexit', 'redirect_no_helper'],
  ])('%s', (_, text, outcome) => {
    const run = simulate({ object: xdpProgram(text), frames: burst(3) });
    expect(run.outcomes).toEqual({ [outcome]: 3 });
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 0, xdpRedirectErrors: 3 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('an empty slot gives the fallback action and no redirect', () => {
    const run = simulate({ object: redirectToSocket(), frames: burst(3) });
    expect(run.outcomes).toEqual({ stack: 3 });
    expect(run.simulation.nic.driver.counters(0).xdpRedirectErrors).toBe(0);
  });

  it('a helper call is forgotten when the program returns something else', () => {
    const run = simulate({ object: xdpProgram('r1 = 1\nr2 = 0\ncall 23\nr0 = 1\nexit'), frames: burst(3) });
    expect(run.outcomes).toEqual({ xdp_drop: 3 });
  });
});

describe('redirect to a socket', () => {
  it('delivers to the application', () => {
    const run = simulate({ object: redirectToSocket(), frames: burst(10), xsk: { application: 'rxdrop' } });
    expect(run.outcomes).toEqual({ xsk: 10 });
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 10, xdpRedirectErrors: 0 });
    expect(run.simulation.sockets[0]).toMatchObject({ rxPackets: 10, rxBytes: 640 });
    expect(run.result.audit.ok).toBe(true);
    expect(run.result.audit.chunks).toEqual({ fillRing: 64 });
  });

  it.each([
    ['no buffer in FILL', { chunkCount: 4 }, { xsk: 4, xsk_fill_empty: 6 }, { rx_dropped: 6, rx_fill_ring_empty_descs: 6, rx_ring_full: 0 }],
    ['a full RX ring', { rings: { rx: 4 } }, { xsk: 4, xsk_rx_full: 6 }, { rx_dropped: 0, rx_fill_ring_empty_descs: 0, rx_ring_full: 6 }],
  ])('%s drops', (_, xsk, outcomes, statistics) => {
    const run = simulate({ object: redirectToSocket(), frames: burst(10), xsk: { application: 'rxdrop', ...xsk } });
    expect(run.outcomes).toEqual(outcomes);
    expect(run.simulation.sockets[0].statistics).toMatchObject(statistics);
    expect(run.simulation.nic.driver.counters(0)).toMatchObject({ xdpRedirect: 4, xdpRedirectErrors: 6 });
    expect(run.result.audit.ok).toBe(true);
  });

  it('of another queue drops, and the socket hears nothing', () => {
    const object = xdpProgram('r2 = 1\nr1 = map xsks\nr3 = 2\ncall 51\nexit', { maps: [xskMap] });
    const run = simulate({ object, frames: burst(5), nic: { queues: 2 }, xsk: { application: 'rxdrop' } });
    const [{ queue }] = run.ends;
    // All frames are one flow: they are on one queue, and slot 1 is the socket of queue 1.
    expect(run.outcomes).toEqual({ [queue === 1 ? 'xsk' : 'xsk_wrong_queue']: 5 });
    expect(run.simulation.sockets[1].statistics.rx_dropped).toBe(0);
    const others = simulate({ object, frames: Array.from({ length: 64 }, (_, flow) => ({ bytes: udpFrame(64, flow) })), nic: { queues: 2 }, xsk: { application: 'rxdrop' } });
    expect(Object.keys(others.outcomes).sort()).toEqual(['xsk', 'xsk_wrong_queue']);
    expect(others.simulation.sockets[1].rxPackets).toBe(others.outcomes['xsk']);
    expect(others.result.audit.ok).toBe(true);
  });

  it('a packet of two buffers that fits in a chunk arrives whole', () => {
    const seen: Uint8Array[] = [];
    const run = simulate({
      object: redirectToSocket({ frags: true }),
      frames: [{ bytes: udpFrame(3521) }, { bytes: udpFrame(3840) }, { bytes: udpFrame(3841) }],
      nic: { mtu: 9000 },
      xsk: {
        application({ fill, rx, umem }) {
          return {
            start() {
              fill.reserve(2);
              for (let i = 0; i < 2; i++) fill.setAddr(fill.index + i, i * 4096);
              fill.submit(2);
            },
            run() {
              for (; rx.peek(1) > 0; rx.release(1)) seen.push(umem.u8.slice(umem.getData(rx.addr(rx.index)), umem.getData(rx.addr(rx.index)) + rx.len(rx.index)));
            },
          };
        },
      },
    });
    expect(run.outcomes).toEqual({ xsk: 2, xsk_too_long: 1 });
    expect(seen).toEqual([udpFrame(3521), udpFrame(3840)]);
  });
});
