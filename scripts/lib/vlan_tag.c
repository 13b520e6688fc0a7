/* tc programs for scripts/capture-pcaps.sh: tag what a stack sends, untag what it receives.
 *
 * They stand in for VLAN devices, so that the capture works on kernels without the 802.1Q driver too. tcpdump sees the
 * frames between the two, with their tags.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define TCI(priority, id) ((priority) << 13 | (id))

/* 802.1Q: priority 3, VLAN 100. */
SEC("tc/push_tag")
int push_tag(struct __sk_buff *skb)
{
	return bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), TCI(3, 100)) ? TC_ACT_SHOT : TC_ACT_OK;
}

/* QinQ: service tag 200 (802.1ad) outside, customer tag 300 inside. */
SEC("tc/push_two_tags")
int push_two_tags(struct __sk_buff *skb)
{
	if (bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021Q), TCI(0, 300)) ||
	    bpf_skb_vlan_push(skb, bpf_htons(ETH_P_8021AD), TCI(0, 200)))
		return TC_ACT_SHOT;
	return TC_ACT_OK;
}

SEC("tc/pop_tags")
int pop_tags(struct __sk_buff *skb)
{
	for (int depth = 0; depth < 2 && skb->vlan_present; depth++)
		if (bpf_skb_vlan_pop(skb))
			return TC_ACT_SHOT;
	return TC_ACT_OK;
}

char _license[] SEC("license") = "Dual MIT/GPL";
