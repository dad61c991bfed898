"""moto's S3 made fit for many writers: one request at a time.

moto 5.2 as it comes closes an object's content when it is overwritten, while another thread may be reading it, and
checks the condition of a write in another step than it writes.
"""

import functools
import threading
from typing import Any

from moto.s3.responses import S3Response

_lock = threading.RLock()


def install() -> None:
    """Change moto in this process; once, before it serves."""
    for name in ("bucket_response", "key_response"):
        setattr(S3Response, name, _serial(getattr(S3Response, name)))


def _serial(respond: Any) -> Any:
    @functools.wraps(respond)
    def respond_alone(*arguments: Any, **options: Any) -> Any:
        with _lock:
            return respond(*arguments, **options)

    return respond_alone
