import { EINVAL, ENOLINK, EPERM, errnoName } from '../../base/index.js';
import type { XdpMode } from '../xdpMode.js';
import { ATTACH_RULES, chooseXdpMode, INSTALL_RULES } from './attachRules.js';
import type { AttachAttempt, AttachRule } from './attachRules.js';
import type { AttachProblem, XdpAttachable, XdpNetdev, XdpState } from './xdpNetdev.js';

/** A request by rtnetlink: RTM_SETLINK with IFLA_XDP, which is `ip link set DEV xdp ...` and bpf_xdp_attach of libbpf. */
export interface NetlinkRequest {
  /** `undefined`: take off what is there (a file descriptor of -1). */
  readonly program: XdpAttachable | undefined;
  /** XDP_FLAGS_*. */
  readonly flags: number;
  /** IFLA_XDP_EXPECTED_FD, looked at with XDP_FLAGS_REPLACE only: a program, or `none` for -1. */
  readonly expected?: XdpAttachable | 'none' | undefined;
}

/** A request by bpf(2), BPF_LINK_CREATE. */
export interface LinkRequest {
  readonly program: XdpAttachable;
  /** XDP_FLAGS_*_MODE. */
  readonly flags: number;
}

/** What became of a request that was granted. */
export interface AttachedState {
  readonly mode: XdpMode;
  readonly state: XdpState;
}

export type AttachResult = { readonly ok: true; readonly value: AttachedState } | { readonly ok: false; readonly problem: AttachProblem };

/** Attaches, replaces or takes off a program by netlink. Problems: the codes of ATTACH_RULES and INSTALL_RULES, and the driver's. */
export function attachByNetlink(device: XdpNetdev, state: XdpState, request: NetlinkRequest): AttachResult {
  return attach(device, state, 'netlink', request);
}

/** Attaches a program by a bpf_link. Problems: as `attachByNetlink`. */
export function attachByLink(device: XdpNetdev, state: XdpState, request: LinkRequest): AttachResult {
  return attach(device, state, 'link', request);
}

function attach(device: XdpNetdev, state: XdpState, by: AttachAttempt['by'], { program, flags, expected }: NetlinkRequest): AttachResult {
  const mode = chooseXdpMode(device, flags);
  const current = state[mode];
  const attempt: AttachAttempt = { device, state, by, flags, mode, program, expected, current };
  const broken = ATTACH_RULES.find((rule) => rule.refuses(attempt));
  if (broken !== undefined) return refused(broken, attempt);
  // The driver isn't disturbed when nothing changes.
  if (program !== current?.program) {
    const problem = install(attempt);
    if (problem !== undefined) return { ok: false, problem };
  }
  return { ok: true, value: { mode, state: { ...state, [mode]: program && { program, byLink: by === 'link' } } } };
}

/** dev_xdp_install: the core's last checks, then the driver, whose word is final: nothing falls back to generic mode after it. */
function install(attempt: AttachAttempt): AttachProblem | undefined {
  const broken = INSTALL_RULES.find((rule) => rule.refuses(attempt));
  if (broken !== undefined) return problemOf(broken, attempt);
  const { device, mode, program } = attempt;
  return mode === 'generic' ? undefined : device.ndoBpf?.({ mode, program });
}

/**
 * BPF_LINK_UPDATE: puts another program in place of the link's (bpf_xdp_link_update, net/core/dev.c, 6.18). The kernel asks nobody but the driver:
 * a program that is bound to another device, or bound at all in generic mode, gets in by this way.
 *
 * @param mode where the link is attached; `undefined` when its device is gone, or it was detached
 * @param expected BPF_F_REPLACE: the program that the link must have now
 *
 * Problems: `attach-link-gone` (ENOLINK), `attach-link-not-expected` (EPERM), `attach-link-other-type` (EINVAL), those of INSTALL_RULES and the driver's.
 */
export function updateLink(device: XdpNetdev, state: XdpState, mode: XdpMode | undefined, program: XdpAttachable, expected?: XdpAttachable): AttachResult {
  const current = mode && state[mode];
  const where = placeOf(program, device);
  if (mode === undefined || current === undefined) {
    return linkRefused('attach-link-gone', ENOLINK, where, 'the link is attached to nothing any more: its device is gone, or it was detached', 'make a new link');
  }
  if (expected !== undefined && current.program !== expected) {
    return linkRefused('attach-link-not-expected', EPERM, where, 'the link has another program than the one that was to be replaced', 'somebody else has changed it: look again (bpftool link) and decide anew');
  }
  if (current.program.attachType !== program.attachType) {
    return linkRefused('attach-link-other-type', EINVAL, where, `a program of type ${program.attachType} can not take the place of one of type ${current.program.attachType}`, 'use one in SEC("xdp")');
  }
  if (current.program !== program) {
    const problem = install({ device, state, by: 'link', flags: 0, mode, program, expected: undefined, current });
    if (problem !== undefined) return { ok: false, problem };
  }
  return { ok: true, value: { mode, state: { ...state, [mode]: { program, byLink: true } } } };
}

/** BPF_LINK_DETACH, or the last file descriptor of a link closed: its program is taken off (bpf_xdp_link_release). */
export function detachLink(state: XdpState, mode: XdpMode): XdpState {
  return state[mode]?.byLink === true ? { ...state, [mode]: undefined } : state;
}

/** Where a problem is: `program NAME on DEV`. */
export function placeOf(program: XdpAttachable | undefined, device: Pick<XdpNetdev, 'name'>): string {
  return program === undefined ? device.name : `program ${program.name} on ${device.name}`;
}

function problemOf(rule: AttachRule, { program, device }: AttachAttempt): AttachProblem {
  const { code, errno, kernelSays, message, hint } = rule;
  return { code, errno, kernelSays, where: placeOf(program, device), message: `${message} (${errnoName(errno)})`, hint };
}

function refused(rule: AttachRule, attempt: AttachAttempt): AttachResult {
  return { ok: false, problem: problemOf(rule, attempt) };
}

function linkRefused(code: string, errno: number, where: string, message: string, hint: string): AttachResult {
  return { ok: false, problem: { code, errno, kernelSays: '', where, message: `${message} (${errnoName(errno)})`, hint } };
}
