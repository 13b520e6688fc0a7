/* CO-RE relocations of all kinds against types that only a whole kernel has; each value is returned by a function of its own. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#ifndef bpf_core_type_matches
#define bpf_core_type_matches(type) __builtin_preserve_type_info(*(typeof(type) *)0, BPF_TYPE_MATCHES)
#endif

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct list_head {
	struct list_head *next;
};

struct sk_buff___mine {
	unsigned int len;
	__u8 pkt_type : 2;
	__u8 cloned : 5; /* a bit in the kernel */
	__u16 protocol;
	struct {
		__u32 hash; /* of a union in a struct there */
	};
	char cb[12];
};

struct sk_buff___gone {
	int no_such_field;
	struct {
		int *gone_too;
	} inner;
};

struct task_struct {
	char comm[16];
	int pid;
	struct list_head tasks;
	struct task_struct *parent;
	unsigned in_execve : 1;
	long prio; /* an int: a load can't follow */
	__u64 flags; /* an unsigned int: it can */
};

struct net_device {
	int ifindex;
	char name[4];
	struct net_device *no_such_link[2];
};

struct no_such_type {
	int field;
};

struct sock_common {
	int skc_state; /* volatile unsigned char */
};

union tcp_word_hdr {
	__be32 words[2];
};

struct in6_addr {
	int no_such_union;
};

#pragma clang attribute pop

typedef unsigned int u32;
typedef int no_such_typedef;
typedef struct sk_buff___mine *(*rps_get_t)(int);
enum no_such_enum {
	NO_SUCH_VALUE,
};
enum bpf_attach_type___mine {
	BPF_XDP___mine = 1,
	BPF_XDP_NEVER,
};
enum hrtimer_mode {
	HRTIMER_MODE_REL = 99,
};

__u64 out[64];

SEC("xdp")
int fields(struct xdp_md *ctx)
{
	out[0] = bpf_core_field_offset(struct sk_buff___mine, len);
	out[1] = bpf_core_field_offset(struct sk_buff___mine, hash);
	out[2] = bpf_core_field_size(struct sk_buff___mine, cb);
	out[3] = bpf_core_field_offset(struct sk_buff___mine, cb[7]);
	out[4] = bpf_core_field_size(struct sk_buff___mine, cb[7]);
	out[5] = bpf_core_field_exists(struct sk_buff___gone, no_such_field);
	out[6] = bpf_core_field_exists(struct sk_buff___gone, inner.gone_too);
	out[7] = bpf_core_field_exists(struct sk_buff___mine, cb[7]);
	out[8] = bpf_core_field_offset(struct task_struct, tasks.next);
	out[9] = bpf_core_field_offset(struct task_struct, comm[15]);
	out[10] = bpf_core_field_exists(struct net_device, no_such_link[1]);
	out[11] = bpf_core_field_exists(struct no_such_type, field);
	out[12] = bpf_core_field_offset(union tcp_word_hdr, words[1]);
	out[13] = bpf_core_field_exists(struct in6_addr, no_such_union);
	out[14] = bpf_core_field_exists(struct sock_common, skc_state);
	out[15] = bpf_core_field_size(struct sock_common, skc_state);
	out[16] = bpf_core_field_size(struct task_struct, parent);
	return XDP_PASS;
}

#define ALL_ASPECTS(at, field)                                                         \
	do {                                                                           \
		out[at] = __builtin_preserve_field_info(field, BPF_FIELD_BYTE_OFFSET);     \
		out[at + 1] = __builtin_preserve_field_info(field, BPF_FIELD_BYTE_SIZE);   \
		out[at + 2] = __builtin_preserve_field_info(field, BPF_FIELD_SIGNED);      \
		out[at + 3] = __builtin_preserve_field_info(field, BPF_FIELD_LSHIFT_U64);  \
		out[at + 4] = __builtin_preserve_field_info(field, BPF_FIELD_RSHIFT_U64);  \
	} while (0)

SEC("xdp")
int bitfields(struct xdp_md *ctx)
{
	ALL_ASPECTS(0, ((struct sk_buff___mine *)0)->pkt_type);
	ALL_ASPECTS(5, ((struct sk_buff___mine *)0)->cloned);
	ALL_ASPECTS(10, ((struct task_struct *)0)->in_execve);
	ALL_ASPECTS(15, ((struct task_struct *)0)->pid);
	ALL_ASPECTS(20, ((struct task_struct *)0)->prio);
	return XDP_PASS;
}

SEC("xdp")
int types(struct xdp_md *ctx)
{
	out[0] = bpf_core_type_exists(struct sk_buff___mine);
	out[1] = bpf_core_type_exists(struct no_such_type);
	out[2] = bpf_core_type_size(struct task_struct);
	out[3] = bpf_core_type_size(struct no_such_type);
	out[4] = bpf_core_type_exists(u32);
	out[5] = bpf_core_type_exists(no_such_typedef);
	out[6] = bpf_core_type_matches(struct list_head);
	out[7] = bpf_core_type_matches(struct task_struct);
	out[8] = bpf_core_type_matches(enum bpf_attach_type___mine);
	out[9] = bpf_core_type_id_kernel(struct net_device);
	out[10] = bpf_core_type_id_local(struct net_device);
	out[11] = bpf_core_type_exists(enum no_such_enum);
	out[12] = bpf_core_type_exists(rps_get_t);
	out[13] = bpf_core_type_id_kernel(struct no_such_type);
	return XDP_PASS;
}

SEC("xdp")
int enums(struct xdp_md *ctx)
{
	out[0] = bpf_core_enum_value_exists(enum bpf_attach_type___mine, BPF_XDP___mine);
	out[1] = bpf_core_enum_value(enum bpf_attach_type___mine, BPF_XDP___mine);
	out[2] = bpf_core_enum_value_exists(enum bpf_attach_type___mine, BPF_XDP_NEVER);
	out[3] = bpf_core_enum_value_exists(enum no_such_enum, NO_SUCH_VALUE);
	out[4] = bpf_core_enum_value(enum hrtimer_mode, HRTIMER_MODE_REL);
	if (bpf_core_enum_value_exists(enum no_such_enum, NO_SUCH_VALUE))
		out[5] = bpf_core_enum_value(enum no_such_enum, NO_SUCH_VALUE);
	return XDP_PASS;
}

/* Loads and stores of structs that the packet only pretends to hold; the sizes keep the verifier content. */
SEC("xdp")
int accesses(struct xdp_md *ctx)
{
	struct task_struct *task = (void *)(long)ctx->data;
	struct sk_buff___gone *gone = (void *)task;
	struct sock_common *common = (void *)task;

	if ((void *)task + 16384 > (void *)(long)ctx->data_end)
		return XDP_PASS;
	out[0] = task->flags;
	task->flags = 7;
	if (bpf_core_field_exists(gone->no_such_field))
		return gone->no_such_field;
	if (bpf_core_type_exists(struct no_such_type))
		out[1] = task->prio + common->skc_state;
	out[2] = task->comm[3];
	task->pid += 5;
	return XDP_DROP;
}

static __attribute__((noinline)) int in_subprogram(struct xdp_md *ctx)
{
	return bpf_core_field_offset(struct net_device, ifindex) + ctx->ingress_ifindex;
}

SEC("xdp")
int subprogram(struct xdp_md *ctx)
{
	return in_subprogram(ctx) > 0x7fff ? XDP_DROP : XDP_PASS;
}

char _license[] SEC("license") = "GPL";
