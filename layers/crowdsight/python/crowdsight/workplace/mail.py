"""Links sent by e-mail: asked for by the worker site, looked up and sent by a Lambda of its own, through Amazon SES.

The site hands on every request, for known and unknown addresses alike, so that neither its answer nor the time that it
takes tells whether somebody is known. Only who sends knows, and only what sends may.
"""

import json
from typing import Any

from crowdsight.clock import Clock
from crowdsight.workplace.people import People
from crowdsight.workplace.sessions import LINK_AGE_S, Link

SIGN_IN_PATH = "/sign-in/link"
ADDRESS_PATH = "/account/email"
"""Of the site, before a link's token: to sign in by a link; to make its address one's own."""

_MINUTES = LINK_AGE_S // 60
_SIGN_IN_TEXT = """Hello {name},

open this link to sign in to crowdsight:

{link}

It works once, within {minutes} minutes, and only in the browser in which you asked for it.
If you did not ask for it, do nothing: nobody can sign in with it elsewhere.
"""
_ADDRESS_TEXT = """Hello,

open this link to let yourself sign in to crowdsight by this e-mail address:

{link}

It works once, within {minutes} minutes, and only in the browser in which you asked for it.
If you did not ask for it, do nothing.
"""


class MailQueue:
    """Where the site leaves links to be sent. `sqs`: a boto3 client."""

    def __init__(self, sqs: Any, queue_url: str) -> None:
        self._sqs = sqs
        self._queue_url = queue_url

    def send(self, link: Link) -> None:
        """Have the link sent to its address, if there is reason to."""
        body = {"email": link.email, "worker_id": link.worker_id, "token": link.token, "expires_ms": link.expires_ms}
        self._sqs.send_message(QueueUrl=self._queue_url, MessageBody=json.dumps(body))


class Mailer:
    """Sends links. `ses`: a boto3 client for `sesv2`; `sender`: an address that SES has verified."""

    def __init__(self, ses: Any, sender: str, site_url: str, people: People, clock: Clock) -> None:
        self._ses = ses
        self._sender = sender
        self._site_url = site_url.rstrip("/")
        self._people = people
        self._clock = clock

    def send(self, body: str) -> bool:
        """Send what `MailQueue.send` left, and say whether it was; twice, if asked twice, the same link.

        Nothing is sent to sign in by an address that is nobody's, to a suspended person, to make an address one's own
        that is somebody else's, or too late.
        """
        asked = json.loads(body)
        if asked["expires_ms"] <= self._clock():
            return False
        person = self._people.find_by_email(asked["email"])
        if asked["worker_id"]:
            if person is not None:
                return False
            self._mail(asked["email"], "Your e-mail address at crowdsight", _ADDRESS_TEXT, ADDRESS_PATH, asked["token"])
            return True
        known = self._people.find(person) if person else None
        if known is None or known.is_suspended:
            return False
        text = _SIGN_IN_TEXT.replace("{name}", known.name)
        self._mail(asked["email"], "Your link to sign in to crowdsight", text, SIGN_IN_PATH, asked["token"])
        return True

    def _mail(self, email: str, subject: str, text: str, path: str, token: str) -> None:
        text = text.replace("{link}", f"{self._site_url}{path}/{token}").replace("{minutes}", str(_MINUTES))
        self._ses.send_email(
            FromEmailAddress=self._sender,
            Destination={"ToAddresses": [email]},
            Content={
                "Simple": {
                    "Subject": {"Data": subject, "Charset": "UTF-8"},
                    "Body": {"Text": {"Data": text, "Charset": "UTF-8"}},
                }
            },
        )
