import { expect, it } from 'vitest';
import { findProfile } from '../../../src/nic/index.js';
import type { NicSettings } from '../../../src/nic/index.js';
import { checkChecksums, fold, pseudoHeaderSumV4 } from '../../../src/packet/index.js';
import { AppSocket } from '../../../src/sim/index.js';
import type { XskApplicationFactory } from '../../../src/sim/index.js';
import { XDP_PKT_CONTD, XDP_TX_METADATA } from '../../../src/umem/index.js';
import { redirectToSocket, simulate, udpFrame } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';

const IP = 14;
const UDP = 34;
const META_BYTES = 24;

/** Sends every packet back with another port, in one part or two, and leaves its checksum to whoever sends it. */
const answer = (firstBytes?: number): XskApplicationFactory => (socket) => {
  const { rx, tx, umem } = socket;
  const { u8 } = umem;
  const app = new AppSocket(socket);
  const view = new DataView(u8.buffer);
  return {
    start: () => app.refill(),
    run() {
      // Both parts of a packet lie in one chunk, which would come back twice.
      if (firstBytes === undefined) app.reclaim();
      for (; rx.peek(1) > 0; rx.release(1)) {
        const [addr, len] = [rx.addr(rx.index), rx.len(rx.index)];
        const at = umem.getData(addr);
        u8[at + UDP] ^= 0x55;
        const pseudo = fold(pseudoHeaderSumV4(u8, at + IP, 17, len - UDP));
        view.setUint16(at + UDP + 6, pseudo);
        view.setBigUint64(at - META_BYTES, 2n, true);
        view.setUint16(at - META_BYTES + 8, UDP, true);
        view.setUint16(at - META_BYTES + 10, 6, true);
        const parts = firstBytes === undefined ? [[addr, len, XDP_TX_METADATA]] : [[addr, firstBytes, XDP_TX_METADATA | XDP_PKT_CONTD], [addr + firstBytes, len - firstBytes, 0]];
        tx.reserve(parts.length);
        parts.forEach(([partAddr, partBytes, options], i) => tx.setDesc(tx.index + i, partAddr, partBytes, options));
        tx.submit(parts.length);
      }
      app.send();
    },
  };
};

function run(profileName: string, lenBytes: number, hasTxSwCsum: boolean, firstBytes?: number, nic: Partial<NicSettings> = {}): Simulated {
  const profile = findProfile(profileName)!;
  return simulate({
    object: redirectToSocket(), frames: Array.from({ length: 5 }, (_, i) => ({ bytes: udpFrame(lenBytes, 0), tNs: i * 1000 })),
    nic: { profile, queues: 1, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default, ...nic },
    xsk: { application: answer(firstBytes), mode: 'copy', txMetadataBytes: META_BYTES, hasTxSwCsum },
  });
}

it.each(['plain', 'igb', 'ice', 'mlx5', 'virtio_net', 'r8169-xdp', 'mtk_eth_soc'].flatMap((name) => [42, 59, 60, 1000].flatMap((lenBytes) => [[name, lenBytes, false], [name, lenBytes, true]] as const)))(
  '%s sends frames of %i bytes with the checksum that their metadata asks for; by the CPU: %s', (name, lenBytes, hasTxSwCsum) => {
    const { applicationFrames, result } = run(name, lenBytes, hasTxSwCsum);
    expect(applicationFrames.length).toBe(5);
    for (const { bytes } of applicationFrames) expect(checkChecksums(bytes, 0, bytes.length).find(({ field }) => field === 'udp.checksum')).toMatchObject({ state: 'valid' });
    expect(result.audit.ok).toBe(true);
  },
);

/** Sum from the UDP header to `end`, as the field holds it; the field itself counts as the sum of the pseudo header. */
function sumUntil(frame: Uint8Array, end: number): number {
  const bytes = frame.slice();
  const view = new DataView(bytes.buffer);
  view.setUint16(UDP + 6, fold(pseudoHeaderSumV4(bytes, IP, 17, bytes.length - UDP)));
  let sum = 0;
  for (let at = UDP; at < end; at++) sum += (at - UDP) % 2 === 0 ? bytes[at]! * 256 : bytes[at]!;
  return ~fold(sum) & 0xffff;
}

const field = (frame: Uint8Array): number => (frame[UDP + 6]! << 8) | frame[UDP + 7]!;

it.each([43, 50, 100])('with XDP_UMEM_TX_SW_CSUM a packet is summed up to the end of its first part: %i bytes', (firstBytes) => {
  const { applicationFrames, result } = run('ice', 200, true, firstBytes);
  expect(applicationFrames.length).toBe(5);
  for (const { bytes } of applicationFrames) expect(field(bytes)).toBe(sumUntil(bytes, firstBytes));
  expect(result.audit.ok).toBe(true);
});

it.each([undefined, 50])('a veth hands a request on to its peer, which finds the sum of the pseudo header; first part: %s', (firstBytes) => {
  const { applicationFrames } = run('veth', 200, false, firstBytes, { peer: { hasNativeXdp: true } });
  expect(applicationFrames.length).toBe(5);
  for (const { bytes } of applicationFrames) expect(field(bytes)).toBe(fold(pseudoHeaderSumV4(bytes, IP, 17, bytes.length - UDP)));
});
