/* Timers as the packet says, see Order in ../timers.test.ts:
 *
 *     for wrong in "" _wrong; do
 *         clang-19 -O2 -g -target bpf -mcpu=v3 -I/usr/include/x86_64-linux-gnu -ffile-prefix-map="$PWD"=. ${wrong:+-DWRONG} -c ticking.c -o ticking$wrong.o
 *         llvm-strip-19 -g ticking$wrong.o
 *     done
 *
 * ticking_wrong.o can do what no verifier lets pass: read NULL.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define CLOCK_MONOTONIC 1
#define AGAIN_NS 10000000

enum { JUST_WAIT, DELETE, REPLACE, CANCEL, CANCEL_INSIDE, READ_NULL };

struct order {
	__u32 key;
	__u32 flags;
	__u64 nsecs;
	__u32 again;
	__u32 then;
	__u32 is_array;
};

struct element {
	__u32 again;
	__u32 then;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, struct element);
} array SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, struct element);
} hash SEC(".maps");

struct fired {
	__u32 count;
	__u32 keys;
	__s32 result;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct fired);
} fired SEC(".maps");

static int tick(void *map, __u32 *key, struct element *element)
{
	__u32 zero = 0;
	struct fired *now = bpf_map_lookup_elem(&fired, &zero);

	if (!now)
		return 0;
	now->count++;
	now->keys = now->keys * 10 + *key;
	if (element->then == CANCEL_INSIDE)
		now->result = bpf_timer_cancel(&element->timer);
#ifdef WRONG
	if (element->then == READ_NULL)
		now->result = *(volatile int *)0;
#endif
	if (element->again) {
		element->again--;
		bpf_timer_start(&element->timer, AGAIN_NS, 0);
	}
	return 0;
}

SEC("xdp")
int ticking(struct xdp_md *ctx)
{
	struct order *order = (void *)(long)ctx->data;
	struct element fresh = {}, *element;
	__u32 key;

	if ((void *)(order + 1) > (void *)(long)ctx->data_end)
		return XDP_DROP;
	key = order->key;
	fresh.again = order->again;
	fresh.then = order->then;
	if (order->is_array) {
		element = bpf_map_lookup_elem(&array, &key);
		if (!element || bpf_timer_init(&element->timer, &array, CLOCK_MONOTONIC))
			return XDP_ABORTED;
		element->again = order->again;
		element->then = order->then;
	} else {
		bpf_map_update_elem(&hash, &key, &fresh, BPF_ANY);
		element = bpf_map_lookup_elem(&hash, &key);
		if (!element || bpf_timer_init(&element->timer, &hash, CLOCK_MONOTONIC))
			return XDP_ABORTED;
	}
	if (bpf_timer_set_callback(&element->timer, tick) || bpf_timer_start(&element->timer, order->nsecs, order->flags))
		return XDP_ABORTED;
	if (order->then == CANCEL)
		return bpf_timer_cancel(&element->timer) == 1 ? XDP_TX : XDP_ABORTED;
	if (order->then == DELETE)
		bpf_map_delete_elem(&hash, &key);
	if (order->then == REPLACE && order->is_array)
		bpf_map_update_elem(&array, &key, &fresh, BPF_ANY);
	if (order->then == REPLACE && !order->is_array)
		bpf_map_update_elem(&hash, &key, &fresh, BPF_ANY);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
