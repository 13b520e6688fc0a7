/**
 * Kernel functions of 6.18 that its verifier refuses in every XDP program (check_kfunc_call, kernel/bpf/verifier.c): they belong to programs
 * of other types, they sleep, or no XDP program can come by what they want as an argument. Those that implement TCP's congestion control, that
 * test the kernel itself, or that are for HID and sched_ext are left out.
 */
export const NOT_FOR_XDP: readonly string[] = [
  // Registered for programs of other types
  'bpf_cpumask_acquire', 'bpf_cpumask_and', 'bpf_cpumask_any_and_distribute', 'bpf_cpumask_any_distribute', 'bpf_cpumask_clear',
  'bpf_cpumask_clear_cpu', 'bpf_cpumask_copy', 'bpf_cpumask_create', 'bpf_cpumask_empty', 'bpf_cpumask_equal', 'bpf_cpumask_first',
  'bpf_cpumask_first_and', 'bpf_cpumask_first_zero', 'bpf_cpumask_full', 'bpf_cpumask_intersects', 'bpf_cpumask_or',
  'bpf_cpumask_populate', 'bpf_cpumask_release', 'bpf_cpumask_set_cpu', 'bpf_cpumask_setall', 'bpf_cpumask_subset',
  'bpf_cpumask_test_and_clear_cpu', 'bpf_cpumask_test_and_set_cpu', 'bpf_cpumask_test_cpu', 'bpf_cpumask_weight', 'bpf_cpumask_xor',
  'bpf_crypto_ctx_acquire', 'bpf_crypto_ctx_create', 'bpf_crypto_ctx_release', 'bpf_dynptr_from_skb', 'bpf_dynptr_from_skb_meta',
  'bpf_get_dentry_xattr', 'bpf_get_file_xattr', 'bpf_get_task_exe_file', 'bpf_path_d_path', 'bpf_put_file', 'bpf_remove_dentry_xattr',
  'bpf_session_cookie', 'bpf_session_is_return', 'bpf_set_dentry_xattr', 'bpf_sk_assign_tcp_reqsk', 'bpf_sock_addr_set_sun_path',
  'bpf_sock_destroy', 'bpf_sock_ops_enable_tx_tstamp', 'css_rstat_flush', 'css_rstat_updated',

  // For programs that may sleep, and css_task for iterators and LSM
  'bpf_arena_alloc_pages', 'bpf_arena_free_pages', 'bpf_arena_reserve_pages', 'bpf_copy_from_user_dynptr', 'bpf_copy_from_user_str',
  'bpf_copy_from_user_str_dynptr', 'bpf_copy_from_user_task_dynptr', 'bpf_copy_from_user_task_str', 'bpf_copy_from_user_task_str_dynptr',
  'bpf_iter_css_task_destroy', 'bpf_iter_css_task_new', 'bpf_iter_css_task_next', 'bpf_iter_dmabuf_destroy', 'bpf_iter_dmabuf_new',
  'bpf_iter_dmabuf_next', 'bpf_iter_kmem_cache_destroy', 'bpf_iter_kmem_cache_new', 'bpf_iter_kmem_cache_next', 'bpf_lookup_user_key',

  // Want a struct __sk_buff
  'bpf_skb_ct_alloc', 'bpf_skb_ct_lookup',
];
