"""What the worker site's pages share: who is asking, the tokens of their forms, and the page around the content."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from markupsafe import Markup

from crowdsight.clock import Clock
from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.faults import AssignmentNotFound, AssignmentNotYours
from crowdsight.workplace.ledger import Account
from crowdsight.workplace.limits import Limits, TooOften
from crowdsight.workplace.listing import Desk
from crowdsight.workplace.people import People
from crowdsight.workplace.sessions import Invitation, Person, Role, Session
from crowdsight.workplace.site_errors import ForgedForm, NotForYou, NotSignedIn, TooManyRequests
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import Pages, hidden_field
from crowdsight.workplace.workers import Staff, Worker
from crowdsight.workplace.workplace import Workplace

ID = re.compile(r"[0-9A-Z]{1,64}")
FRAMED_PATHS = ("/frames/", "/mturk/")
"""How the addresses begin whose answers are shown in the question's frame."""

_COOKIE = "crowdsight_session"


class Visits:
    """One site's visitors and its pages for them."""

    def __init__(
        self, workplace: Workplace, people: People, limits: Limits, clock: Clock, has_sign_in: bool = False
    ) -> None:
        self._has_sign_in = has_sign_in
        self.workplace = workplace
        self.people = people
        self.sessions = people.sessions
        self.limits = limits
        self.clock = clock
        self.pages = Pages()

    def find_session(self, request: Request) -> Session | None:
        """The visitor's session, None if there is none, or none that still holds."""
        found = self._find_visitor(request)
        return found[0] if found else None

    def known(self, request: Request) -> Worker | Staff:
        """What is known of who is signed in, as of when the request came. Raises NotSignedIn."""
        found = self._find_visitor(request)
        if found is None:
            raise NotSignedIn
        return found[1]

    def _find_visitor(self, request: Request) -> tuple[Session, Worker | Staff] | None:
        """Looked for once a request."""
        if "visitor" not in request.memo:
            token = request.cookie(_COOKIE)
            request.memo["visitor"] = self.people.find_session(token, partial(self._find, request)) if token else None
        found: tuple[Session, Worker | Staff] | None = request.memo["visitor"]
        return found

    def _find(self, request: Request, person: Person) -> Worker | Staff | None:
        """Of a Worker all that pages need comes with what their session needs, by one call."""
        if person.role is not Role.WORKER:
            found = self.people.find_staff(person)
            if found is None:
                return None
            staff, request.memo["account"] = found
            return staff
        request.memo["desk"] = desk = self.workplace.listing.find_desk(person.worker_id)
        return desk.worker if desk else None

    def desk(self, request: Request) -> Desk:
        """What the signed-in Worker has in hand and may do, as of when the request came."""
        desk: Desk = request.memo["desk"]
        return desk

    def account(self, request: Request) -> Account:
        """The balances of the requester whose staff is signed in, as of when the request came."""
        account: Account = request.memo["account"]
        return account

    def require_anyone(self, request: Request) -> Session:
        """The session of a visitor in either role. Raises NotSignedIn."""
        session = self.find_session(request)
        if session is None:
            raise NotSignedIn
        return session

    def count(self, request: Request, what: str, worker_id: str) -> None:
        """Count that a Worker does something that must not be done too often. Raises TooManyRequests."""
        with not_too_often():
            self.limits.count_network(what, request.source_ip)
            self.limits.count_worker(what, worker_id)

    def require_session(self, request: Request, role: Role = Role.WORKER) -> Session:
        """The session of a visitor who is a Worker, or of the other role. Raises NotSignedIn, NotForYou."""
        session = self.require_anyone(request)
        if session.role is not role:
            raise NotForYou(session.role)
        return session

    def require_form(self, request: Request, role: Role = Role.WORKER) -> Session:
        """The session of who sends a form that was made for it. Raises NotSignedIn, NotForYou, ForgedForm."""
        session = self.require_session(request, role)
        self.check_form(request, session)
        return session

    def check_form(self, request: Request, bound_to: Session | Invitation | str) -> None:
        """The form's `csrf` field is the one we made; and no other site sent it, where the browser says who did."""
        tokens = [value for name, value in request.form() if name == "csrf"]
        if (
            len(tokens) != 1
            or not self.sessions.is_form_token(tokens[0], _token_of(bound_to))
            or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        ):
            raise ForgedForm

    def csrf_field(self, bound_to: Session | Invitation | str) -> Markup:
        """The hidden field that `check_form` looks for."""
        return hidden_field("csrf", self.sessions.form_token(_token_of(bound_to)))

    def own_assignment(self, request: Request, assignment_id: str) -> Assignment:
        """The signed-in Worker's assignment. Raises AssignmentNotFound, AssignmentNotYours."""
        require_id(assignment_id)
        desk = self.desk(request)
        in_hand = [one for one in desk.in_hand if one.assignment_id == assignment_id]
        if in_hand:
            return in_hand[0]
        assignment = self.workplace.get_assignment(assignment_id)
        if assignment.worker_id != desk.worker.worker_id:
            raise AssignmentNotYours("It was accepted by another Worker.")
        return assignment

    def page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        *,
        here: str = "",
        status: int = 200,
        frame_sources: str = "'self'",
        media: str = "",
        cookies: tuple[str, ...] = (),
    ) -> Response:
        """A whole page. `here`: which part of the site it is; `frame_sources`, `media`: where its frame, and pictures,
        sounds and films beside the site's own, may come from (CSP).
        """
        session = self.find_session(request)
        now_ms = self.clock()
        shared = {
            "session": session,
            "has_sign_in": self._has_sign_in,
            "here": here,
            "desk": request.memo.get("desk"),
            "csrf_field": self.csrf_field(session) if session else Markup(),
            "left_s": lambda until_ms: max(0, until_ms - now_ms) // 1000,
        }
        return self.pages.page(template, request.prefix, {**shared, **values}, status, frame_sources, media, cookies)

    def framed(
        self,
        request: Request,
        status: int,
        heading: str,
        message: str,
        *,
        is_submitted: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """A short page for the question's frame. `headers`: more than each such page has."""
        values = {"heading": heading, "message": message, "is_submitted": is_submitted}
        page = self.pages.framed_page("framed.html", request.prefix, values, status)
        return replace(page, headers={**page.headers, **(headers or {})})

    def error(self, request: Request, status: int, heading: str, message: str) -> Response:
        """A page, or what is shown in the question's frame, that says what went wrong."""
        if request.path.startswith(FRAMED_PATHS):
            return self.framed(request, status, heading, message)
        values = {"status": status, "heading": heading, "message": message}
        return self.page(request, "error.html", values, status=status)


@contextmanager
def not_too_often() -> Iterator[None]:
    """Raises TooManyRequests for TooOften."""
    try:
        yield
    except TooOften as error:
        raise TooManyRequests(error.retry_after_s) from error


def require_id(assignment_id: str) -> None:
    """An id that nothing can have is not looked for. Raises AssignmentNotFound."""
    if not ID.fullmatch(assignment_id):
        raise AssignmentNotFound("There is no such assignment.")


def make_cookie(request: Request, value: str, age_s: int, name: str = _COOKIE) -> str:
    """The session's cookie, or another; `age_s` 0 takes it away."""
    secure = "; Secure" if request.is_secure else ""
    return f"{name}={value}; Path={request.prefix or '/'}; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"


def _token_of(bound_to: Session | Invitation | str) -> str:
    return bound_to if isinstance(bound_to, str) else bound_to.token
