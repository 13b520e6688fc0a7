import { describe, expect, it } from 'vitest';
import { Owner } from '../../src/memory/index.js';
import { auditChunks, historyText, timeText, xskFindings } from '../../src/umem/index.js';
import type { XskFinding } from '../../src/umem/index.js';
import { SocketBench } from './support.js';

/** What the watch has found, as `code ring count`. */
const codes = (bench: SocketBench): string[] => xskFindings([bench.socket]).map(({ code, ring, count }) => `${code} ${ring} ${count}`);
const only = (bench: SocketBench): XskFinding => {
  const findings = xskFindings([bench.socket]);
  expect(findings).toHaveLength(1);
  return findings[0]!;
};
const put = (ring: SocketBench['tx'], ...words: number[]): void => {
  ring.u32.set(words, ring.entryWord(ring.producer));
  ring.producer += 1;
};

describe('a chunk that goes all the way', () => {
  it('has a history of eight hand-overs, which begins anew with the next round', () => {
    const bench = new SocketBench({ chunkCount: 4 });
    bench.fill(2 * 2048);
    bench.clock.nowNs = 1200;
    bench.receive(60, 0, 0, 12);
    bench.clock.nowNs = 2000;
    const { addr, len } = bench.consume()!;
    bench.queue(addr, len);
    bench.clock.nowNs = 350_000;
    bench.send();
    bench.completeOldest();
    bench.reclaim();
    expect(historyText(bench.umem.watch!, 2)).toBe(
      'chunk 2: FILL slot 0 at 0 ns, kernel at 1.2 us, RX slot 0 with packet 12 at 1.2 us, application at 2 us, TX slot 0 with packet 12 at 2 us, ' +
        'kernel at 350 us, COMPLETION slot 0 at 350 us, application at 350 us',
    );
    bench.fill(2 * 2048);
    expect(historyText(bench.umem.watch!, 2)).toMatch(/^chunk 2: 1 hand-over before, kernel at 1.2 us, .* FILL slot 1 at 350 us$/);
    expect(historyText(bench.umem.watch!, 0)).toBe('chunk 0: with the application from the beginning on');
    expect(bench.umem.chunks.census()).toEqual({ application: 3, fillRing: 1 });
    expect(codes(bench)).toEqual([]);
    expect(auditChunks(bench.umem)).toMatchObject({ ok: true, detail: '4 accounted for: application 3, fillRing 1' });
  });

  it('is seen although nobody tells of it: when the kernel looks at the rings', () => {
    const bench = new SocketBench();
    for (let i = 0; i < 3; i++) put(bench.fillRing, i * 2048, 0);
    expect(bench.receive(60)).toBe(0);
    expect(bench.umem.chunks.census()).toEqual({ application: 5, fillRing: 2, rxRing: 1 });
    bench.rx.consumer = 1;
    put(bench.tx, 256, 0, 60, 0);
    bench.send();
    expect(bench.umem.chunks.census()).toEqual({ application: 5, fillRing: 2, kernel: 1 });
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it('may be given on before the entry that it came from is released', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.receive(60);
    // rxdrop of libxdp: FILL is submitted, then RX released.
    put(bench.fillRing, 256, 0);
    bench.afXdp.observe();
    expect(bench.umem.chunks.census()).toEqual({ application: 7, fillRing: 1 });
    bench.rx.consumer = 1;
    bench.afXdp.observe();
    expect(bench.umem.chunks.census()).toEqual({ application: 7, fillRing: 1 });
    bench.receive(60);
    expect(bench.umem.chunks.census()).toEqual({ application: 7, rxRing: 1 });
    expect(auditChunks(bench.umem).ok).toBe(true);
    bench.consume();
    expect(codes(bench)).toEqual([]);
  });

  it('of an unaligned UMEM is known by its base, whatever the offset says', () => {
    const bench = new SocketBench({ isUnaligned: true, chunkSizeBytes: 3000, chunkCount: 4 });
    bench.fill(100);
    bench.receive(60);
    bench.rx.consumer = 1;
    put(bench.tx, 100, 256 << 16, 60, 0);
    bench.send();
    bench.completeOldest();
    bench.reclaim();
    expect(bench.umem.chunks.census()).toEqual({ application: bench.umem.chunks.count });
    expect(bench.umem.chunks.violationCount).toBe(0);
    expect(codes(bench)).toEqual([]);
  });

  it('is the application\'s again when its socket is closed, and when its queue is given back', () => {
    const bench = new SocketBench();
    for (let i = 0; i < 4; i++) bench.fill(i * 2048);
    bench.receive(60);
    bench.queue(4 * 2048, 60);
    bench.afXdp.close(bench.fd);
    expect(bench.umem.chunks.census()).toEqual({ application: 5, fillRing: 3 });
    while (bench.events.step());
    expect(bench.umem.chunks.census()).toEqual({ application: 8 });
    expect(auditChunks(bench.umem).ok).toBe(true);
  });
});

describe('a mistake', () => {
  it('a chunk that is in FILL twice', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.fill(2048);
    bench.fill(2100);
    expect(only(bench)).toMatchObject({
      code: 'double-submission', severity: 'mistake', socket: 0, queue: 0, ring: 'FILL', count: 1, firstNs: 0,
      message: 'chunk 1 was put into FILL slot 2 while the FILL ring had it, and the kernel takes it twice',
      history: 'chunk 1: FILL slot 1 at 0 ns',
    });
    expect([bench.receive(60), bench.receive(60), bench.receive(60)]).toEqual([0, 0, 0]);
    expect(bench.umem.chunks.violationCount).toBe(0);
    expect(auditChunks(bench.umem)).toMatchObject({ ok: true, detail: '8 accounted for: application 6, rxRing 2; of these 1 that the application had in two places at once' });
  });

  it('the number of a chunk in place of its address', () => {
    const bench = new SocketBench();
    for (let i = 0; i < 3; i++) bench.fill(i);
    expect(only(bench)).toMatchObject({
      code: 'double-submission', ring: 'FILL', count: 2, message: 'chunk 0 was put into FILL slot 1 while the FILL ring had it, and the kernel takes it twice',
      hint: 'the address was 1: if that is the number of a chunk, write 2048, as addresses count bytes; give each chunk once',
    });
  });

  it('a chunk is sent twice: both go out, both complete', () => {
    const bench = new SocketBench();
    bench.queue(0, 60);
    bench.queue(100, 60);
    expect(bench.send()).toBe(0);
    expect(bench.sent).toHaveLength(2);
    expect(only(bench)).toMatchObject({ code: 'double-submission', ring: 'TX', hint: expect.stringMatching(/^send a chunk again when it has come back .* comes back on COMPLETION twice/) });
  });

  it('use after hand-over, by whoever tells of the use', () => {
    const bench = new SocketBench();
    bench.queue(2048, 60);
    bench.umem.watch!.accessed(0);
    bench.umem.watch!.accessed(4 * 2048 - 1);
    expect(codes(bench)).toEqual(['missing-wakeup TX 1']);
    bench.umem.watch!.accessed(2048 + 10);
    expect(codes(bench)).toEqual(['use-after-hand-over TX 1', 'missing-wakeup TX 1']);
    expect(xskFindings([bench.socket])[0]!.message).toBe('the application used chunk 1 while the TX ring had it');
  });

  it('a packet that is in RX may be looked at', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.receive(60);
    bench.umem.watch!.accessed(256);
    expect(codes(bench)).toEqual(['rx-not-read RX 1']);
  });

  it('a packet that was changed after its submission is found by its sum, when that is asked for', () => {
    for (const hashesPackets of [false, true]) {
      const bench = new SocketBench({ hashesPackets });
      bench.queue(0, 60);
      bench.queue(2048, 60);
      bench.memory.u8[bench.umemAddress + 2048 + 59]! ^= 1;
      bench.send();
      expect(codes(bench)).toEqual(hashesPackets ? ['use-after-hand-over TX 1'] : []);
    }
  });

  it('an entry that was changed after its submission', () => {
    const bench = new SocketBench();
    bench.fill(0);
    bench.fill(2048);
    bench.receive(60);
    bench.fillRing.u32[bench.fillRing.entryWord(1)] = 3 * 2048;
    expect(bench.receive(60)).toBe(0);
    expect(xskFindings([bench.socket])[0]).toMatchObject({
      code: 'changed-after-submit', message: 'an entry of FILL was changed after its submission: the kernel took chunk 3 from it, which the application had',
    });
    expect(bench.umem.chunks.violationCount).toBe(0);
  });

  it.each([
    [[8 * 2048, 0], 'its address is 16384, and the UMEM ends at 16384'],
    [[0, 0x10000], 'its address is 0x1000000000000, and the UMEM ends at 16384'],
  ])('a FILL entry of %j', ([low, high], why) => {
    const bench = new SocketBench();
    bench.fill(low!, high);
    expect(only(bench)).toMatchObject({ code: 'bad-fill-entry', message: `the kernel skips the entry in FILL slot 0, and no counter tells: ${why}` });
  });

  it('an unaligned FILL entry too near the end', () => {
    const bench = new SocketBench({ isUnaligned: true });
    bench.fill(8 * 2048 - 2047);
    expect(only(bench).message).toMatch(/a chunk of 2048 at 14337 goes beyond the end of the UMEM, 16384$/);
  });

  it.each([
    [{}, [0, 0, 0, 0], 'its length is 0'],
    [{}, [0, 0, 60, 4], 'its options have the unknown bits 0x4'],
    [{}, [0, 0, 60, 0x10001], 'its options have the unknown bits 0x10000'],
    [{ kernel: '6.1' as const }, [0, 0, 60, 1], 'its options are 1, which kernel 6.1 does not know'],
    [{}, [16384, 0, 60, 0], 'its address is 16384, and the UMEM ends at 16384'],
    [{}, [0, 1, 60, 0], 'its address is 4294967296, and the UMEM ends at 16384'],
    [{}, [2048 + 2000, 0, 60, 0], 'its 60 bytes from 2000 on in their chunk go beyond its end, 2048'],
    [{ txMetadataBytes: 24 }, [8, 0, 60, 0], 'its address is 8, which leaves no room for the 24 bytes of tx_metadata_len before it'],
    [{ txMetadataBytes: 24 }, [2048 + 2000, 0, 60, 0], 'its 60 bytes and 24 of metadata from 1976 on in their chunk go beyond its end, 2048'],
    [{ isUnaligned: true }, [0, 0, 2049, 0], 'its 2049 bytes are more than a chunk of 2048'],
    [{ isUnaligned: true }, [16300, 0, 100, 0], 'its 100 bytes from 16300 on go beyond the end of the UMEM, 16384'],
  ])('a TX descriptor (%j) of %j', (options, words, why) => {
    const bench = new SocketBench(options);
    bench.queue(words[0]!, words[2]!, words[3], words[1]);
    const finding = xskFindings([bench.socket])[0]!;
    expect(finding).toMatchObject({ code: 'invalid-descriptor', ring: 'TX', count: 1 });
    expect(finding.message).toContain(`the descriptor in TX slot 0 is refused: ${why}`);
    bench.send();
    expect(bench.socket.statistics.tx_invalid_descs).toBe(1);
  });

  it('an invalid descriptor before 6.18 costs its chunk, which is told', () => {
    const bench = new SocketBench({ kernel: '6.6' });
    bench.queue(2048, 0);
    bench.send();
    expect(only(bench)).toMatchObject({ message: expect.stringMatching(/; kernel 6.6 does not complete it either, so the chunk never comes back$/), history: 'chunk 1: with the application from the beginning on' });
    expect(historyText(bench.umem.watch!, 1)).toBe('chunk 1: TX slot 0 at 0 ns, application at 0 ns');
  });

  it('a packet of more than 18 descriptors', () => {
    const bench = new SocketBench({ chunkCount: 20 });
    for (let i = 0; i < 19; i++) bench.queue(i * 2048, 60, i < 18 ? 1 : 0);
    bench.send();
    expect(only(bench)).toMatchObject({ code: 'too-many-descriptors', message: 'a packet that ends behind TX slot 17 has more than 18 descriptors and is dropped' });
    expect(bench.socket.statistics.tx_invalid_descs).toBe(19);
  });

  it('metadata that the kernel refuses: EINVAL', () => {
    const bench = new SocketBench();
    bench.queue(2048, 60, 2);
    expect(bench.send()).toBe(-22);
    expect(codes(bench)).toEqual(['metadata-refused TX 1', 'missing-wakeup TX 1']);
  });

  it('indices that make no sense', () => {
    const bench = new SocketBench({ rings: { tx: 4 } });
    bench.tx.producer = 20;
    bench.rx.consumer = 1;
    bench.afXdp.observe();
    expect(codes(bench)).toContain('index-beyond-ring TX 1');
    expect(codes(bench)).toContain('index-beyond-ring RX 1');
    const finding = xskFindings([bench.socket]).find(({ ring }) => ring === 'TX')!;
    expect(finding.message).toBe('the TX ring (4) makes no sense: its producer index went from 0 to 20, and its consumer index is 0: 4 entries is all it has');
  });
});

describe('what stands still', () => {
  it('FILL that ran empty, with who had the chunks', () => {
    const bench = new SocketBench({ chunkCount: 3 });
    for (let i = 0; i < 3; i++) bench.fill(i * 2048);
    bench.receive(60);
    bench.receive(60);
    bench.consume();
    bench.receive(60);
    bench.clock.nowNs = 5000;
    expect(bench.receive(60)).toBe(-12);
    expect(bench.receive(60)).toBe(-12);
    const findings = xskFindings([bench.socket]);
    expect(findings.map(({ code, count }) => `${code} ${count}`)).toEqual(['rx-not-read 2', 'fill-starvation 2', 'lost-chunk 1']);
    expect(findings[1]).toMatchObject({
      firstNs: 5000, severity: 'warning',
      message: 'FILL of queue 0 was empty when the kernel wanted a chunk, first at 5 us; of the chunks 1 with the application, 2 with the RX ring',
      hint: 'read RX more often, or make the UMEM larger',
    });
    expect(findings[2]!.message).toBe('the application has 1 of 3 chunks and gives none of them to FILL, which is empty; chunk 0 since 0 ns');
    expect(findings[2]!.history).toMatch(/^chunk 0: FILL slot 0 .* application at 0 ns$/);
  });

  it('FILL that never had anything', () => {
    const bench = new SocketBench();
    bench.receive(60);
    expect(only(bench)).toMatchObject({ code: 'fill-starvation', message: 'the application never put a chunk on FILL of queue 0', hint: expect.stringMatching(/belongs into no XSKMAP$/) });
  });

  it('COMPLETION that nobody drains', () => {
    const bench = new SocketBench({ rings: { completion: 2 } });
    for (let i = 0; i < 3; i++) bench.queue(i * 2048, 60);
    bench.send();
    bench.completeOldest();
    bench.completeOldest();
    expect(bench.send()).toBe(-11);
    expect(only(bench)).toMatchObject({
      code: 'completion-not-drained', count: 2, history: expect.stringMatching(/^chunk 0: TX slot 0/),
      message: 'COMPLETION of queue 0 holds 2 of 2: the application never took anything from it, and nothing is sent before there is room',
    });
  });

  it('TX without a system call, at the end and when the call came late', () => {
    const bench = new SocketBench();
    bench.clock.nowNs = 1000;
    bench.queue(0, 60);
    bench.queue(2048, 60);
    expect(only(bench)).toMatchObject({
      code: 'missing-wakeup', ring: 'TX', count: 2, firstNs: 1000,
      message: '2 entries wait in the TX ring of socket 0: no sendto and no poll has come since 1 us, though NEED_WAKEUP is set',
    });
    bench.clock.nowNs = 2_001_000;
    bench.send();
    expect(only(bench)).toMatchObject({ code: 'missing-wakeup', message: 'entries of TX waited for 2 ms for a system call, though NEED_WAKEUP was set' });
  });

  it('TX after EAGAIN and after an invalid descriptor', () => {
    const bench = new SocketBench();
    bench.answers.push(-11);
    bench.queue(0, 60);
    bench.send();
    expect(only(bench).message).toMatch(/: the last sendto gave EAGAIN, and none came after it$/);
    bench.send();
    bench.queue(2048, 0);
    bench.queue(4096, 60);
    bench.send();
    expect(xskFindings([bench.socket]).at(-1)!.message).toMatch(/: the last sendto did not send them all, as after an invalid descriptor/);
  });

  it('RX that is full', () => {
    const bench = new SocketBench({ rings: { rx: 1 } });
    bench.fill(0);
    bench.fill(2048);
    bench.receive(60);
    bench.receive(60);
    expect(codes(bench)).toEqual(['rx-not-read RX 1', 'rx-ring-full RX 1']);
    expect(xskFindings([bench.socket])[1]!.message).toBe('packets were dropped because the RX ring (1) was full, of which the application never released an entry');
  });

  it('packets of another queue, and such that come too early', () => {
    const bench = new SocketBench();
    for (let i = 0; i < 3; i++) expect(bench.socket.checkReceive(1, 5, 60)).toBe(-22);
    bench.afXdp.close(bench.fd);
    expect(bench.socket.checkReceive(1, 0, 60)).toBe(-6);
    expect(codes(bench)).toEqual(['not-bound undefined 1', 'wrong-queue undefined 3']);
    expect(xskFindings([bench.socket])[1]!.message).toBe('packets of other queues, the last one of queue 5, were redirected to socket 0, which is bound to queue 0: dropped with EINVAL, and no counter of the socket tells');
  });

  it('nothing where all is well', () => {
    const bench = new SocketBench();
    for (let round = 0; round < 40; round++) {
      bench.fill((round % 8) * 2048);
      bench.receive(60);
      const { addr } = bench.consume()!;
      bench.queue(addr, 60);
      bench.send();
      bench.completeOldest();
      bench.reclaim();
    }
    expect(xskFindings([bench.socket])).toEqual([]);
    expect(bench.umem.chunks.owner.every((owner) => owner === Owner.application)).toBe(true);
  });
});

it.each([[0, '0 ns'], [999, '999 ns'], [1000, '1 us'], [1234, '1.234 us'], [1.5e6, '1.5 ms'], [2e9, '2 s']])('%d ns is written %s', (ns, text) => {
  expect(timeText(ns)).toBe(text);
});
