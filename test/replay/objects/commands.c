/*
 * A program that does what the packet says: the bytes at its beginning are commands, each a helper call or an operation with arguments
 * of any value. With random packets it makes random sequences of helper calls; all results go into maps, where they can be compared.
 *
 * Built by test/replay/objects/build.sh with clang 19.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define COMMANDS 8

struct command {
	__u8 op;
	__u8 a;
	__u16 b;
};

struct record {
	__s64 result[COMMANDS];
	__u32 buff_len[COMMANDS];
	__u32 digest;
	__u32 packets;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct command[COMMANDS]);
} commands_of_packet SEC(".maps");

/* Small maps with sizes that are no multiple of 8: they get full, and their values are padded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 20);
	__type(key, __u32);
	__type(value, __u64[3]);
} hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 9);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u16);
	__type(value, __u8[13]);
} sparse_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 7);
	__type(key, __u8[3]);
	__type(value, __u8[5]);
} percpu_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 6);
	__type(key, __u32);
	__type(value, __u8[9]);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u8[12]);
} percpu_array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} sockets SEC(".maps");

__u64 total;
__s32 last_result = -1;
const volatile __u32 first_command = 3;

/* Bounds and bytes of the packet, read and written directly. */
static __always_inline __s64 touch_packet(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data;
	__u8 *end = (void *)(long)ctx->data_end;
	__u8 *meta = (void *)(long)ctx->data_meta;

	if (data + 60 <= end)
		data[59] ^= 0x5a;
	if (meta + 4 > data)
		return end - data;
	*(__u32 *)meta = 0x01020304;
	return (end - data) * 1000 + (data - meta);
}

static __always_inline __s64 run(struct xdp_md *ctx, struct command *c, __u32 index)
{
	__u32 key = c->a & 31, slot = c->a & 7;
	__u16 short_key = c->b & 15;
	__u8 odd_key[3] = { c->a & 7, 0, 1 };
	__u64 value[3] = { c->b, index, c->a };
	__u8 bytes[64] = {};
	__u32 len = (c->a & 63) + 1;
	__s32 small = (__s8)c->a, large = (__s16)c->b;
	/* Mostly flags that exist. */
	__u64 flags = c->b & 7 ? c->b & 3 : c->b;
	__u64 wide = c->b * 0x9e3779b97f4a7c15ULL;
	__u8 *p;
	__u64 *q;

	switch (c->op & 31) {
	case 0:
		return bpf_xdp_adjust_head(ctx, small);
	case 1:
		return bpf_xdp_adjust_head(ctx, large);
	case 2:
		return bpf_xdp_adjust_tail(ctx, small);
	case 3:
		return bpf_xdp_adjust_tail(ctx, large);
	case 4:
		return bpf_xdp_adjust_meta(ctx, small);
	case 5:
		return bpf_xdp_adjust_meta(ctx, small & ~3);
	case 6:
		return bpf_xdp_adjust_meta(ctx, large);
	case 7:
		return bpf_map_update_elem(&hash, &key, value, flags);
	case 8:
		return bpf_map_delete_elem(&hash, &key);
	case 9:
		q = bpf_map_lookup_elem(&hash, &key);
		if (!q)
			return -2;
		__sync_fetch_and_add(&q[1], c->b);
		q[2] ^= q[0];
		return q[0];
	case 10:
		return bpf_map_update_elem(&percpu_hash, odd_key, value, flags);
	case 11:
		return bpf_map_delete_elem(&percpu_hash, odd_key);
	case 12:
		p = bpf_map_lookup_elem(&percpu_hash, odd_key);
		return p ? p[4]++ : -2;
	case 13:
		return bpf_map_update_elem(&sparse_hash, &short_key, value, flags);
	case 14:
		return bpf_map_delete_elem(&sparse_hash, &short_key);
	case 15:
		p = bpf_map_lookup_elem(&sparse_hash, &short_key);
		return p ? (p[12] += 3) : -2;
	case 16:
		return bpf_map_update_elem(&percpu_array, &slot, value, flags);
	case 17:
		return bpf_map_delete_elem(&percpu_array, &slot);
	case 18:
		p = bpf_map_lookup_elem(&percpu_array, &slot);
		return p ? p[11]++ : -2;
	case 19:
		return bpf_map_update_elem(&array, &slot, value, flags);
	case 20:
		return bpf_map_delete_elem(&array, &slot);
	case 21:
		return bpf_xdp_load_bytes(ctx, c->b, bytes, len) * 256 + bytes[0] + bytes[len >> 1];
	case 22:
		return bpf_xdp_store_bytes(ctx, c->b, value, len > sizeof(value) ? sizeof(value) : len);
	case 23:
		return bpf_csum_diff((__be32 *)value, c->a & 4, (__be32 *)bytes, 16, c->b);
	case 24:
		return bpf_redirect_map(&sockets, slot, c->b & 3);
	case 25:
		return bpf_redirect_map(&sockets, c->b, c->a);
	case 26:
		return bpf_redirect(c->a, c->b & 1 ? c->b : 0);
	case 27:
		return bpf_xdp_get_buff_len(ctx);
	case 28:
		return ctx->ingress_ifindex * 1000 + ctx->rx_queue_index;
	case 29:
		return touch_packet(ctx);
	case 30:
		return large / (small | 1) + large % (small ?: 7) + ((__u32)large >> key) + (large >> key);
	default:
		return (wide / (c->a ?: 5)) ^ (wide % 1009) ^ __builtin_bswap64(wide) ^ __builtin_bswap16(c->b);
	}
}

/* A subprogram, so that the verifier looks at the commands once and not once for each. */
static __noinline int step(struct xdp_md *ctx, struct command *c, struct record *r, __u32 index)
{
	__s64 result;

	if (!c || !r || index >= COMMANDS)
		return 0;
	result = run(ctx, c, index);
	r->result[index] = result;
	r->buff_len[index] = bpf_xdp_get_buff_len(ctx);
	r->digest = r->digest * 31 + result;
	total += result;
	last_result = result;
	return result;
}

/* The verdict is the last result. */
static __always_inline int obey(struct xdp_md *ctx)
{
	__u32 zero = 0, off = bpf_xdp_get_buff_len(ctx) > 60 ? 14 + (first_command & 3) : 0;
	struct command *c = bpf_map_lookup_elem(&commands_of_packet, &zero);
	struct record *r = bpf_map_lookup_elem(&records, &zero);
	int verdict = XDP_PASS;

	if (!c || !r)
		return XDP_ABORTED;
	/* A short packet has three commands, and the others are the last packet's. */
	if (bpf_xdp_load_bytes(ctx, off, c, sizeof(*c) * COMMANDS) && bpf_xdp_load_bytes(ctx, 0, c, 3 * sizeof(*c)))
		return XDP_DROP;
	r->packets++;
#pragma unroll
	for (__u32 i = 0; i < COMMANDS; i++)
		verdict = step(ctx, &c[i], r, i);
	return verdict;
}

SEC("xdp")
int commands(struct xdp_md *ctx)
{
	return obey(ctx);
}

SEC("xdp.frags")
int commands_frags(struct xdp_md *ctx)
{
	return obey(ctx);
}

/* GPL-only helpers are not called. */
char _license[] SEC("license") = "Dual MIT/GPL";
