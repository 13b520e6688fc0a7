/* A variable of every kind of type, with values that tests know. */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

enum color { RED, GREEN = 5, BLUE = -3 };
enum wide { SMALL = 1, LARGE = 0x123456789aULL };
struct opaque;

struct point {
	int x, y;
};

struct __attribute__((btf_decl_tag("tagged"))) mixed {
	char name[8];
	signed char negative;
	bool flag;
	__u16 port;
	unsigned int low : 3, middle : 7, high : 22;
	int signed_bits : 5;
	struct point corners[2];
	union {
		__u32 word;
		__u8 bytes[4];
	};
	struct {
		__u16 left, right;
	} pair;
	struct opaque *pointer;
	int (*function)(struct point *, int);
	enum color color;
	enum wide wide;
	__u64 big;
	float ratio;
	double precise;
	__int128 huge;
	__u8 matrix[2][3];
};

struct mixed mixed = {
	.name = "eth0", .negative = -2, .flag = true, .port = 443,
	.low = 5, .middle = 100, .high = 4000000, .signed_bits = -9,
	.corners = { { 1, -1 }, { 1000000, -1000000 } },
	.word = 0x04030201, .pair = { 7, 8 },
	.color = BLUE, .wide = LARGE, .big = 0xffffffffffffffffULL,
	.ratio = 0.5f, .precise = -1e300, .huge = -5,
	.matrix = { { 1, 2, 3 }, { 4, 5, 6 } },
};

const volatile __be32 address = 0x020000c0; /* 192.0.2.0x02 in network order */
volatile enum color paint = GREEN;
bool enabled;
unsigned long long counters[3];
char message[16] = "hello";
static volatile int hidden = 3;
int __attribute__((btf_type_tag("tag"))) *tagged;
const char table[] SEC(".rodata.table") = "named section";
int late SEC(".data.late") = 9;

SEC("xdp")
int uses_all(struct xdp_md *ctx)
{
	int index = ctx->rx_queue_index & 7;

	hidden += 1;
	return enabled && address && paint && tagged && mixed.flag && counters[1] && message[1] && table[index] && late && hidden;
}

char _license[] SEC("license") = "Dual BSD/GPL";
