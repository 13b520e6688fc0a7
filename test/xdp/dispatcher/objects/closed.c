// Calls a helper that its licence doesn't allow.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int closed(struct xdp_md *ctx)
{
	bpf_printk("seen");
	return XDP_PASS;
}

char _license[] SEC("license") = "Proprietary";
