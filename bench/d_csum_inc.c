#include "bench.h"
/* TTL decrement + destination rewrite, incremental IPv4 checksum (RFC 1624), XDP_TX */
INLINE u32 fold(u32 s) { s = (s & 0xffff) + (s >> 16); s = (s & 0xffff) + (s >> 16); return s; }
INLINE u16 upd(u16 csum, u16 from, u16 to) { return ~fold((u16)~csum + (u16)~from + (u32)to); }
INLINE int body(u8 *data, u8 *data_end) {
	if (data + 14 + 20 > data_end) return XDP_DROP;
	if (*(u16 *)(data + 12) != bswap16(0x0800)) return XDP_PASS;
	u8 *ip = data + 14;
	u16 csum = *(u16 *)(ip + 10);
	u16 o = *(u16 *)(ip + 8);
	ip[8] = ip[8] - 1;
	csum = upd(csum, o, *(u16 *)(ip + 8));
	u32 od = *(u32 *)(ip + 16);
	u32 nd = od ^ 0x01000000u;      /* last octet, network order on little endian */
	*(u32 *)(ip + 16) = nd;
	csum = upd(csum, od & 0xffff, nd & 0xffff);
	csum = upd(csum, od >> 16, nd >> 16);
	*(u16 *)(ip + 10) = csum;
	return XDP_TX;
}
