import { expect, it } from 'vitest';
import { Owner } from '../../../src/memory/index.js';
import { findProfile } from '../../../src/nic/index.js';
import { checkChecksums, fold, pseudoHeaderSumV4 } from '../../../src/packet/index.js';
import type { XskApplicationFactory } from '../../../src/sim/index.js';
import { XDP_TX_METADATA } from '../../../src/umem/index.js';
import { redirectToSocket, simulate, udpFrame } from '../../support/simulate.js';
import type { Simulated } from '../../support/simulate.js';

const IP = 14;
const UDP = 34;
const META_BYTES = 24;

/** Sends every packet back with another port, and leaves its checksum to whoever sends it. */
const answer: XskApplicationFactory = (socket, kernel, u8) => {
  const { umem } = socket;
  const desc = { addr: 0, len: 0, options: 0 };
  const view = new DataView(u8.buffer);
  return {
    start() {
      for (let chunk = 0; chunk < umem.chunks.count; chunk++) {
        socket.fill.produce(chunk * umem.chunkSizeBytes);
        umem.chunks.move(umem.address + chunk * umem.chunkSizeBytes, Owner.application, Owner.fillRing);
      }
    },
    run() {
      for (let offBytes = socket.completion.consume(); offBytes >= 0; offBytes = socket.completion.consume()) umem.chunks.move(umem.address + offBytes, Owner.completionRing, Owner.application);
      while (socket.rx.peek(desc)) {
        socket.rx.release();
        const address = umem.address + desc.addr;
        u8[address + UDP] ^= 0x55;
        const pseudo = fold(pseudoHeaderSumV4(u8, address + IP, 17, desc.len - UDP));
        view.setUint16(address + UDP + 6, pseudo);
        view.setBigUint64(address - META_BYTES, 2n, true);
        view.setUint16(address - META_BYTES + 8, UDP, true);
        view.setUint16(address - META_BYTES + 10, 6, true);
        umem.chunks.move(address, Owner.rxRing, Owner.txRing);
        socket.tx.produce(desc.addr, desc.len, XDP_TX_METADATA);
      }
      if (!socket.tx.ring.isEmpty) kernel.send(socket);
    },
  };
};

function run(profileName: string, lenBytes: number, hasTxSwCsum: boolean): Simulated {
  const profile = findProfile(profileName)!;
  return simulate({
    object: redirectToSocket(), frames: Array.from({ length: 5 }, (_, i) => ({ bytes: udpFrame(lenBytes, 0), tNs: i * 1000 })),
    nic: { profile, queues: 1, rxRingSize: profile.rxRing.default, txRingSize: profile.txRing.default },
    xsk: { application: answer, txMetadataBytes: META_BYTES, hasTxSwCsum },
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
