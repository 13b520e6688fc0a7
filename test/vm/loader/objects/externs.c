/* What the kernel is to provide: configuration, functions, variables. Programs that begin with strong_ can't be loaded. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

extern int LINUX_KERNEL_VERSION __kconfig;
extern bool LINUX_HAS_BPF_COOKIE __kconfig;
extern bool LINUX_HAS_NOTHING __kconfig __weak;
extern unsigned int CONFIG_HZ __kconfig;
extern enum libbpf_tristate CONFIG_BPF_SYSCALL __kconfig;
extern bool CONFIG_BPF_JIT __kconfig;
extern char CONFIG_SMP __kconfig;
extern unsigned long CONFIG_PAGE_SHIFT __kconfig;
extern char CONFIG_CC_VERSION_TEXT[8] __kconfig __weak;
extern short CONFIG_MAX_SKB_FRAGS __kconfig __weak;
extern enum libbpf_tristate CONFIG_NO_SUCH_OPTION __kconfig __weak;

struct seen {
	__u64 page_shift;
	__u32 version, hz, max_frags;
	__u8 has_cookie, has_nothing, bpf_syscall, jit, smp, missing;
	char text[8];
} seen;

SEC("xdp")
int read_config(struct xdp_md *ctx)
{
	seen.version = LINUX_KERNEL_VERSION;
	seen.has_cookie = LINUX_HAS_BPF_COOKIE;
	seen.has_nothing = LINUX_HAS_NOTHING;
	seen.hz = CONFIG_HZ;
	seen.bpf_syscall = CONFIG_BPF_SYSCALL;
	seen.jit = CONFIG_BPF_JIT;
	seen.smp = CONFIG_SMP;
	seen.page_shift = CONFIG_PAGE_SHIFT;
	seen.max_frags = CONFIG_MAX_SKB_FRAGS;
	seen.missing = CONFIG_NO_SUCH_OPTION;
	for (int i = 0; i < 8; i++)
		seen.text[i] = CONFIG_CC_VERSION_TEXT[i];
	return XDP_PASS;
}
