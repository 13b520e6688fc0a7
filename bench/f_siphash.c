#include "bench.h"
/* SipHash-2-4 over 112 bytes (14 words x 2 rounds + padding + 4 final rounds), 64-bit ALU */
#define ROTL(x, b) (((x) << (b)) | ((x) >> (64 - (b))))
#define ROUND do { \
	v0 += v1; v1 = ROTL(v1, 13); v1 ^= v0; v0 = ROTL(v0, 32); \
	v2 += v3; v3 = ROTL(v3, 16); v3 ^= v2; \
	v0 += v3; v3 = ROTL(v3, 21); v3 ^= v0; \
	v2 += v1; v1 = ROTL(v1, 17); v1 ^= v2; v2 = ROTL(v2, 32); } while (0)
INLINE int body(u8 *data, u8 *data_end) {
	if (data + 112 > data_end) return XDP_PASS;
	u64 k0 = 0x0706050403020100ULL, k1 = 0x0f0e0d0c0b0a0908ULL;
	u64 v0 = k0 ^ 0x736f6d6570736575ULL, v1 = k1 ^ 0x646f72616e646f6dULL;
	u64 v2 = k0 ^ 0x6c7967656e657261ULL, v3 = k1 ^ 0x7465646279746573ULL;
#pragma clang loop unroll(disable)
	for (int i = 0; i < 14; i++) {
		u64 m = *(u64 *)(data + i * 8);
		v3 ^= m; ROUND; ROUND; v0 ^= m;
	}
	u64 m = 112ULL << 56;
	v3 ^= m; ROUND; ROUND; v0 ^= m;
	v2 ^= 0xff; ROUND; ROUND; ROUND; ROUND;
	u64 h = v0 ^ v1 ^ v2 ^ v3;
	*(u64 *)data = h;
	return (h & 1) ? XDP_PASS : XDP_DROP;
}
