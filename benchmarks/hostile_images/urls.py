"""Hostile URLs, most of which must not lead anywhere, and a count of what was connected to all the same."""

import random
import socket
import string
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from urllib.parse import quote

from benchmarks.hostile_images.hosts import BEHAVIOURS, HostileHost
from crowdsight.errors import InvalidRequest, UnfetchableImage
from crowdsight.images.fetching import FetchLimits, ImageFetcher

LIMITS = FetchLimits(timeout_s=1.0, max_size_bytes=200_000)
TIME_LIMIT_S = 10.0
CONCURRENT_FETCHES = 8
HOSTILE_SHARE = 0.5
FETCHED, REFUSED, INVALID, WRONG, HUNG, LET_THROUGH = "fetched", "refused", "invalid", "wrong", "hung", "let_through"

PRIVATE_IPV4 = (
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.5.4",
    "192.168.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "0.0.0.0",
    "192.0.0.8",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
)
PRIVATE_IPV6 = ("::1", "::", "fe80::1", "fd00:ec2::254", "fc00::1", "ff02::1", "2001:db8::1", "100::1", "fec0::1")
WRAPPED_IPV4 = ("::ffff:{}", "::{}", "64:ff9b::{}", "::ffff:0:{}", "64:ff9b:1::{}", "2002:{hex}::1", "2001:0:{hex}::1")
NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "metadata.example": ["169.254.169.254"],
    "mixed.example": ["8.8.8.8", "10.0.0.1"],
    "zoned.example": ["fe80::1%eth0"],
    "wrapped.example": ["::ffff:127.0.0.1"],
    "odd.example": ["127.1"],
    "empty.example": [],
}
"""A name server's answers, hostile too; any other name is unknown."""


@dataclass
class UrlsReport:
    """How many URLs came to what. `strange_connections`: to anything but the host that is let through."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    strange_connections: int = 0
    failures: list[str] = field(default_factory=list)


def resolve(host: str, port: int) -> list[str]:
    """Numbers in all their forms, as the operating system reads them, and our own names; no network is asked."""
    if host in NAMES:
        return NAMES[host]
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return [str(info[4][0]) for info in found]


def fetch_all(seed: int, count: int, advance: Callable[[], None]) -> UrlsReport:
    """Fetch the URLs of a seed, some at a time."""
    report = UrlsReport()
    host = HostileHost()
    fetcher = ImageFetcher([host.authority], LIMITS, resolve)
    connected_to: list[object] = []

    def listen(event: str, arguments: tuple[object, ...]) -> None:
        if event == "socket.connect":
            connected_to.append(arguments[1])

    sys.addaudithook(listen)  # sees every connection that this process makes; it cannot be removed

    def fetch(number: int) -> tuple[int, str, str, str, float]:
        url, may_lead_somewhere = hostile_url(seed, number, host)
        began_s = time.monotonic()
        what, said = _judge(fetcher, url, may_lead_somewhere)
        seconds = time.monotonic() - began_s
        advance()
        return number, url, HUNG if seconds > TIME_LIMIT_S else what, said, seconds

    with ThreadPoolExecutor(CONCURRENT_FETCHES) as fetchers:
        for number, url, what, said, seconds in fetchers.map(fetch, range(count)):
            report.outcomes[what] += 1
            report.slowest_s = max(report.slowest_s, seconds)
            if what not in (FETCHED, REFUSED, INVALID):
                report.failures.append(f"url {number} {what}: {said}: {url[:200]!r}")
    host.close()
    strange = [address for address in connected_to if address != ("127.0.0.1", host.port)]
    report.strange_connections = len(strange)
    report.failures += [f"connected to {address}" for address in strange[:10]]
    return report


def _judge(fetcher: ImageFetcher, url: str, may_lead_somewhere: bool) -> tuple[str, str]:
    try:
        fetcher.fetch(url)
    except UnfetchableImage as error:
        return (REFUSED, error.message) if error.message else (WRONG, "refused without a reason")
    except InvalidRequest as error:
        return (INVALID, error.message) if error.message else (WRONG, "invalid without a reason")
    except BaseException as error:  # whatever it is, it must not come out, and the benchmark says so
        return WRONG, f"{type(error).__name__}: {error}"
    return (FETCHED, "") if may_lead_somewhere else (LET_THROUGH, "fetched")


def hostile_url(seed: int, number: int, host: HostileHost) -> tuple[str, bool]:
    """A URL, and whether it may lead to something: only one of the host that is let through may."""
    dice = random.Random(f"url {seed} {number}")
    if dice.random() < HOSTILE_SHARE:
        return f"http://{host.authority}/{dice.choice(sorted(BEHAVIOURS))}/{dice.getrandbits(32)}", True
    refused = _refused_url(dice, host.port)
    if dice.random() < 0.3:
        return f"http://{host.authority}/redirect?{quote(refused, safe='', errors='surrogatepass')}", False
    return refused, False


def _refused_url(dice: random.Random, port: int) -> str:
    make = dice.choice((_private, _private, _named, _disguised, _schemed, _malformed, _random_text))
    return make(dice, port)


def _private(dice: random.Random, port: int) -> str:
    """A private address, written in one of its many ways, on a port where somebody listens."""
    address = IPv4Address(dice.choice(PRIVATE_IPV4))
    if dice.random() < 0.3:
        text = f"[{dice.choice(PRIVATE_IPV6)}]"
    elif dice.random() < 0.4:
        high, low = divmod(int(address), 65_536)
        text = f"[{dice.choice(WRAPPED_IPV4).format(address, hex=f'{high:x}:{low:x}')}]"
    else:
        text = _written(address, dice)
    # The host that is let through is so by its plain number only.
    return f"{dice.choice(('http', 'https'))}://{text}{'' if text == '127.0.0.1' else f':{port}'}/x"


def _written(address: IPv4Address, dice: random.Random) -> str:
    number = int(address)
    first, rest = divmod(number, 2**24)
    parts = str(address).split(".")
    return dice.choice(
        (
            str(number),
            hex(number),
            f"0{number:o}",
            f"{first}.{rest}",
            f"{first:#x}.{rest:#x}",
            ".".join(f"0{int(part):o}" for part in parts),
            ".".join(hex(int(part)) for part in parts),
            ".".join(f"{int(part):09o}" for part in parts),
            f"{address}.",
            str(address).translate(str.maketrans("0123456789.", "０１２３４５６７８９。")),
            str(address).translate(str.maketrans("0123456789", "⓪①②③④⑤⑥⑦⑧⑨")),
        )
    )


def _named(dice: random.Random, port: int) -> str:
    name = dice.choice((*NAMES, "unknown.example", "LOCALHOST", "localhost.", "Metadata.Example"))
    return f"http://{name}:{dice.choice((port, 80, 443, 8080))}/latest/meta-data/"


def _disguised(dice: random.Random, port: int) -> str:
    """What two readers of URLs understand differently."""
    place = f"127.0.0.1:{port}"
    return dice.choice(
        (
            f"http://images.example@{place}/",
            f"http://images.example:80@{place}/",
            f"http://{place}\\@images.example/",
            f"http://{place}#@images.example/".replace("127.0.0.1", "127.1"),
            f"http://images.example\\.{place}/",
            f"http:{place}/",
            f"http:/{place}/",
            f"http:///{place}/",
            f"http:\\\\{place}\\",
            f"http://[::1%25lo]:{port}/",
            f"http://[::1]%00:{port}/",
            f"http://localhost%00.images.example:{port}/",
            f"http://%6c%6f%63%61lhost:{port}/",
            f"http://ｌｏｃａｌｈｏｓｔ:{port}/",
            f"http://localhost\u200b:{port}/",
            f"http://local\u00adhost:{port}/",
            f"\thttp://{place}/",
            f"ht\ntp://{place}/",
            f"http://127.0.0.1 :{port}/",
            f"http://127.0.0.1:{port}\r\nHost: images.example/",
            f"http://0:{port}/",
            f"http://127.0.0.1.:{port}/",
        )
    )


def _schemed(dice: random.Random, port: int) -> str:
    scheme = dice.choice(
        ("file", "ftp", "gopher", "dict", "ldap", "data", "jar", "javascript", "unix", "ws", "", "h2c")
    )
    return f"{scheme}:{dice.choice(('', '//', '///'))}127.0.0.1:{port}/etc/passwd"


def _malformed(dice: random.Random, port: int) -> str:
    return dice.choice(
        (
            "http://",
            "http://:80/",
            "http://[",
            "http://[]/",
            "http://[::1",
            "http://[1:2:3]/",
            "http://a..b/",
            f"http://{'a' * dice.choice((63, 64, 300, 2_500))}.example/",
            f"http://localhost:{dice.choice(('0', '22', '99999', '-1', 'x', '８０', ' ', '1' * 30))}/",
            "http://xn--a.example/",
            "http://xn--\u00fc/",
            "http://\ud800/",
            "http://\u202e/",
            "http://images.example/" + "\ud800",
            "http://images.example/" + "a" * 2_500,
            "",
            " ",
        )
    )


def _random_text(dice: random.Random, port: int) -> str:
    letters = string.printable + "äß猫\u2028\u0130\ufdfa\ud800"
    return dice.choice(("http://", "https://", "http:", "//", "")) + "".join(
        dice.choices(letters, k=dice.randrange(60))
    )
