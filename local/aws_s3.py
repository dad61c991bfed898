"""moto's S3 made fit for many writers and large objects: one request at a time, and ranges that read no more.

moto 5.2 as it comes closes an object's content when it is overwritten, while another thread may be reading it; checks
the condition of a write in another step than it writes; reads a whole object for any range of it; and copies what is
put several times, in small pieces.
"""

import functools
import io
import re
import threading
from typing import Any

from moto.core.request import Request
from moto.s3.models import FakeKey
from moto.s3.responses import S3Response

RANGE = re.compile(r"bytes=(\d+)-(\d+)")

_lock = threading.RLock()
_reading = threading.local()


class _Content:
    """An object's content, read by slices of it."""

    def __init__(self, key: Any) -> None:
        self._key = key

    def __len__(self) -> int:
        return self._key.contentsize

    def __getitem__(self, part: slice) -> bytes:
        start, end, _ = part.indices(len(self))
        with self._key.lock:
            self._key._value_buffer.seek(start)
            return self._key._value_buffer.read(end - start)


@functools.cache
def install() -> None:
    """Change moto in this process, before it serves; again changes nothing."""
    responses: Any = S3Response
    keys: Any = FakeKey
    for name in ("bucket_response", "key_response"):
        setattr(responses, name, _serial(getattr(responses, name)))
    responses.get_object = _by_ranges(responses.get_object)
    requests: Any = Request
    requests.from_primitives = _with_body(requests.from_primitives)
    whole = keys.value
    keys.value = property(
        lambda key: _Content(key) if getattr(_reading, "is_part", False) else whole.fget(key), whole.fset
    )


def _with_body(from_primitives: Any) -> Any:
    """What is put is the body as it came: werkzeug would read it anew, 64 KB at a time."""

    @functools.wraps(from_primitives)
    def with_body(method: str, url: str, headers: Any, body: Any = None) -> Any:
        is_whole = method == "PUT" and isinstance(body, io.BytesIO) and body.tell() == 0
        request = from_primitives(method, url, headers, body)
        if is_whole and not request.content_encoding:
            request._cached_data = body.getvalue()  # what `get_data` keeps when it has read all
        return request

    return with_body


def _serial(respond: Any) -> Any:
    @functools.wraps(respond)
    def respond_alone(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return respond(*arguments, **options)

    return respond_alone


def _by_ranges(get_object: Any) -> Any:
    @functools.wraps(get_object)
    def get_part(response: S3Response) -> Any:
        wanted = RANGE.fullmatch(response.headers.get("range") or "")
        _reading.is_part = wanted is not None and int(wanted[1]) <= int(wanted[2])
        try:
            return get_object(response)
        finally:
            _reading.is_part = False

    return get_part
