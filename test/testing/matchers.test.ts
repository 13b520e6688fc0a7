import { beforeAll, describe, expect, it } from 'vitest';
import '../../src/testing/vitest/index.js';
import { unwrap } from '../../src/base/index.js';
import { ethernet } from '../../src/packet/index.js';
import { l2fwd } from '../../src/sim/index.js';
import { XDP_COPY, xskFindings } from '../../src/umem/index.js';
import { XskSocket, XskUmem } from '../../src/xsk/index.js';
import * as matchers from '../../src/testing/matchers/index.js';
import type { MatcherResult } from '../../src/testing/matchers/index.js';
import { createTestNetwork, createTestNic, loadProgram, metadataContract } from '../../src/testing/index.js';
import type { EndedPacket, TestNic, TestProgram, TestRun } from '../../src/testing/index.js';
import { runSerializer } from '../../src/testing/vitest/snapshot.js';
import { xdpProgram } from '../support/xdpProgram.js';

const object = (name: string): string => `fixtures/programs/${name}/${name}.o`;
const udp = ethernet({ src: '02:00:00:00:00:01', dst: '02:00:00:00:00:02' }).ipv4({ src: '192.0.2.1', dst: '192.0.2.2' }).udp({ src: 5000, dst: 53 }).payload('hello').pad();
const returning = (retval: number): TestRun => loadProgram(xdpProgram(`r0 = ${retval}\nexit`)).testRun({ data: udp });

/** What an assertion that fails says. */
function failure(assert: () => void): string {
  try {
    assert();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('the assertion did not fail');
}

/** What vitest shows as a diff. */
function compared(assert: () => void): { readonly actual: unknown; readonly expected: unknown } {
  try {
    assert();
  } catch (error) {
    const { actual, expected } = error as { actual: unknown; expected: unknown };
    return { actual, expected };
  }
  throw new Error('the assertion did not fail');
}

let run: TestRun;
let nat: TestRun;
let natProgram: TestProgram;
let nic: TestNic;
let packet: EndedPacket;

beforeAll(() => {
  run = loadProgram(object('switch_drop')).testRun({ data: udp });
  natProgram = loadProgram(object('dnat'), { globals: { transmit: true } });
  nat = natProgram.testRun({ data: udp });
  nic = createTestNic(object('reflector'), { profile: 'ice', queues: 1 });
  [packet] = nic.receive(udp) as [EndedPacket];
});

describe('verdicts', () => {
  it('of a run', () => {
    expect(run).toHaveVerdict('XDP_DROP');
    expect(run).not.toHaveVerdict('XDP_PASS');
    expect(() => expect(run).not.toHaveVerdict('DROP' as 'XDP_DROP')).toThrow('toHaveVerdict: there is no verdict DROP; use one of XDP_ABORTED, XDP_DROP, ');
    expect(failure(() => expect(run).toHaveVerdict('XDP_PASS'))).toMatchInlineSnapshot(`
      "expected verdict XDP_PASS, got XDP_DROP
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        switch_drop returned XDP_DROP (1) after 49 instructions"
    `);
    expect(failure(() => expect(run).not.toHaveVerdict('XDP_DROP'))).toMatchInlineSnapshot(`
      "expected not: verdict XDP_DROP, got XDP_DROP
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        switch_drop returned XDP_DROP (1) after 49 instructions"
    `);
    expect(compared(() => expect(run).toHaveVerdict('XDP_PASS'))).toEqual({ actual: 'XDP_DROP', expected: 'XDP_PASS' });
  });

  it('of a packet of a NIC', () => {
    expect(packet).toTransmitPacket();
    expect(failure(() => expect(packet).toPassPacket()).replace(/\d+ ns/, 'T ns')).toMatchInlineSnapshot(`
      "expected verdict XDP_PASS, got XDP_TX
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        arrived at host, 60 bytes, at T ns
        program returned XDP_TX
        ended at eth0, queue 0, as tx: sent back out of the same port by XDP_TX
        out: IPv4 192.0.2.2:53 > 192.0.2.1:5000 UDP 5"
    `);
    const [unseen] = createTestNic(undefined).receive(udp);
    expect(unseen).not.toPassPacket();
    expect(failure(() => expect(unseen).toPassPacket()).split('\n')[0]).toMatchInlineSnapshot(`"expected verdict XDP_PASS, got no verdict: the program did not see the packet"`);
  });

  it('by their own names', () => {
    expect(returning(0)).toAbortPacket();
    expect(returning(1)).toDropPacket();
    expect(returning(2)).toPassPacket();
    expect(returning(3)).toTransmitPacket();
    expect(returning(9)).toHaveVerdict('invalid 9');
    for (const assert of [() => expect(run).toAbortPacket(), () => expect(run).toPassPacket(), () => expect(run).toTransmitPacket(), () => expect(run).not.toDropPacket()]) expect(failure(assert)).toContain('switch_drop returned XDP_DROP (1)');
  });

  it('of a run that was stopped', () => {
    const stopped = loadProgram(xdpProgram('r2 = *(u32 *)(r1 + 0)\nr0 = *(u8 *)(r2 + 100)\nexit')).testRun({ data: udp });
    expect(stopped).toHaveVerdict('fault');
    expect(failure(() => expect(stopped).toDropPacket()).replace(/0x[0-9a-f]+/, '0x…')).toMatchInlineSnapshot(`
      "expected verdict XDP_DROP, got fault
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        main was stopped: program main: load of 1 byte at r2+100 = 0x…: 40 bytes beyond the packet's end (its length is 60) [insn 1: r0 = *(u8 *)(r2 +100)]"
    `);
  });
});

describe('toRedirectPacket', () => {
  it('looks at where a run redirects to', () => {
    const program = loadProgram(object('redirect_devmap'), { program: 'redirect_devmap' });
    program.maps.get('devices').set(4, { ifindex: 5 });
    const redirected = program.testRun({ data: udp });
    expect(redirected).toRedirectPacket();
    expect(redirected).toRedirectPacket({ map: 'devices', key: 4 });
    expect(redirected).toRedirectPacket({ ifindex: 5 });
    expect(redirected).not.toRedirectPacket({ ifindex: 6 });
    expect(failure(() => expect(redirected).toRedirectPacket({ map: 'devices', key: 3 }))).toMatchInlineSnapshot(`
      "expected a redirect to map devices, key 3, got map devices, key 4 (target 5)
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        redirect_devmap returned XDP_REDIRECT (4) after 35 instructions
        redirect helper: map devices, key 4 (target 5)"
    `);
    expect(failure(() => expect(redirected).not.toRedirectPacket())).toMatchInlineSnapshot(`
      "expected not: a redirect, got map devices, key 4 (target 5)
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        redirect_devmap returned XDP_REDIRECT (4) after 35 instructions
        redirect helper: map devices, key 4 (target 5)"
    `);
    expect(compared(() => expect(redirected).toRedirectPacket({ key: 3 }))).toMatchObject({ actual: { key: 4 }, expected: { key: 3 } });
  });

  it('fails for other verdicts, and for a redirect that found nothing', () => {
    expect(failure(() => expect(run).toRedirectPacket({ ifindex: 2 }))).toMatchInlineSnapshot(`
      "expected a redirect to ifindex 2, got XDP_DROP
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        switch_drop returned XDP_DROP (1) after 49 instructions"
    `);
    expect(returning(4)).not.toRedirectPacket();
    expect(failure(() => expect(returning(4)).toRedirectPacket())).toMatchInlineSnapshot(`
      "expected a redirect, got nowhere: no redirect helper found a target
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        main returned XDP_REDIRECT (4) after 2 instructions"
    `);
  });

  it('looks at where a packet of a NIC went', () => {
    const [back] = createTestNic(object('redirect_self'), { profile: 'ice' }).receive(udp);
    expect(back).toRedirectPacket({ ifindex: 1 });
    expect(failure(() => expect(back).toRedirectPacket({ ifindex: 7 })).split('\n')[0]).toMatchInlineSnapshot(`"expected a redirect to ifindex 7, got redirect at interface 1"`);
    expect(() => expect(back).toRedirectPacket({ map: 'devices' })).toThrow('knows map and key of test runs only');
  });
});

describe('toEndAs', () => {
  it('looks at the outcome', () => {
    expect(packet).toEndAs('tx');
    expect(packet).not.toEndAs('stack');
    expect(failure(() => expect(packet).toEndAs('stack')).replace(/\d+ ns/, 'T ns')).toMatchInlineSnapshot(`
      "expected the packet to end as stack, got tx (sent back out of the same port by XDP_TX)
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        arrived at host, 60 bytes, at T ns
        program returned XDP_TX
        ended at eth0, queue 0, as tx: sent back out of the same port by XDP_TX
        out: IPv4 192.0.2.2:53 > 192.0.2.1:5000 UDP 5"
    `);
    expect(compared(() => expect(packet).toEndAs('stack'))).toEqual({ actual: 'tx', expected: 'stack' });
    expect(() => expect(packet).toEndAs('stakc')).toThrow(/^toEndAs: there is no outcome stakc; did you mean stack\?$/);
  });

  it('is for packets of NICs', () => {
    expect(() => expect(run).toEndAs('tx')).toThrowErrorMatchingInlineSnapshot(`[TypeError: toEndAs looks at packets of a NIC (createTestNic): a test run ends with the verdict, see toHaveVerdict]`);
  });
});

describe('toEqualPacket', () => {
  const expected = udp.set('ipv4', { dst: '198.51.100.10' });

  it('compares header by header', () => {
    expect(nat).toEqualPacket(expected);
    expect(nat).toEqualPacket(expected.build());
    expect(nat).toEqualPacket(expected.set('ipv4', { ttl: 3 }), { ignore: ['ipv4.ttl', 'ipv4.checksum'] });
    expect(nat).toEqualPacket(expected.set('ipv4', { ttl: 3, id: 9 }), { ignore: ['ipv4'] });
    expect(nat).not.toEqualPacket(udp);
    expect(() => expect(nat).toEqualPacket(expected, { ignore: ['ip.ttl'] })).toThrow('toEqualPacket: no header has a field ip.ttl; did you mean ipv4.ttl? ignore fields such as ipv4.ttl or udp#2.checksum');
    expect(() => expect(nat).not.toEqualPacket(udp, { ignore: 'ipv4.id' as unknown as string[] })).toThrow("what is to be ignored is a list, such as { ignore: ['ipv4.id'] }");
    expect(failure(() => expect(nat).toEqualPacket(expected.set('ipv4', { ttl: 3 }).set('udp', { dst: 54 })))).toMatchInlineSnapshot(`
      "expected this packet; 4 fields differ
        ipv4.ttl       expected 3, got 64
        ipv4.checksum  expected 0xcb8d (right), got 0x8e8d (right)
        udp.dst        expected 54, got 53
        udp.checksum   expected 0xbc04 (right), got 0xbc05 (right)
        expected: IPv4 192.0.2.1:5000 > 198.51.100.10:54 UDP 5
        got:      IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        dnat returned XDP_TX (3) after 91 instructions
        out: IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5"
    `);
    expect(failure(() => expect(nat).not.toEqualPacket(expected))).toMatchInlineSnapshot(`
      "expected not: this packet
        expected: IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5
        got:      IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        dnat returned XDP_TX (3) after 91 instructions
        out: IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5"
    `);
    const { actual, expected: wanted } = compared(() => expect(nat).toEqualPacket(udp));
    expect([actual, wanted].map((tree) => (tree as string[]).find((line) => line.includes('dst: 1')))).toMatchInlineSnapshot(`
      [
        "  dst: 198.51.100.10 [30-33]",
        "  dst: 192.0.2.2 [30-33]",
      ]
    `);
  });

  it('takes bytes, builders, sent frames and packets of NICs', () => {
    const reflected = udp.set('eth', { src: '02:00:00:00:00:02', dst: '02:00:00:00:00:01' }).set('ipv4', { src: '192.0.2.2', dst: '192.0.2.1' }).set('udp', { src: 53, dst: 5000 });
    for (const received of [packet, nic.sent[0], reflected, reflected.build()]) expect(received).toEqualPacket(reflected);
  });

  it('throws what a builder throws', () => {
    expect(() => expect(nat).toEqualPacket(ethernet().ipv4().udp().payload(70_000))).toThrow(RangeError);
    expect(() => expect(ethernet().ipv4().udp().payload(70_000)).not.toEqualPacket(udp)).toThrow(RangeError);
  });
});

describe('toHaveValidChecksums', () => {
  it('looks at all of them', () => {
    expect(nat).toHaveValidChecksums();
    const wrong = udp.break('udp.checksum');
    expect(wrong).not.toHaveValidChecksums();
    expect(failure(() => expect(wrong).toHaveValidChecksums())).toMatchInlineSnapshot(`
      "expected valid checksums, but 1 of 2 is wrong
        udp.checksum at byte 40: invalid, 0x2540, expected 0x2441"
    `);
    expect(failure(() => expect(nat).not.toHaveValidChecksums())).toMatchInlineSnapshot(`
      "expected not: valid checksums
        ipv4.checksum at byte 24: valid, 0x8e8d
        udp.checksum at byte 40: valid, 0xbc05
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        dnat returned XDP_TX (3) after 91 instructions
        out: IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5"
    `);
    expect(failure(() => expect(natProgram.testRun({ data: wrong })).toHaveValidChecksums())).toMatchInlineSnapshot(`
      "expected valid checksums, but 1 of 2 is wrong
        udp.checksum at byte 40: invalid, 0xbd04, expected 0xbc05
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        dnat returned XDP_TX (3) after 91 instructions
        out: IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5"
    `);
  });

  it('has nothing to say against packets without any', () => {
    expect(ethernet().arp()).toHaveValidChecksums();
    expect(ethernet().ipv4().udp({ checksum: 0 })).toHaveValidChecksums();
  });
});

describe('toRunWithin', () => {
  it('counts instructions', () => {
    expect(run).toRunWithin(run.instructions);
    expect(run).not.toRunWithin(run.instructions - 1);
    expect(failure(() => expect(run).toRunWithin(10))).toMatchInlineSnapshot(`
      "expected at most 10 instructions, got 49
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        switch_drop returned XDP_DROP (1) after 49 instructions"
    `);
    expect(failure(() => expect(run).not.toRunWithin(1000)).split('\n')[0]).toMatchInlineSnapshot(`"expected not: at most 1000 instructions, got 49"`);
    expect(() => expect(packet).toRunWithin(10)).toThrowErrorMatchingInlineSnapshot(`[TypeError: toRunWithin looks at what testRun() gave: a NIC does not count instructions]`);
  });
});

describe('toHaveElement and toHaveSum', () => {
  const counting = (): TestProgram => {
    const program = loadProgram(object('count_percpu'), { cpus: 2 });
    for (program.cpu of [0, 1, 1]) program.testRun({ data: udp });
    return program;
  };

  it('find elements', () => {
    const program = loadProgram(object('count_hash'));
    program.testRun({ data: udp });
    const map = program.maps.get('packets_by_source');
    expect(map).toHaveElement('192.0.2.1');
    expect(map).toHaveElement('192.0.2.1', { packets: 1 });
    expect(map).toHaveElement('192.0.2.1', { packets: 1n, bytes: '60' });
    expect(map).not.toHaveElement('192.0.2.1', { packets: 2 });
    expect(map).not.toHaveElement('192.0.2.2');
    expect(failure(() => expect(map).toHaveElement('192.0.2.1', { packets: 2 }))).toMatchInlineSnapshot(`
      "expected map packets_by_source to have "192.0.2.1": {"packets":2}, got {"packets":1,"bytes":60}
        it has "192.0.2.1": {"packets":1,"bytes":60}"
    `);
    expect(failure(() => expect(map).toHaveElement('192.0.2.2'))).toMatchInlineSnapshot(`
      "expected map packets_by_source to have "192.0.2.2"
        it has "192.0.2.1": {"packets":1,"bytes":60}"
    `);
    expect(failure(() => expect(map).not.toHaveElement('192.0.2.1'))).toMatchInlineSnapshot(`"expected not: map packets_by_source to have "192.0.2.1""`);
    expect(compared(() => expect(map).toHaveElement('192.0.2.1', { packets: 2 }))).toEqual({ actual: { packets: 1, bytes: 60 }, expected: { packets: 2 } });
    for (let i = 2; i < 20; i++) map.set(`192.0.2.${i}`, { packets: i, bytes: 0 });
    expect(failure(() => expect(map).toHaveElement('10.0.0.1'))).toContain(', and 9 more');
    expect(failure(() => expect(loadProgram(object('count_hash')).maps.get('packets_by_source')).toHaveElement('10.0.0.1'))).toMatchInlineSnapshot(`
      "expected map packets_by_source to have "10.0.0.1"
        it has no elements"
    `);
    expect(() => expect(map).toHaveElement('nobody')).toThrow("key of map packets_by_source is of type __be32 and can't be \"nobody\"");
  });

  it('find values of each CPU, and add them up', () => {
    const map = counting().maps.get('packets_by_source');
    expect(map).toHaveElement('192.0.2.1', [{ packets: 1 }, { packets: 2 }]);
    expect(map).toHaveSum('192.0.2.1', { packets: 3, bytes: 180 });
    expect(map).not.toHaveSum('192.0.2.1', { packets: 2 });
    expect(failure(() => expect(map).toHaveSum('192.0.2.1', { packets: 4 }))).toMatchInlineSnapshot(`
      "expected map packets_by_source, "192.0.2.1", to add up to {"packets":4}, got {"packets":3,"bytes":180}
        on each CPU: [{"packets":1,"bytes":60},{"packets":2,"bytes":120}]"
    `);
    expect(failure(() => expect(map).toHaveSum('192.0.2.9', { packets: 4 }))).toMatchInlineSnapshot(`
      "expected map packets_by_source, "192.0.2.9", to add up to {"packets":4}, got no such element
        it has "192.0.2.1": [{"packets":1,"bytes":60},{"packets":2,"bytes":120}]"
    `);
  });
});

describe('toHaveCounter', () => {
  it('knows what the driver counts', () => {
    expect(nic).toHaveCounter('rx_queue_0_packets', 1);
    expect(nic).not.toHaveCounter('rx_queue_0_packets', 2);
    expect(failure(() => expect(nic).toHaveCounter('rx_queue_0_packets', 2))).toMatchInlineSnapshot(`
      "expected host.eth0 to count rx_queue_0_packets 2, got 1
        not zero: rx_bytes: 60, tx_bytes: 60, tx_queue_0_packets: 1, tx_queue_0_bytes: 60, rx_queue_0_packets: 1, rx_queue_0_bytes: 60, rx_bytes.nic: 60, tx_bytes.nic: 60"
    `);
    expect(failure(() => expect(createTestNic(undefined)).toHaveCounter('rx_missed', 2))).toMatchInlineSnapshot(`
      "expected host.eth0 to count rx_missed 2, got 0
        not zero: rx_pp_alloc_fast: 503, rx_pp_alloc_slow: 8, rx_pp_alloc_empty: 8"
    `);
    expect(() => expect(nic).not.toHaveCounter('rx', 2)).toThrow('toHaveCounter, host.eth0: there is no counter rx; did you mean rx_multicast?');
  });
});

describe('toHaveLogged', () => {
  it('looks for text', () => {
    const program = loadProgram(object('printk'));
    const logging = program.testRun({ data: udp });
    for (const received of [program, program.log, logging]) {
      expect(received).toHaveLogged('192.0.2.1 > 192.0.2.2');
      expect(received).toHaveLogged(/^frame: \d+ bytes/);
      expect(received).not.toHaveLogged('ipv6');
    }
    const global = /frame/g;
    for (let i = 0; i < 3; i++) expect(program).toHaveLogged(global);
    const onNic = createTestNic(object('printk'));
    onNic.receive(udp);
    expect(onNic).toHaveLogged('frame: 60 bytes');
    expect(failure(() => expect(logging).toHaveLogged('ipv6')).replace(/now: .*/, 'now: …')).toMatchInlineSnapshot(`
      "expected a log line with ipv6
        log: now: …
        log: frame: 60 bytes, type 0800, 1454 to the full 1514
        log: ipv4: 192.0.2.1 > 192.0.2.2"
    `);
    expect(failure(() => expect(run).toHaveLogged('x'))).toMatchInlineSnapshot(`
      "expected a log line with x
        nothing was logged"
    `);
    expect(failure(() => expect(logging).not.toHaveLogged(/ipv4/)).split('\n')[0]).toMatchInlineSnapshot(`"expected not: a log line with /ipv4/"`);
  });
});

describe('toHaveNoLeaks', () => {
  it('shuts down and audits', () => {
    const fresh = createTestNic(object('reflector'));
    fresh.receive(udp);
    expect(fresh).toHaveNoLeaks();
    expect(fresh.network).toHaveNoLeaks();
    expect(failure(() => expect(fresh).not.toHaveNoLeaks()).split('\n')[0]).toMatchInlineSnapshot(`"expected not: no leaks"`);
  });
});

describe('metadata', () => {
  const contract = metadataContract('offload', { offload_flags: 'u32', csum_start: 'u16', csum_offset: 'u16' });

  it('toHaveMetadata reads it by a contract', () => {
    const written = loadProgram(object('meta_writer')).testRun({ data: udp });
    expect(written).toHaveMetadata(contract);
    expect(written).toHaveMetadata(contract, { csum_start: 34 });
    expect(written).not.toHaveMetadata(contract, { csum_start: 35 });
    expect(failure(() => expect(written).toHaveMetadata(contract, { csum_start: 38, csum_offset: 6 }))).toMatchInlineSnapshot(`
      "expected metadata of contract offload with {"csum_start":38,"csum_offset":6}
        csum_start at byte 4: expected 38, got 34
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        meta_writer returned XDP_PASS (2) after 66 instructions
        metadata: 0100000022000600"
    `);
    expect(failure(() => expect(run).toHaveMetadata(contract))).toMatchInlineSnapshot(`
      "expected metadata of contract offload, 8 bytes, got none
        in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
        switch_drop returned XDP_DROP (1) after 49 instructions"
    `);
    expect(failure(() => expect(written).not.toHaveMetadata(contract)).split('\n')[0]).toMatchInlineSnapshot(`"expected not: metadata of contract offload"`);
    expect(compared(() => expect(written).toHaveMetadata(contract, { csum_start: 38 }))).toEqual({ actual: { offload_flags: 1, csum_start: 34, csum_offset: 6 }, expected: { csum_start: 38 } });
    expect(() => expect(written).not.toHaveMetadata(contract, { csum_strat: 1 })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: contract offload: there is no field csum_strat; did you mean csum_start? its fields are offload_flags, csum_start, csum_offset]`);
  });

  it('toKeepContract compares it with a struct', () => {
    const program = loadProgram(object('tx_contract'));
    expect(program).toKeepContract(contract, 'struct tx_contract');
    const other = metadataContract('other', { offload_flags: 'u32', csum_start: 'be16', csum_offset: 'u16' });
    expect(program).not.toKeepContract(other, 'struct tx_contract');
    expect(failure(() => expect(program).toKeepContract(other, 'struct tx_contract'))).toMatchInlineSnapshot(`
      "expected struct tx_contract of fixtures/programs/tx_contract/tx_contract.o to keep contract other
        csum_start is in network byte order in the contract and in host byte order in the struct (network order is be16 here and __be16 there, host order u16 and __u16; convert with bpf_ntohs)"
    `);
    for (const assert of [() => expect(program).toKeepContract(contract, 'struct rx_contract'), () => expect(program).not.toKeepContract(contract, 'struct rx_contract')]) {
      expect(assert).toThrowErrorMatchingInlineSnapshot(`[ProblemError: contract struct rx_contract: the object has no struct rx_contract; check the name; the compiler leaves out what no map, variable or signature of a function uses: hand a pointer to it to a noinline function]`);
    }
    for (const fields of [undefined, ['mark'], 'u32']) expect(() => metadataContract('m', fields as never)).toThrow("metadataContract, fields: it can't be ");
    expect(() => metadataContract('odd', { flags: 'u8' })).toThrowErrorMatchingInlineSnapshot(`[ProblemError: contract odd: 1 bytes: the kernel takes multiples of 4 only (EACCES); add 3 bytes of padding]`);
  });
});

describe('a subject that a matcher can not look at', () => {
  const contract = metadataContract('c', { a: 'u32' });
  const ARGUMENTS: Record<keyof typeof matchers, readonly unknown[]> = {
    toHaveVerdict: ['XDP_PASS'], toDropPacket: [], toPassPacket: [], toTransmitPacket: [], toAbortPacket: [], toRedirectPacket: [], toEndAs: ['tx'], toRunWithin: [1], toEqualPacket: [udp],
    toHaveValidChecksums: [], toHaveElement: [1], toHaveSum: [1, 1], toHaveCounter: ['rx', 1], toHaveLogged: ['x'], toHaveNoLeaks: [], toHaveMetadata: [contract], toKeepContract: [contract, 'struct c'],
    toHaveNoXskFindings: [], toHaveXskFinding: ['lost-chunk'],
  };

  it.each(Object.entries(ARGUMENTS))('%s', (name, args) => {
    const matcher = matchers[name as keyof typeof matchers] as (received: unknown, ...args: readonly unknown[]) => MatcherResult;
    for (const received of [undefined, null, 7, 'packet', {}, [run], [], new Map(), Promise.resolve(run), { ok: true, value: run }]) expect(() => matcher(received, ...args)).toThrow(new RegExp(`^${name} looks at`));
  });

  it.each([
    ['a NIC', () => nic, 'toDropPacket looks at what testRun() or one of the packets that receive() gave, but got TestNic'],
    ['a list', () => [run, run], 'toDropPacket looks at what testRun() or one of the packets that receive() gave, but got a list of 2: take one out of it'],
    ['a promise', () => Promise.resolve(run), 'toDropPacket looks at what testRun() or one of the packets that receive() gave, but got a Promise: await it'],
    ['a result', () => ({ ok: true, value: run }), 'but got a result: unwrap() takes the value out'],
    ['no packet', () => nic.receive([])[0], 'toDropPacket looks at what testRun() or one of the packets that receive() gave, but got undefined'],
  ])('is named: %s', (_, received, text) => {
    expect(() => expect(received()).toDropPacket()).toThrow(text);
    expect(() => expect(received()).not.toDropPacket()).toThrow(text);
  });
});

describe('AF_XDP findings', () => {
  const receiver = (): { readonly nic: TestNic; readonly socket: XskSocket } => {
    const starving = createTestNic(object('xsk_redirect'), { profile: 'ice' });
    const umem = unwrap(XskUmem.create(starving.syscalls, starving.syscalls.mmapAnonymous(4 * 4096), 4 * 4096));
    const { fill } = umem.rings;
    fill.reserve(4);
    for (let i = 0; i < 4; i++) fill.setAddr(fill.index + i, i * 4096);
    fill.submit(4);
    const socket = unwrap(XskSocket.create(umem, starving.ifindex, 0, { bindFlags: XDP_COPY }));
    starving.maps.get('xsks_map').set(0, socket);
    return { nic: starving, socket };
  };

  it('of an application that is right: none', () => {
    const right = createTestNic(object('xsk_redirect'), { profile: 'ice', queues: 2, xsk: { application: l2fwd, mode: 'copy' } });
    right.receive(Array.from({ length: 20 }, () => udp));
    for (const received of [right, right.network, right.sockets, right.sockets[0]]) {
      expect(received).toHaveNoXskFindings();
      expect(received).not.toHaveXskFinding('lost-chunk');
    }
    expect(failure(() => expect(right).not.toHaveNoXskFindings())).toMatchInlineSnapshot(`"expected not: no AF_XDP findings"`);
    expect(failure(() => expect(right).toHaveXskFinding('lost-chunk'))).toMatchInlineSnapshot(`
      "expected AF_XDP finding lost-chunk
        there are none"
    `);
    expect(right).toHaveNoLeaks();
    expect(right).toHaveNoXskFindings();
    expect(right.network.finish().hosts[0]!.result).toHaveNoXskFindings();
  });

  it('are told with the way of the chunk, and how to mend them', () => {
    const { nic: starving, socket } = receiver();
    starving.receive(Array.from({ length: 6 }, () => udp));
    socket.rx.peek(4);
    socket.rx.release(4);
    for (const received of [starving, starving.network, starving.sockets, starving.sockets[0], socket, [socket]]) {
      expect(received).toHaveXskFinding('lost-chunk');
      expect(received).not.toHaveXskFinding('double-submission');
      expect(received).not.toHaveNoXskFindings();
      expect(received).not.toHaveNoXskFindings({ ignore: ['lost-chunk'] });
      expect(received).toHaveNoXskFindings({ ignore: ['lost-chunk', 'fill-starvation'] });
    }
    expect(failure(() => expect(starving).toHaveNoXskFindings())).toMatchInlineSnapshot(`
      "expected no AF_XDP findings, but there are 2
        warning fill-starvation (socket 0, queue 0, FILL, 2 times): FILL of queue 0 was empty when the kernel wanted a chunk, first at 50 us; of the chunks 4 with the RX ring
          mend it: read RX more often, or make the UMEM larger
        warning lost-chunk (socket 0, queue 0, FILL, 4 times): the application has 4 of 4 chunks and gives none of them to FILL, which is empty; chunk 0 since 50 us
          chunk 0: FILL slot 0 at 50 us, kernel at 50 us, RX slot 0 with packet 1 at 50 us, application at 50 us
          mend it: give each chunk back to FILL when its packet was read, or when it came back on COMPLETION"
    `);
    expect(failure(() => expect(starving).toHaveNoXskFindings({ ignore: ['fill-starvation'] }))).toMatchInlineSnapshot(`
      "expected no AF_XDP findings, but there is 1
        warning lost-chunk (socket 0, queue 0, FILL, 4 times): the application has 4 of 4 chunks and gives none of them to FILL, which is empty; chunk 0 since 50 us
          chunk 0: FILL slot 0 at 50 us, kernel at 50 us, RX slot 0 with packet 1 at 50 us, application at 50 us
          mend it: give each chunk back to FILL when its packet was read, or when it came back on COMPLETION
        not counted: fill-starvation"
    `);
    expect(failure(() => expect(starving).toHaveXskFinding('rx-not-read'))).toMatchInlineSnapshot(`
      "expected AF_XDP finding rx-not-read
        there are others:
        warning fill-starvation (socket 0, queue 0, FILL, 2 times): FILL of queue 0 was empty when the kernel wanted a chunk, first at 50 us; of the chunks 4 with the RX ring
          mend it: read RX more often, or make the UMEM larger
        warning lost-chunk (socket 0, queue 0, FILL, 4 times): the application has 4 of 4 chunks and gives none of them to FILL, which is empty; chunk 0 since 50 us
          chunk 0: FILL slot 0 at 50 us, kernel at 50 us, RX slot 0 with packet 1 at 50 us, application at 50 us
          mend it: give each chunk back to FILL when its packet was read, or when it came back on COMPLETION"
    `);
    expect(failure(() => expect(starving).not.toHaveXskFinding('lost-chunk'))).toMatchInlineSnapshot(`
      "expected not: AF_XDP finding lost-chunk
        warning lost-chunk (socket 0, queue 0, FILL, 4 times): the application has 4 of 4 chunks and gives none of them to FILL, which is empty; chunk 0 since 50 us
          chunk 0: FILL slot 0 at 50 us, kernel at 50 us, RX slot 0 with packet 1 at 50 us, application at 50 us
          mend it: give each chunk back to FILL when its packet was read, or when it came back on COMPLETION"
    `);
    expect(compared(() => expect(starving).toHaveNoXskFindings())).toEqual({ actual: ['fill-starvation', 'lost-chunk'], expected: [] });
  });

  it('of sockets that wait where nothing comes', () => {
    const idle = createTestNic(object('xsk_redirect'), { profile: 'ice', queues: 2 });
    const umem = unwrap(XskUmem.create(idle.syscalls, idle.syscalls.mmapAnonymous(4 * 4096), 4 * 4096));
    unwrap(XskSocket.create(umem, idle.ifindex, 1, { bindFlags: XDP_COPY, txSize: 0 }));
    idle.receive(ethernet().arp());
    expect(idle).toHaveXskFinding('idle-queue');
    expect(idle.network).toHaveXskFinding('idle-queue');
  });

  it('are not those of another NIC of the host', () => {
    const network = createTestNetwork({ hosts: { host: { objects: { xsk: object('xsk_redirect') }, nics: { eth0: { profile: 'ice' }, eth1: { profile: 'ice' } } } } });
    const [eth0, eth1] = network.nics as [TestNic, TestNic];
    const umem = unwrap(XskUmem.create(eth0.syscalls, eth0.syscalls.mmapAnonymous(4 * 4096), 4 * 4096));
    const socket = unwrap(XskSocket.create(umem, eth0.ifindex, 0, { bindFlags: XDP_COPY }));
    eth0.maps.get('xsks_map').set(0, socket);
    eth0.receive(udp);
    expect(eth0).toHaveXskFinding('fill-starvation');
    expect(eth1).toHaveNoXskFindings();
    expect(network).toHaveXskFinding('fill-starvation');
  });

  it('of a socket that is closed can be asked of its NIC only', () => {
    const { nic: closed, socket } = receiver();
    socket.delete();
    expect(() => expect(socket).toHaveNoXskFindings()).toThrow('toHaveNoXskFindings looks at sockets of a simulated host that are open: look before it is deleted, or at the NIC');
    expect(() => expect([]).toHaveNoXskFindings()).toThrow('a list of sockets with at least one in it, but got a list of 0');
    expect(closed).toHaveNoXskFindings({ ignore: ['fill-starvation'] });
  });

  it('are asked of sockets, not of what has them', () => {
    for (const received of [nic, nic.network, undefined, 'sockets', [nic]]) expect(() => xskFindings(received as never)).toThrow('xskFindings: this is no list of sockets as the kernel has them; give nic.sockets of a test NIC, or simulation.sockets');
  });
});

describe('what a matcher is told that can not be', () => {
  const contract = metadataContract('offload', { offload_flags: 'u32', csum_start: 'u16', csum_offset: 'u16' });
  const counted = (name: string) => {
    const program = loadProgram(object(name), { cpus: 2 });
    program.testRun({ data: udp });
    return program.maps.get('packets_by_source');
  };
  const forwarded = () => loadProgram(object('redirect_devmap'), { program: 'redirect_devmap' }).testRun({ data: udp });
  const written = () => loadProgram(object('meta_writer')).testRun({ data: udp });

  /** Plain JavaScript tells of nothing. */
  type Loose = Readonly<Record<keyof typeof matchers, (...args: readonly unknown[]) => void>>;
  const CASES: readonly (readonly [name: keyof typeof matchers, received: () => unknown, args: readonly unknown[], message: string])[] = [
    ['toHaveVerdict', () => run, ['XDP_DORP'], 'toHaveVerdict: there is no verdict XDP_DORP; did you mean XDP_DROP? use one of XDP_ABORTED, '],
    ['toHaveVerdict', () => run, [], 'toHaveVerdict: there is no verdict undefined; use one of XDP_ABORTED, '],
    ['toHaveVerdict', () => run, [1], 'toHaveVerdict: there is no verdict 1; use one of XDP_ABORTED, '],
    ['toEndAs', () => packet, ['stakc'], 'toEndAs: there is no outcome stakc; did you mean stack?'],
    ['toEndAs', () => packet, [], 'toEndAs: there is no outcome undefined; use one of stack, '],
    ['toRunWithin', () => run, [], "toRunWithin: the number of instructions can't be undefined; give a whole number from 0 on"],
    ['toRunWithin', () => run, ['200'], "toRunWithin: the number of instructions can't be 200"],
    ['toRedirectPacket', forwarded, [{ map: 'devcies' }], 'toRedirectPacket: there is no map for redirects devcies; did you mean devices? use one of devices'],
    ['toRedirectPacket', () => run, [{ map: 'devices' }], 'toRedirectPacket: there is no map for redirects devices; there are none'],
    ['toRedirectPacket', forwarded, [{ ifidnex: 4 }], 'toRedirectPacket: there is no option ifidnex; did you mean ifindex? use some of: ifindex, map, key'],
    ['toRedirectPacket', forwarded, ['devices'], "toRedirectPacket: it can't be devices; give an object with some of: ifindex, map, key"],
    ['toRedirectPacket', forwarded, [{ ifindex: 'eth0' }], "toRedirectPacket: the number of an interface can't be eth0"],
    ['toRedirectPacket', forwarded, [{ key: -1 }], "toRedirectPacket: a key can't be -1"],
    ['toEqualPacket', () => nat, [], 'packet: undefined is no packet'],
    ['toEqualPacket', () => nat, [udp, { ignored: [] }], 'toEqualPacket: there is no option ignored; did you mean ignore? use some of: ignore'],
    ['toEqualPacket', () => nat, [udp, { ignore: ['ipv4.tll'] }], 'toEqualPacket: no header has a field ipv4.tll; did you mean ipv4.ttl? ignore fields'],
    ['toEqualPacket', () => nat, [udp, { ignore: ['ip4.ttl'] }], 'toEqualPacket: no header has a field ip4.ttl; did you mean ipv4.ttl? ignore fields'],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', { packet: 1 }], "toHaveElement: value of map packets_by_source has no 'packet'; did you mean packets? it has packets, bytes"],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.9', { packet: 1 }], "toHaveElement: value of map packets_by_source has no 'packet'; did you mean packets? it has packets, bytes"],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', 1], 'toHaveElement: value of map packets_by_source is of type struct value and can\'t be 1; write {"member":value}'],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', undefined], "can't be undefined"],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', { packets: NaN }], 'value of map packets_by_source.packets is of type __u64'],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', { packets: -1 }], "packets: -1 doesn't fit in __u64"],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', { packets: 1 }, { packets: 2 }], 'toHaveElement takes a key and one value, but got 2'],
    ['toHaveElement', () => counted('count_hash'), ['192.0.2.1', Uint8Array.of(1)], 'toHaveElement: value of map packets_by_source has 16 bytes, not 1; give all of them'],
    ['toHaveElement', () => counted('count_hash'), [undefined], "key of map packets_by_source is of type __be32 and can't be undefined"],
    ['toHaveElement', () => loadProgram(object('multi'), { program: 'drop_udp' }).maps.get('dropped'), [256, 0], 'toHaveElement: map dropped has keys from 0 to 255, and never 256'],
    ['toHaveSum', () => loadProgram(object('multi'), { program: 'drop_udp' }).maps.get('dropped'), [1000, 0], 'toHaveSum: map dropped has keys from 0 to 255, and never 1000'],
    ['toHaveElement', () => counted('count_percpu'), ['192.0.2.1', { packets: 1 }], 'toHaveElement: map packets_by_source has one value for each of 2 CPUs; give a list of them, or look at their sum with toHaveSum'],
    ['toHaveElement', () => counted('count_percpu'), ['192.0.2.1', [{ packets: 1 }]], 'has one value for each of 2 CPUs'],
    ['toHaveElement', () => counted('count_percpu'), ['192.0.2.9', { packets: 1 }], 'has one value for each CPU'],
    ['toHaveElement', () => counted('count_percpu'), ['192.0.2.1', [{ packets: 7 }, { packet: 0 }]], "has no 'packet'; did you mean packets?"],
    ['toHaveSum', () => counted('count_percpu'), ['192.0.2.1', { packet: 1 }], "toHaveSum: value of map packets_by_source has no 'packet'; did you mean packets? it has packets, bytes"],
    ['toHaveSum', () => counted('count_percpu'), ['192.0.2.9', { packet: 1 }], "toHaveSum: value of map packets_by_source has no 'packet'"],
    ['toHaveSum', () => counted('count_percpu'), ['192.0.2.1', [{ packets: 1 }, { packets: 0 }]], "is of type struct value and can't be "],
    ['toHaveSum', () => counted('count_percpu'), ['192.0.2.1'], "can't be undefined"],
    ['toHaveCounter', () => nic, ['rx_queue_0_packet', 1], 'toHaveCounter, host.eth0: there is no counter rx_queue_0_packet; did you mean rx_queue_0_packets?'],
    ['toHaveCounter', () => nic, ['sent', 1], 'toHaveCounter, host.eth0: there is no counter sent; use one of rx_'],
    ['toHaveCounter', () => nic, ['rx_queue_0_packets'], "toHaveCounter: what is counted can't be undefined"],
    ['toHaveCounter', () => nic, ['rx_queue_0_packets', '1'], "toHaveCounter: what is counted can't be 1; give a whole number"],
    ['toHaveLogged', () => run, [], "toHaveLogged: a line can't be searched for undefined; give a text or a regular expression"],
    ['toHaveLogged', () => run, [5], "toHaveLogged: a line can't be searched for 5"],
    ['toHaveMetadata', written, [], "toHaveMetadata: the contract can't be undefined; give what metadataContract('name', { field: 'u32' }) gave"],
    ['toHaveMetadata', written, [{ csum_start: 'u16' }], "toHaveMetadata: the contract can't be an object with csum_start"],
    ['toHaveMetadata', written, [contract, { csum_strat: 1 }], 'contract offload: there is no field csum_strat; did you mean csum_start? its fields are offload_flags, '],
    ['toHaveMetadata', () => run, [contract, { csum_start: 70_000 }], "contract offload: csum_start can't hold 70000; it is unsigned, 2 bytes"],
    ['toHaveMetadata', written, [contract, { csum_start: 'x' }], "contract offload: csum_start can't hold x"],
    ['toHaveMetadata', written, [contract, 34], "toHaveMetadata, values: it can't be 34; give values by field"],
    ['toKeepContract', () => loadProgram(object('tx_contract')), [contract], "toKeepContract: the struct can't be undefined; give its name, such as 'struct tx_contract'"],
    ['toKeepContract', () => loadProgram(object('tx_contract')), ['offload', 'struct tx_contract'], "toKeepContract: the contract can't be offload; give what metadataContract"],
    ['toHaveNoXskFindings', () => nic, [{ ignore: ['lost-chunks'] }], 'toHaveNoXskFindings: there is no finding lost-chunks; did you mean lost-chunk?'],
    ['toHaveNoXskFindings', () => nic, [{ ignore: 'lost-chunk' }], "toHaveNoXskFindings: what is to be ignored is a list, such as { ignore: ['fill-starvation'] }"],
    ['toHaveNoXskFindings', () => nic, [['lost-chunk']], "toHaveNoXskFindings: it can't be a list of 1; give an object with some of: ignore"],
    ['toHaveXskFinding', () => nic, ['lost_chunk'], 'toHaveXskFinding: there is no finding lost_chunk; did you mean lost-chunk?'],
    ['toHaveXskFinding', () => nic, [], 'toHaveXskFinding: there is no finding undefined; use one of double-submission, '],
  ];

  it.each(CASES.map(([name, received, args, message]) => [name, message, received, args] as const))('is no failure but an error, with .not as well: %s says %s', (name, message, received, args) => {
    const subject = received();
    expect(() => (expect(subject) as unknown as Loose)[name](...args)).toThrow(message);
    expect(() => (expect(subject).not as unknown as Loose)[name](...args)).toThrow(message);
  });
});

describe('values of maps', () => {
  it('are taken as set takes them: numbers, addresses and bytes in any form, and lists that are short', () => {
    const map = loadProgram(object('count_hash')).maps.get('packets_by_source');
    map.set('192.0.2.1', { packets: 1, bytes: 60 });
    expect(map).toHaveElement('192.0.2.1', { packets: '0x1', bytes: 60n });
    expect(map).toHaveElement(Uint8Array.of(192, 0, 2, 1), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0));
    expect(map).not.toHaveElement('192.0.2.1', Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 0, 0, 0, 0));
    const servers = loadProgram(object('load_balancer'), { program: 'to_servers' }).maps.get<number, unknown>('servers');
    servers.set(1, { mac: Uint8Array.of(2, 0, 0, 0, 0, 7), is_up: true });
    expect(servers).toHaveElement(1, { mac: Uint8Array.of(2, 0, 0, 0, 0, 7) });
    expect(servers).toHaveElement(1, { mac: [2, 0, 0, 0, 0, 7], is_up: 1 });
    expect(servers).not.toHaveElement(1, { mac: [2, 0, 0, 0, 0, 8] });
    // What a list leaves out is zero, as set makes it.
    expect(servers).not.toHaveElement(1, { mac: [2] });
    expect(servers).toHaveElement(2, { mac: [] });
  });
});

describe('snapshots', () => {
  it('of runs and packets are their way and their bytes', () => {
    expect(nat).toMatchInlineSnapshot(`
      verdict: XDP_TX
      in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
      dnat returned XDP_TX (3) after 91 instructions
      out: IPv4 192.0.2.1:5000 > 198.51.100.10:53 UDP 5
      0000  02 00 00 00 00 02 02 00 00 00 00 01 08 00 45 00
      0010  00 21 00 00 00 00 40 11 8e 8d c0 00 02 01 c6 33
      0020  64 0a 13 88 00 35 00 0d bc 05 68 65 6c 6c 6f 00
      0030  00 00 00 00 00 00 00 00 00 00 00 00
    `);
    expect(packet).toMatchInlineSnapshot(`
      outcome: tx
      in:  IPv4 192.0.2.1:5000 > 192.0.2.2:53 UDP 5
      arrived at host, 60 bytes
      program returned XDP_TX
      ended at eth0, queue 0, as tx: sent back out of the same port by XDP_TX
      out: IPv4 192.0.2.2:53 > 192.0.2.1:5000 UDP 5
      0000  02 00 00 00 00 01 02 00 00 00 00 02 08 00 45 00
      0010  00 21 00 00 00 00 40 11 f6 c8 c0 00 02 02 c0 00
      0020  02 01 00 35 13 88 00 0d 24 41 68 65 6c 6c 6f 00
      0030  00 00 00 00 00 00 00 00 00 00 00 00
    `);
    expect([run, packet, nic.sent[0], udp, {}, null, 'x'].map((each) => runSerializer.test(each))).toEqual([true, true, false, false, false, false, false]);
  });
});
