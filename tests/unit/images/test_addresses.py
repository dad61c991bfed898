"""Only what a host on the public internet can have is public."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.images.addresses import is_public, parse_address

REFUSED_AS_TEXT = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 169.254.170.2
    172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.9 192.0.0.170 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.51.100.7
    203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:169.254.169.254 ::ffff:8.8.8.8 ::ffff:0:8.8.8.8
    64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::100.64.0.1 64:ff9b:1::1 64:ff9b:1::8.8.8.8
    100::1 2001::1 2001:0:4136:e378:8000:63bf:3fff:fdd2 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:808:808::1
    3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254 fe80::1 fec0::1 ff02::1 ff0e::1
"""
PUBLIC_AS_TEXT = """
    1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.0 172.15.0.1 172.32.0.1 192.0.1.1 198.20.0.1 223.255.255.254
    2606:4700::1111 2a00:1450:4001:81b::200e 2001:4860:4860::8888 64:ff9b::8.8.8.8
"""


@pytest.mark.parametrize("text", REFUSED_AS_TEXT.split())
def test_what_no_public_host_has_is_refused(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", PUBLIC_AS_TEXT.split())
def test_what_a_public_host_may_have_is_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2606:4700::1111%1", "127.1", "0177.0.0.1", "localhost", "", "1.2.3"])
def test_a_zone_and_what_is_no_number_in_its_plain_form_is_no_address(text: str) -> None:
    assert parse_address(text) is None


@given(st.integers(0, 2**32 - 1))
def test_no_way_of_carrying_an_ipv4_address_makes_it_more_public(number: int) -> None:
    inner = IPv4Address(number)
    for prefix in (0, 0xFFFF << 32, 0xFFFF << 48, 0x2002 << 112):
        shift = 80 if prefix >> 112 == 0x2002 else 0
        assert not is_public(IPv6Address(prefix | number << shift))
    assert is_public(IPv6Address(0x64FF9B << 96 | number)) == is_public(inner)


@given(st.integers(0, 2**24 - 1))
def test_nothing_private_is_public(offset: int) -> None:
    for network in map(IPv4Network, ("10.0.0.0/8", "127.0.0.0/8")):
        assert not is_public(network[offset])
