/* What the loading of BTF into the kernel is tested with: see test/replay/kernelBtf.test.ts. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct locked {
	struct bpf_spin_lock lock;
	__u32 count;
};

struct timed {
	__u64 since;
	struct {
		struct bpf_timer timer;
	} slots[1];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct locked);
} locked SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct timed);
} timed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} plain SEC(".maps");

extern int LINUX_KERNEL_VERSION __kconfig;
extern int no_such_kfunc(struct xdp_md *, int) __ksym;

int global_count = 1;
static volatile int static_count;

SEC("xdp")
int typed(struct xdp_md *ctx)
{
	global_count++;
	static_count++;
	return XDP_PASS;
}

/* Externals need BTF of their own; the simulator runs neither of these. */
SEC("xdp")
int externals(struct xdp_md *ctx)
{
	return LINUX_KERNEL_VERSION + no_such_kfunc(ctx, 1);
}

SEC("xdp")
int refused(struct xdp_md *ctx)
{
	return *(__u8 *)(long)ctx->data;
}

SEC("xdp")
int locks(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct locked *value = bpf_map_lookup_elem(&locked, &key);

	if (value) {
		bpf_spin_lock(&value->lock);
		value->count++;
		bpf_spin_unlock(&value->lock);
	}
	return XDP_PASS;
}

/* Reads through a pointer that only its caller knows to be good: sound in context, but not on its own. */
__noinline int global_read(long *value)
{
	return *value;
}

__hidden __noinline int hidden_read(long *value)
{
	return *value;
}

SEC("xdp")
int calls_global(struct xdp_md *ctx)
{
	long value = ctx->ingress_ifindex;

	return global_read(&value) == 0 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int calls_hidden(struct xdp_md *ctx)
{
	long value = ctx->ingress_ifindex;

	return hidden_read(&value) == 0 ? XDP_DROP : XDP_PASS;
}

/* The kernel can't verify it at all: nothing says how much there is to read. */
__noinline int global_void(void *value)
{
	return value != 0;
}

SEC("xdp")
int calls_void(struct xdp_md *ctx)
{
	return global_void(ctx) ? XDP_DROP : XDP_PASS;
}
