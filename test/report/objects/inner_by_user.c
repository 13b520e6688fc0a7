/* Maps of maps as some selftests of the kernel define them: what is in them is up to user space. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tables SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} table SEC(".maps");

SEC("xdp")
int count(struct xdp_md *ctx)
{
	__u32 key = 0, one = 1;
	void *inner = bpf_map_lookup_elem(&tables, &key);
	__u32 *packets;

	if (!inner)
		return XDP_DROP;
	packets = bpf_map_lookup_elem(inner, &key);
	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(inner, &key, &one, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
