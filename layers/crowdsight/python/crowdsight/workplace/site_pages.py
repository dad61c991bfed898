"""The worker site's pages and assets: templates with everything escaped, and the headers that fence them in."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from crowdsight.money import shown_dollars
from crowdsight.workplace.form_answers import how_many
from crowdsight.workplace.formatted_content import sanitize
from crowdsight.workplace.site_http import Response

_HERE = Path(__file__).parent
_ASSET_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
MOST_COUNTED = 100
_UNITS_S = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))

CROWD_ELEMENTS = "crowd-html-elements.js"
_CROWD_ELEMENTS_ADDRESS = re.compile(r"(?:https?:)?//assets\.crowd\.aws/crowd-html-elements\.js", re.IGNORECASE)

FRAME_FREEDOMS = "allow-scripts allow-forms allow-modals allow-downloads allow-popups allow-popups-to-escape-sandbox"
"""What a requester's page may do: all that touches nothing of the site. Links to surveys open pages of their own."""

_OWN_CONTENT = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
)
_FENCES = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # No page of ours needs any of a device's powers, and no question's page gets them, but to play and to fill the
    # screen, which are not listed here, so that frame.html can hand them on.
    "Permissions-Policy": ", ".join(
        f"{feature}=()"
        for feature in (
            *("accelerometer", "bluetooth", "camera", "clipboard-read", "display-capture"),
            *("geolocation", "gyroscope", "hid", "idle-detection", "local-fonts", "magnetometer", "microphone", "midi"),
            *("payment", "publickey-credentials-get", "screen-wake-lock", "serial", "storage-access", "usb"),
            "xr-spatial-tracking",
        )
    ),
}
_PERSONAL = {"Cache-Control": "no-store"}


class Pages:
    """Renders pages. Addresses in them start with the request's `prefix`; everything else is text and is escaped."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters |= {
            "dollars": shown_dollars,
            "duration": duration,
            "about": about,
            "moment": moment,
            "iso": iso,
            "sanitized": sanitize,
            "how_many": how_many,
            "day": day,
            "bounded": bounded,
        }
        self._assets, self._asset_names = _read_assets(_HERE / "static")

    def page(
        self,
        template: str,
        prefix: str,
        values: Mapping[str, Any],
        status: int = 200,
        frame_sources: str = "'self'",
        media: str = "",
        cookies: tuple[str, ...] = (),
    ) -> Response:
        """A whole page, which nothing may frame.

        `frame_sources`, `media`: where its own frame, and pictures, sounds and films, may come from (CSP).
        """
        policy = f"{_with_media(media)}frame-src {frame_sources}; frame-ancestors 'none'"
        return self._html(template, prefix, values, status, policy, cookies)

    def framed_page(self, template: str, prefix: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """A page for the question's frame: what is shown there once an answer is in."""
        return self._html(template, prefix, values, status, f"{_OWN_CONTENT}frame-ancestors 'self'", ())

    def form_page(self, prefix: str, values: Mapping[str, Any], status: int = 200) -> Response:
        """A QuestionForm for the question's frame. Its pictures, sounds and films may come from anywhere by https."""
        policy = f"{_with_media('https:')}frame-ancestors 'self'"
        return self._html("question_form.html", prefix, values, status, policy, ())

    def question(self, html: str, prefix: str, tell_height: bool) -> Response:
        """A requester's own page, with an origin of its own wherever it is opened.

        AWS's script of Crowd HTML Elements, if it asks for that, is ours. `tell_height`: it also tells the page around
        it how high it is.
        """
        html = _CROWD_ELEMENTS_ADDRESS.sub(self.asset(prefix, CROWD_ELEMENTS), html)
        if tell_height:
            html += f'\n<script src="{self.asset(prefix, "frame.js")}"></script>\n'
        policy = f"sandbox {FRAME_FREEDOMS}; frame-ancestors 'self'"
        return _respond(200, html, "text/html", _PERSONAL | {"Content-Security-Policy": policy})

    def asset(self, prefix: str, name: str) -> str:
        """The address of a file in static/, with a hash of its content."""
        return f"{prefix}/static/{self._asset_names[name]}"

    def serve_asset(self, hashed_name: str) -> Response | None:
        """The file at such an address, for ever; None if there is none.

        The Crowd HTML Elements are also at an address without a hash, for pages elsewhere.
        """
        if hashed_name == CROWD_ELEMENTS:
            content, content_type = self._assets[self._asset_names[CROWD_ELEMENTS]]
            return _respond(200, content, content_type, {"Cache-Control": "public, max-age=3600"})
        if hashed_name not in self._assets:
            return None
        content, content_type = self._assets[hashed_name]
        return _respond(200, content, content_type, {"Cache-Control": "public, max-age=31536000, immutable"})

    def _html(
        self,
        template: str,
        prefix: str,
        values: Mapping[str, Any],
        status: int,
        policy: str,
        cookies: tuple[str, ...],
    ) -> Response:
        html = self._templates.get_template(template).render(
            values, prefix=prefix, asset=lambda name: self.asset(prefix, name)
        )
        headers = _PERSONAL | {"Content-Security-Policy": policy}
        return _respond(status, html, "text/html", headers, cookies)


def _with_media(sources: str) -> str:
    return _OWN_CONTENT.replace("img-src", f"media-src {sources}; img-src {sources}") if sources else _OWN_CONTENT


def see_other(address: str, *cookies: str) -> Response:
    """Go on there with a GET."""
    return Response(303, "", _FENCES | _PERSONAL | {"Location": address}, cookies)


def attachment(name: str, text: str, media_type: str) -> Response:
    """A file of somebody's own to keep."""
    return _respond(200, text, media_type, _PERSONAL | {"Content-Disposition": f'attachment; filename="{name}"'})


def hidden_field(name: str, value: str) -> Markup:
    """A form's hidden field."""
    return Markup('<input type="hidden" name="{}" value="{}">').format(name, value)


def duration(seconds: int) -> str:
    """A time span in its two largest units: 90 is 1 minute 30 seconds."""
    for index, (unit, unit_s) in enumerate(_UNITS_S):
        count, rest = divmod(max(0, seconds), unit_s)
        if count:
            smaller = _UNITS_S[index + 1 : index + 2]
            more = duration(rest - rest % smaller[0][1]) if smaller and rest >= smaller[0][1] else ""
            return f"{count} {unit}{'s' if count > 1 else ''}{' ' if more else ''}{more}"
    return "0 seconds"


def about(seconds: int) -> str:
    """A time span rounded to the largest unit that it has at least two of: 5400 is 90 minutes, 172000 is 2 days."""
    for unit, unit_s in _UNITS_S:
        count = (seconds + unit_s // 2) // unit_s
        if count >= 2:
            return f"{count} {unit}s"
    return duration(seconds)


def moment(ms: int) -> str:
    """A time of milliseconds since the epoch for people, in UTC: 30 Sep 2026, 14:05 UTC."""
    time = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{time.day} {time:%b %Y, %H:%M} UTC"


def day(date: str) -> str:
    """A day such as 2026-09-30 for people: Wed 30 Sep."""
    time = datetime.fromisoformat(date)
    return f"{time:%a} {time.day} {time:%b}"


def bounded(count: int) -> str:
    """A count that is told up to a hundred, because more of it says no more: 100+."""
    return str(count) if count <= MOST_COUNTED else f"{MOST_COUNTED}+"


def iso(ms: int) -> str:
    """A time of milliseconds since the epoch for programs: 2026-09-30T14:05:00Z."""
    return f"{datetime.fromtimestamp(ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _respond(
    status: int, body: str, media_type: str, headers: Mapping[str, str], cookies: tuple[str, ...] = ()
) -> Response:
    return Response(status, body, {"Content-Type": f"{media_type}; charset=utf-8", **_FENCES, **headers}, cookies)


def _read_assets(folder: Path) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Contents and types by hashed name, and hashed names by name. A folder's scripts are one, in order, in a scope."""
    assets, names = {}, {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            parts = [part.read_text(encoding="utf-8") for part in sorted(path.iterdir())]
            name, content = f"{path.name}.js", "\n".join(['"use strict";\n(() => {', *parts, "})();\n"])
        else:
            name, content = path.name, path.read_text(encoding="utf-8")
        stem, _, ending = name.rpartition(".")
        hashed_name = f"{stem}.{hashlib.sha256(content.encode()).hexdigest()[:12]}.{ending}"
        assets[hashed_name] = (content, _ASSET_TYPES[f".{ending}"])
        names[name] = hashed_name
    return assets, names
