// A program whose functions can be replaced, some of them.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

__u64 seen;

__noinline int verdict(struct xdp_md *ctx)
{
	volatile int pass = XDP_PASS;

	return ctx ? pass : XDP_ABORTED;
}

__noinline int weight(__u32 length, __u16 kind)
{
	volatile int odd = (length + kind) & 1;

	return odd;
}

static __noinline int hidden(struct xdp_md *ctx)
{
	volatile int zero = 0;

	return zero + (ctx->ingress_ifindex & 0);
}

SEC("xdp")
int entry(struct xdp_md *ctx)
{
	seen += 1;
	if (weight(ctx->data_end - ctx->data, 3) > 100 || hidden(ctx))
		return XDP_ABORTED;
	return verdict(ctx);
}

char _license[] SEC("license") = "GPL";
