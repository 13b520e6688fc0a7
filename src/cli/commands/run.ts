import type { ArgumentsCamelCase, InferredOptionTypes } from 'yargs';
import { FAULT_KINDS, PROFILES } from '../../nic/index.js';
import { counted, isClean, loadDriverModule, ProgressLine, RUN_DEFAULTS, runCapture, runText, runVerdict, speed } from '../../report/index.js';
import { XSK_APPLICATIONS, XSK_DEFAULTS } from '../../sim/index.js';
import type { Command, OptionTable } from '../command.js';
import { EXIT_FAILED, EXIT_OK } from '../exitCodes.js';
import { headingStyle, reportProblem, tell } from '../output.js';
import type { Terminal } from '../output.js';
import { KERNEL_OPTION, TARGET_KERNEL_OPTIONS } from '../targetKernelOptions.js';

const OPTIONS = {
  pcap: { type: 'string', demandOption: true, describe: 'capture to play, pcap or pcapng', group: 'Program:' },
  chain: { type: 'string', array: true, nargs: 1, describe: 'PROGRAM or PROGRAM:priority=10,actions=XDP_PASS+XDP_DROP: a program of a dispatcher\'s chain, when objects have several or say otherwise, see docs/dispatcher.md', group: 'Program:' },
  dispatcher: { type: 'string', describe: 'FILE.o: dispatcher for the chain, such as libxdp\'s xdp-dispatcher.o (one that is built in)', group: 'Program:' },
  prog: { type: 'string', describe: 'program to attach, when the object has several', group: 'Program:' },
  set: { type: 'string', array: true, nargs: 1, describe: 'VAR=VALUE: set a global variable', group: 'Program:' },
  map: { type: 'string', array: true, nargs: 1, describe: 'NAME=FILE.json: fill a map; the file is [{"key": 1, "value": 2}, ...], see docs/report.md', group: 'Program:' },
  'map-size': { type: 'string', array: true, nargs: 1, describe: 'NAME=N: max_entries of a map, for objects that leave it to user space', group: 'Program:' },
  'inner-map': { type: 'string', array: true, nargs: 1, describe: 'NAME=MAP or NAME=hash:4:8:100 (key, value, max_entries): what the maps in a map of maps are like, for objects that leave it to user space', group: 'Program:' },
  ...KERNEL_OPTION,
  ...TARGET_KERNEL_OPTIONS,
  network: { type: 'string', describe: 'FILE.json: routes, neighbours, sockets and connections for bpf_fib_lookup and its like, see docs/network.md', group: 'Program:' },
  engine: { type: 'string', default: RUN_DEFAULTS.engine as string, describe: 'what executes the program: jit, or interpreter, the reference', group: 'Program:' },
  budget: { type: 'number', describe: 'instructions that one packet may cost (10,000,000); the JIT counts at the ends of loops and at calls', group: 'Program:' },
  seed: { type: 'number', default: RUN_DEFAULTS.seed as number, describe: 'seed of all randomness', group: 'Program:' },
  nic: { type: 'string', default: RUN_DEFAULTS.nic as string, describe: `NIC profile: ${PROFILES.map(({ name }) => name).join(', ')}`, group: 'NIC:' },
  driver: { type: 'string', describe: 'FILE.js: a driver of your own for the NIC, see docs/write-a-driver.md', group: 'NIC:' },
  mode: { type: 'string', default: RUN_DEFAULTS.mode as string, describe: 'where the program runs: native (in the driver), offload (in the NIC), generic (in the stack), or auto, as ip link set DEV xdp: native if the driver has it, and its refusal is final', group: 'NIC:' },
  feature: { type: 'string', array: true, nargs: 1, describe: 'what else is switched on in the NIC, which its driver may refuse programs for: lro, sr-iov and so on, see docs/xdp.md', group: 'NIC:' },
  queues: { type: 'number', describe: 'receive and transmit queues (4, or as many as the NIC has)', group: 'NIC:' },
  cpus: { type: 'number', describe: 'CPUs that per-CPU maps have values for, 1 to 256 (one a queue)', group: 'NIC:' },
  'rx-ring': { type: 'number', describe: "RX descriptors of a queue (the NIC's default; its limits: sim nic show NAME)", group: 'NIC:' },
  'tx-ring': { type: 'number', describe: 'TX descriptors of a queue', group: 'NIC:' },
  mtu: { type: 'number', default: RUN_DEFAULTS.mtu as number, describe: 'MTU of the NIC; above what one buffer takes (plain: 3498) the program must be in SEC("xdp.frags")', group: 'NIC:' },
  headroom: { type: 'number', describe: "bytes before the packet, where the driver lets them be set (the NIC's default)", group: 'NIC:' },
  'xdp-tx-contract': { type: 'string', describe: "checksum or none: whether the driver honours the private contract about checksums on XDP_TX, see docs/metadata.md (the NIC's: r8169-xdp does)", group: 'NIC:' },
  dma: { type: 'string', default: RUN_DEFAULTS.dma as string, describe: "coherent, as on x86, or non-coherent: the CPU sees what the device wrote only after a sync", group: 'NIC:' },
  offload: { type: 'string', array: true, nargs: 1, describe: 'NAME=on|off: rxChecksum, rxVlanStrip, rxTimestamp or rxHash, as ethtool -K sets them', group: 'NIC:' },
  fault: { type: 'string', array: true, nargs: 1, describe: `KIND or KIND:rate=0.01,at=1ms..2ms,for=10us: what goes wrong in the NIC, see docs/faults.md; kinds: ${FAULT_KINDS.map(({ kind }) => kind).join(', ')}`, group: 'NIC:' },
  watchdog: { type: 'string', describe: "period of the driver's watchdog, such as 2s (none)", group: 'NIC:' },
  'rx-usecs': { type: 'number', describe: "interrupt moderation, microseconds (the driver's own)", group: 'NIC:' },
  'launch-time-queue': { type: 'number', array: true, nargs: 1, describe: 'transmit queue that sends frames at the launch times that their metadata asks for, as tc qdisc ... etf offload sets it up (igc); see docs/nic.md', group: 'NIC:' },
  xsk: { type: 'string', default: RUN_DEFAULTS.xsk as string, describe: `AF_XDP application on every queue: none, auto (rxdrop when there is an XSKMAP, else none), ${Object.entries(XSK_APPLICATIONS).map(([name, { text }]) => `${name} ${text}`).join(', ')}. Options follow a colon, txonly:count=10,size=64; see docs/af-xdp.md`, group: 'AF_XDP:' },
  'xsk-mode': { type: 'string', describe: 'auto (zero copy if the driver can), copy or zerocopy', group: 'AF_XDP:' },
  'xsk-frames': { type: 'number', describe: `chunks of each socket's UMEM (${XSK_DEFAULTS.chunkCount})`, group: 'AF_XDP:' },
  'xsk-frame-size': { type: 'number', describe: `bytes of a chunk: 2048, 4096 or, unaligned, anything between (${XSK_DEFAULTS.chunkSizeBytes})`, group: 'AF_XDP:' },
  'xsk-headroom': { type: 'number', describe: `bytes of a chunk between XDP's own 256 and the packet (${XSK_DEFAULTS.headroomBytes})`, group: 'AF_XDP:' },
  'xsk-unaligned': { type: 'boolean', describe: 'chunks may begin anywhere (XDP_UMEM_UNALIGNED_CHUNK_FLAG)', group: 'AF_XDP:' },
  'xsk-rings': { type: 'string', describe: `N, or rx=N,tx=N,fill=N,comp=N: entries of the rings, powers of two (${XSK_DEFAULTS.rings.rx}, FILL ${XSK_DEFAULTS.rings.fill})`, group: 'AF_XDP:' },
  'xsk-need-wakeup': { type: 'boolean', describe: 'drivers sleep until a system call wakes them (XDP_USE_NEED_WAKEUP)', group: 'AF_XDP:' },
  'xsk-sg': { type: 'boolean', describe: 'packets may take several chunks (XDP_USE_SG)', group: 'AF_XDP:' },
  'xsk-tx-metadata': { type: 'number', describe: 'bytes of struct xsk_tx_metadata before packets to be sent (what the application needs)', group: 'AF_XDP:' },
  'xsk-memlock': { type: 'number', describe: 'bytes that applications may lock for UMEMs, RLIMIT_MEMLOCK without CAP_IPC_LOCK (no limit)', group: 'AF_XDP:' },
  'xsk-quirks': { type: 'boolean', describe: 'sockets also do what looks like mistakes of the kernel; see docs/af-xdp.md', group: 'AF_XDP:' },
  'xsk-sw-csum': { type: 'boolean', describe: 'checksums that the metadata asks for are computed by the CPU (XDP_UMEM_TX_SW_CSUM)', group: 'AF_XDP:' },
  event: { type: 'string', array: true, nargs: 1, describe: 'MAP="struct NAME": decode what goes through a RINGBUF or PERF_EVENT_ARRAY by a type of the object', group: 'Report:' },
  json: { type: 'boolean', default: false, describe: 'print the report as JSON', group: 'Report:' },
  out: { type: 'string', describe: 'directory for pcapng files by destination, made if need be: replaces stack, tx, xsk, xsk-tx and dropped.pcapng in it', group: 'Report:' },
  'rings-at': { type: 'string', describe: 'TIME[,TIME] or packet:N: show the rings of AF_XDP sockets at these moments, such as 1.5ms,packet:12, see docs/af-xdp.md', group: 'Report:' },
  meta: { type: 'string', describe: '"struct NAME" of the object: read the metadata of packets for the stack and for sockets by it, see docs/metadata.md', group: 'Report:' },
  'verify-checksums': { type: 'boolean', default: false, describe: 'look at the checksums of every packet that goes on its way; one that became wrong is a failure', group: 'Report:' },
  'record-cases': { type: 'string', describe: 'case file to write, a case for each packet (docs/cases.md)', group: 'Report:' },
} as const satisfies OptionTable;

/** What yargs makes of OPTIONS. */
type RunArguments = ArgumentsCamelCase<InferredOptionTypes<typeof OPTIONS>> & { readonly object: readonly string[] };

/** `sim run OBJECT --pcap FILE`. */
export const runCommand: Command = {
  name: 'run',
  describe: 'run an XDP program over a capture, through a NIC',
  positionals: [['object', 'compiled BPF object (clang -O2 -g -target bpf); several are chained as libxdp does, see docs/dispatcher.md']],
  variadic: true,
  options: OPTIONS,
  examples: [
    ['sim run prog.o --pcap trace.pcap', 'see where each packet goes'],
    ['sim run prog.o --pcap t.pcap --out ends', 'and look at them in Wireshark'],
    ['sim run prog.o --pcap t.pcap --set on=1', 'set a global variable first'],
    ['sim run prog.o --pcap t.pcap --json', 'for scripts and diffs'],
  ],
  epilogue: 'Exit status: 0 fine; 1 the program faulted, the audit failed, a checksum became wrong or metadata breaks its contract; 2 wrong usage, or a file that can\'t be used.',
  run: (terminal, args) => run(terminal, args as unknown as RunArguments),
};

async function run(terminal: Terminal, args: RunArguments): Promise<number> {
  const driver = args.driver === undefined ? undefined : await loadDriverModule(args.driver);
  if (driver !== undefined && !driver.ok) return reportProblem(terminal, driver.problem);
  const { err, env, nowMs } = terminal;
  const progress = new ProgressLine(err.isTTY === true && env.TERM !== 'dumb' ? (text) => err.write(text) : undefined, nowMs);
  const result = runCapture(
    { ...args, object: args.object.length === 1 ? args.object[0] : args.object, program: args.prog, instructionBudget: args.budget, set: args.set ?? [], map: args.map ?? [], offload: args.offload ?? [], fault: args.fault ?? [], driver: driver?.value },
    (packets) => progress.update(packets),
    () => {
      progress.clear();
      tell(terminal, 'the program used up its instruction budget at 16 packets; the run goes on, which may take long: lower --budget, or press Ctrl-C');
    },
  );
  const { elapsedMs } = progress;
  progress.clear();
  if (!result.ok) return reportProblem(terminal, result.problem);
  const report = result.value;
  terminal.out.write(args.json ? `${JSON.stringify(report, undefined, 2)}\n` : runText(report, headingStyle(terminal)));
  if (args.out !== undefined) tell(terminal, `captures by destination are in ${args.out}`);
  tell(terminal, `${counted(report.packets.received, 'packet')} in ${(elapsedMs / 1000).toFixed(2)} s, ${speed(report.packets.received, elapsedMs)}`);
  if (isClean(report)) return EXIT_OK;
  tell(terminal, runVerdict(report));
  return EXIT_FAILED;
}
