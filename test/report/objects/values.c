/*
 * Maps of many types, filled in a way that is easy to foresee: what a report has to decode. Packets are told apart by their length only.
 */
#include <stdbool.h>
#include <linux/bpf.h>
#include <linux/in6.h>
#include <bpf/bpf_helpers.h>

enum size_class { SMALL, LARGE };

struct traffic {
	__u64 packets;
	struct {
		__u64 bytes;
	};
	__s32 balance;
	__u32 by_half[2];
	enum size_class last_class;
	bool seen;
	char label[7];
	__be32 last_peer;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct traffic);
} traffic SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} huge SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, struct in6_addr);
	__type(value, __be32);
} nat64 SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__type(key, __u32);
	__type(value, __u32);
} large_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8);
	__uint(key_size, 3);
	__uint(value_size, 2);
} untyped SEC(".maps");

__be32 gateway;
int table[1000];

SEC("xdp")
int values(struct xdp_md *ctx)
{
	__u32 zero = 0, length = ctx->data_end - ctx->data;
	struct traffic *entry = bpf_map_lookup_elem(&traffic, &zero);
	__u64 *big = bpf_map_lookup_elem(&huge, &zero);

	if (!entry || !big)
		return XDP_ABORTED;
	entry->packets++;
	entry->bytes += length;
	entry->balance -= 1;
	entry->by_half[length > 757]++;
	entry->last_class = length > 757 ? LARGE : SMALL;
	entry->seen = true;
	__builtin_memcpy(entry->label, "12", 3);
	entry->last_peer = gateway;
	*big = 0xffffffffffffffffULL;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
