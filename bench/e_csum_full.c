#include "bench.h"
/* 16-bit sum over the whole frame (up to 1514 bytes), one halfword per iteration,
   result stored in the first two bytes so nothing is optimised away */
INLINE int body(u8 *data, u8 *data_end) {
	u32 sum = 0;
	u8 *p = data;
	if (data + 14 > data_end) return XDP_DROP;
#pragma clang loop unroll(disable) vectorize(disable)
	for (int i = 0; i < 757; i++) {
		if (p + 2 > data_end) break;
		sum += *(u16 *)p;
		p += 2;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	*(u16 *)data = sum;
	return XDP_TX;
}
