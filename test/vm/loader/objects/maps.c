/* Maps with every attribute of a definition. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct key { __u32 address; __u16 port; __u16 pad; };
struct value { __u64 packets; char comm[8]; };

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 33554432);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_RDONLY);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, struct key);
	__type(value, struct value);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 0);
	__uint(key_size, 4);
	__uint(value_size, sizeof(struct value));
	__type(value, struct value);
} sized_by_user SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &first, &second } };

static struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} private SEC(".maps");

int main_program(struct xdp_md *ctx);
int other_program(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} programs SEC(".maps") = { .values = { [1] = (void *)&other_program, [7] = (void *)&main_program } };

SEC("xdp")
int main_program(struct xdp_md *ctx)
{
	struct key key = {};
	__u32 zero = 0;

	bpf_tail_call(ctx, &programs, 1);
	if (bpf_map_lookup_elem(&flows, &key) || bpf_map_lookup_elem(&private, &zero) || bpf_map_lookup_elem(&sized_by_user, &zero))
		return XDP_DROP;
	return bpf_map_lookup_elem(&outer, &zero) ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int other_program(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
