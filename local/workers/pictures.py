"""Whether a picture loads, as a Worker would see it."""

import asyncio
import ipaddress
from urllib.parse import urlsplit

import httpx

FETCH_TIMEOUT_S = 5.0
MAX_PICTURE_BYTES = 20 * 1024 * 1024
REMEMBERED_S = 30.0
"""One crowd looks at the same picture many times in a short while, and fetches it once."""

_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"\x00\x00\x01\x00")


class Pictures:
    """Fetches pictures on this machine's loopback addresses. Any other is taken to load without asking: simulated
    Workers send nothing to anybody else's server, and often there is no way to one.
    """

    def __init__(self, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._client = httpx.AsyncClient(
            timeout=FETCH_TIMEOUT_S, follow_redirects=False, transport=transport, trust_env=False
        )
        self._seen: dict[str, tuple[float, asyncio.Task[bool]]] = {}

    async def load(self, url: str) -> bool:
        """Whether a picture comes from there."""
        if not is_loopback(url):
            return True
        now = asyncio.get_running_loop().time()
        seen_at, fetching = self._seen.get(url, (0.0, None))
        if fetching is None or now - seen_at > REMEMBERED_S or fetching.cancelled():
            fetching = asyncio.create_task(self._fetch(url))
            self._seen[url] = (now, fetching)
        return await asyncio.shield(fetching)

    async def close(self) -> None:
        await self._client.aclose()

    async def _fetch(self, url: str) -> bool:
        try:
            async with self._client.stream("GET", url) as response:
                if response.status_code != 200:
                    return False
                content = bytearray()
                async for part in response.aiter_bytes():
                    content += part
                    if len(content) > MAX_PICTURE_BYTES:
                        return False
        except (httpx.HTTPError, httpx.InvalidURL):
            return False
        return looks_like_picture(bytes(content))


def is_loopback(url: str) -> bool:
    """Whether a URL's host is this machine: localhost or a loopback address."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or host.endswith(".localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def looks_like_picture(content: bytes) -> bool:
    """Whether a browser would show it: the first bytes are those of a known picture format, and a JPEG has its end."""
    if content.startswith(b"\xff\xd8\xff"):
        return b"\xff\xd9" in content[-4096:]
    start = content[:256].lstrip().lower()
    is_riff_webp = content[:4] == b"RIFF" and content[8:12] == b"WEBP"
    is_avif = content[4:12] in (b"ftypavif", b"ftypavis")
    is_svg = start.startswith((b"<svg", b"<?xml"))
    return content.startswith(_SIGNATURES) or is_riff_webp or is_avif or is_svg
