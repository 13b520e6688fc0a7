#include "bench.h"
/* jhash2-style 32-bit mix over 240 bytes (20 x 12), 32-bit ALU */
#define ROL(x, b) (((x) << (b)) | ((x) >> (32 - (b))))
INLINE int body(u8 *data, u8 *data_end) {
	if (data + 240 > data_end) return XDP_PASS;
	u32 a = 0xdeadbeef + 240, b = a, c = a;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 20; i++) {
		u32 *k = (u32 *)(data + i * 12);
		a += k[0]; b += k[1]; c += k[2];
		a -= c; a ^= ROL(c, 4);  c += b;
		b -= a; b ^= ROL(a, 6);  a += c;
		c -= b; c ^= ROL(b, 8);  b += a;
		a -= c; a ^= ROL(c, 16); c += b;
		b -= a; b ^= ROL(a, 19); a += c;
		c -= b; c ^= ROL(b, 4);  b += a;
	}
	c ^= b; c -= ROL(b, 14);
	a ^= c; a -= ROL(c, 11);
	b ^= a; b -= ROL(a, 25);
	c ^= b; c -= ROL(b, 16);
	a ^= c; a -= ROL(c, 4);
	b ^= a; b -= ROL(a, 14);
	c ^= b; c -= ROL(b, 24);
	*(u32 *)data = c;
	return (c & 1) ? XDP_PASS : XDP_DROP;
}
