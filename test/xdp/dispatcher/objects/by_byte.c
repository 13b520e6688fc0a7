// Returns what a byte of the packet says, so that a packet chooses the verdicts of a whole chain.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

volatile const __u32 place; // which byte
__u64 runs;
__u32 last;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __noinline void count(__u32 verdict)
{
	__u64 *value = bpf_map_lookup_elem(&counts, &verdict);

	if (value)
		*value += 1;
}

SEC("xdp")
int by_byte(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	__u8 *end = (__u8 *)(long)ctx->data_end;
	__u8 *at = data + (place & 63);

	if (at + 1 > end)
		return XDP_ABORTED;
	last = *at;
	runs += 1;
	*at += 1; // whoever runs next sees that
	count(last);
	return last;
}

SEC("xdp.frags")
int by_byte_frags(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
