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

function row(name: string, support?: HelperSupport): KfuncSpec {
  return { name, xdp: true, support };
}

/**
 * Kernel functions of 6.18: first all that its verifier lets an XDP program call, then those that are for programs of other types. A new
 * one is its function in a family's file and its row here. Their numbers in the kernel are those of one build (BTF ids), so they go by name.
 */
export const KFUNCS: readonly KfuncSpec[] = [
  // Iterators
  row('bpf_iter_num_new', iterNumNew),
  row('bpf_iter_num_next', iterNumNext),
  row('bpf_iter_num_destroy', iterNumDestroy),
  row('bpf_iter_bits_new', iterBitsNew),
  row('bpf_iter_bits_next', iterBitsNext),
  row('bpf_iter_bits_destroy', iterBitsDestroy),
  row('bpf_iter_css_new'),
  row('bpf_iter_css_next'),
  row('bpf_iter_css_destroy'),
  row('bpf_iter_task_new'),
  row('bpf_iter_task_next'),
  row('bpf_iter_task_destroy'),
  row('bpf_iter_task_vma_new'),
  row('bpf_iter_task_vma_next'),
  row('bpf_iter_task_vma_destroy'),

  // Regions that must end
  row('bpf_rcu_read_lock', rcuReadLock),
  row('bpf_rcu_read_unlock', rcuReadUnlock),
  row('bpf_preempt_disable', preemptDisable),
  row('bpf_preempt_enable', preemptEnable),
  row('bpf_local_irq_save', localIrqSave),
  row('bpf_local_irq_restore', localIrqRestore),
  row('bpf_res_spin_lock'),
  row('bpf_res_spin_unlock'),
  row('bpf_res_spin_lock_irqsave'),
  row('bpf_res_spin_unlock_irqrestore'),

  // The packet and what the device knows about it
  row('bpf_xdp_metadata_rx_timestamp', rxTimestamp),
  row('bpf_xdp_metadata_rx_hash', rxHash),
  row('bpf_xdp_metadata_rx_vlan_tag', rxVlanTag),
  row('bpf_xdp_pull_data', xdpPullData),

  // Strings
  row('bpf_strcmp', strcmp),
  row('bpf_strcasecmp', strcasecmp),
  row('bpf_strchr', strchr),
  row('bpf_strchrnul', strchrnul),
  row('bpf_strnchr', strnchr),
  row('bpf_strrchr', strrchr),
  row('bpf_strlen', strlen),
  row('bpf_strnlen', strnlen),
  row('bpf_strspn', strspn),
  row('bpf_strcspn', strcspn),
  row('bpf_strstr', strstr),
  row('bpf_strnstr', strnstr),

  // Dynptrs
  row('bpf_dynptr_from_xdp', dynptrFromXdp),
  row('bpf_dynptr_slice', dynptrSliceKfunc),
  row('bpf_dynptr_slice_rdwr', dynptrSliceRdwr),
  row('bpf_dynptr_adjust', dynptrAdjust),
  row('bpf_dynptr_is_null', dynptrIsNull),
  row('bpf_dynptr_is_rdonly', dynptrIsRdonly),
  row('bpf_dynptr_size', dynptrSize),
  row('bpf_dynptr_clone', dynptrClone),
  row('bpf_dynptr_copy', dynptrCopy),
  row('bpf_dynptr_memset', dynptrMemset),
  row('bpf_probe_read_user_dynptr'),
  row('bpf_probe_read_kernel_dynptr'),
  row('bpf_probe_read_user_str_dynptr'),
  row('bpf_probe_read_kernel_str_dynptr'),

  // Connection tracking, flow tables, IPsec
  row('bpf_xdp_ct_alloc', xdpCtAlloc),
  row('bpf_xdp_ct_lookup', xdpCtLookup),
  row('bpf_ct_insert_entry', ctInsertEntry),
  row('bpf_ct_release', ctRelease),
  row('bpf_ct_set_timeout', ctSetTimeout),
  row('bpf_ct_change_timeout', ctChangeTimeout),
  row('bpf_ct_set_status', ctSetStatus),
  row('bpf_ct_change_status', ctChangeStatus),
  row('bpf_ct_set_nat_info', ctSetNatInfo),
  row('bpf_xdp_flow_lookup', xdpFlowLookup),
  row('bpf_xdp_get_xfrm_state'),
  row('bpf_xdp_xfrm_state_release'),

  // Objects, lists and trees of them
  row('bpf_obj_new_impl'),
  row('bpf_obj_drop_impl'),
  row('bpf_percpu_obj_new_impl'),
  row('bpf_percpu_obj_drop_impl'),
  row('bpf_refcount_acquire_impl'),
  row('bpf_list_push_front_impl'),
  row('bpf_list_push_back_impl'),
  row('bpf_list_pop_front'),
  row('bpf_list_pop_back'),
  row('bpf_list_front'),
  row('bpf_list_back'),
  row('bpf_rbtree_add_impl'),
  row('bpf_rbtree_remove'),
  row('bpf_rbtree_first'),
  row('bpf_rbtree_root'),
  row('bpf_rbtree_left'),
  row('bpf_rbtree_right'),

  // What the kernel knows, and other services
  row('bpf_cast_to_kern_ctx'),
  row('bpf_rdonly_cast'),
  row('bpf_map_sum_elem_count'),
  row('bpf_throw'),
  row('bpf_stream_vprintk_impl'),
  row('bpf_wq_init'),
  row('bpf_wq_set_callback_impl'),
  row('bpf_wq_start'),
  row('bpf_crypto_encrypt'),
  row('bpf_crypto_decrypt'),
  row('bpf_get_kmem_cache'),
  row('bpf_lookup_system_key'),
  row('bpf_key_put'),
  row('bpf_cgroup_acquire'),
  row('bpf_cgroup_release'),
  row('bpf_cgroup_ancestor'),
  row('bpf_cgroup_from_id'),
  row('bpf_cgroup_read_xattr'),
  row('bpf_task_acquire'),
  row('bpf_task_release'),
  row('bpf_task_from_pid'),
  row('bpf_task_from_vpid'),
  row('bpf_task_get_cgroup1'),
  row('bpf_task_under_cgroup'),
  row('bpf_send_signal_task'),
  row('bpf_task_work_schedule_signal_impl'),
  row('bpf_task_work_schedule_resume_impl'),

  ...NOT_FOR_XDP.map((name) => ({ name, xdp: false, support: undefined })),
];

/** Kfuncs are called by numbers of our own, beyond those of the helpers: this and a row's index. Near them, so that one dense array holds both. */
export const KFUNC_ID_BASE = 256;

const INDEX_BY_NAME: ReadonlyMap<string, number> = new Map(KFUNCS.map(({ name }, index) => [name, index]));

/** The number by which the machine calls a kfunc; `undefined` for one that the table doesn't have. */
export function kfuncId(name: string): number | undefined {
  const index = INDEX_BY_NAME.get(name);
  return index === undefined ? undefined : KFUNC_ID_BASE + index;
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
