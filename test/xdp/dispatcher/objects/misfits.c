// Programs that don't fit where they want to be in target.c.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("freplace/weight")
int heavy_u64(__u64 length, __u16 kind)
{
	return 101;
}

SEC("freplace/weight")
int heavy_one(__u32 length)
{
	return 101;
}

SEC("freplace/weight")
__u64 heavy_long(__u32 length, __u16 kind)
{
	return 101;
}

SEC("freplace/verdict")
int of_skb(struct __sk_buff *ctx)
{
	return XDP_DROP;
}

SEC("freplace/hidden")
int of_hidden(struct xdp_md *ctx)
{
	return 0;
}

SEC("freplace/nowhere")
int of_nothing(struct xdp_md *ctx)
{
	return 0;
}

char _license[] SEC("license") = "GPL";
