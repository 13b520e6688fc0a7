import { closestTo, fail, ok } from '../base/index.js';
import type { Problem, Result } from '../base/index.js';
import { MAX_XSK_CHUNKS, readXskApplication, XSK_APPLICATIONS, XSK_BIND_MODES, XSK_DEFAULTS } from '../sim/index.js';
import type { XskBindMode, XskRingSizes, XskSettings, XskSpec } from '../sim/index.js';
import { mapTypeName } from '../vm/index.js';
import type { ObjectSpec } from '../vm/index.js';

/** What `sim run` can be told of AF_XDP sockets; what is left out is XSK_DEFAULTS. */
export interface XskOptions {
  /** `auto`, `none`, or an application, `NAME` or `NAME:option=value,...`. */
  readonly xsk: string;
  readonly xskMode?: string | undefined;
  /** Chunks of each UMEM. */
  readonly xskFrames?: number | undefined;
  /** Bytes of a chunk, and of the headroom in it that is the application's. */
  readonly xskFrameSize?: number | undefined;
  readonly xskHeadroom?: number | undefined;
  /** `N` or `rx=N,tx=N,fill=N,comp=N`. */
  readonly xskRings?: string | undefined;
  readonly xskUnaligned?: boolean | undefined;
  readonly xskNeedWakeup?: boolean | undefined;
  readonly xskSg?: boolean | undefined;
  /** Bytes of metadata before packets to be sent. */
  readonly xskTxMetadata?: number | undefined;
  readonly xskSwCsum?: boolean | undefined;
  /** RLIMIT_MEMLOCK of the applications, bytes; default: they have CAP_IPC_LOCK, and no limit. */
  readonly xskMemlock?: number | undefined;
  /** All of KERNEL_QUIRKS. */
  readonly xskQuirks?: boolean | undefined;
}

const U32_MAX = 2 ** 32 - 1;
const RING_NAMES: Readonly<Record<string, keyof XskRingSizes>> = { rx: 'rx', tx: 'tx', fill: 'fill', comp: 'completion' };

/** An application by its name, and how its sockets are made; no `spec`: there are no sockets. */
export interface XskChoice {
  readonly name: string;
  readonly spec: XskSpec | undefined;
}

/** What is wrong with the options by themselves, before an object is looked at. */
export function checkXskOptions(options: XskOptions): Problem | undefined {
  const settings = xskSettings(options);
  if (!settings.ok) return settings.problem;
  const application = ['auto', 'none'].includes(options.xsk) ? undefined : readXskApplication(options.xsk, '--xsk', ['auto', 'none']);
  return application?.ok === false ? application.problem : undefined;
}

/** Reads them all. Problems: `unknown-xsk-mode`, `bad-xsk-option`, `bad-number`, `xsk-without-application`. */
export function readXskOptions(options: XskOptions, object: ObjectSpec): Result<XskChoice> {
  const settings = xskSettings(options);
  if (!settings.ok) return settings;
  const hasXskMap = object.maps.some((map) => mapTypeName(map.type) === 'XSKMAP');
  const text = options.xsk === 'auto' ? (hasXskMap ? 'rxdrop' : 'none') : options.xsk;
  if (text === 'none') {
    const [flag] = Object.keys(settings.value);
    if (flag === undefined) return ok({ name: 'none', spec: undefined });
    const why = options.xsk === 'auto' ? 'and the object has no XSKMAP for one' : 'and --xsk none says that there is none';
    return fail({ code: 'xsk-without-application', where: FLAG_OF[flag as keyof XskSettings], message: `it is for the sockets of an AF_XDP application, ${why}`, hint: `leave it out, or choose an application: --xsk ${Object.keys(XSK_APPLICATIONS).join(', ')}` });
  }
  const application = readXskApplication(text, '--xsk', ['auto', 'none']);
  if (!application.ok) return application;
  const { name, factory, txMetadataBytes } = application.value;
  return ok({ name, spec: { ...(txMetadataBytes > 0 ? { txMetadataBytes } : {}), ...settings.value, application: factory } });
}

/** The flag that a setting is from. */
const FLAG_OF: Readonly<Record<keyof XskSettings, string>> = {
  mode: '--xsk-mode', rings: '--xsk-rings', chunkCount: '--xsk-frames', chunkSizeBytes: '--xsk-frame-size', headroomBytes: '--xsk-headroom', isUnaligned: '--xsk-unaligned',
  usesNeedWakeup: '--xsk-need-wakeup', hasSg: '--xsk-sg', txMetadataBytes: '--xsk-tx-metadata', hasTxSwCsum: '--xsk-sw-csum',
};

/** Only what is given. */
function xskSettings(options: XskOptions): Result<Partial<XskSettings>> {
  for (const [flag, value, low, high] of [
    ['--xsk-frames', options.xskFrames, 1, MAX_XSK_CHUNKS],
    ['--xsk-frame-size', options.xskFrameSize, 0, U32_MAX],
    ['--xsk-headroom', options.xskHeadroom, 0, U32_MAX],
    ['--xsk-tx-metadata', options.xskTxMetadata, 0, U32_MAX],
    ['--xsk-memlock', options.xskMemlock, 0, Number.MAX_SAFE_INTEGER],
  ] as const) {
    if (value === undefined || (Number.isInteger(value) && value >= low && value <= high)) continue;
    return fail({ code: 'bad-number', where: flag, message: `${value} is out of range`, hint: `use a whole number from ${low} to ${high}` });
  }
  const { xskMode } = options;
  if (xskMode !== undefined && !(XSK_BIND_MODES as readonly string[]).includes(xskMode)) {
    const meant = closestTo(xskMode, XSK_BIND_MODES);
    return fail({ code: 'unknown-xsk-bind-mode', where: '--xsk-mode', message: `there is no '${xskMode}'`, hint: meant === undefined ? `use one of: ${XSK_BIND_MODES.join(', ')}` : `did you mean ${meant}?` });
  }
  const rings = options.xskRings === undefined ? ok(undefined) : readRings(options.xskRings);
  if (!rings.ok) return rings;
  const settings: { [K in keyof XskSettings]: XskSettings[K] | undefined } = {
    mode: xskMode as XskBindMode | undefined, rings: rings.value, chunkCount: options.xskFrames, chunkSizeBytes: options.xskFrameSize, headroomBytes: options.xskHeadroom,
    isUnaligned: options.xskUnaligned, usesNeedWakeup: options.xskNeedWakeup, hasSg: options.xskSg, txMetadataBytes: options.xskTxMetadata, hasTxSwCsum: options.xskSwCsum,
  };
  return ok(Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as Partial<XskSettings>);
}

/** `N` or `rx=N,tx=N,fill=N,comp=N`; the kernel judges the sizes. */
function readRings(text: string): Result<XskRingSizes> {
  const bad = (message: string): Result<never> => fail({ code: 'bad-xsk-option', where: '--xsk-rings', message, hint: 'write --xsk-rings 2048, or --xsk-rings rx=2048,fill=4096 with rx, tx, fill and comp' });
  const size = (digits: string): number | undefined => (/^\d{1,10}$/.test(digits) && Number(digits) <= U32_MAX ? Number(digits) : undefined);
  const all = size(text);
  if (all !== undefined) return ok({ rx: all, tx: all, fill: all, completion: all });
  const rings: Partial<Record<keyof XskRingSizes, number>> = {};
  for (const pair of text.split(',')) {
    const [name, ...rest] = pair.split('=');
    const entries = size(rest.join('='));
    if (!Object.hasOwn(RING_NAMES, name)) return bad(`there is no ring '${name}'`);
    if (entries === undefined) return bad(`'${rest.join('=')}' is no size`);
    if (rings[RING_NAMES[name]] !== undefined) return bad(`${name} is there twice`);
    rings[RING_NAMES[name]] = entries;
  }
  return ok({ ...XSK_DEFAULTS.rings, ...rings });
}

/** Flags that a call of the sockets' set-up takes its arguments from, by the problem's code. */
const FLAGS_OF_CALL: Readonly<Record<string, string>> = {
  'xsk-umem-reg': '--xsk-frames, --xsk-frame-size, --xsk-headroom', 'xsk-chunk-count': '--xsk-frames', 'xsk-umem-memory': '--xsk-frames, --xsk-frame-size, --queues', 'xsk-umem-fill-ring': '--xsk-rings',
  'xsk-umem-completion-ring': '--xsk-rings', 'xsk-rx-ring': '--xsk-rings', 'xsk-tx-ring': '--xsk-rings', 'xsk-bind': '--xsk-mode',
};

/** What the library calls its arguments, and the flags that stand for them. */
const WORDS: Readonly<Record<string, string>> = {
  frameSize: '--xsk-frame-size', frameHeadroom: '--xsk-headroom', txMetadataLen: '--xsk-tx-metadata', XDP_UMEM_UNALIGNED_CHUNK_FLAG: '--xsk-unaligned',
  XDP_UMEM_TX_METADATA_LEN: '--xsk-tx-metadata', XDP_UMEM_TX_SW_CSUM: '--xsk-sw-csum', XDP_ZEROCOPY: '--xsk-mode zerocopy', XDP_COPY: '--xsk-mode copy',
  RLIMIT_MEMLOCK: '--xsk-memlock', XDP_USE_SG: '--xsk-sg', XDP_USE_NEED_WAKEUP: '--xsk-need-wakeup',
};

/** A problem of the sockets' set-up in terms of the flags that it comes from. */
export function withXskFlags(problem: Problem): Problem {
  const flags = FLAGS_OF_CALL[problem.code];
  if (flags === undefined) return problem;
  const inFlags = (text: string): string => text.replace(/\w+/g, (word) => WORDS[word] ?? word);
  const message = inFlags(problem.message);
  const hint = problem.hint && inFlags(problem.hint);
  // The flag that is meant, where one is named.
  const [where] = /--xsk-[a-z-]+/.exec(`${message} ${hint}`) ?? [flags];
  return { ...problem, where, message, ...(hint === undefined ? {} : { hint }) };
}
