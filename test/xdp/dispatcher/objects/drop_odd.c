// Programs that take the place of functions of target.c.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 seen;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} lengths SEC(".maps");

static __noinline int measure(struct xdp_md *ctx)
{
	__u32 odd = (ctx->data_end - ctx->data) & 1;
	__u64 *value = bpf_map_lookup_elem(&lengths, &odd);

	if (value)
		*value += 1;
	return odd;
}

SEC("freplace/verdict")
int drop_odd(struct xdp_md *ctx)
{
	seen += 10;
	return measure(ctx) ? XDP_DROP : XDP_TX;
}

SEC("freplace/weight")
int heavy(__u32 length, __u16 kind)
{
	return 101;
}

char _license[] SEC("license") = "GPL";
