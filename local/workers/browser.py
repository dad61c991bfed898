"""A browser without a window: cookies, redirects, forms, and a person's patience with a page that does not come."""

import asyncio
from dataclasses import dataclass, field
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urlencode

import httpx

from local.workers.pages import Fields, Form, Page, read_page

PATIENCE_S = 30.0
"""How long one page is tried for before it is given up."""

REQUEST_TIMEOUT_S = 35.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 3.0
THROTTLED = 429
RELOADED = (THROTTLED, 502, 503, 504)
"""Statuses after which a person presses Reload."""


class SiteGone(Exception):
    """The site did not answer for as long as anyone would wait."""


@dataclass
class Traffic:
    """What was met on the way: counts of reloads, and of answers 500 and above that no reload is for."""

    requests: int = 0
    reloads: int = 0
    server_errors: int = 0
    failed_urls: list[str] = field(default_factory=list)


class Browser:
    """One person's browser. Use it as an async context manager."""

    def __init__(
        self, traffic: Traffic, transport: httpx.AsyncBaseTransport | None = None, patience_s: float = PATIENCE_S
    ) -> None:
        # Browsers send cookies marked Secure to this machine without TLS too; Python's jar has to be told so.
        policy = DefaultCookiePolicy(secure_protocols=("http", "https"))
        self._client = httpx.AsyncClient(
            cookies=CookieJar(policy),
            follow_redirects=True,
            timeout=REQUEST_TIMEOUT_S,
            transport=transport,
            trust_env=False,
            headers={"User-Agent": "crowdsight-simulated-worker"},
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=1),
        )
        self._traffic = traffic
        self._patience_s = patience_s

    async def __aenter__(self) -> "Browser":
        return self

    async def __aexit__(self, *reason: object) -> None:
        await self._client.aclose()

    async def open(self, url: str) -> Page:
        """The page there, whatever its status. Raises SiteGone."""
        return await self._fetch("GET", url)

    async def submit(self, form: Form, answers: dict[str, str] | None = None) -> Page:
        """Send a form with these answers, and see the page that comes. Raises SiteGone."""
        return await self.send(form.action, form.filled(answers or {}), form.method)

    async def send(self, url: str, fields: Fields, method: str = "post", **options: Any) -> Page:
        """Send any fields anywhere. Raises SiteGone."""
        if method == "get":
            return await self._fetch("GET", str(httpx.URL(url).copy_merge_params(httpx.QueryParams(tuple(fields)))))
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        content = urlencode(fields, errors="surrogatepass")
        return await self._fetch("POST", url, **({"content": content, "headers": headers} | options))

    async def _fetch(self, method: str, url: str, **options: Any) -> Page:
        pause_s = FIRST_PAUSE_S
        clock = asyncio.get_running_loop().time
        give_up_at = clock() + self._patience_s
        while True:
            self._traffic.requests += 1
            try:
                response = await self._client.request(method, url, **options)
            except (httpx.TransportError, httpx.RemoteProtocolError) as error:
                trouble = str(error) or type(error).__name__
            else:
                if response.status_code not in RELOADED:
                    self._note(response)
                    return read_page(response.text, str(response.url), response.status_code)
                trouble = f"HTTP {response.status_code}"
                if response.status_code == THROTTLED:
                    give_up_at = clock() + self._patience_s  # the site is there, and busy
            if clock() + pause_s > give_up_at:
                raise SiteGone(f"{url}: {trouble}")
            self._traffic.reloads += 1
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def _note(self, response: httpx.Response) -> None:
        if response.status_code >= 500:
            self._traffic.server_errors += 1
            self._traffic.failed_urls.append(f"{response.request.method} {response.request.url.path}")
