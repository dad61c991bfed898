"""Amazon SES as far as mail is sent: each mail becomes a file in a folder, which is everybody's mailbox here.

moto's own wants every sender verified, which nobody here could do, and keeps what is sent to itself.
"""

import json
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path

from local.http_server import Request, Response

SEND_PATH = "/v2/email/outbound-emails"
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html"""

_lock = threading.Lock()
_sent = 0


def answer(request: Request, mailbox: Path | None) -> Response | None:
    """The answer to SendEmail; None for any other request, and where there is no mailbox."""
    if mailbox is None or request.method != "POST" or request.path != SEND_PATH:
        return None
    asked = json.loads(request.body)
    simple = asked["Content"]["Simple"]
    text = (
        f"Date: {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}\n"
        f"From: {asked['FromEmailAddress']}\n"
        f"To: {', '.join(asked['Destination']['ToAddresses'])}\n"
        f"Subject: {simple['Subject']['Data']}\n\n"
        f"{simple['Body']['Text']['Data']}"
    )
    _deliver(mailbox, text)
    return Response.of_json(200, {"MessageId": str(uuid.uuid4())})


def _deliver(mailbox: Path, text: str) -> None:
    """Numbered in the order of sending; whole as soon as it is there."""
    global _sent
    with _lock:
        _sent += 1
        name = f"{_sent:04}.txt"
        mailbox.mkdir(parents=True, exist_ok=True)
        partial = mailbox / f".{name}"
        partial.write_text(text, encoding="utf-8")
        partial.replace(mailbox / name)
