/* An extension, as libxdp writes its dispatcher's slots: it replaces a function of a program that is loaded already. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("freplace/prog0")
int replacement(struct xdp_md *ctx)
{
	return XDP_DROP;
}

char _license[] SEC("license") = "GPL";
