import { RETURN_INT } from '../layout.js';
import { forEachMapElem, loop } from './callbackHelpers.js';
import { csumDiff } from './checksumHelpers.js';
import { fibLookup } from './fibHelpers.js';
import { dynptrData, dynptrFromMem, dynptrRead, dynptrWrite } from './dynptrHelpers.js';
import type { HelperSpec, HelperSupport } from './helper.js';
import { spinLock, spinUnlock } from './lockHelpers.js';
import { mapDeleteElem, mapLookupElem, mapLookupPercpuElem, mapPeekElem, mapPopElem, mapPushElem, mapUpdateElem } from './mapHelpers.js';
import { checkMtu } from './mtuHelpers.js';
import { perfEventOutput, perfEventRead, perfEventReadValue } from './perfEventHelpers.js';
import { snprintf, tracePrintk, traceVprintk } from './printkHelpers.js';
import { probeReadKernel, probeReadKernelStr, probeReadUser, probeReadUserStr } from './probeReadHelpers.js';
import { redirect, redirectMap } from './redirectHelpers.js';
import { ringbufDiscardDynptr, ringbufReserveDynptr, ringbufSubmitDynptr } from './ringBufDynptrHelpers.js';
import { ringbufDiscard, ringbufOutput, ringbufQuery, ringbufReserve, ringbufSubmit } from './ringBufHelpers.js';
import {
  skcLookupTcp, skcToMptcpSock, skcToTcp6Sock, skcToTcpRequestSock, skcToTcpSock, skcToTcpTimewaitSock, skcToUdp6Sock, skcToUnixSock, skLookupTcp,
  skLookupUdp, skRelease,
} from './socketHelpers.js';
import { strncmp, strtol, strtoul } from './stringHelpers.js';
import {
  tcpCheckSyncookie, tcpGenSyncookie, tcpRawCheckSyncookieIpv4, tcpRawCheckSyncookieIpv6, tcpRawGenSyncookieIpv4, tcpRawGenSyncookieIpv6,
} from './syncookieHelpers.js';
import { getNumaNodeId, getPrandomU32, getSmpProcessorId } from './systemHelpers.js';
import {
  getBranchSnapshot, getCgroupClassid, getCurrentAncestorCgroupId, getCurrentCgroupId, getCurrentComm, getCurrentPidTgid, getCurrentUidGid,
  getNsCurrentPidTgid, sendSignal, sendSignalThread,
} from './taskHelpers.js';
import { jiffies64, ktimeGetBootNs, ktimeGetCoarseNs, ktimeGetNs, ktimeGetTaiNs } from './timeHelpers.js';
import { timerCancel, timerInit, timerSetCallback, timerStart } from './timerHelpers.js';
import { userRingbufDrain } from './userRingBufHelpers.js';
import { xdpAdjustHead, xdpAdjustMeta, xdpAdjustTail } from './xdpAdjustHelpers.js';
import { xdpGetBuffLen, xdpLoadBytes, xdpStoreBytes } from './xdpBytesHelpers.js';

/** Who may call a helper. */
type Rule = 'xdp' | 'gpl' | 'other';

/** Any XDP program. */
const XDP: Rule = 'xdp';
/** XDP programs under a GPL-compatible licence. */
const GPL: Rule = 'gpl';
/** Programs of other types only. */
const NOT_XDP: Rule = 'other';

/**
 * First kernel in which XDP programs may call a helper, where 6.1 isn't enough: tracing programs had most of them long before
 * (bpf_base_func_proto, kernel/bpf/helpers.c).
 */
const SINCE: Readonly<Record<string, string>> = {
  bpf_cgrp_storage_get: '6.2', bpf_cgrp_storage_delete: '6.2',
  bpf_get_current_cgroup_id: '6.4', bpf_get_current_ancestor_cgroup_id: '6.4',
  bpf_get_current_pid_tgid: '6.10', bpf_get_ns_current_pid_tgid: '6.10',
  bpf_get_current_uid_gid: '6.16', bpf_get_current_comm: '6.16', bpf_get_cgroup_classid: '6.16', bpf_current_task_under_cgroup: '6.16',
  bpf_perf_event_read: '6.16', bpf_perf_event_read_value: '6.16', bpf_send_signal: '6.16', bpf_send_signal_thread: '6.16',
  bpf_task_storage_get: '6.16', bpf_task_storage_delete: '6.16', bpf_get_task_stack: '6.16', bpf_get_branch_snapshot: '6.16', bpf_find_vma: '6.16',
};

/** 6.1, the oldest kernel that the simulator follows, has it. */
const OLD = '6.1';

function row(id: number, name: string, rule: Rule, support?: HelperSupport, instead?: string): HelperSpec {
  return { id, name, since: SINCE[name] ?? OLD, xdp: rule !== NOT_XDP, gplOnly: rule === GPL, instead, support };
}

/** bpf_tail_call(ctx, prog_array, index): never comes back when it succeeds, so the interpreter does it itself. */
const tailCall: HelperSupport = {
  args: ['ptr_to_ctx', 'const_map_ptr', 'anything'],
  returns: RETURN_INT,
  make: () => () => {
    throw new Error('bpf_tail_call reached the helper table; the interpreter has to do it');
  },
};

/**
 * All helpers of 6.18 (enum bpf_func_id, include/uapi/linux/bpf.h), and which of them its verifier lets an XDP program call. A
 * new one is its function in a family's file and a name in its row here.
 */
const ROWS: readonly HelperSpec[] = [
  row(1, 'bpf_map_lookup_elem', XDP, mapLookupElem),
  row(2, 'bpf_map_update_elem', XDP, mapUpdateElem),
  row(3, 'bpf_map_delete_elem', XDP, mapDeleteElem),
  row(4, 'bpf_probe_read', NOT_XDP, undefined, 'bpf_probe_read_kernel'),
  row(5, 'bpf_ktime_get_ns', XDP, ktimeGetNs),
  row(6, 'bpf_trace_printk', GPL, tracePrintk),
  row(7, 'bpf_get_prandom_u32', XDP, getPrandomU32),
  row(8, 'bpf_get_smp_processor_id', XDP, getSmpProcessorId),
  row(9, 'bpf_skb_store_bytes', NOT_XDP, undefined, 'bpf_xdp_store_bytes'),
  row(10, 'bpf_l3_csum_replace', NOT_XDP, undefined, 'bpf_csum_diff'),
  row(11, 'bpf_l4_csum_replace', NOT_XDP, undefined, 'bpf_csum_diff'),
  row(12, 'bpf_tail_call', XDP, tailCall),
  row(13, 'bpf_clone_redirect', NOT_XDP, undefined, 'bpf_redirect'),
  row(14, 'bpf_get_current_pid_tgid', XDP, getCurrentPidTgid),
  row(15, 'bpf_get_current_uid_gid', XDP, getCurrentUidGid),
  row(16, 'bpf_get_current_comm', XDP, getCurrentComm),
  row(17, 'bpf_get_cgroup_classid', XDP, getCgroupClassid),
  row(18, 'bpf_skb_vlan_push', NOT_XDP, undefined, 'bpf_xdp_adjust_head'),
  row(19, 'bpf_skb_vlan_pop', NOT_XDP, undefined, 'bpf_xdp_adjust_head'),
  row(20, 'bpf_skb_get_tunnel_key', NOT_XDP),
  row(21, 'bpf_skb_set_tunnel_key', NOT_XDP),
  row(22, 'bpf_perf_event_read', GPL, perfEventRead),
  row(23, 'bpf_redirect', XDP, redirect),
  row(24, 'bpf_get_route_realm', NOT_XDP),
  row(25, 'bpf_perf_event_output', GPL, perfEventOutput),
  row(26, 'bpf_skb_load_bytes', NOT_XDP, undefined, 'bpf_xdp_load_bytes'),
  row(27, 'bpf_get_stackid', NOT_XDP),
  row(28, 'bpf_csum_diff', XDP, csumDiff),
  row(29, 'bpf_skb_get_tunnel_opt', NOT_XDP),
  row(30, 'bpf_skb_set_tunnel_opt', NOT_XDP),
  row(31, 'bpf_skb_change_proto', NOT_XDP, undefined, 'bpf_xdp_adjust_head'),
  row(32, 'bpf_skb_change_type', NOT_XDP),
  row(33, 'bpf_skb_under_cgroup', NOT_XDP),
  row(34, 'bpf_get_hash_recalc', NOT_XDP),
  row(35, 'bpf_get_current_task', GPL),
  row(36, 'bpf_probe_write_user', NOT_XDP),
  row(37, 'bpf_current_task_under_cgroup', XDP),
  row(38, 'bpf_skb_change_tail', NOT_XDP, undefined, 'bpf_xdp_adjust_tail'),
  row(39, 'bpf_skb_pull_data', NOT_XDP, undefined, 'bpf_xdp_load_bytes'),
  row(40, 'bpf_csum_update', NOT_XDP, undefined, 'bpf_csum_diff'),
  row(41, 'bpf_set_hash_invalid', NOT_XDP),
  row(42, 'bpf_get_numa_node_id', XDP, getNumaNodeId),
  row(43, 'bpf_skb_change_head', NOT_XDP, undefined, 'bpf_xdp_adjust_head'),
  row(44, 'bpf_xdp_adjust_head', XDP, xdpAdjustHead),
  row(45, 'bpf_probe_read_str', NOT_XDP, undefined, 'bpf_probe_read_kernel_str'),
  row(46, 'bpf_get_socket_cookie', NOT_XDP),
  row(47, 'bpf_get_socket_uid', NOT_XDP),
  row(48, 'bpf_set_hash', NOT_XDP),
  row(49, 'bpf_setsockopt', NOT_XDP),
  row(50, 'bpf_skb_adjust_room', NOT_XDP, undefined, 'bpf_xdp_adjust_head'),
  row(51, 'bpf_redirect_map', XDP, redirectMap),
  row(52, 'bpf_sk_redirect_map', NOT_XDP, undefined, 'bpf_redirect_map'),
  row(53, 'bpf_sock_map_update', NOT_XDP),
  row(54, 'bpf_xdp_adjust_meta', XDP, xdpAdjustMeta),
  row(55, 'bpf_perf_event_read_value', GPL, perfEventReadValue),
  row(56, 'bpf_perf_prog_read_value', NOT_XDP),
  row(57, 'bpf_getsockopt', NOT_XDP),
  row(58, 'bpf_override_return', NOT_XDP),
  row(59, 'bpf_sock_ops_cb_flags_set', NOT_XDP),
  row(60, 'bpf_msg_redirect_map', NOT_XDP, undefined, 'bpf_redirect_map'),
  row(61, 'bpf_msg_apply_bytes', NOT_XDP),
  row(62, 'bpf_msg_cork_bytes', NOT_XDP),
  row(63, 'bpf_msg_pull_data', NOT_XDP),
  row(64, 'bpf_bind', NOT_XDP),
  row(65, 'bpf_xdp_adjust_tail', XDP, xdpAdjustTail),
  row(66, 'bpf_skb_get_xfrm_state', NOT_XDP),
  row(67, 'bpf_get_stack', NOT_XDP),
  row(68, 'bpf_skb_load_bytes_relative', NOT_XDP, undefined, 'bpf_xdp_load_bytes'),
  row(69, 'bpf_fib_lookup', GPL, fibLookup),
  row(70, 'bpf_sock_hash_update', NOT_XDP),
  row(71, 'bpf_msg_redirect_hash', NOT_XDP),
  row(72, 'bpf_sk_redirect_hash', NOT_XDP),
  row(73, 'bpf_lwt_push_encap', NOT_XDP),
  row(74, 'bpf_lwt_seg6_store_bytes', NOT_XDP),
  row(75, 'bpf_lwt_seg6_adjust_srh', NOT_XDP),
  row(76, 'bpf_lwt_seg6_action', NOT_XDP),
  row(77, 'bpf_rc_repeat', NOT_XDP),
  row(78, 'bpf_rc_keydown', NOT_XDP),
  row(79, 'bpf_skb_cgroup_id', NOT_XDP),
  row(80, 'bpf_get_current_cgroup_id', XDP, getCurrentCgroupId),
  row(81, 'bpf_get_local_storage', NOT_XDP),
  row(82, 'bpf_sk_select_reuseport', NOT_XDP),
  row(83, 'bpf_skb_ancestor_cgroup_id', NOT_XDP),
  row(84, 'bpf_sk_lookup_tcp', XDP, skLookupTcp),
  row(85, 'bpf_sk_lookup_udp', XDP, skLookupUdp),
  row(86, 'bpf_sk_release', XDP, skRelease),
  row(87, 'bpf_map_push_elem', XDP, mapPushElem),
  row(88, 'bpf_map_pop_elem', XDP, mapPopElem),
  row(89, 'bpf_map_peek_elem', XDP, mapPeekElem),
  row(90, 'bpf_msg_push_data', NOT_XDP),
  row(91, 'bpf_msg_pop_data', NOT_XDP),
  row(92, 'bpf_rc_pointer_rel', NOT_XDP),
  row(93, 'bpf_spin_lock', XDP, spinLock),
  row(94, 'bpf_spin_unlock', XDP, spinUnlock),
  row(95, 'bpf_sk_fullsock', NOT_XDP),
  row(96, 'bpf_tcp_sock', NOT_XDP),
  row(97, 'bpf_skb_ecn_set_ce', NOT_XDP),
  row(98, 'bpf_get_listener_sock', NOT_XDP),
  row(99, 'bpf_skc_lookup_tcp', XDP, skcLookupTcp),
  row(100, 'bpf_tcp_check_syncookie', GPL, tcpCheckSyncookie),
  row(101, 'bpf_sysctl_get_name', NOT_XDP),
  row(102, 'bpf_sysctl_get_current_value', NOT_XDP),
  row(103, 'bpf_sysctl_get_new_value', NOT_XDP),
  row(104, 'bpf_sysctl_set_new_value', NOT_XDP),
  row(105, 'bpf_strtol', XDP, strtol),
  row(106, 'bpf_strtoul', XDP, strtoul),
  row(107, 'bpf_sk_storage_get', NOT_XDP),
  row(108, 'bpf_sk_storage_delete', NOT_XDP),
  row(109, 'bpf_send_signal', XDP, sendSignal),
  row(110, 'bpf_tcp_gen_syncookie', GPL, tcpGenSyncookie),
  row(111, 'bpf_skb_output', NOT_XDP, undefined, 'bpf_perf_event_output'),
  row(112, 'bpf_probe_read_user', GPL, probeReadUser),
  row(113, 'bpf_probe_read_kernel', GPL, probeReadKernel),
  row(114, 'bpf_probe_read_user_str', GPL, probeReadUserStr),
  row(115, 'bpf_probe_read_kernel_str', GPL, probeReadKernelStr),
  row(116, 'bpf_tcp_send_ack', NOT_XDP),
  row(117, 'bpf_send_signal_thread', XDP, sendSignalThread),
  row(118, 'bpf_jiffies64', XDP, jiffies64),
  row(119, 'bpf_read_branch_records', NOT_XDP),
  row(120, 'bpf_get_ns_current_pid_tgid', XDP, getNsCurrentPidTgid),
  row(121, 'bpf_xdp_output', NOT_XDP, undefined, 'bpf_perf_event_output'),
  row(122, 'bpf_get_netns_cookie', NOT_XDP),
  row(123, 'bpf_get_current_ancestor_cgroup_id', XDP, getCurrentAncestorCgroupId),
  row(124, 'bpf_sk_assign', NOT_XDP),
  row(125, 'bpf_ktime_get_boot_ns', XDP, ktimeGetBootNs),
  row(126, 'bpf_seq_printf', NOT_XDP),
  row(127, 'bpf_seq_write', NOT_XDP),
  row(128, 'bpf_sk_cgroup_id', NOT_XDP),
  row(129, 'bpf_sk_ancestor_cgroup_id', NOT_XDP),
  row(130, 'bpf_ringbuf_output', XDP, ringbufOutput),
  row(131, 'bpf_ringbuf_reserve', XDP, ringbufReserve),
  row(132, 'bpf_ringbuf_submit', XDP, ringbufSubmit),
  row(133, 'bpf_ringbuf_discard', XDP, ringbufDiscard),
  row(134, 'bpf_ringbuf_query', XDP, ringbufQuery),
  row(135, 'bpf_csum_level', NOT_XDP),
  row(136, 'bpf_skc_to_tcp6_sock', XDP, skcToTcp6Sock),
  row(137, 'bpf_skc_to_tcp_sock', XDP, skcToTcpSock),
  row(138, 'bpf_skc_to_tcp_timewait_sock', XDP, skcToTcpTimewaitSock),
  row(139, 'bpf_skc_to_tcp_request_sock', XDP, skcToTcpRequestSock),
  row(140, 'bpf_skc_to_udp6_sock', XDP, skcToUdp6Sock),
  row(141, 'bpf_get_task_stack', XDP),
  row(142, 'bpf_load_hdr_opt', NOT_XDP),
  row(143, 'bpf_store_hdr_opt', NOT_XDP),
  row(144, 'bpf_reserve_hdr_opt', NOT_XDP),
  row(145, 'bpf_inode_storage_get', NOT_XDP),
  row(146, 'bpf_inode_storage_delete', NOT_XDP),
  row(147, 'bpf_d_path', NOT_XDP),
  row(148, 'bpf_copy_from_user', NOT_XDP, undefined, 'bpf_probe_read_user'),
  row(149, 'bpf_snprintf_btf', XDP),
  row(150, 'bpf_seq_printf_btf', NOT_XDP),
  row(151, 'bpf_skb_cgroup_classid', NOT_XDP),
  row(152, 'bpf_redirect_neigh', NOT_XDP, undefined, 'bpf_redirect'),
  row(153, 'bpf_per_cpu_ptr', XDP),
  row(154, 'bpf_this_cpu_ptr', XDP),
  row(155, 'bpf_redirect_peer', NOT_XDP, undefined, 'bpf_redirect'),
  row(156, 'bpf_task_storage_get', XDP),
  row(157, 'bpf_task_storage_delete', XDP),
  row(158, 'bpf_get_current_task_btf', GPL),
  row(159, 'bpf_bprm_opts_set', NOT_XDP),
  row(160, 'bpf_ktime_get_coarse_ns', XDP, ktimeGetCoarseNs),
  row(161, 'bpf_ima_inode_hash', NOT_XDP),
  row(162, 'bpf_sock_from_file', NOT_XDP),
  row(163, 'bpf_check_mtu', GPL, checkMtu),
  row(164, 'bpf_for_each_map_elem', XDP, forEachMapElem),
  row(165, 'bpf_snprintf', GPL, snprintf),
  row(166, 'bpf_sys_bpf', NOT_XDP),
  row(167, 'bpf_btf_find_by_name_kind', NOT_XDP),
  row(168, 'bpf_sys_close', NOT_XDP),
  row(169, 'bpf_timer_init', GPL, timerInit),
  row(170, 'bpf_timer_set_callback', GPL, timerSetCallback),
  row(171, 'bpf_timer_start', GPL, timerStart),
  row(172, 'bpf_timer_cancel', GPL, timerCancel),
  row(173, 'bpf_get_func_ip', NOT_XDP),
  row(174, 'bpf_get_attach_cookie', NOT_XDP),
  row(175, 'bpf_task_pt_regs', GPL),
  row(176, 'bpf_get_branch_snapshot', GPL, getBranchSnapshot),
  row(177, 'bpf_trace_vprintk', GPL, traceVprintk),
  row(178, 'bpf_skc_to_unix_sock', XDP, skcToUnixSock),
  row(179, 'bpf_kallsyms_lookup_name', NOT_XDP),
  row(180, 'bpf_find_vma', XDP),
  row(181, 'bpf_loop', XDP, loop),
  row(182, 'bpf_strncmp', XDP, strncmp),
  row(183, 'bpf_get_func_arg', NOT_XDP),
  row(184, 'bpf_get_func_ret', NOT_XDP),
  row(185, 'bpf_get_func_arg_cnt', NOT_XDP),
  row(186, 'bpf_get_retval', NOT_XDP),
  row(187, 'bpf_set_retval', NOT_XDP),
  row(188, 'bpf_xdp_get_buff_len', XDP, xdpGetBuffLen),
  row(189, 'bpf_xdp_load_bytes', XDP, xdpLoadBytes),
  row(190, 'bpf_xdp_store_bytes', XDP, xdpStoreBytes),
  row(191, 'bpf_copy_from_user_task', NOT_XDP, undefined, 'bpf_probe_read_user'),
  row(192, 'bpf_skb_set_tstamp', NOT_XDP),
  row(193, 'bpf_ima_file_hash', NOT_XDP),
  row(194, 'bpf_kptr_xchg', XDP),
  row(195, 'bpf_map_lookup_percpu_elem', XDP, mapLookupPercpuElem),
  row(196, 'bpf_skc_to_mptcp_sock', XDP, skcToMptcpSock),
  row(197, 'bpf_dynptr_from_mem', XDP, dynptrFromMem),
  row(198, 'bpf_ringbuf_reserve_dynptr', XDP, ringbufReserveDynptr),
  row(199, 'bpf_ringbuf_submit_dynptr', XDP, ringbufSubmitDynptr),
  row(200, 'bpf_ringbuf_discard_dynptr', XDP, ringbufDiscardDynptr),
  row(201, 'bpf_dynptr_read', XDP, dynptrRead),
  row(202, 'bpf_dynptr_write', XDP, dynptrWrite),
  row(203, 'bpf_dynptr_data', XDP, dynptrData),
  row(204, 'bpf_tcp_raw_gen_syncookie_ipv4', GPL, tcpRawGenSyncookieIpv4),
  row(205, 'bpf_tcp_raw_gen_syncookie_ipv6', GPL, tcpRawGenSyncookieIpv6),
  row(206, 'bpf_tcp_raw_check_syncookie_ipv4', GPL, tcpRawCheckSyncookieIpv4),
  row(207, 'bpf_tcp_raw_check_syncookie_ipv6', GPL, tcpRawCheckSyncookieIpv6),
  row(208, 'bpf_ktime_get_tai_ns', XDP, ktimeGetTaiNs),
  row(209, 'bpf_user_ringbuf_drain', XDP, userRingbufDrain),
  row(210, 'bpf_cgrp_storage_get', XDP),
  row(211, 'bpf_cgrp_storage_delete', XDP),
];

/** Helpers by id; holes where there is none (0, and beyond 211). */
export const HELPERS: readonly (HelperSpec | undefined)[] = [undefined, ...ROWS];

/** Kernel name of a helper, `helper 999` for a number that is none. */
export function helperName(id: number): string {
  return HELPERS[id]?.name ?? `helper ${id}`;
}
