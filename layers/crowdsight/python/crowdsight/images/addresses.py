"""Which IP addresses are public, by IANA's special-purpose registries (RFC 6890 and its successors).

The standard library's `is_global` follows those registries but counts as global what only carries or stands for other
addresses: mapped and compatible IPv4, 6to4, NAT64, multicast, and all that nobody has been given yet.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address

PROTOCOL_ASSIGNMENTS = IPv4Network("192.0.0.0/24")
RELAYS_TO_6TO4 = IPv4Network("192.88.99.0/24")
GLOBAL_UNICAST = IPv6Network("2000::/3")
"""What IANA gives to hosts; mapped, compatible, link-local, unique local, multicast addresses lie outside."""
TRANSLATED_IPV4 = IPv6Network("64:ff9b::/96")
"""How a network without IPv4 reaches an IPv4 host, RFC 6052: as good as the IPv4 address in its last 32 bits."""
NOT_HOSTS = (
    IPv6Network("2001::/23"),  # protocols: Teredo, ORCHID, benchmarks
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("2002::/16"),  # 6to4, which carries an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)


def parse_address(text: str) -> Address | None:
    """The address that a resolver or a socket named; None if it is none, or has a zone."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id is not None else address


def is_public(address: Address) -> bool:
    """Whether a host on the public internet can have this address."""
    if isinstance(address, IPv4Address):
        return (
            address.is_global
            and not (address.is_multicast or address.is_reserved)
            and address not in PROTOCOL_ASSIGNMENTS
            and address not in RELAYS_TO_6TO4
        )
    if address in TRANSLATED_IPV4:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in GLOBAL_UNICAST and address.is_global and not any(address in network for network in NOT_HOSTS)
