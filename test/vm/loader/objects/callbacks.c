/* Functions whose address is taken: in .text and beside the program, with functions of their own behind them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __attribute__((noinline)) void see(__u32 index)
{
	__u64 *count = bpf_map_lookup_elem(&seen, &index);

	if (count)
		*count += 1;
}

static long in_text(__u64 i, void *stop)
{
	see(i == 2 ? 1 : 0);
	return i == *(__u32 *)stop;
}

SEC("xdp") static long beside(__u64 i, void *context)
{
	see(2);
	return 0;
}

SEC("xdp") int callbacks(struct xdp_md *ctx)
{
	__u32 stop = 3;

	bpf_loop(100, in_text, &stop, 0);
	bpf_loop(5, beside, 0, 0);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
