// Programs with a run configuration in the form of libxdp; the macros are written out.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define RUN_CONFIG(program) _##program SEC(".xdp_run_config")

struct {
	__uint(priority, 10);
	__uint(XDP_PASS, 1);
	__uint(XDP_DROP, 1);
} RUN_CONFIG(early);

struct {
	__uint(priority, 60);
	__uint(XDP_PASS, 0);
	__uint(XDP_TX, 1);
} RUN_CONFIG(late);

struct {
	__uint(priority, 5);
	__uint(XDP_ABORTED, 1);
	__uint(XDP_REDIRECT, 1);
} RUN_CONFIG(first);

SEC("xdp")
int early(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int late(struct xdp_md *ctx)
{
	return XDP_DROP;
}

SEC("xdp")
int first(struct xdp_md *ctx)
{
	return XDP_REDIRECT;
}

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
