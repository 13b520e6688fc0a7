/**
 * Types of Linux 6.18 on x86-64 that XDP programs commonly meet: one declaration, then its members or values.
 *
 *     struct NAME SIZE        member: TYPE @BYTE; member: TYPE @BYTE.BIT:WIDTH (a bitfield); : TYPE @BYTE (without a name)
 *     enum NAME SIZE          VALUE=number
 *
 * Types are u8 to u64, s32, s64, ulong, bool, char; `struct X`, `union X`, `enum X`; `*struct X`, `*void` (pointers); `T[N]`. Names that begin
 * with # belong to declarations without a name. The numbers are those of /sys/kernel/btf/vmlinux; the tests compare them with it.
 */
export const BUILT_IN_TABLE = `
struct xdp_md 24
  data: u32 @0; data_end: u32 @4; data_meta: u32 @8; ingress_ifindex: u32 @12; rx_queue_index: u32 @16; egress_ifindex: u32 @20
struct xdp_buff 56
  data: *void @0; data_end: *void @8; data_meta: *void @16; data_hard_start: *void @24; rxq: *struct xdp_rxq_info @32;
  txq: *struct xdp_txq_info @40; : union #1 @48
union #1 8
  : struct #2 @0; frame_sz_flags_init: u64 @0
struct #2 8
  frame_sz: u32 @0; flags: u32 @4
struct xdp_frame 40
  data: *void @0; len: u32 @8; headroom: u32 @12; metasize: u32 @16; mem_type: enum xdp_mem_type @20.0:32; dev_rx: *struct net_device @24;
  frame_sz: u32 @32; flags: u32 @36
enum xdp_mem_type 4
  MEM_TYPE_PAGE_SHARED=0 MEM_TYPE_PAGE_ORDER0=1 MEM_TYPE_PAGE_POOL=2 MEM_TYPE_XSK_BUFF_POOL=3 MEM_TYPE_MAX=4
struct xdp_rxq_info 64
  dev: *struct net_device @0; queue_index: u32 @8; reg_state: u32 @12; mem: struct xdp_mem_info @16; frag_size: u32 @24
struct xdp_mem_info 8
  type: u32 @0; id: u32 @4
struct xdp_txq_info 8
  dev: *struct net_device @0
struct ethhdr 14
  h_dest: u8[6] @0; h_source: u8[6] @6; h_proto: u16 @12
struct vlan_hdr 4
  h_vlan_TCI: u16 @0; h_vlan_encapsulated_proto: u16 @2
struct vlan_ethhdr 18
  : union #3 @0; h_vlan_proto: u16 @12; h_vlan_TCI: u16 @14; h_vlan_encapsulated_proto: u16 @16
union #3 12
  : struct #4 @0; addrs: struct #4 @0
struct #4 12
  h_dest: u8[6] @0; h_source: u8[6] @6
struct arphdr 8
  ar_hrd: u16 @0; ar_pro: u16 @2; ar_hln: u8 @4; ar_pln: u8 @5; ar_op: u16 @6
struct iphdr 20
  ihl: u8 @0.0:4; version: u8 @0.4:4; tos: u8 @1; tot_len: u16 @2; id: u16 @4; frag_off: u16 @6; ttl: u8 @8; protocol: u8 @9; check: u16 @10;
  : union #5 @12
union #5 8
  : struct #6 @0; addrs: struct #6 @0
struct #6 8
  saddr: u32 @0; daddr: u32 @4
struct ipv6hdr 40
  priority: u8 @0.0:4; version: u8 @0.4:4; flow_lbl: u8[3] @1; payload_len: u16 @4; nexthdr: u8 @6; hop_limit: u8 @7; : union #7 @8
union #7 32
  : struct #8 @0; addrs: struct #8 @0
struct #8 32
  saddr: struct in6_addr @0; daddr: struct in6_addr @16
struct in6_addr 16
  in6_u: union #9 @0
union #9 16
  u6_addr8: u8[16] @0; u6_addr16: u16[8] @0; u6_addr32: u32[4] @0
struct in_addr 4
  s_addr: u32 @0
struct ipv6_opt_hdr 2
  nexthdr: u8 @0; hdrlen: u8 @1
struct ipv6_rt_hdr 4
  nexthdr: u8 @0; hdrlen: u8 @1; type: u8 @2; segments_left: u8 @3
struct frag_hdr 8
  nexthdr: u8 @0; reserved: u8 @1; frag_off: u16 @2; identification: u32 @4
struct ip_auth_hdr 12
  nexthdr: u8 @0; hdrlen: u8 @1; reserved: u16 @2; spi: u32 @4; seq_no: u32 @8; auth_data: u8[0] @12
struct ip_esp_hdr 8
  spi: u32 @0; seq_no: u32 @4; enc_data: u8[0] @8
struct tcphdr 20
  source: u16 @0; dest: u16 @2; seq: u32 @4; ack_seq: u32 @8; ae: u16 @12.0:1; res1: u16 @12.1:3; doff: u16 @12.4:4; fin: u16 @13.0:1;
  syn: u16 @13.1:1; rst: u16 @13.2:1; psh: u16 @13.3:1; ack: u16 @13.4:1; urg: u16 @13.5:1; ece: u16 @13.6:1; cwr: u16 @13.7:1;
  window: u16 @14; check: u16 @16; urg_ptr: u16 @18
struct udphdr 8
  source: u16 @0; dest: u16 @2; len: u16 @4; check: u16 @6
struct icmphdr 8
  type: u8 @0; code: u8 @1; checksum: u16 @2; un: union #10 @4
union #10 4
  echo: struct #11 @0; gateway: u32 @0; frag: struct #12 @0; reserved: u8[4] @0
struct #11 4
  id: u16 @0; sequence: u16 @2
struct #12 4
  __unused: u16 @0; mtu: u16 @2
struct icmp6hdr 8
  icmp6_type: u8 @0; icmp6_code: u8 @1; icmp6_cksum: u16 @2; icmp6_dataun: union #13 @4
union #13 4
  un_data32: u32[1] @0; un_data16: u16[2] @0; un_data8: u8[4] @0; u_echo: struct icmpv6_echo @0; u_nd_advt: struct icmpv6_nd_advt @0;
  u_nd_ra: struct icmpv6_nd_ra @0
struct icmpv6_echo 4
  identifier: u16 @0; sequence: u16 @2
struct icmpv6_nd_advt 4
  reserved: u32 @0.0:5; override: u32 @0.5:1; solicited: u32 @0.6:1; router: u32 @0.7:1; reserved2: u32 @1.0:24
struct icmpv6_nd_ra 4
  hop_limit: u8 @0; reserved: u8 @1.0:3; router_pref: u8 @1.3:2; home_agent: u8 @1.5:1; other: u8 @1.6:1; managed: u8 @1.7:1;
  rt_lifetime: u16 @2
struct sctphdr 12
  source: u16 @0; dest: u16 @2; vtag: u32 @4; checksum: u32 @8
struct igmphdr 8
  type: u8 @0; code: u8 @1; csum: u16 @2; group: u32 @4
struct gre_base_hdr 4
  flags: u16 @0; protocol: u16 @2
struct gre_full_hdr 16
  fixed_header: struct gre_base_hdr @0; csum: u16 @4; reserved1: u16 @6; key: u32 @8; seq: u32 @12
struct vxlanhdr 8
  vx_flags: u32 @0; vx_vni: u32 @4
struct genevehdr 8
  opt_len: u8 @0.0:6; ver: u8 @0.6:2; rsvd1: u8 @1.0:6; critical: u8 @1.6:1; oam: u8 @1.7:1; proto_type: u16 @2; vni: u8[3] @4; rsvd2: u8 @7;
  options: u8[0] @8
struct mpls_shim_hdr 4
  label_stack_entry: u32 @0
struct mpls_label 4
  entry: u32 @0
struct bpf_sock 80
  bound_dev_if: u32 @0; family: u32 @4; type: u32 @8; protocol: u32 @12; mark: u32 @16; priority: u32 @20; src_ip4: u32 @24;
  src_ip6: u32[4] @28; src_port: u32 @44; dst_port: u16 @48; dst_ip4: u32 @52; dst_ip6: u32[4] @56; state: u32 @72; rx_queue_mapping: s32 @76
struct bpf_tcp_sock 112
  snd_cwnd: u32 @0; srtt_us: u32 @4; rtt_min: u32 @8; snd_ssthresh: u32 @12; rcv_nxt: u32 @16; snd_nxt: u32 @20; snd_una: u32 @24;
  mss_cache: u32 @28; ecn_flags: u32 @32; rate_delivered: u32 @36; rate_interval_us: u32 @40; packets_out: u32 @44; retrans_out: u32 @48;
  total_retrans: u32 @52; segs_in: u32 @56; data_segs_in: u32 @60; segs_out: u32 @64; data_segs_out: u32 @68; lost_out: u32 @72;
  sacked_out: u32 @76; bytes_received: u64 @80; bytes_acked: u64 @88; dsack_dups: u32 @96; delivered: u32 @100; delivered_ce: u32 @104;
  icsk_retransmits: u32 @108
struct bpf_sock_tuple 36
  : union #14 @0
union #14 36
  ipv4: struct #15 @0; ipv6: struct #16 @0
struct #15 12
  saddr: u32 @0; daddr: u32 @4; sport: u16 @8; dport: u16 @10
struct #16 36
  saddr: u32[4] @0; daddr: u32[4] @16; sport: u16 @32; dport: u16 @34
struct bpf_xdp_sock 4
  queue_id: u32 @0
struct bpf_fib_lookup 64
  family: u8 @0; l4_protocol: u8 @1; sport: u16 @2; dport: u16 @4; : union #17 @6; ifindex: u32 @8; : union #18 @12; : union #19 @16;
  : union #20 @32; : union #21 @48; : union #23 @52
union #17 2
  tot_len: u16 @0; mtu_result: u16 @0
union #18 4
  tos: u8 @0; flowinfo: u32 @0; rt_metric: u32 @0
union #19 16
  ipv4_src: u32 @0; ipv6_src: u32[4] @0
union #20 16
  ipv4_dst: u32 @0; ipv6_dst: u32[4] @0
union #21 4
  : struct #22 @0; tbid: u32 @0
struct #22 4
  h_vlan_proto: u16 @0; h_vlan_TCI: u16 @2
union #23 12
  : struct #24 @0; : struct #25 @0
struct #24 4
  mark: u32 @0
struct #25 12
  smac: u8[6] @0; dmac: u8[6] @6
struct bpf_redir_neigh 20
  nh_family: u32 @0; : union #26 @4
union #26 16
  ipv4_nh: u32 @0; ipv6_nh: u32[4] @0
struct bpf_devmap_val 8
  ifindex: u32 @0; bpf_prog: union #27 @4
union #27 4
  fd: s32 @0; id: u32 @0
struct bpf_cpumap_val 8
  qsize: u32 @0; bpf_prog: union #27 @4
struct bpf_spin_lock 4
  val: u32 @0
struct bpf_timer 16
  __opaque: u64[2] @0
struct bpf_dynptr 16
  __opaque: u64[2] @0
struct bpf_perf_event_value 24
  counter: u64 @0; enabled: u64 @8; running: u64 @16
struct bpf_ct_opts 16
  netns_id: s32 @0; error: s32 @4; l4proto: u8 @8; dir: u8 @9; ct_zone_id: u16 @10; ct_zone_dir: u8 @12; reserved: u8[3] @13
struct nf_conn 248
  ct_general: struct nf_conntrack @0; lock: struct spinlock @4; timeout: u32 @8; zone: struct nf_conntrack_zone @12;
  tuplehash: struct nf_conntrack_tuple_hash[2] @16; status: ulong @128; ct_net: struct #40 @136; nat_bysource: struct hlist_node @144;
  __nfct_init_offset: struct #39 @160; master: *struct nf_conn @160; mark: u32 @168; secmark: u32 @172; ext: *struct nf_ct_ext @176;
  proto: union nf_conntrack_proto @184
struct nf_conntrack 4
  use: struct refcount_struct @0
struct refcount_struct 4
  refs: struct #28 @0
struct #28 4
  counter: s32 @0
struct spinlock 4
  : union #29 @0
union #29 4
  rlock: struct raw_spinlock @0
struct raw_spinlock 4
  raw_lock: struct qspinlock @0
struct qspinlock 4
  : union #30 @0
union #30 4
  val: struct #28 @0; : struct #31 @0; : struct #32 @0
struct #31 2
  locked: u8 @0; pending: u8 @1
struct #32 4
  locked_pending: u16 @0; tail: u16 @2
struct nf_conntrack_zone 4
  id: u16 @0; flags: u8 @2; dir: u8 @3
struct nf_conntrack_tuple_hash 56
  hnnode: struct hlist_nulls_node @0; tuple: struct nf_conntrack_tuple @16
struct hlist_nulls_node 16
  next: *struct hlist_nulls_node @0; pprev: **void @8
struct nf_conntrack_tuple 40
  src: struct nf_conntrack_man @0; dst: struct #36 @20
struct nf_conntrack_man 20
  u3: union nf_inet_addr @0; u: union nf_conntrack_man_proto @16; l3num: u16 @18
union nf_inet_addr 16
  all: u32[4] @0; ip: u32 @0; ip6: u32[4] @0; in: struct in_addr @0; in6: struct in6_addr @0
union nf_conntrack_man_proto 2
  all: u16 @0; tcp: struct #33 @0; udp: struct #33 @0; icmp: struct #34 @0; dccp: struct #33 @0; sctp: struct #33 @0; gre: struct #35 @0
struct #33 2
  port: u16 @0
struct #34 2
  id: u16 @0
struct #35 2
  key: u16 @0
struct #36 20
  u3: union nf_inet_addr @0; u: union #37 @16; protonum: u8 @18; __nfct_hash_offsetend: struct #39 @19; dir: u8 @19
union #37 2
  all: u16 @0; tcp: struct #33 @0; udp: struct #33 @0; icmp: struct #38 @0; dccp: struct #33 @0; sctp: struct #33 @0; gre: struct #35 @0
struct #38 2
  type: u8 @0; code: u8 @1
struct #39 0
  
struct #40 8
  net: *struct net @0
struct hlist_node 16
  next: *struct hlist_node @0; pprev: **void @8
union nf_conntrack_proto 64
  sctp: struct ip_ct_sctp @0; tcp: struct ip_ct_tcp @0; udp: struct nf_ct_udp @0; gre: struct nf_ct_gre @0; tmpl_padto: u32 @0
struct ip_ct_sctp 16
  state: enum sctp_conntrack @0; vtag: u32[2] @4; init: u8[2] @12; last_dir: u8 @14; flags: u8 @15
enum sctp_conntrack 4
  SCTP_CONNTRACK_NONE=0 SCTP_CONNTRACK_CLOSED=1 SCTP_CONNTRACK_COOKIE_WAIT=2 SCTP_CONNTRACK_COOKIE_ECHOED=3 SCTP_CONNTRACK_ESTABLISHED=4
  SCTP_CONNTRACK_SHUTDOWN_SENT=5 SCTP_CONNTRACK_SHUTDOWN_RECD=6 SCTP_CONNTRACK_SHUTDOWN_ACK_SENT=7 SCTP_CONNTRACK_HEARTBEAT_SENT=8
  SCTP_CONNTRACK_HEARTBEAT_ACKED=9 SCTP_CONNTRACK_MAX=10
struct ip_ct_tcp 60
  seen: struct ip_ct_tcp_state[2] @0; state: u8 @40; last_dir: u8 @41; retrans: u8 @42; last_index: u8 @43; last_seq: u32 @44;
  last_ack: u32 @48; last_end: u32 @52; last_win: u16 @56; last_wscale: u8 @58; last_flags: u8 @59
struct ip_ct_tcp_state 20
  td_end: u32 @0; td_maxend: u32 @4; td_maxwin: u32 @8; td_maxack: u32 @12; td_scale: u8 @16; flags: u8 @17
struct nf_ct_udp 8
  stream_ts: ulong @0
struct nf_ct_gre 8
  stream_timeout: u32 @0; timeout: u32 @4
struct flow_offload_tuple_rhash 88
  node: struct rhash_head @0; tuple: struct flow_offload_tuple @8
struct rhash_head 8
  next: *struct rhash_head @0
struct flow_offload_tuple 80
  : union #41 @0; : union #42 @16; : struct #43 @32; iifidx: s32 @36; l3proto: u8 @40; l4proto: u8 @41; encap: struct #44[2] @42;
  __hash: struct #39 @50; dir: u8 @50.0:2; xmit_type: u8 @50.2:3; encap_num: u8 @50.5:2; in_vlan_ingress: u8 @51.0:2; mtu: u16 @52;
  : union #45 @56
union #41 16
  src_v4: struct in_addr @0; src_v6: struct in6_addr @0
union #42 16
  dst_v4: struct in_addr @0; dst_v6: struct in6_addr @0
struct #43 4
  src_port: u16 @0; dst_port: u16 @2
struct #44 4
  id: u16 @0; proto: u16 @2
union #45 24
  : struct #46 @0; out: struct #47 @0; tc: struct #48 @0
struct #46 16
  dst_cache: *struct dst_entry @0; dst_cookie: u32 @8
struct #47 20
  ifidx: u32 @0; hw_ifidx: u32 @4; h_source: u8[6] @8; h_dest: u8[6] @14
struct #48 4
  iifidx: u32 @0
struct flow_offload 216
  tuplehash: struct flow_offload_tuple_rhash[2] @0; ct: *struct nf_conn @176; flags: ulong @184; type: u16 @192; timeout: u32 @196;
  callback_head: struct callback_head @200
struct callback_head 16
  next: *struct callback_head @0; func: *void @8
struct skb_frag 16
  netmem: ulong @0; len: u32 @8; offset: u32 @12
struct skb_shared_info 320
  flags: u8 @0; meta_len: u8 @1; nr_frags: u8 @2; tx_flags: u8 @3; gso_size: u16 @4; gso_segs: u16 @6; frag_list: *struct sk_buff @8;
  : union #49 @16; gso_type: u32 @24; tskey: u32 @28; dataref: struct #28 @32; : union #51 @40; frags: struct skb_frag[17] @48
union #49 8
  hwtstamps: struct skb_shared_hwtstamps @0; xsk_meta: struct xsk_tx_metadata_compl @0
struct skb_shared_hwtstamps 8
  : union #50 @0
union #50 8
  hwtstamp: s64 @0; netdev_data: *void @0
struct xsk_tx_metadata_compl 8
  tx_timestamp: *u64 @0
union #51 8
  : struct #52 @0; destructor_arg: *void @0
struct #52 8
  xdp_frags_size: u32 @0; xdp_frags_truesize: u32 @4
union tcp_word_hdr 20
  hdr: struct tcphdr @0; words: u32[5] @0
enum xdp_action 4
  XDP_ABORTED=0 XDP_DROP=1 XDP_PASS=2 XDP_TX=3 XDP_REDIRECT=4
enum xdp_buff_flags 4
  XDP_FLAGS_HAS_FRAGS=1 XDP_FLAGS_FRAGS_PF_MEMALLOC=2 XDP_FLAGS_FRAGS_UNREADABLE=4
enum xdp_rss_hash_type 4
  XDP_RSS_L3_IPV4=1 XDP_RSS_L3_IPV6=2 XDP_RSS_L3_DYNHDR=4 XDP_RSS_L4=8 XDP_RSS_L4_TCP=16 XDP_RSS_L4_UDP=32 XDP_RSS_L4_SCTP=64
  XDP_RSS_L4_IPSEC=128 XDP_RSS_L4_ICMP=256 XDP_RSS_TYPE_NONE=0 XDP_RSS_TYPE_L2=0 XDP_RSS_TYPE_L3_IPV4=1 XDP_RSS_TYPE_L3_IPV6=2
  XDP_RSS_TYPE_L3_IPV4_OPT=5 XDP_RSS_TYPE_L3_IPV6_EX=6 XDP_RSS_TYPE_L4_ANY=8 XDP_RSS_TYPE_L4_IPV4_TCP=25 XDP_RSS_TYPE_L4_IPV4_UDP=41
  XDP_RSS_TYPE_L4_IPV4_SCTP=73 XDP_RSS_TYPE_L4_IPV4_IPSEC=137 XDP_RSS_TYPE_L4_IPV4_ICMP=265 XDP_RSS_TYPE_L4_IPV6_TCP=26
  XDP_RSS_TYPE_L4_IPV6_UDP=42 XDP_RSS_TYPE_L4_IPV6_SCTP=74 XDP_RSS_TYPE_L4_IPV6_IPSEC=138 XDP_RSS_TYPE_L4_IPV6_ICMP=266
  XDP_RSS_TYPE_L4_IPV6_TCP_EX=30 XDP_RSS_TYPE_L4_IPV6_UDP_EX=46 XDP_RSS_TYPE_L4_IPV6_SCTP_EX=78
enum bpf_func_id 4
  BPF_FUNC_unspec=0 BPF_FUNC_map_lookup_elem=1 BPF_FUNC_map_update_elem=2 BPF_FUNC_map_delete_elem=3 BPF_FUNC_probe_read=4
  BPF_FUNC_ktime_get_ns=5 BPF_FUNC_trace_printk=6 BPF_FUNC_get_prandom_u32=7 BPF_FUNC_get_smp_processor_id=8 BPF_FUNC_skb_store_bytes=9
  BPF_FUNC_l3_csum_replace=10 BPF_FUNC_l4_csum_replace=11 BPF_FUNC_tail_call=12 BPF_FUNC_clone_redirect=13 BPF_FUNC_get_current_pid_tgid=14
  BPF_FUNC_get_current_uid_gid=15 BPF_FUNC_get_current_comm=16 BPF_FUNC_get_cgroup_classid=17 BPF_FUNC_skb_vlan_push=18
  BPF_FUNC_skb_vlan_pop=19 BPF_FUNC_skb_get_tunnel_key=20 BPF_FUNC_skb_set_tunnel_key=21 BPF_FUNC_perf_event_read=22 BPF_FUNC_redirect=23
  BPF_FUNC_get_route_realm=24 BPF_FUNC_perf_event_output=25 BPF_FUNC_skb_load_bytes=26 BPF_FUNC_get_stackid=27 BPF_FUNC_csum_diff=28
  BPF_FUNC_skb_get_tunnel_opt=29 BPF_FUNC_skb_set_tunnel_opt=30 BPF_FUNC_skb_change_proto=31 BPF_FUNC_skb_change_type=32
  BPF_FUNC_skb_under_cgroup=33 BPF_FUNC_get_hash_recalc=34 BPF_FUNC_get_current_task=35 BPF_FUNC_probe_write_user=36
  BPF_FUNC_current_task_under_cgroup=37 BPF_FUNC_skb_change_tail=38 BPF_FUNC_skb_pull_data=39 BPF_FUNC_csum_update=40
  BPF_FUNC_set_hash_invalid=41 BPF_FUNC_get_numa_node_id=42 BPF_FUNC_skb_change_head=43 BPF_FUNC_xdp_adjust_head=44 BPF_FUNC_probe_read_str=45
  BPF_FUNC_get_socket_cookie=46 BPF_FUNC_get_socket_uid=47 BPF_FUNC_set_hash=48 BPF_FUNC_setsockopt=49 BPF_FUNC_skb_adjust_room=50
  BPF_FUNC_redirect_map=51 BPF_FUNC_sk_redirect_map=52 BPF_FUNC_sock_map_update=53 BPF_FUNC_xdp_adjust_meta=54
  BPF_FUNC_perf_event_read_value=55 BPF_FUNC_perf_prog_read_value=56 BPF_FUNC_getsockopt=57 BPF_FUNC_override_return=58
  BPF_FUNC_sock_ops_cb_flags_set=59 BPF_FUNC_msg_redirect_map=60 BPF_FUNC_msg_apply_bytes=61 BPF_FUNC_msg_cork_bytes=62
  BPF_FUNC_msg_pull_data=63 BPF_FUNC_bind=64 BPF_FUNC_xdp_adjust_tail=65 BPF_FUNC_skb_get_xfrm_state=66 BPF_FUNC_get_stack=67
  BPF_FUNC_skb_load_bytes_relative=68 BPF_FUNC_fib_lookup=69 BPF_FUNC_sock_hash_update=70 BPF_FUNC_msg_redirect_hash=71
  BPF_FUNC_sk_redirect_hash=72 BPF_FUNC_lwt_push_encap=73 BPF_FUNC_lwt_seg6_store_bytes=74 BPF_FUNC_lwt_seg6_adjust_srh=75
  BPF_FUNC_lwt_seg6_action=76 BPF_FUNC_rc_repeat=77 BPF_FUNC_rc_keydown=78 BPF_FUNC_skb_cgroup_id=79 BPF_FUNC_get_current_cgroup_id=80
  BPF_FUNC_get_local_storage=81 BPF_FUNC_sk_select_reuseport=82 BPF_FUNC_skb_ancestor_cgroup_id=83 BPF_FUNC_sk_lookup_tcp=84
  BPF_FUNC_sk_lookup_udp=85 BPF_FUNC_sk_release=86 BPF_FUNC_map_push_elem=87 BPF_FUNC_map_pop_elem=88 BPF_FUNC_map_peek_elem=89
  BPF_FUNC_msg_push_data=90 BPF_FUNC_msg_pop_data=91 BPF_FUNC_rc_pointer_rel=92 BPF_FUNC_spin_lock=93 BPF_FUNC_spin_unlock=94
  BPF_FUNC_sk_fullsock=95 BPF_FUNC_tcp_sock=96 BPF_FUNC_skb_ecn_set_ce=97 BPF_FUNC_get_listener_sock=98 BPF_FUNC_skc_lookup_tcp=99
  BPF_FUNC_tcp_check_syncookie=100 BPF_FUNC_sysctl_get_name=101 BPF_FUNC_sysctl_get_current_value=102 BPF_FUNC_sysctl_get_new_value=103
  BPF_FUNC_sysctl_set_new_value=104 BPF_FUNC_strtol=105 BPF_FUNC_strtoul=106 BPF_FUNC_sk_storage_get=107 BPF_FUNC_sk_storage_delete=108
  BPF_FUNC_send_signal=109 BPF_FUNC_tcp_gen_syncookie=110 BPF_FUNC_skb_output=111 BPF_FUNC_probe_read_user=112 BPF_FUNC_probe_read_kernel=113
  BPF_FUNC_probe_read_user_str=114 BPF_FUNC_probe_read_kernel_str=115 BPF_FUNC_tcp_send_ack=116 BPF_FUNC_send_signal_thread=117
  BPF_FUNC_jiffies64=118 BPF_FUNC_read_branch_records=119 BPF_FUNC_get_ns_current_pid_tgid=120 BPF_FUNC_xdp_output=121
  BPF_FUNC_get_netns_cookie=122 BPF_FUNC_get_current_ancestor_cgroup_id=123 BPF_FUNC_sk_assign=124 BPF_FUNC_ktime_get_boot_ns=125
  BPF_FUNC_seq_printf=126 BPF_FUNC_seq_write=127 BPF_FUNC_sk_cgroup_id=128 BPF_FUNC_sk_ancestor_cgroup_id=129 BPF_FUNC_ringbuf_output=130
  BPF_FUNC_ringbuf_reserve=131 BPF_FUNC_ringbuf_submit=132 BPF_FUNC_ringbuf_discard=133 BPF_FUNC_ringbuf_query=134 BPF_FUNC_csum_level=135
  BPF_FUNC_skc_to_tcp6_sock=136 BPF_FUNC_skc_to_tcp_sock=137 BPF_FUNC_skc_to_tcp_timewait_sock=138 BPF_FUNC_skc_to_tcp_request_sock=139
  BPF_FUNC_skc_to_udp6_sock=140 BPF_FUNC_get_task_stack=141 BPF_FUNC_load_hdr_opt=142 BPF_FUNC_store_hdr_opt=143 BPF_FUNC_reserve_hdr_opt=144
  BPF_FUNC_inode_storage_get=145 BPF_FUNC_inode_storage_delete=146 BPF_FUNC_d_path=147 BPF_FUNC_copy_from_user=148 BPF_FUNC_snprintf_btf=149
  BPF_FUNC_seq_printf_btf=150 BPF_FUNC_skb_cgroup_classid=151 BPF_FUNC_redirect_neigh=152 BPF_FUNC_per_cpu_ptr=153 BPF_FUNC_this_cpu_ptr=154
  BPF_FUNC_redirect_peer=155 BPF_FUNC_task_storage_get=156 BPF_FUNC_task_storage_delete=157 BPF_FUNC_get_current_task_btf=158
  BPF_FUNC_bprm_opts_set=159 BPF_FUNC_ktime_get_coarse_ns=160 BPF_FUNC_ima_inode_hash=161 BPF_FUNC_sock_from_file=162 BPF_FUNC_check_mtu=163
  BPF_FUNC_for_each_map_elem=164 BPF_FUNC_snprintf=165 BPF_FUNC_sys_bpf=166 BPF_FUNC_btf_find_by_name_kind=167 BPF_FUNC_sys_close=168
  BPF_FUNC_timer_init=169 BPF_FUNC_timer_set_callback=170 BPF_FUNC_timer_start=171 BPF_FUNC_timer_cancel=172 BPF_FUNC_get_func_ip=173
  BPF_FUNC_get_attach_cookie=174 BPF_FUNC_task_pt_regs=175 BPF_FUNC_get_branch_snapshot=176 BPF_FUNC_trace_vprintk=177
  BPF_FUNC_skc_to_unix_sock=178 BPF_FUNC_kallsyms_lookup_name=179 BPF_FUNC_find_vma=180 BPF_FUNC_loop=181 BPF_FUNC_strncmp=182
  BPF_FUNC_get_func_arg=183 BPF_FUNC_get_func_ret=184 BPF_FUNC_get_func_arg_cnt=185 BPF_FUNC_get_retval=186 BPF_FUNC_set_retval=187
  BPF_FUNC_xdp_get_buff_len=188 BPF_FUNC_xdp_load_bytes=189 BPF_FUNC_xdp_store_bytes=190 BPF_FUNC_copy_from_user_task=191
  BPF_FUNC_skb_set_tstamp=192 BPF_FUNC_ima_file_hash=193 BPF_FUNC_kptr_xchg=194 BPF_FUNC_map_lookup_percpu_elem=195
  BPF_FUNC_skc_to_mptcp_sock=196 BPF_FUNC_dynptr_from_mem=197 BPF_FUNC_ringbuf_reserve_dynptr=198 BPF_FUNC_ringbuf_submit_dynptr=199
  BPF_FUNC_ringbuf_discard_dynptr=200 BPF_FUNC_dynptr_read=201 BPF_FUNC_dynptr_write=202 BPF_FUNC_dynptr_data=203
  BPF_FUNC_tcp_raw_gen_syncookie_ipv4=204 BPF_FUNC_tcp_raw_gen_syncookie_ipv6=205 BPF_FUNC_tcp_raw_check_syncookie_ipv4=206
  BPF_FUNC_tcp_raw_check_syncookie_ipv6=207 BPF_FUNC_ktime_get_tai_ns=208 BPF_FUNC_user_ringbuf_drain=209 BPF_FUNC_cgrp_storage_get=210
  BPF_FUNC_cgrp_storage_delete=211 __BPF_FUNC_MAX_ID=212
enum bpf_map_type 4
  BPF_MAP_TYPE_UNSPEC=0 BPF_MAP_TYPE_HASH=1 BPF_MAP_TYPE_ARRAY=2 BPF_MAP_TYPE_PROG_ARRAY=3 BPF_MAP_TYPE_PERF_EVENT_ARRAY=4
  BPF_MAP_TYPE_PERCPU_HASH=5 BPF_MAP_TYPE_PERCPU_ARRAY=6 BPF_MAP_TYPE_STACK_TRACE=7 BPF_MAP_TYPE_CGROUP_ARRAY=8 BPF_MAP_TYPE_LRU_HASH=9
  BPF_MAP_TYPE_LRU_PERCPU_HASH=10 BPF_MAP_TYPE_LPM_TRIE=11 BPF_MAP_TYPE_ARRAY_OF_MAPS=12 BPF_MAP_TYPE_HASH_OF_MAPS=13 BPF_MAP_TYPE_DEVMAP=14
  BPF_MAP_TYPE_SOCKMAP=15 BPF_MAP_TYPE_CPUMAP=16 BPF_MAP_TYPE_XSKMAP=17 BPF_MAP_TYPE_SOCKHASH=18 BPF_MAP_TYPE_CGROUP_STORAGE_DEPRECATED=19
  BPF_MAP_TYPE_CGROUP_STORAGE=19 BPF_MAP_TYPE_REUSEPORT_SOCKARRAY=20 BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE_DEPRECATED=21
  BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE=21 BPF_MAP_TYPE_QUEUE=22 BPF_MAP_TYPE_STACK=23 BPF_MAP_TYPE_SK_STORAGE=24 BPF_MAP_TYPE_DEVMAP_HASH=25
  BPF_MAP_TYPE_STRUCT_OPS=26 BPF_MAP_TYPE_RINGBUF=27 BPF_MAP_TYPE_INODE_STORAGE=28 BPF_MAP_TYPE_TASK_STORAGE=29 BPF_MAP_TYPE_BLOOM_FILTER=30
  BPF_MAP_TYPE_USER_RINGBUF=31 BPF_MAP_TYPE_CGRP_STORAGE=32 BPF_MAP_TYPE_ARENA=33 __MAX_BPF_MAP_TYPE=34
enum ip_conntrack_info 4
  IP_CT_ESTABLISHED=0 IP_CT_RELATED=1 IP_CT_NEW=2 IP_CT_IS_REPLY=3 IP_CT_ESTABLISHED_REPLY=3 IP_CT_RELATED_REPLY=4 IP_CT_NUMBER=5
  IP_CT_UNTRACKED=7
enum ip_conntrack_status 4
  IPS_EXPECTED_BIT=0 IPS_EXPECTED=1 IPS_SEEN_REPLY_BIT=1 IPS_SEEN_REPLY=2 IPS_ASSURED_BIT=2 IPS_ASSURED=4 IPS_CONFIRMED_BIT=3 IPS_CONFIRMED=8
  IPS_SRC_NAT_BIT=4 IPS_SRC_NAT=16 IPS_DST_NAT_BIT=5 IPS_DST_NAT=32 IPS_NAT_MASK=48 IPS_SEQ_ADJUST_BIT=6 IPS_SEQ_ADJUST=64
  IPS_SRC_NAT_DONE_BIT=7 IPS_SRC_NAT_DONE=128 IPS_DST_NAT_DONE_BIT=8 IPS_DST_NAT_DONE=256 IPS_NAT_DONE_MASK=384 IPS_DYING_BIT=9 IPS_DYING=512
  IPS_FIXED_TIMEOUT_BIT=10 IPS_FIXED_TIMEOUT=1024 IPS_TEMPLATE_BIT=11 IPS_TEMPLATE=2048 IPS_UNTRACKED_BIT=12 IPS_UNTRACKED=4096
  IPS_NAT_CLASH_BIT=12 IPS_NAT_CLASH=4096 IPS_HELPER_BIT=13 IPS_HELPER=8192 IPS_OFFLOAD_BIT=14 IPS_OFFLOAD=16384 IPS_HW_OFFLOAD_BIT=15
  IPS_HW_OFFLOAD=32768 IPS_UNCHANGEABLE_MASK=56313 __IPS_MAX_BIT=16
enum ip_conntrack_dir 4
  IP_CT_DIR_ORIGINAL=0 IP_CT_DIR_REPLY=1 IP_CT_DIR_MAX=2
enum flow_offload_tuple_dir 4
  FLOW_OFFLOAD_DIR_ORIGINAL=0 FLOW_OFFLOAD_DIR_REPLY=1
struct bpf_flowtable_opts 4
  error: s32 @0
`;
