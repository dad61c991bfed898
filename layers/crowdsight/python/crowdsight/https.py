"""HTTP requests to one well-known party, bounded in time and size."""

from collections.abc import Mapping

import urllib3
from botocore.httpsession import get_cert_path

MAX_ANSWER_BYTES = 256 * 1024


class Https:
    """Sends single requests, follows no redirect and verifies certificates by the authorities that botocore brings."""

    def __init__(self) -> None:
        self._pool = urllib3.PoolManager(
            cert_reqs="CERT_REQUIRED",
            ca_certs=get_cert_path(True),
            retries=False,
            timeout=urllib3.Timeout(connect=3, read=5),
        )

    def send(self, method: str, address: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body. Raises OSError, also for an answer of more than 256 KiB."""
        try:
            response = self._pool.request(
                method, address, headers=dict(headers), body=body or None, redirect=False, preload_content=False
            )
            try:
                content = response.read(MAX_ANSWER_BYTES + 1)
            finally:
                response.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise OSError(str(error)) from error
        if len(content) > MAX_ANSWER_BYTES:
            raise OSError("the answer is too long")
        return response.status, content
