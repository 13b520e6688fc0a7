#include "bench.h"
/* swap MACs, IPv4 addresses and UDP ports, XDP_TX */
INLINE int body(u8 *data, u8 *data_end) {
	if (data + 14 + 20 + 8 > data_end) return XDP_DROP;
	u16 *e = (u16 *)data;
	if (e[6] != bswap16(0x0800)) return XDP_PASS;
	u16 a = e[0], b = e[1], c = e[2];
	e[0] = e[3]; e[1] = e[4]; e[2] = e[5];
	e[3] = a; e[4] = b; e[5] = c;
	u32 *src = (u32 *)(data + 26), *dst = (u32 *)(data + 30);
	u32 t = *src; *src = *dst; *dst = t;
	u16 *sp = (u16 *)(data + 34), *dp = (u16 *)(data + 36);
	u16 p = *sp; *sp = *dp; *dp = p;
	return XDP_TX;
}
