/* Reads beyond the headers without asking data_end; the kernel refuses it, a simulator must name the place. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int unchecked(struct xdp_md *ctx)
{
	const __u8 *data = (const __u8 *)(long)ctx->data;

	if (data[2000] == 7)
		return XDP_DROP;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
