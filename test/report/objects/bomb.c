/* Small values that turn into huge JSON: members without a size cost no byte, but a report would list each of them. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct nothing {
};

struct bomb {
	__u64 count;
	struct nothing members[300000];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct bomb);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, struct bomb);
} hash SEC(".maps");

struct bomb one, two, three, four;

SEC("xdp")
int bomb(struct xdp_md *ctx)
{
	struct bomb value = { .count = 1 };
	__u32 key;

	for (key = 0; key < 100; key++) {
		struct bomb *found = bpf_map_lookup_elem(&per_cpu, &key);

		if (found)
			found->count++;
		bpf_map_update_elem(&hash, &key, &value, BPF_ANY);
	}
	one.count++;
	four.count++;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
