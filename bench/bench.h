// The entry of every benchmark program: its body gets the packet's bounds.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { XDP_ABORTED, XDP_DROP, XDP_PASS, XDP_TX };

#define INLINE static inline __attribute__((always_inline))
#define bswap16 __builtin_bswap16

struct xdp_md {
	u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex;
};

INLINE int body(u8 *data, u8 *data_end);

__attribute__((section("xdp"), used)) int prog(struct xdp_md *ctx)
{
	return body((u8 *)(long)ctx->data, (u8 *)(long)ctx->data_end);
}

char _license[] __attribute__((section("license"), used)) = "GPL";
