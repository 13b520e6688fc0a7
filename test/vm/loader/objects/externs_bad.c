/* Externs that nobody can provide, each in a program of its own; none of them keeps `fine` from running. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern int CONFIG_NO_SUCH_OPTION __kconfig;
extern bool LINUX_HAS_NOTHING __kconfig;
extern bool CONFIG_HZ __kconfig;
extern double CONFIG_NR_CPUS __kconfig;
extern const int runqueues __ksym;
extern const void no_such_symbol __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;
extern void bpf_no_such_kfunc(void) __ksym __weak;

SEC("xdp")
int fine(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int strong_config(struct xdp_md *ctx)
{
	return CONFIG_NO_SUCH_OPTION;
}

SEC("xdp")
int strong_virtual(struct xdp_md *ctx)
{
	return LINUX_HAS_NOTHING;
}

SEC("xdp")
int wrong_value(struct xdp_md *ctx)
{
	return CONFIG_HZ;
}

SEC("xdp")
int wrong_type(struct xdp_md *ctx)
{
	return *(volatile int *)&CONFIG_NR_CPUS;
}

SEC("xdp")
int strong_symbol(struct xdp_md *ctx)
{
	const int *address = &runqueues;

	asm volatile("" : "+r"(address)); /* the compiler takes it for granted that a strong symbol exists */
	return address ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int weak_symbol(struct xdp_md *ctx)
{
	return &no_such_symbol ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int weak_kfunc(struct xdp_md *ctx)
{
	if (!bpf_no_such_kfunc)
		return XDP_TX;
	bpf_no_such_kfunc();
	return XDP_DROP;
}

SEC("xdp")
int known_kfunc(struct xdp_md *ctx)
{
	if (!bpf_rcu_read_lock)
		return XDP_TX;
	bpf_rcu_read_lock();
	bpf_rcu_read_unlock();
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
