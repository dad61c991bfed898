"""The worker site's messages: what requesters wrote to a Worker, and writing to the requester of a HIT."""

from crowdsight.workplace.messages import MAX_SUBJECT_LENGTH, MAX_TEXT_LENGTH
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_visits import Visits

MESSAGES_ON_A_PAGE = 20


class MessagePages:
    """One Worker's messages; `hit_id`, what a message is about, is out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._workplace = visits.workplace
        self._messages = visits.workplace.messages

    def show_messages(self, request: Request) -> Response:
        """What the Worker was written, newest first; the new ones are marked, this once."""
        session = self._visits.require_session(request)
        start = request.asked("after") or None
        page = self._messages.list_for_worker(session.worker_id, MESSAGES_ON_A_PAGE, start)
        unread = 0 if start else self._visits.desk(request).unread
        if unread:
            self._messages.note_read(session.worker_id)
        values = {
            "messages": page.messages,
            "new": unread,
            "more": page.next_start,
            "sent": bool(request.asked("sent")),
        }
        return self._visits.page(request, "messages.html", values, here="messages")

    def show_contact(self, request: Request, hit_id: str) -> Response:
        """A form for writing to the requester of a HIT."""
        self._visits.require_session(request)
        values = {"hit": self._workplace.get_hit(hit_id), "longest": (MAX_SUBJECT_LENGTH, MAX_TEXT_LENGTH)}
        return self._visits.page(request, "contact.html", values, here="messages")

    def send(self, request: Request, hit_id: str) -> Response:
        """Write to the requester of a HIT."""
        session = self._visits.require_form(request)
        self._visits.count(request, "contact", session.worker_id)
        hit = self._workplace.get_hit(hit_id)
        fields = dict(request.form())
        self._messages.send_to_requester(
            hit.requester_id, session.worker_id, hit_id, fields.get("subject", ""), fields.get("text", "")
        )
        return see_other(f"{request.prefix}/messages?sent=1")
