"""Mail on this machine: each one a file."""

import json
from pathlib import Path

from local.aws_ses import SEND_PATH, answer
from local.http_server import Request

MAIL = {
    "FromEmailAddress": "work@example.org",
    "Destination": {"ToAddresses": ["ada@example.org"]},
    "Content": {"Simple": {"Subject": {"Data": "Héllo"}, "Body": {"Text": {"Data": "One\n\nTwo"}}}},
}


def request(path: str = SEND_PATH, method: str = "POST") -> Request:
    return Request(method, path, [], json.dumps(MAIL).encode())


def test_each_mail_is_a_file_in_the_order_of_sending(tmp_path: Path) -> None:
    mailbox = tmp_path / "mail"
    answers = [answer(request(), mailbox) for _ in range(2)]
    assert [each.status for each in answers if each] == [200, 200]
    files = sorted(mailbox.iterdir())
    assert len(files) == 2
    head, _, text = files[0].read_text(encoding="utf-8").partition("\n\n")
    assert head.splitlines()[1:] == ["From: work@example.org", "To: ada@example.org", "Subject: Héllo"]
    assert text == "One\n\nTwo"


def test_other_requests_are_for_moto_and_so_is_mail_without_a_mailbox(tmp_path: Path) -> None:
    assert answer(request("/v2/email/identities"), tmp_path) is None
    assert answer(request(method="GET"), tmp_path) is None
    assert answer(request(), None) is None
