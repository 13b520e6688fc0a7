/* Sound programs, each with one thing that can't be run yet: the object must load, and each program say what and where. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash, __u32 *type) __ksym;
extern int CONFIG_HZ __kconfig;
extern const int runqueues __ksym __weak;

int feature_bits SEC("features") = 1;

SEC("xdp")
int fine(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int kfunc(struct xdp_md *ctx)
{
	__u32 hash = 0, type = 0;

	return bpf_xdp_metadata_rx_hash(ctx, &hash, &type) ? XDP_DROP : XDP_PASS; /* line 24 */
}

SEC("xdp")
int kconfig(struct xdp_md *ctx)
{
	return CONFIG_HZ > 250 ? XDP_DROP : XDP_PASS; /* line 30 */
}

SEC("xdp")
int ksym(struct xdp_md *ctx)
{
	return &runqueues ? XDP_DROP : XDP_PASS;
}

static int count_down(__u32 i, void *left)
{
	return --*(int *)left == 0;
}

SEC("xdp")
int callback(struct xdp_md *ctx)
{
	int left = 3;

	bpf_loop(10, count_down, &left, 0);
	return left ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int custom_data(struct xdp_md *ctx)
{
	return *(volatile int *)&feature_bits ? XDP_DROP : XDP_PASS;
}

static __attribute__((noinline)) int ask_kernel(struct xdp_md *ctx)
{
	__u32 hash = 0, type = 0;

	bpf_xdp_metadata_rx_hash(ctx, &hash, &type);
	return hash;
}

SEC("xdp")
int kfunc_in_subprogram(struct xdp_md *ctx)
{
	return ask_kernel(ctx) & 1;
}

char _license[] SEC("license") = "GPL";
