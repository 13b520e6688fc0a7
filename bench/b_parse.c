#include "bench.h"
/* eth -> ipv4 (variable ihl) -> udp; drop dport 9, pass everything else */
INLINE int body(u8 *data, u8 *data_end) {
	if (data + 14 + 20 > data_end) return XDP_PASS;
	if (*(u16 *)(data + 12) != bswap16(0x0800)) return XDP_PASS;
	u8 *ip = data + 14;
	u32 ihl = (ip[0] & 15) * 4;
	if ((ip[0] >> 4) != 4 || ihl < 20) return XDP_PASS;
	if (*(u16 *)(ip + 6) & bswap16(0x1fff)) return XDP_PASS;
	if (ip[9] != 17) return XDP_PASS;
	u8 *udp = ip + ihl;
	if (udp + 8 > data_end) return XDP_PASS;
	if (*(u16 *)(udp + 2) == bswap16(9)) return XDP_DROP;
	return XDP_PASS;
}
