import { isDeviceBound } from '../../src/vm/index.js';
import type { FixtureObject } from '../support/fixtures.js';

/** What is set before the first packet, equally on all sides. */
export interface Variant {
  readonly name: string;
  /** Bytes of global variables by name, `.rodata` included. */
  readonly variables?: Readonly<Record<string, Uint8Array>>;
  /** Map entries; a value of a per-CPU map is given to every CPU. */
  readonly entries?: readonly { readonly map: string; readonly key: Uint8Array; readonly value: Uint8Array }[];
  /** Slots of PROG_ARRAYs. */
  readonly programs?: readonly { readonly map: string; readonly index: number; readonly program: string }[];
  /** Entries of DEVMAPs and CPUMAPs: ifindex or queue size, and a program or none. */
  readonly targets?: readonly { readonly map: string; readonly key: number; readonly target: number; readonly program?: string }[];
  /** An AF_XDP socket in slot 0 of every XSKMAP. */
  readonly sockets?: boolean;
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replace(/[^0-9a-f]/g, ''), 'hex'));
const u16 = (value: number): Uint8Array => new Uint8Array(Uint16Array.of(value).buffer);
const u32 = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer);
const u64 = (value: number): Uint8Array => new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);

const TRUE = Uint8Array.of(1);
const XDP_TX = 3;

/** Addresses of the fixture captures, in network order. */
const CLIENT_IPV4 = bytes('c0 00 02 01');
const SERVER_IPV4 = bytes('c0 00 02 02');

// struct xdp_dispatcher_config of libxdp 1.3.1: u8 magic, dispatcher_version, num_progs_enabled, is_xdp_frags; u32
// chain_call_actions[10], run_prios[10], program_flags[10]. A slot that no program is attached to returns 31, and the next one is
// called if bit 31 of the slot's actions is set.
function dispatcherConfig(programCount: number, chainCallActions: readonly number[]): Uint8Array {
  const config = new Uint8Array(124);
  config[2] = programCount;
  config.set(u32(...chainCallActions), 4);
  return config;
}

const CALL_NEXT = 2 ** 31;

// xdp-filter (xdp-tools 1.3.1): a value is a count above six bits of flags: 1 source, 2 destination, 4 TCP, 8 UDP.
const PORT_FILTERS = [
  { map: 'filter_ports', key: bytes('0035 0000'), value: u64(15) },
  { map: 'filter_ports', key: bytes('1f90 0000'), value: u64(6) },
  { map: 'filter_ports', key: bytes('0007 0000'), value: u64(9) },
];
const IP_FILTERS = [
  { map: 'filter_ipv4', key: CLIENT_IPV4, value: u64(1) },
  { map: 'filter_ipv4', key: SERVER_IPV4, value: u64(2) },
  { map: 'filter_ipv6', key: bytes('20010db8 0000000000000000 00000001'), value: u64(3) },
];
const ETHERNET_FILTERS = [
  { map: 'filter_ethernet', key: bytes('020000000001'), value: u64(1) },
  { map: 'filter_ethernet', key: bytes('ffffffffffff'), value: u64(2) },
];

function filled(...entries: NonNullable<Variant['entries']>): Variant[] {
  return [{ name: 'maps filled', entries }];
}

const XSK_VARIANTS: readonly Variant[] = [
  { name: 'socket on queue 0', sockets: true },
  { name: 'socket on queue 0, refcnt 0', sockets: true, variables: { refcnt: u32(0) } },
];

const LOOPBACK = 1;
const [BPF_F_BROADCAST, BPF_F_EXCLUDE_INGRESS] = [8, 16];

/** Every second slot of the DEVMAPs of redirect_devmap. */
const DEVICES: NonNullable<Variant['targets']> = [0, 2, 4, 6].flatMap((key) => ['devices', 'plain_devices', 'jumbo_devices'].map((map) => ({ map, key, target: LOOPBACK })));
const EGRESS_PROGRAMS: NonNullable<Variant['targets']> = [
  { map: 'devices', key: 6, target: LOOPBACK, program: 'egress' },
  { map: 'jumbo_devices', key: 6, target: LOOPBACK, program: 'egress_jumbo' },
];
/** The last four bytes of 02:00:00:00:00:01 and of 02:00:00:00:00:02, as a little-endian number. */
const STATIONS: NonNullable<Variant['targets']> = [
  { map: 'stations', key: 0x01000000, target: LOOPBACK },
  { map: 'stations', key: 0x02000000, target: LOOPBACK },
];

/** What an object is tried with besides its own values, by path. */
const VARIANTS: Readonly<Record<string, readonly Variant[]>> = {
  'csum_diff/csum_diff.o': [
    { name: 'the server is inside', variables: { inside_address: SERVER_IPV4, outside_address: bytes('ff ff ff ff') } },
  ],
  'dnat/dnat.o': [
    { name: 'transmit', variables: { transmit: TRUE } },
    { name: 'the client is virtual', variables: { virtual_address: CLIENT_IPV4, backend_address: bytes('00 00 00 00') } },
  ],
  'redirect_cpumap/redirect_cpumap.o': [
    { name: 'a queue for CPU 0', targets: [{ map: 'cpus', key: 0, target: 192 }, { map: 'jumbo_cpus', key: 0, target: 16384 }] },
    { name: 'with programs', targets: [{ map: 'cpus', key: 0, target: 1, program: 'on_cpu' }, { map: 'jumbo_cpus', key: 0, target: 1, program: 'on_cpu_jumbo' }] },
  ],
  'redirect_devmap/redirect_devmap.o': [
    { name: 'every second slot', targets: DEVICES },
    { name: 'programs in entries', targets: [...DEVICES, ...EGRESS_PROGRAMS] },
    { name: 'broadcast', variables: { redirect_flags: u64(BPF_F_BROADCAST) } },
    { name: 'broadcast without ingress', targets: DEVICES, variables: { redirect_flags: u64(BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS) } },
    { name: 'exclusion without broadcast', targets: DEVICES, variables: { redirect_flags: u64(BPF_F_EXCLUDE_INGRESS | XDP_TX) } },
    { name: 'a flag that is none', targets: DEVICES, variables: { redirect_flags: u64(32) } },
  ],
  'redirect_devmap_hash/redirect_devmap_hash.o': [
    { name: 'two stations', targets: STATIONS },
    { name: 'two stations, one with a program', targets: [...STATIONS, { map: 'stations', key: 0x02000000, target: LOOPBACK, program: 'out' }] },
    { name: 'two stations, no flooding', targets: STATIONS, variables: { flood: Uint8Array.of(0) } },
  ],
  'switch_drop/switch_drop.o': [
    { name: 'drop_all', variables: { drop_all: TRUE } },
    { name: 'drop_udp_port 0', variables: { drop_udp_port: u16(0) } },
    { name: 'drop_all, drop_verdict TX', variables: { drop_all: TRUE, drop_verdict: u32(XDP_TX) } },
  ],
  'tail_calls/tail_calls.o': [
    { name: 'jmp_table[0] = xdp_entry', programs: [{ map: 'jmp_table', index: 0, program: 'xdp_entry' }] },
    { name: 'jmp_table[0] = stage_udp', programs: [{ map: 'jmp_table', index: 0, program: 'stage_udp' }] },
  ],
  'vlan_push/vlan_push.o': [{ name: 'vlan_id 4095, transmit', variables: { vlan_id: u16(4095), transmit: TRUE } }],
  'xdp-tools/xdp-dispatcher.o': [
    { name: 'ten programs', variables: { conf: dispatcherConfig(10, Array.from({ length: 10 }, () => CALL_NEXT)) } },
    { name: 'the second of three ends it', variables: { conf: dispatcherConfig(3, [CALL_NEXT, 0, CALL_NEXT]) } },
  ],
  'xdp-tools/xdpfilt_alw_all.o': filled(...PORT_FILTERS, ...IP_FILTERS, ...ETHERNET_FILTERS),
  'xdp-tools/xdpfilt_alw_eth.o': filled(...ETHERNET_FILTERS),
  'xdp-tools/xdpfilt_alw_ip.o': filled(...IP_FILTERS),
  'xdp-tools/xdpfilt_alw_tcp.o': filled(...PORT_FILTERS),
  'xdp-tools/xdpfilt_alw_udp.o': filled(...PORT_FILTERS),
  'xdp-tools/xdpfilt_dny_all.o': filled(...PORT_FILTERS, ...IP_FILTERS, ...ETHERNET_FILTERS),
  'xdp-tools/xdpfilt_dny_eth.o': filled(...ETHERNET_FILTERS),
  'xdp-tools/xdpfilt_dny_ip.o': filled(...IP_FILTERS),
  'xdp-tools/xdpfilt_dny_tcp.o': filled(...PORT_FILTERS),
  'xdp-tools/xdpfilt_dny_udp.o': filled(...PORT_FILTERS),
  'xdp-tools/xsk_def_xdp_prog.o': XSK_VARIANTS,
  'xdp-tools/xsk_def_xdp_prog_5.3.o': XSK_VARIANTS,
  'xsk_redirect/xsk_redirect.o': [{ name: 'socket on queue 0', sockets: true }],
  'xsk_steer/xsk_steer.o': [
    { name: 'sockets', sockets: true },
    { name: 'sockets, 4 bytes less', sockets: true, variables: { tail_change: u32(-4) } },
    { name: 'sockets, 4 bytes more', sockets: true, variables: { tail_change: u32(4) } },
  ],
};

/** One program under one variant. */
export interface Subject {
  readonly object: FixtureObject;
  readonly program: string;
  readonly variant: Variant;
  /** Everything of the three in one line. */
  readonly name: string;
}

/** Every XDP program of these objects that a test run takes, as it is and under each variant of its object. */
export function subjectsOf(objects: readonly FixtureObject[]): Subject[] {
  for (const file of Object.keys(VARIANTS)) {
    if (!objects.some((object) => object.file === file)) throw new Error(`subjectsOf: there is no object ${file} for its variants`);
  }
  return objects.flatMap((object) => {
    const programs = object.spec.programs.filter((program) => program.type === 'xdp' && !isDeviceBound(program));
    const variants = [{ name: 'as it is' }, ...(VARIANTS[object.file] ?? [])];
    return programs.flatMap(({ name: program }) =>
      variants.map((variant) => ({ object, program, variant, name: `${object.file}, ${program}, ${variant.name}` })),
    );
  });
}
