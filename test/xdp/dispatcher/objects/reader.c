// Reads a byte that short packets don't have.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int reader(struct xdp_md *ctx)
{
	volatile __u8 *data = (__u8 *)(long)ctx->data;

	return data[100] ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "Proprietary";
