/* Programs in sections of every name, and calls inside one section. */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

SEC("xdp.frags") int frags(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp/devmap") int devmap(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp.frags/devmap") int frags_devmap(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp/cpumap") int cpumap(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp.frags/cpumap") int frags_cpumap(struct xdp_md *ctx) { return XDP_PASS; }
SEC("xdp_mine") int mine(struct xdp_md *ctx) { return XDP_PASS; }
SEC("?xdp") int optional(struct xdp_md *ctx) { return XDP_PASS; }
SEC("prog") int old_style(struct xdp_md *ctx) { return XDP_PASS; }
SEC("tc") int classifier(struct __sk_buff *skb) { return 0; }

/* A function in .text that nobody calls is no program. */
int library(int x) { return x + 1; }

/* Calls inside a section: to a static function, and to a global one that is a program too. */
SEC("xdp") static __attribute__((noinline)) int in_section(int x)
{
	asm volatile("%0 += 1" : "+r"(x));
	return x;
}

SEC("xdp") __attribute__((noinline)) int callee(struct xdp_md *ctx)
{
	asm volatile("");
	return in_section(1);
}

SEC("xdp") int caller(struct xdp_md *ctx)
{
	return callee(ctx) + in_section(2);
}

/* A static program, as cilium has them. */
SEC("xdp") __attribute__((used)) static int static_program(struct xdp_md *ctx) { return XDP_DROP; }

/* Two subprograms that call each other. */
static __attribute__((noinline)) int odd(int n);
static __attribute__((noinline)) int even(int n)
{
	asm volatile("" : "+r"(n));
	return n == 0 ? 1 : odd(n - 1) + 1;
}
static __attribute__((noinline)) int odd(int n)
{
	asm volatile("" : "+r"(n));
	return n == 0 ? 0 : even(n - 1) + 1;
}

SEC("xdp") int recursive(struct xdp_md *ctx) { return even(ctx->ingress_ifindex); }

char _license[] SEC("license") = "GPL";
