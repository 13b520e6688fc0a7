#!/bin/bash
# Captures fixtures/pcaps/ anew: real traffic of two Linux network stacks that talk over a veth pair. The captures that no
# reader may accept, fixtures/bad/*.pcap, are made from it.
#
#   sudo scripts/capture-pcaps.sh [DIRECTORY]      writes DIRECTORY/pcaps and DIRECTORY/bad; default: fixtures
#
#   client namespace                          server namespace
#   eth0  02:00:00:00:00:01  <-- veth -->     eth0  02:00:00:00:00:02     (tcpdump listens here, both directions)
#   192.0.2.1/24, 2001:db8::1/64              192.0.2.2/24, 2001:db8::2/64: http 8080, dns 53, udp echo 7
#
# All addresses are from the documentation and benchmark ranges. Checksum, segmentation and VLAN offloads are off in both
# stacks, so what is captured is what a wire would carry. Namespaces, processes and temporary files are removed at the end,
# whatever happens. The timestamps and a few identifiers (ports, sequence numbers) differ from run to run, so tests must
# not depend on the exact bytes of a new capture.
#
# Needs root, iproute2, ethtool, tcpdump, editcap and capinfos of tshark, ping, curl, dig, dnsmasq, python3; and clang-19 with
# libbpf-dev for the VLAN tags, which two tc programs push and pop (lib/vlan_tag.c).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd -P)
fixtures=${1:-$here/../fixtures}
out=$fixtures/pcaps
bad=$fixtures/bad
client=xdpsim-client-$$
server=xdpsim-server-$$
work=$(mktemp -d)
background=()

in_client() { ip netns exec "$client" "$@"; }
in_server() { ip netns exec "$server" "$@"; }

cleanup() {
	stop_background
	for ns in "$client" "$server"; do
		ip netns del "$ns" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- the two stacks ---

offloads_off() { # NAMESPACE DEVICE
	ip netns exec "$1" ethtool -K "$2" rx off tx off tso off gso off gro off sg off rxvlan off txvlan off >/dev/null
}

create_stacks() {
	ip netns add "$client"
	ip netns add "$server"
	ip link add eth0 netns "$client" address 02:00:00:00:00:01 type veth \
		peer name eth0 netns "$server" address 02:00:00:00:00:02
	for ns in "$client" "$server"; do
		# Neighbour discovery is wanted, router solicitations are noise.
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.all.accept_ra=0 net.ipv6.conf.eth0.router_solicitations=0
		ip -n "$ns" link set lo up
		offloads_off "$ns" eth0
	done
	ip -n "$client" address add 192.0.2.1/24 brd + dev eth0
	ip -n "$server" address add 192.0.2.2/24 brd + dev eth0
	ip -n "$client" address add 2001:db8::1/64 dev eth0
	ip -n "$server" address add 2001:db8::2/64 dev eth0
}

links_up() {
	ip -n "$server" link set eth0 up
	ip -n "$client" link set eth0 up
}

wait_for_addresses() { # until duplicate address detection is over
	for ns in "$client" "$server"; do
		while ip -n "$ns" -6 address show tentative | grep -q inet6; do sleep 0.1; done
	done
	sleep 1 # and the multicast listener reports are out
}

forget_neighbours() {
	ip -n "$client" neigh flush all
	ip -n "$server" neigh flush all
}

tags_on() { # push_tag | push_two_tags: both stacks tag all they send
	for ns in "$client" "$server"; do
		ip netns exec "$ns" tc qdisc add dev eth0 clsact
		ip netns exec "$ns" tc filter add dev eth0 egress bpf direct-action obj "$work/vlan_tag.o" sec "tc/$1"
		ip netns exec "$ns" tc filter add dev eth0 ingress bpf direct-action obj "$work/vlan_tag.o" sec tc/pop_tags
	done
}

tags_off() {
	for ns in "$client" "$server"; do
		ip netns exec "$ns" tc qdisc del dev eth0 clsact
	done
}

# --- the servers ---

start_servers() {
	mkdir "$work/www"
	printf '<!doctype html>\n<title>xdp-sim</title>\n<p>%s\n' "A page that fits in one segment." >"$work/www/index.html"
	head -c 12000 /dev/zero | tr '\0' 'x' >"$work/www/twelve-thousand-bytes.txt"
	# Not through in_server: a shell function in the background would be a subshell, and $! not the server.
	ip netns exec "$server" python3 -m http.server --bind :: --directory "$work/www" 8080 >"$work/http.log" 2>&1 &
	background+=($!)
	ip netns exec "$server" python3 "$here/lib/udp_echo.py" serve 7 >"$work/echo.log" 2>&1 &
	background+=($!)
	ip netns exec "$server" dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts --port=53 \
		--local=/example/ --host-record=www.example,192.0.2.2,2001:db8::2 --cname=web.example,www.example \
		--mx-host=example,mail.example,10 --txt-record=example,"v=spf1 -all" >"$work/dns.log" 2>&1 &
	background+=($!)
	local tries=50
	until in_client curl -sf -o /dev/null http://192.0.2.2:8080/ &&
		in_client python3 "$here/lib/udp_echo.py" send 192.0.2.2 7 1 1 2>/dev/null &&
		in_client dig +short +tries=1 +timeout=1 @192.0.2.2 www.example >/dev/null; do
		((tries-- > 0)) || { cat "$work"/*.log >&2; return 1; }
		sleep 0.1
	done
}

stop_background() {
	if ((${#background[@]})); then kill "${background[@]}" 2>/dev/null || true; fi
	background=()
}

# --- the traffic ---

talk_icmp4() {
	in_client ping -q -n -c 5 -i 0.2 192.0.2.2
	in_client ping -q -n -c 2 -i 0.2 -s 1472 192.0.2.2 # exactly fills the MTU
	in_server ping -q -n -c 2 -i 0.2 192.0.2.1
	in_client ping -q -n -c 1 -R 192.0.2.2 # record route: the IPv4 header has 40 bytes of options
	in_client ping -q -n -c 1 -W 1 -b 192.0.2.255 || true # broadcast, answered by nobody
	in_client ping -q -n -c 1 -W 1 192.0.2.99 || true # nobody answers this ARP request
}

talk_icmp6() {
	in_client ping -q -n -6 -c 4 -i 0.2 2001:db8::2
	in_server ping -q -n -6 -c 2 -i 0.2 -s 1452 2001:db8::1
	in_client ping -q -n -6 -c 1 -W 1 2001:db8::99 || true # nobody answers this solicitation
}

talk_http() { # HOST
	in_client curl -sS -o /dev/null "http://$1:8080/"
	in_client curl -sS -o /dev/null "http://$1:8080/twelve-thousand-bytes.txt"
	in_client curl -sS -o /dev/null "http://$1:8080/missing" # 404
}

talk_refused_tcp() {
	in_client curl -sS -o /dev/null http://192.0.2.2:9/ || true # RST
}

talk_dns() { # SERVER
	for query in "www.example A" "www.example AAAA" "web.example A" "example MX" "example TXT" "missing.example A"; do
		# shellcheck disable=SC2086 # name and type are two words
		in_client dig +tries=1 "@$1" $query >/dev/null
	done
}

talk_udp() { # ADDRESS COUNT SIZE
	in_client python3 "$here/lib/udp_echo.py" send "$1" 7 "$2" "$3"
}

talk_udp_without_checksum() {
	in_client python3 "$here/lib/udp_echo.py" send-unsummed 192.0.2.2 7 2 64
}

talk_refused_udp() {
	in_client dig +tries=1 +timeout=1 -p 54 @192.0.2.2 www.example >/dev/null || true # ICMP port unreachable
}

talk_fragments() {
	in_client ping -q -n -c 2 -i 0.2 -s 4000 192.0.2.2
	in_client ping -q -n -6 -c 2 -i 0.2 -s 4000 2001:db8::2
	talk_udp 192.0.2.2 2 4000
	talk_udp 2001:db8::2 2 4000
}

talk_vlan() {
	tags_on push_tag
	in_client ping -q -n -c 3 -i 0.2 192.0.2.2
	in_client ping -q -n -6 -c 2 -i 0.2 2001:db8::2
	in_client dig +tries=1 @192.0.2.2 www.example >/dev/null
	in_client curl -sS -o /dev/null http://192.0.2.2:8080/
	tags_off
	tags_on push_two_tags
	in_client ping -q -n -c 3 -i 0.2 192.0.2.2
	talk_udp 192.0.2.2 2 64
	tags_off
}

# --- the captures ---

# capture FILE [TCPDUMP_OPTION...] [FILTER] -- FUNCTION...: records while the functions run
capture() {
	local file=$1 options=() tcpdump_pid
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	ip netns exec "$server" tcpdump -i eth0 -n -s 0 --immediate-mode -U -Z root -w "$out/$file" "${options[@]}" \
		2>"$work/tcpdump.log" &
	tcpdump_pid=$!
	background+=("$tcpdump_pid")
	until grep -q 'listening on' 2>/dev/null "$work/tcpdump.log"; do
		kill -0 "$tcpdump_pid" || { cat "$work/tcpdump.log" >&2; return 1; }
		sleep 0.05
	done
	local talk
	for talk in "$@"; do
		$talk >/dev/null 2>>"$work/talk.log" || { echo "$talk failed:" >&2; cat "$work/talk.log" >&2; return 1; }
	done
	sleep 0.5
	unset 'background[-1]'
	kill -TERM "$tcpdump_pid" # a background process of a script ignores INT
	wait "$tcpdump_pid"
	if ! grep -q '^0 packets dropped by kernel' "$work/tcpdump.log"; then
		echo "$file: tcpdump lost packets" >&2
		return 1
	fi
}

mkdir -p "$out" "$bad"
clang-19 -O2 -target bpf -I"/usr/include/$(uname -m)-linux-gnu" -c "$here/lib/vlan_tag.c" -o "$work/vlan_tag.o"
create_stacks

# Duplicate address detection happens once, as the links come up.
ip -n "$server" link set eth0 up
capture ipv6-nd.pcap ip6 -- links_up wait_for_addresses talk_icmp6

start_servers
sleep 1
forget_neighbours
capture arp-icmp.pcap arp or icmp -- talk_icmp4
capture http.pcap tcp -- "talk_http 192.0.2.2"
capture dns.pcap udp -- "talk_dns 192.0.2.2" "talk_dns 2001:db8::2"
capture dns-nano.pcap --time-stamp-precision=nano udp -- "talk_dns 192.0.2.2"
capture fragments.pcap ip or ip6 -- talk_fragments
forget_neighbours
capture vlan.pcap vlan -- talk_vlan

forget_neighbours
capture mixed.pcap -- talk_icmp4 talk_icmp6 "talk_dns 192.0.2.2" "talk_dns 2001:db8::2" "talk_http 192.0.2.2" \
	"talk_http [2001:db8::2]" "talk_udp 192.0.2.2 4 18" "talk_udp 192.0.2.2 4 1472" "talk_udp 2001:db8::2 2 512" \
	talk_udp_without_checksum talk_refused_tcp talk_refused_udp talk_fragments talk_vlan

ip -n "$client" link set eth0 mtu 9000
ip -n "$server" link set eth0 mtu 9000
capture jumbo.pcap ip or ip6 -- "talk_http 192.0.2.2" "talk_udp 192.0.2.2 2 8972" "talk_udp 2001:db8::2 1 8952" \
	"in_client ping -q -n -c 1 -s 8972 192.0.2.2"

# --- the same packets in other formats ---

editcap -F pcapng "$out/http.pcap" "$out/http.pcapng"
editcap -F pcapng "$out/dns-nano.pcap" "$out/dns-nano.pcapng"

# --- captures that must be refused ---

# arp-icmp.pcap begins with a file header of 24 bytes, two ARP records of 16 + 42 and two ICMP records of 16 + 98.
head -c $((24 + 2 * (16 + 42) + (16 + 98) + 16 + 50)) "$out/arp-icmp.pcap" >"$bad/truncated.pcap"
: >"$bad/empty.pcap"
head -c 24 "$out/arp-icmp.pcap" >"$bad/no-packets.pcap"
{
	head -c $((24 + 16 + 42)) "$out/arp-icmp.pcap"
	printf '\0\0\0\0\0\0\0\0\360\377\377\377\360\377\377\377' # time 0, captured and original length 0xfffffff0
	printf 'far fewer bytes than it says'
} >"$bad/lying-length.pcap"
editcap -F pcap -T rawip -C 14 "$out/dns.pcap" "$bad/rawip.pcap" # the Ethernet headers cut off

capinfos -T -t -E -c -s "$out"/*.pcap*
