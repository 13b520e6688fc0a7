// Redirects by a DEVMAP whose entries have a program, which notes what it is shown, and writes its number into the packet.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define RUNS 8
#define META 8

struct seen {
	__u32 ingress_ifindex;
	__u32 egress_ifindex;
	__u32 rx_queue_index;
	__u32 meta;
	/* First byte of the packet before this run wrote it. */
	__u32 first;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, RUNS);
	__type(key, __u32);
	__type(value, struct seen);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps");

__u32 runs;
volatile __u64 flags;

SEC("xdp")
int redirect(struct xdp_md *ctx)
{
	if (bpf_xdp_adjust_meta(ctx, -META))
		return XDP_ABORTED;
	return bpf_redirect_map(&devices, 0, flags);
}

SEC("xdp/devmap")
int entry(struct xdp_md *ctx)
{
	__u32 run = runs++ % RUNS;
	struct seen *note = bpf_map_lookup_elem(&seen, &run);
	__u8 *data = (void *)(long)ctx->data;

	if (!note || (void *)(data + 1) > (void *)(long)ctx->data_end)
		return XDP_ABORTED;
	note->ingress_ifindex = ctx->ingress_ifindex;
	note->egress_ifindex = ctx->egress_ifindex;
	note->rx_queue_index = ctx->rx_queue_index;
	note->meta = ctx->data - ctx->data_meta;
	note->first = data[0];
	data[0] = 0x10 + 2 * run;
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
