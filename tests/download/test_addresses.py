"""Public is what IANA gives out for the public internet, however it is written or wrapped."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.download.addresses import Gate, is_public, split_allowed
from curation.download.errors import RefusedAddressError

PUBLIC_4 = [
    *("1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "93.184.216.34", "100.63.255.255", "100.128.0.0"),
    *("126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0"),
    *("172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0"),
    *("192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0"),
    *("203.0.112.255", "203.0.114.0", "223.255.255.255", "1.0.0.0"),
]
NOT_PUBLIC_4 = [
    *("0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.100.100.200"),
    *("100.127.255.255", "127.0.0.1", "127.255.255.255", "168.63.129.16", "169.254.0.0", "169.254.169.254"),
    *("169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.192", "192.0.0.255"),
    *("192.0.2.0", "192.0.2.255", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0"),
    *("198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.0", "239.255.255.255", "240.0.0.0"),
    *("255.255.255.254", "255.255.255.255"),
]
PUBLIC_6 = [
    *("2001:200::1", "2001:4860:4860::8888", "2400::1", "2606:4700::1111", "2a00::1", "2c00::1", "2003::"),
    *("2001:db7:ffff::", "2001:db9::", "3ffe::1", "3fff:1000::"),
]
NOT_PUBLIC_6 = [
    *("::", "::1", "::2", "100::1", "1fff::1", "4000::", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1"),
    *("fe80::1%eth0", "2606:4700::1111%eth0", "febf::1", "fec0::1", "feff::1", "ff02::1", "ff0e::1"),
    *("2001:2::1", "2001:10::1", "2001:20::1", "2001:1ff::1", "2001:db8::1", "3fff::1", "3fff:fff::1"),
    *("64:ff9b:1::808:808", "::ffff:0:808:808", "::8.8.8.8", "64:ff9b::1:808:808"),
]
NONSENSE = [
    "",
    "a.example",
    "1",
    "2130706433",
    "0x7f.1",
    "127.1",
    "1.1.1.1 ",
    "1.1.1.01",
    "[::1]",
    "1.1.1.1/32",
]


@pytest.mark.parametrize("address", PUBLIC_4 + PUBLIC_6)
def test_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", NOT_PUBLIC_4 + NOT_PUBLIC_6 + NONSENSE)
def test_not_public(address: str) -> None:
    assert not is_public(address)


def wrapped(address: str) -> dict[str, str]:
    """An IPv4 address in the forms of IPv6 that lead to it."""
    number = int(ipaddress.IPv4Address(address))
    forms = {
        "mapped": 0xFFFF << 32 | number,
        "NAT64": 0x64FF9B << 96 | number,
        "6to4": 0x2002 << 112 | number << 80 | 1,
        "Teredo client": 0x20010000 << 96 | 0x08080808 << 64 | (number ^ 0xFFFFFFFF),
        "Teredo server": 0x20010000 << 96 | number << 64 | (0x08080808 ^ 0xFFFFFFFF),
    }
    return {name: str(ipaddress.IPv6Address(form)) for name, form in forms.items()}


@pytest.mark.parametrize("address", PUBLIC_4 + NOT_PUBLIC_4)
def test_wrapped_addresses_are_as_public_as_what_they_lead_to(address: str) -> None:
    assert {name: is_public(form) for name, form in wrapped(address).items()} == dict.fromkeys(
        wrapped(address), is_public(address)
    )


@given(st.ip_addresses(v=4).map(str))
def test_wrapping_changes_nothing(address: str) -> None:
    assert all(is_public(form) == is_public(address) for form in wrapped(address).values())
    assert not is_public(f"::{address}")


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_knows_to_be_private(
    address: ipaddress.IPv4Address,
) -> None:
    public = is_public(str(address))
    if address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified:
        assert not public
    if getattr(address, "is_site_local", False):
        assert not public


@given(st.ip_addresses(v=6), st.text("abc0", min_size=1))
def test_a_scope_is_never_public_and_spelling_changes_nothing(
    address: ipaddress.IPv6Address, scope: str
) -> None:
    assert not is_public(f"{address}%{scope}")
    spelt = {is_public(text) for text in (address.compressed, address.exploded, address.exploded.upper())}
    assert len(spelt) == 1


def info(address: str) -> tuple[object, ...]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return (family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, 80))


def test_the_gate_opens_no_socket_to_what_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()
    with gate.socket(info("8.8.8.8")) as opened:  # made, never connected
        assert opened.family == socket.AF_INET
    with gate.socket(info("2606:4700::1111")) as opened:
        assert opened.family == socket.AF_INET6
    monkeypatch.setattr(socket, "socket", None)
    for address in NOT_PUBLIC_4 + NOT_PUBLIC_6 + NONSENSE:
        with pytest.raises(RefusedAddressError, match="address is not public"):
            gate.socket(info(address))


def test_what_is_allowed_is_open_as_it_is_written() -> None:
    names, networks = split_allowed(
        [" Intranet.Example. ", "10.1.0.0/16", "127.0.0.1", "[::1]", "fd00::/8", "a.", "B\u00fccher.example"]
    )
    assert names == {"intranet.example", "a", "xn--bcher-kva.example"}
    gate = Gate(networks)
    for address in ("10.1.2.3", "127.0.0.1", "::1", "fd12::3", "8.8.8.8"):
        assert gate.is_open(address)
    for address in (
        "10.2.0.0",
        "127.0.0.2",
        "::ffff:127.0.0.1",
        "::2",
        "fc00::1",
        "::ffff:10.1.2.3",
        "intranet",
    ):
        assert not gate.is_open(address)


@pytest.mark.parametrize(
    "entry", ["", " ", "http://a", "a/b", "127.0.0.1:80", "10.0.0.0/33", "a b", "u@a", "a..b"]
)
def test_what_cannot_be_allowed(entry: str) -> None:
    with pytest.raises(ValueError, match="no host name, address or network"):
        split_allowed([entry])
