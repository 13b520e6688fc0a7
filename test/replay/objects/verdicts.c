// Does with each packet what its variables say: moves head, metadata and tail, then returns a number or redirects. Built twice, once (FRAGS)
// for packets of several buffers, as a DEVMAP or CPUMAP is for one kind of programs only.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifdef FRAGS
#define XDP "xdp.frags"
#else
#define XDP "xdp"
#endif

enum way {
	RETURN,
	BY_IFINDEX,
	BY_DEVMAP,
	BY_DEVMAP_HASH,
	BY_MANY,
	BY_XSKMAP,
	BY_CPUMAP,
	BY_CPUMAP_PASS,
	BY_CPUMAP_DROP,
	BY_CPUMAP_ABORT,
	BY_CPUMAP_TX,
	BY_CPUMAP_UNKNOWN,
	BY_CPUMAP_FORWARD,
};

#define MAX_GROWTH 256

volatile __u32 way;
/* Verdict, ifindex or key. */
volatile __u32 what;
volatile __u64 flags;
/* Where the program of an entry sends packets on. */
volatile const __u32 forward_to = 3;
volatile __s32 head_by, meta_by, tail_by;
/* What the last helper said that moved something and failed, and the length after all of them. */
volatile __s32 move_error;
volatile __u32 length;

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} devices_by_key SEC(".maps");

/* For broadcasts. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, struct bpf_devmap_val);
} many SEC(".maps");

/* The key is the CPU, so there is a map for each program. */
#define CPUS(name)                                    \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_CPUMAP);    \
		__uint(max_entries, 16);              \
		__type(key, __u32);                   \
		__type(value, struct bpf_cpumap_val); \
	} name SEC(".maps")

CPUS(cpus);
CPUS(cpus_pass);
CPUS(cpus_drop);
CPUS(cpus_abort);
CPUS(cpus_tx);
CPUS(cpus_unknown);
CPUS(cpus_forward);

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

/* What lies in front of a packet that grew is the memory's last use. */
static __always_inline void fill_head(struct xdp_md *ctx, __u32 bytes)
{
	void *data_end = (void *)(long)ctx->data_end;
	__u8 *data = (void *)(long)ctx->data;

	for (__u32 i = 0; i < MAX_GROWTH && i < bytes; i++) {
		if ((void *)(data + i + 1) > data_end)
			return;
		data[i] = i;
	}
}

static __always_inline void move(struct xdp_md *ctx)
{
	__s32 error = 0;

	if (head_by != 0) {
		error = bpf_xdp_adjust_head(ctx, head_by);
		if (error)
			move_error = error;
		else if (head_by < 0)
			fill_head(ctx, -head_by);
	}
	if (meta_by != 0) {
		error = bpf_xdp_adjust_meta(ctx, meta_by);
		if (error)
			move_error = error;
	}
	if (tail_by != 0) {
		error = bpf_xdp_adjust_tail(ctx, tail_by);
		if (error)
			move_error = error;
	}
	length = bpf_xdp_get_buff_len(ctx);
}

SEC(XDP)
int verdict(struct xdp_md *ctx)
{
	move(ctx);
	switch (way) {
	case BY_IFINDEX:
		return bpf_redirect(what, flags);
	case BY_DEVMAP:
		return bpf_redirect_map(&devices, what, flags);
	case BY_DEVMAP_HASH:
		return bpf_redirect_map(&devices_by_key, what, flags);
	case BY_MANY:
		return bpf_redirect_map(&many, what, flags);
	case BY_XSKMAP:
		return bpf_redirect_map(&sockets, what, flags);
	case BY_CPUMAP:
		return bpf_redirect_map(&cpus, what, flags);
	case BY_CPUMAP_PASS:
		return bpf_redirect_map(&cpus_pass, what, flags);
	case BY_CPUMAP_DROP:
		return bpf_redirect_map(&cpus_drop, what, flags);
	case BY_CPUMAP_ABORT:
		return bpf_redirect_map(&cpus_abort, what, flags);
	case BY_CPUMAP_TX:
		return bpf_redirect_map(&cpus_tx, what, flags);
	case BY_CPUMAP_UNKNOWN:
		return bpf_redirect_map(&cpus_unknown, what, flags);
	case BY_CPUMAP_FORWARD:
		return bpf_redirect_map(&cpus_forward, what, flags);
	default:
		return what;
	}
}

#define ENTRY(kind, name, result)             \
	SEC(XDP "/" #kind)                    \
	int kind##_##name(struct xdp_md *ctx) \
	{                                     \
		return result;                \
	}

ENTRY(devmap, pass, XDP_PASS)
ENTRY(devmap, drop, XDP_DROP)
ENTRY(devmap, abort, XDP_ABORTED)
ENTRY(devmap, tx, XDP_TX)
ENTRY(devmap, unknown, 100)
ENTRY(cpumap, pass, XDP_PASS)
ENTRY(cpumap, drop, XDP_DROP)
ENTRY(cpumap, abort, XDP_ABORTED)
ENTRY(cpumap, tx, XDP_TX)
ENTRY(cpumap, unknown, 100)
ENTRY(cpumap, forward, bpf_redirect(forward_to, 0))

char _license[] SEC("license") = "GPL";
