"""Which Internet addresses are public: reachable by anybody, and nobody's own network."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

# IANA's special-purpose registries (RFC 6890 and its successors), and hosts of clouds that only their guests can reach
_NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carriers' own (CGNAT); one cloud's metadata too
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's host agent
        "169.254.0.0/16",  # link-local; most clouds' metadata
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # protocol assignments: Teredo, ORCHID, benchmarking …
        "2001:db8::/32",
        "2002::/16",  # 6to4: carries any IPv4 address
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)
_GLOBAL_UNICAST = ip_network(
    "2000::/3"
)  # of IPv6 nothing else is handed out: no NAT64, mapped, site-local, multicast …
_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))


def parse_address(text: str) -> Address:
    """An address as a resolver gives it, perhaps with its zone (fe80::1%eth0). Raises ValueError."""
    return ip_address(text.partition("%")[0])


def is_public(address: Address, denied: Iterable[Network] = ()) -> bool:
    """Whether anybody on the Internet could reach it. `denied` adds networks of the operator's own."""
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    networks = (*_NOT_PUBLIC, *denied)
    return address.is_global and not any(
        address in network for network in networks if network.version == address.version
    )


def is_loopback(address: Address) -> bool:
    """Whether it is this machine itself, plainly written."""
    return any(address in network for network in _LOOPBACK if network.version == address.version)
