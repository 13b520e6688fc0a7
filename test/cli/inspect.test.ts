import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runCommandLine } from '../../src/cli/commandLine.js';
import type { InspectReport } from '../../src/report/index.js';
import { temporaryFolder } from '../support/temporaryFolder.js';

// The commands `sim inspect` and `sim disasm` as people call them.

const folder = temporaryFolder();
const TAIL_CALLS = 'fixtures/programs/tail_calls/tail_calls.o';
const COUNT_PERCPU = 'fixtures/programs/count_percpu/count_percpu.o';

interface Output {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

async function sim(...argv: readonly string[]): Promise<Output> {
  let out = '';
  let err = '';
  const terminal = { out: { write: (text: string) => (out += text) }, err: { write: (text: string) => (err += text) }, env: {}, nowMs: () => 0 };
  const exitCode = await runCommandLine(argv, terminal);
  return { exitCode, out, err };
}

describe('sim inspect', () => {
  it('shows three programs that tail-call each other, and what the object puts into the PROG_ARRAY', async () => {
    const { exitCode, out, err } = await sim('inspect', TAIL_CALLS);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toMatchInlineSnapshot(`
      "fixtures/programs/tail_calls/tail_calls.o: 3 programs, all of them run here
        licence Dual MIT/GPL (GPL-compatible), with BTF, 3 maps, 0 global variables

      Program stage_ipv4: runs
        section       SEC("xdp"), BPF_XDP
        instructions  43, -mcpu=v3
        stack         16 bytes
        helpers       bpf_map_lookup_elem, bpf_tail_call
        maps          stage_hits, stages

      Program stage_udp: runs
        section       SEC("xdp"), BPF_XDP
        instructions  46, -mcpu=v3
        stack         16 bytes
        helpers       bpf_map_lookup_elem, bpf_tail_call
        maps          stage_hits, jmp_table

      Program xdp_entry: runs
        section       SEC("xdp"), BPF_XDP
        instructions  31, -mcpu=v3
        stack         16 bytes
        helpers       bpf_map_lookup_elem, bpf_tail_call
        maps          stage_hits, stages

      Maps
                    type        entries  key        value      flags
        stages      PROG_ARRAY        4  4 bytes    4 bytes
        jmp_table   PROG_ARRAY        4  4 bytes    4 bytes
        stage_hits  ARRAY             3  __u32 (4)  __u64 (8)
        stages[0] = stage_ipv4
        stages[1] = stage_udp

      Needs
        helpers    bpf_map_lookup_elem, bpf_tail_call
        map types  ARRAY, PROG_ARRAY
      "
    `);
  });

  it('shows per-CPU maps and the struct in them', async () => {
    const { exitCode, out, err } = await sim('inspect', COUNT_PERCPU);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toMatchInlineSnapshot(`
      "fixtures/programs/count_percpu/count_percpu.o: 1 program, which runs here
        licence Dual MIT/GPL (GPL-compatible), with BTF, 2 maps, 0 global variables

      Program count_percpu: runs
        section       SEC("xdp"), BPF_XDP
        instructions  82, -mcpu=v3
        stack         32 bytes
        helpers       bpf_map_lookup_elem (3 calls), bpf_map_update_elem
        maps          packets_by_source, packets_by_protocol

      Maps
                             type          entries  key         value              flags
        packets_by_source    PERCPU_HASH     1,024  __be32 (4)  struct value (16)
        packets_by_protocol  PERCPU_ARRAY      256  __u32 (4)   struct value (16)

      Types of maps and global variables
        struct value {
            __u64 packets;
            __u64 bytes;
        }; /* 16 bytes */

      Needs
        helpers    bpf_map_lookup_elem, bpf_map_update_elem
        map types  PERCPU_HASH, PERCPU_ARRAY
      "
    `);
  });

  it('--json is the report of schema 1, and nothing else is on standard output', async () => {
    const { exitCode, out, err } = await sim('inspect', COUNT_PERCPU, '--json');
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    const report = JSON.parse(out) as InspectReport;
    expect(report).toMatchObject({ schema: 1, object: COUNT_PERCPU, license: 'Dual MIT/GPL', gpl_compatible: true, btf: true });
    expect(report.programs.map(({ name, runs, problem }) => ({ name, runs, problem }))).toEqual([{ name: 'count_percpu', runs: true, problem: null }]);
  });

  it.each([
    { object: 'unsupported_map', code: 'unsupported-map-type', says: ['map stacks has type STACK_TRACE', 'unsupported_map.c:17', 'STACK_TRACE (NOT SUPPORTED)'] },
    { object: 'unsupported_helper', code: 'helper-not-for-xdp', says: ['bpf_skb_load_bytes is not for XDP', 'unsupported_helper.c:10', 'use bpf_xdp_load_bytes', 'bpf_skb_load_bytes (NOT SUPPORTED)'] },
    { object: 'no_xdp', code: 'program-not-xdp', says: ['section tc holds no XDP program', 'SEC("tc"), not XDP'] },
  ])('reads $object.o and says why its program can\'t run', async ({ object, code, says }) => {
    const { exitCode, out, err } = await sim('inspect', `fixtures/bad/${object}.o`);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toContain(`${object}.o: 1 program, which can't run here`);
    expect(out).toContain(`Program ${object}: CAN'T RUN`);
    for (const text of says) expect(out).toContain(text);
    const report = JSON.parse((await sim('inspect', `fixtures/bad/${object}.o`, '--json')).out) as InspectReport;
    expect(report.programs).toMatchObject([{ name: object, runs: false, problem: { code } }]);
  });
});

describe('sim disasm', () => {
  it('interleaves source lines, and names maps, helpers and where jumps lead', async () => {
    const { exitCode, out, err } = await sim('disasm', TAIL_CALLS, '--prog', 'xdp_entry');
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toMatchInlineSnapshot(`
      "Program xdp_entry: SEC("xdp"), 31 instructions

      xdp_entry:
      ; ./programs/tail_calls/tail_calls.c:58  int xdp_entry(struct xdp_md *ctx)
         0: r6 = r1
      ; ./programs/tail_calls/../parse.h:34  .end = (void *)(long)ctx->data_end,
         1: r2 = *(u32 *)(r6 +4)
      ; ./programs/tail_calls/../parse.h:33  .pos = (void *)(long)ctx->data,
         2: r1 = *(u32 *)(r6 +0)
      ; ./programs/tail_calls/../parse.h:43  if (start + len > c->end)
         3: r3 = r1
         4: r3 += 14
         5: r7 = 0
         6: if r3 > r2 goto pc+1 <8>
         7: r7 = r1
         8: w1 = 2
         9: *(u32 *)(r10 -4) = r1
        10: r2 = r10
        11: r2 += -4
      ; ./programs/tail_calls/tail_calls.c:51  __u64 *hits = bpf_map_lookup_elem(&stage_hits, &stage);
        12: r1 = map[name:stage_hits]
        14: call bpf_map_lookup_elem#1
      ; ./programs/tail_calls/tail_calls.c:53  if (hits)
        15: if r0 == 0x0 goto pc+2 <18>
        16: r1 = 1
      ; ./programs/tail_calls/tail_calls.c:54  __sync_fetch_and_add(hits, 1);
        17: lock *(u64 *)(r0 +0) += r1
      ; ./programs/tail_calls/tail_calls.c:64  if (eth && eth->h_proto == bpf_htons(ETH_P_IP))
        18: if r7 == 0x0 goto pc+10 <29>
        19: r1 = *(u8 *)(r7 +12)
        20: r2 = *(u8 *)(r7 +13)
        21: w2 <<= 8
        22: w2 |= w1
        23: if w2 != 0x8 goto pc+5 <29>
      ; ./programs/tail_calls/tail_calls.c:65  bpf_tail_call(ctx, &stages, STAGE_IPV4);
        24: r1 = r6
        25: r2 = map[name:stages]
        27: w3 = 0
        28: call bpf_tail_call#12
      ; ./programs/tail_calls/tail_calls.c:66  return XDP_PASS;
        29: w0 = 2
        30: exit
      "
    `);
  });

  it('shows every program when none is named', async () => {
    const { out } = await sim('disasm', TAIL_CALLS);
    expect(out.match(/^Program \w+/gm)).toEqual(['Program stage_ipv4', 'Program stage_udp', 'Program xdp_entry']);
  });
});

describe('what is no usable object: one line on standard error, exit status 2, nothing on standard output', () => {
  const cut = folder.write('cut.o', readFileSync(TAIL_CALLS).subarray(0, 1000));
  const text = folder.write('notes.txt', 'this is no object\n');
  const cases = [
    { name: 'for another machine', path: 'fixtures/bad/x86_64.o', says: 'x86-64, not for BPF' },
    { name: 'big-endian', path: 'fixtures/bad/big_endian.o', says: 'big-endian' },
    { name: 'missing', path: 'no/such.o', says: 'there is no such file' },
    { name: 'a directory', path: 'fixtures', says: 'this is a directory' },
    { name: 'a text', path: text, says: 'not an ELF' },
    { name: 'cut off', path: cut, says: 'cut.o' },
  ];
  it.each(cases.flatMap((each) => ['inspect', 'disasm'].map((command) => ({ ...each, command }))))('sim $command: $name', async ({ command, path, says }) => {
    const { exitCode, out, err } = await sim(command, path);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toMatch(/^sim: [^\n]+\n$/);
    expect(err).toContain(says);
  });

  it('sim disasm: a program that is not there', async () => {
    const { exitCode, out, err } = await sim('disasm', TAIL_CALLS, '--prog', 'nope');
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toBe(`sim: ${TAIL_CALLS}: there is no program nope; choose with --prog one of: stage_ipv4, stage_udp, xdp_entry\n`);
  });
});
