import { expect, it } from 'vitest';
import { findProfile } from '../../../src/nic/index.js';
import { checkChecksums, fold, pseudoHeaderSumV4 } from '../../../src/packet/index.js';
import { AppSocket } from '../../../src/sim/index.js';
import type { XskApplicationFactory } from '../../../src/sim/index.js';
import { XDP_TX_METADATA } from '../../../src/umem/index.js';
import { redirectToSocket, simulate, udpFrame } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';

const IP = 14;
const UDP = 34;
const META_BYTES = 24;

/** Sends every packet back with another port, and leaves its checksum to whoever sends it. */
const answer: XskApplicationFactory = (socket) => {
  const { rx, tx, umem } = socket;
  const { u8 } = umem;
  const app = new AppSocket(socket);
  const view = new DataView(u8.buffer);
  return {
    start: () => app.refill(),
    run() {
      app.reclaim();
      for (; rx.peek(1) > 0; rx.release(1)) {
        const [addr, len] = [rx.addr(rx.index), rx.len(rx.index)];
        const at = umem.getData(addr);
        u8[at + UDP] ^= 0x55;
        const pseudo = fold(pseudoHeaderSumV4(u8, at + IP, 17, len - UDP));
        view.setUint16(at + UDP + 6, pseudo);
        view.setBigUint64(at - META_BYTES, 2n, true);
        view.setUint16(at - META_BYTES + 8, UDP, true);
        view.setUint16(at - META_BYTES + 10, 6, true);
        tx.reserve(1);
        tx.setDesc(tx.index, addr, len, XDP_TX_METADATA);
        tx.submit(1);
      }
      app.send();
    },
  };
};

function run(profileName: string, lenBytes: number, hasTxSwCsum: boolean): Simulated {
  const profile = findProfile(profileName)!;
  return simulate({
    object: redirectToSocket(), frames: Array.from({ length: 5 }, (_, i) => ({ bytes: udpFrame(lenBytes, 0), tNs: i * 1000 })),
    nic: { profile, queues: 1, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default },
    xsk: { application: answer, mode: 'copy', txMetadataBytes: META_BYTES, hasTxSwCsum },
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
