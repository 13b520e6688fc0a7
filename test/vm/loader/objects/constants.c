/* Constants that the compiler puts into sections of their own: mergeable ones, strings, and pointers. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct tuple {
	__u64 first, second;
};

/* As Rust does it for every constant whose address is taken. */
static const struct tuple pair __attribute__((section(".rodata.cst16"))) = { 0x1122334455667788, 42 };
static const volatile __u32 word __attribute__((section(".rodata.cst4"))) = 0xcafe;

/* An array of references: relocations against .rodata.str1.1 fill its pointers. libbpf leaves them alone. */
struct name {
	const char *text;
	__u64 length;
};
static const struct name names[] __attribute__((section(".data.rel.ro"))) = { { "eth", 3 }, { "vlan", 4 } };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 5);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

static __always_inline void see(__u32 index, __u64 value)
{
	bpf_map_update_elem(&seen, &index, &value, BPF_ANY);
}

SEC("xdp")
int constants(struct xdp_md *ctx)
{
	const volatile struct tuple *p = &pair;
	const volatile struct name *n = names;
	const volatile char *text = "letters";

	see(0, p->second);
	see(1, word);
	see(2, n[1].length);
	see(3, text[3]);
	see(4, (__u64)n[1].text);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
