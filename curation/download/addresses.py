"""Which addresses may be connected to, judged where the connection is made."""

import ipaddress
import socket
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from curation.download.errors import RefusedAddressError
from curation.download.urls import host_of

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Tables of our own: `is_global` of the standard library differs between patch versions.
_NOT_PUBLIC_4 = tuple(
    map(
        ipaddress.IPv4Network,
        [
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers' customers; some clouds keep metadata services there
            "127.0.0.0/8",
            "168.63.129.16/32",  # Azure's services for a virtual machine, on a public address
            "169.254.0.0/16",  # link-local: metadata services of most clouds
            "172.16.0.0/12",
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation, as 198.51.100.0 and 203.0.113.0
            "192.88.99.0/24",  # relays of 6to4, deprecated
            "192.168.0.0/16",
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ],
    )
)

# Of IPv6 only 2000::/3 is given out; what of it is not public:
_GIVEN_OUT_6 = ipaddress.IPv6Network("2000::/3")
_NOT_PUBLIC_6 = tuple(
    map(
        ipaddress.IPv6Network,
        [
            "2001::/23",  # protocol assignments: benchmarks, ORCHID, anycast; Teredo is read before
            "2001:db8::/32",  # documentation, as 3fff::/20
            "3fff::/20",
        ],
    )
)

# Where an IPv6 address has an IPv4 address in it: the network, and how many bits stand behind it.
_EMBEDDED = [
    (ipaddress.IPv6Network(network), shift)
    for network, shift in [
        ("::ffff:0:0/96", 0),  # mapped
        ("64:ff9b::/96", 0),  # NAT64
        ("2002::/16", 80),  # 6to4
    ]
]
_TEREDO = ipaddress.IPv6Network("2001::/32")
# Deprecated (`::a.b.c.d`), or with a network's own layout (NAT64, RFC 8215): never public, whatever is in it.
# Both lie outside of 2000::/3, which is what refuses them.


@lru_cache(4096)
def is_public(address: str) -> bool:
    """Whether an address belongs to the public internet.

    An IPv6 address that leads to an IPv4 address is as public as that one.

    Args:
        address: as it is connected to, in text. Whatever is no address, or has a scope, is not public.

    Source:
        IANA, "IPv4 Special-Purpose Address Registry" and "IPv6 Special-Purpose Address Registry".
    """
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return _is_public_4(parsed)
    if parsed.scope_id is not None:
        return False
    for network, shift in _EMBEDDED:
        if parsed in network:
            return _is_public_4(_low_bits(int(parsed) >> shift))
    if parsed in _TEREDO:  # the server's address, and the client's with its bits inverted
        return _is_public_4(_low_bits(int(parsed) >> 64)) and _is_public_4(_low_bits(~int(parsed)))
    return parsed in _GIVEN_OUT_6 and not any(parsed in network for network in _NOT_PUBLIC_6)


def _low_bits(number: int) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(number & 0xFFFFFFFF)


def _is_public_4(address: ipaddress.IPv4Address) -> bool:
    return not any(address in network for network in _NOT_PUBLIC_4)


class Gate:
    """Opens sockets to public addresses, and to those that were opened by name.

    Args:
        allow: addresses and networks that are open though not public; as they are written, so that
            `127.0.0.1` does not open `::ffff:127.0.0.1`.
    """

    def __init__(self, allow: Iterable[Network] = ()) -> None:
        self._allow = tuple(allow)

    def is_open(self, address: str) -> bool:
        """Whether an address may be connected to."""
        if is_public(address):
            return True
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed.version == network.version and parsed in network for network in self._allow)

    def socket(self, address: tuple[Any, ...]) -> socket.socket:
        """A socket for one connection, made by whoever connects it to this very address at once.

        It is what aiohttp calls `socket_factory`: with every address that it is about to connect to, be it
        of a name, of a literal, or of a redirect's target. Between this check and the connection nothing is
        looked up, for only literals pass.

        Args:
            address: family, type, protocol, canonical name and socket address, as of `getaddrinfo`.

        Raises:
            RefusedAddressError: the address is not open.
        """
        family, kind, protocol, _, target = address
        if not self.is_open(target[0]):
            raise RefusedAddressError
        return socket.socket(family, kind, protocol)


def split_allowed(allow_hosts: Iterable[str]) -> tuple[frozenset[str], tuple[Network, ...]]:
    """What `allow_hosts` names: host names, as URLs have them, and networks; an address is one of its own.

    Raises:
        ValueError: an entry is neither.
    """
    names, networks = set(), []
    for entry in allow_hosts:
        text = entry.strip().lower()
        try:
            networks.append(ipaddress.ip_network(text.strip("[]"), strict=False))
        except ValueError:
            name = host_of(f"http://{text}/")
            if not name or not set("/:@?#\\%").isdisjoint(text):
                raise ValueError(f"{entry!r} is no host name, address or network") from None
            names.add(name)
    return frozenset(names), tuple(networks)
