"""UDP talk for scripts/capture-pcaps.sh.

serve PORT                        echo every datagram, IPv4 and IPv6, until killed
send ADDRESS PORT COUNT SIZE      send COUNT datagrams of SIZE bytes one after another, wait for each echo
send-unsummed ...                 the same without UDP checksums (IPv4)
"""
import socket
import sys

SO_NO_CHECK = 11  # Linux; the socket module has no name for it


def serve(port: int) -> None:
    sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    sock.bind(("::", port))
    while True:
        payload, peer = sock.recvfrom(65535)
        sock.sendto(payload, peer)


def send(address: str, port: int, count: int, size: int, checksums: bool) -> None:
    family, kind, proto, _, peer = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, proto) as sock:
        sock.settimeout(5)
        if not checksums:
            sock.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
        for number in range(count):
            payload = bytes((number + offset) & 0xFF for offset in range(size))
            sock.sendto(payload, peer)
            if sock.recv(65535) != payload:
                sys.exit(f"{address}: the echo of datagram {number} differs")


match sys.argv[1:]:
    case ["serve", port]:
        serve(int(port))
    case ["send" | "send-unsummed" as how, address, port, count, size]:
        send(address, int(port), int(count), int(size), checksums=how == "send")
    case _:
        sys.exit(__doc__)
