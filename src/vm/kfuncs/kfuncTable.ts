import { isSince } from '../../base/index.js';
import type { KernelRelease } from '../../base/index.js';
import type { HelperSupport } from '../helpers/helper.js';
import { HELPERS, helperName } from '../helpers/helperTable.js';
import { iterBitsDestroy, iterBitsNew, iterBitsNext } from './bitsIterator.js';
import {
  ctChangeStatus, ctChangeTimeout, ctInsertEntry, ctRelease, ctSetNatInfo, ctSetStatus, ctSetTimeout, xdpCtAlloc, xdpCtLookup,
} from './conntrackKfuncs.js';
import { xdpFlowLookup } from './flowtableKfuncs.js';
import {
  dynptrAdjust, dynptrClone, dynptrCopy, dynptrFromXdp, dynptrIsNull, dynptrIsRdonly, dynptrMemset, dynptrSize, dynptrSliceKfunc, dynptrSliceRdwr,
} from './dynptrKfuncs.js';
import { localIrqRestore, localIrqSave, preemptDisable, preemptEnable, rcuReadLock, rcuReadUnlock } from './guardKfuncs.js';
import type { KfuncSpec } from './kfunc.js';
import { NOT_FOR_XDP } from './notForXdp.js';
import { iterNumDestroy, iterNumNew, iterNumNext } from './numIterator.js';
import { rxHash, rxTimestamp, rxVlanTag } from './rxHintKfuncs.js';
import {
  strcasecmp, strchr, strchrnul, strcmp, strcspn, strlen, strnchr, strnlen, strnstr, strrchr, strspn, strstr,
} from './stringKfuncs.js';
import { xdpPullData } from './xdpPullData.js';

function row(name: string, since: string, support?: HelperSupport): KfuncSpec {
  return { name, since, xdp: true, support };
}

/**
 * Kernel functions of 6.18: first all that its verifier lets an XDP program call, then those that are for programs of other types. A new
 * one is its function in a family's file and its row here. Their numbers in the kernel are those of one build (BTF ids), so they go by name.
 */
export const KFUNCS: readonly KfuncSpec[] = [
  // Iterators
  row('bpf_iter_num_new', '6.4', iterNumNew),
  row('bpf_iter_num_next', '6.4', iterNumNext),
  row('bpf_iter_num_destroy', '6.4', iterNumDestroy),
  row('bpf_iter_bits_new', '6.11', iterBitsNew),
  row('bpf_iter_bits_next', '6.11', iterBitsNext),
  row('bpf_iter_bits_destroy', '6.11', iterBitsDestroy),
  row('bpf_iter_css_new', '6.7'),
  row('bpf_iter_css_next', '6.7'),
  row('bpf_iter_css_destroy', '6.7'),
  row('bpf_iter_task_new', '6.7'),
  row('bpf_iter_task_next', '6.7'),
  row('bpf_iter_task_destroy', '6.7'),
  row('bpf_iter_task_vma_new', '6.7'),
  row('bpf_iter_task_vma_next', '6.7'),
  row('bpf_iter_task_vma_destroy', '6.7'),

  // Regions that must end
  row('bpf_rcu_read_lock', '6.2', rcuReadLock),
  row('bpf_rcu_read_unlock', '6.2', rcuReadUnlock),
  row('bpf_preempt_disable', '6.10', preemptDisable),
  row('bpf_preempt_enable', '6.10', preemptEnable),
  row('bpf_local_irq_save', '6.14', localIrqSave),
  row('bpf_local_irq_restore', '6.14', localIrqRestore),
  row('bpf_res_spin_lock', '6.15'),
  row('bpf_res_spin_unlock', '6.15'),
  row('bpf_res_spin_lock_irqsave', '6.15'),
  row('bpf_res_spin_unlock_irqrestore', '6.15'),

  // The packet and what the device knows about it
  row('bpf_xdp_metadata_rx_timestamp', '6.3', rxTimestamp),
  row('bpf_xdp_metadata_rx_hash', '6.3', rxHash),
  row('bpf_xdp_metadata_rx_vlan_tag', '6.8', rxVlanTag),
  row('bpf_xdp_pull_data', '6.18', xdpPullData),

  // Strings
  row('bpf_strcmp', '6.17', strcmp),
  row('bpf_strcasecmp', '6.18', strcasecmp),
  row('bpf_strchr', '6.17', strchr),
  row('bpf_strchrnul', '6.17', strchrnul),
  row('bpf_strnchr', '6.17', strnchr),
  row('bpf_strrchr', '6.17', strrchr),
  row('bpf_strlen', '6.17', strlen),
  row('bpf_strnlen', '6.17', strnlen),
  row('bpf_strspn', '6.17', strspn),
  row('bpf_strcspn', '6.17', strcspn),
  row('bpf_strstr', '6.17', strstr),
  row('bpf_strnstr', '6.17', strnstr),

  // Dynptrs
  row('bpf_dynptr_from_xdp', '6.4', dynptrFromXdp),
  row('bpf_dynptr_slice', '6.4', dynptrSliceKfunc),
  row('bpf_dynptr_slice_rdwr', '6.4', dynptrSliceRdwr),
  row('bpf_dynptr_adjust', '6.5', dynptrAdjust),
  row('bpf_dynptr_is_null', '6.5', dynptrIsNull),
  row('bpf_dynptr_is_rdonly', '6.5', dynptrIsRdonly),
  row('bpf_dynptr_size', '6.5', dynptrSize),
  row('bpf_dynptr_clone', '6.5', dynptrClone),
  row('bpf_dynptr_copy', '6.16', dynptrCopy),
  row('bpf_dynptr_memset', '6.17', dynptrMemset),
  row('bpf_probe_read_user_dynptr', '6.16'),
  row('bpf_probe_read_kernel_dynptr', '6.16'),
  row('bpf_probe_read_user_str_dynptr', '6.16'),
  row('bpf_probe_read_kernel_str_dynptr', '6.16'),

  // Connection tracking, flow tables, IPsec
  row('bpf_xdp_ct_alloc', '6.0', xdpCtAlloc),
  row('bpf_xdp_ct_lookup', '6.0', xdpCtLookup),
  row('bpf_ct_insert_entry', '6.0', ctInsertEntry),
  row('bpf_ct_release', '6.0', ctRelease),
  row('bpf_ct_set_timeout', '6.0', ctSetTimeout),
  row('bpf_ct_change_timeout', '6.0', ctChangeTimeout),
  row('bpf_ct_set_status', '6.0', ctSetStatus),
  row('bpf_ct_change_status', '6.0', ctChangeStatus),
  row('bpf_ct_set_nat_info', '6.1', ctSetNatInfo),
  row('bpf_xdp_flow_lookup', '6.11', xdpFlowLookup),
  row('bpf_xdp_get_xfrm_state', '6.8'),
  row('bpf_xdp_xfrm_state_release', '6.8'),

  // Objects, lists and trees of them
  row('bpf_obj_new_impl', '6.3'),
  row('bpf_obj_drop_impl', '6.3'),
  row('bpf_percpu_obj_new_impl', '6.7'),
  row('bpf_percpu_obj_drop_impl', '6.7'),
  row('bpf_refcount_acquire_impl', '6.4'),
  row('bpf_list_push_front_impl', '6.3'),
  row('bpf_list_push_back_impl', '6.3'),
  row('bpf_list_pop_front', '6.3'),
  row('bpf_list_pop_back', '6.3'),
  row('bpf_list_front', '6.16'),
  row('bpf_list_back', '6.16'),
  row('bpf_rbtree_add_impl', '6.3'),
  row('bpf_rbtree_remove', '6.3'),
  row('bpf_rbtree_first', '6.3'),
  row('bpf_rbtree_root', '6.16'),
  row('bpf_rbtree_left', '6.16'),
  row('bpf_rbtree_right', '6.16'),

  // What the kernel knows, and other services
  row('bpf_cast_to_kern_ctx', '6.2'),
  row('bpf_rdonly_cast', '6.2'),
  row('bpf_map_sum_elem_count', '6.6'),
  row('bpf_throw', '6.7'),
  row('bpf_stream_vprintk_impl', '6.17'),
  row('bpf_wq_init', '6.10'),
  row('bpf_wq_set_callback_impl', '6.10'),
  row('bpf_wq_start', '6.10'),
  row('bpf_crypto_encrypt', '6.10'),
  row('bpf_crypto_decrypt', '6.10'),
  row('bpf_get_kmem_cache', '6.13'),
  row('bpf_lookup_system_key', '6.18'),
  row('bpf_key_put', '6.18'),
  row('bpf_cgroup_acquire', '6.7'),
  row('bpf_cgroup_release', '6.7'),
  row('bpf_cgroup_ancestor', '6.7'),
  row('bpf_cgroup_from_id', '6.7'),
  row('bpf_cgroup_read_xattr', '6.17'),
  row('bpf_task_acquire', '6.7'),
  row('bpf_task_release', '6.7'),
  row('bpf_task_from_pid', '6.7'),
  row('bpf_task_from_vpid', '6.14'),
  row('bpf_task_get_cgroup1', '6.7'),
  row('bpf_task_under_cgroup', '6.7'),
  row('bpf_send_signal_task', '6.13'),
  row('bpf_task_work_schedule_signal_impl', '6.18'),
  row('bpf_task_work_schedule_resume_impl', '6.18'),

  ...NOT_FOR_XDP.map((name) => ({ name, since: '0', xdp: false, support: undefined })),
];

/** Kfuncs are called by numbers of our own, beyond those of the helpers: this and a row's index. Near them, so that one dense array holds both. */
export const KFUNC_ID_BASE = 256;

const INDEX_BY_NAME: ReadonlyMap<string, number> = new Map(KFUNCS.map(({ name }, index) => [name, index]));

/** The number by which the machine calls a kfunc; `undefined` for one that isn't supported or that this kernel doesn't have yet. */
export function kfuncId(name: string, kernel: KernelRelease): number | undefined {
  const index = INDEX_BY_NAME.get(name);
  const kfunc = index === undefined ? undefined : KFUNCS[index];
  return kfunc?.support === undefined || !isSince(kernel, kfunc.since) ? undefined : KFUNC_ID_BASE + index!;
}

/** The kfunc of this name, if 6.18 has it. */
export function findKfunc(name: string): KfuncSpec | undefined {
  const index = INDEX_BY_NAME.get(name);
  return index === undefined ? undefined : KFUNCS[index];
}

/** How the helper or kfunc that the machine calls by this number works. */
export function calleeSupport(id: number): HelperSupport | undefined {
  return id < KFUNC_ID_BASE ? HELPERS[id]?.support : KFUNCS[id - KFUNC_ID_BASE]?.support;
}

/** Name of the helper or kfunc that the machine calls by this number. */
export function calleeName(id: number): string {
  return KFUNCS[id - KFUNC_ID_BASE]?.name ?? helperName(id);
}
