// Leaves the sizes of its maps to its user space, as xdp-bench and the kernel's samples do: one entry a CPU, one a queue.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, __u64);
} packets_by_queue SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(key_size, 4);
	__uint(value_size, 8);
} cpus SEC(".maps");

SEC("xdp")
int user_sized(struct xdp_md *ctx)
{
	__u32 length = ctx->data_end - ctx->data;
	__u32 queue = length % 20;
	__u64 *packets = bpf_map_lookup_elem(&packets_by_queue, &queue);

	if (packets)
		++*packets;
	return bpf_redirect_map(&cpus, queue, XDP_DROP);
}

char _license[] SEC("license") = "GPL";
