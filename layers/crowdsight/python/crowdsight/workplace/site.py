"""The worker site: the pages on which Workers find, do and are told of HITs.

Each address of the site is one row of `WorkerSite._routes` and one method below it. Pages are whole documents made
here; the question is a document of the requester's, shown in a frame that has an origin of its own and so can read
nothing of the site, neither cookie nor page. Its answer comes back without a session, authorised by the id of the
assignment, which only the Worker who accepted it was told and which cannot be guessed.
"""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from markupsafe import Markup

from crowdsight.clock import Clock
from crowdsight.money import shown_dollars
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.faults import (
    AssignmentNotFound,
    AssignmentNotYours,
    AssignmentOver,
    HitAlreadyDone,
    HitNotAvailable,
    ServiceFault,
    WorkerError,
)
from crowdsight.workplace.questions import Question, QuestionKind
from crowdsight.workplace.sessions import (
    SESSION_AGE_S,
    ExpiredToken,
    InvalidToken,
    Invitation,
    Role,
    Session,
    Sessions,
)
from crowdsight.workplace.site_errors import (
    STATUSES_AND_HEADINGS,
    BadForm,
    ForgedForm,
    InvitationExpired,
    InvitationInvalid,
    MethodNotAllowed,
    NoSuchPage,
    NotAccepted,
    NotForYou,
    NotSignedIn,
    SiteError,
)
from crowdsight.workplace.site_http import Fields, Request, Response
from crowdsight.workplace.site_pages import Pages, hidden_field, see_other
from crowdsight.workplace.workplace import Workplace

HITS_ON_A_PAGE = 20
ASSIGNMENTS_ON_A_PAGE = 50
MAX_PAGES_SEARCHED_FOR_ACCEPTED = 10

PREVIEW_ASSIGNMENT_ID = "ASSIGNMENT_ID_NOT_AVAILABLE"
"""MTurk's word for: this is a preview."""

SUBMIT_PATH = "/mturk/externalSubmit"
_MTURK_SUBMIT_ADDRESS = re.compile(
    r"(?:https?:)?//(?:www|workersandbox)\.mturk\.com/mturk/externalSubmit", re.IGNORECASE
)
_ID = re.compile(r"[0-9A-Z]{1,64}")
_COOKIE = "crowdsight_session"
_DONE = (AssignmentStatus.SUBMITTED, AssignmentStatus.APPROVED, AssignmentStatus.REJECTED)

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Frame:
    """Where a question comes from and how high it is (0 = as high as its content)."""

    address: str
    height_px: int


class WorkerSite:
    """Answers API Gateway's events with pages.

    A page's method returns its response or raises a SiteError or WorkerError, which `respond` explains by
    `STATUSES_AND_HEADINGS`; `hit_id`, `assignment_id`, `token` and `name` are out of the address.
    """

    def __init__(self, workplace: Workplace, sessions: Sessions, clock: Clock) -> None:
        self._workplace = workplace
        self._sessions = sessions
        self._clock = clock
        self._pages = Pages()
        self._routes = [
            (method, re.compile(pattern, re.ASCII), respond)
            for method, pattern, respond in (
                ("GET", r"/", self.show_hits),
                ("GET", r"/join/(?P<token>[\w.-]+)", self.show_invitation),
                ("POST", r"/join/(?P<token>[\w.-]+)", self.sign_in),
                ("POST", r"/sign-out", self.sign_out),
                ("GET", r"/hits/(?P<hit_id>[0-9A-Z]{1,64})", self.show_hit),
                ("POST", r"/hits/(?P<hit_id>[0-9A-Z]{1,64})/accept", self.accept),
                ("GET", r"/assignments/(?P<assignment_id>[0-9A-Z]{1,64})", self.show_assignment),
                ("POST", r"/assignments/(?P<assignment_id>[0-9A-Z]{1,64})/return", self.return_assignment),
                ("GET", r"/frames/(?P<hit_id>[0-9A-Z]{1,64})", self.show_question),
                ("POST", SUBMIT_PATH, self.submit),
                ("GET", r"/earnings", self.show_earnings),
                ("GET", r"/static/(?P<name>[\w.-]+)", self.serve_asset),
            )
        ]

    def respond(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The proxy integration's response to any event; every failure is a page too."""
        request = Request.from_event(event)
        try:
            response = self._dispatch(request)
        except (SiteError, WorkerError, ServiceFault) as error:
            response = self._explain(request, error)
        except Exception:
            # The edge of the program: what nobody foresaw is logged whole, and the Worker gets a number to quote.
            _logger.exception("request %s failed: %s %s", request.id, request.method, request.path)
            response = self._show_error(
                request, 500, "Something went wrong", f"It is our fault. Try again. ({request.id})"
            )
        return response.to_event()

    # -- signing in and out

    def show_invitation(self, request: Request, token: str) -> Response:
        """Whom an invitation is for, with a button to sign in as them."""
        invitation = self._read_invitation(token)
        values = {"invitation": invitation, "invitation_csrf_field": self._csrf_field(invitation)}
        return self._page(request, "join.html", values)

    def sign_in(self, request: Request, token: str) -> Response:
        """Start a session of 30 days for the invited person; a Worker who is new is registered."""
        invitation = self._read_invitation(token)
        self._check_form(request, invitation)
        if invitation.role is Role.WORKER:
            self._workplace.register_worker(invitation.worker_id, invitation.name)
        session = self._sessions.start(invitation)
        return see_other(f"{request.prefix}/", _make_cookie(request, session.token, SESSION_AGE_S))

    def sign_out(self, request: Request) -> Response:
        """Forget the session, if there is one."""
        session = self._find_session(request)
        if session:
            self._check_form(request, session)
        return see_other(f"{request.prefix}/", _make_cookie(request, "", 0))

    # -- finding HITs

    def show_hits(self, request: Request) -> Response:
        """The HITs that the Worker can accept, 20 to a page, and those in hand; without a session, how to get one."""
        session = self._find_session(request)
        if session is None:
            return self._page(request, "welcome.html", {})
        if session.role is not Role.WORKER:
            raise NotForYou(session.role)
        start = request.asked("after") or None
        page = self._workplace.list_open_hits(HITS_ON_A_PAGE, start, session.worker_id)
        values = {
            "hits": page.hits,
            "more": page.next_start,
            "submitted": self._confirm(request.asked("submitted"), session),
            "in_progress": [] if start else self._list_in_hand(session),
        }
        return self._page(request, "hits.html", values, here="hits")

    def show_hit(self, request: Request, hit_id: str) -> Response:
        """A preview of the HIT, or the way back to one in hand."""
        session = self._require_session(request)
        hit = self._workplace.get_hit(hit_id)
        mine = self._workplace.find_accepted(hit_id, session.worker_id)
        if mine is None and not hit.available:
            raise HitNotAvailable("Its time is over, or others were faster.")
        question = self._workplace.get_question(hit_id)
        values = {
            "hit": hit,
            "frame": self._frame(request, question, hit_id, PREVIEW_ASSIGNMENT_ID, session),
            "assignment_id": mine.assignment_id if mine and mine.status is AssignmentStatus.ACCEPTED else None,
            "is_done": mine is not None and mine.status in _DONE,
        }
        return self._page(request, "hit.html", values, frame_sources=_frame_sources(question))

    def accept(self, request: Request, hit_id: str) -> Response:
        """Take the HIT and go on to its assignment."""
        session = self._require_session(request)
        self._check_form(request, session)
        try:
            assignment = self._workplace.accept(hit_id, session.worker_id)
        except HitAlreadyDone:
            mine = self._workplace.find_accepted(hit_id, session.worker_id)
            if mine is None or mine.status is not AssignmentStatus.ACCEPTED:
                raise
            assignment = mine  # pressed twice: the one in hand is what they want
        return see_other(f"{request.prefix}/assignments/{assignment.assignment_id}")

    # -- doing one

    def show_assignment(self, request: Request, assignment_id: str) -> Response:
        """The question to answer, with the time left; once it is submitted, on to the next HIT."""
        session = self._require_session(request)
        assignment = self._own_assignment(assignment_id, session)
        if assignment.status in _DONE:
            return see_other(f"{request.prefix}/?{urlencode({'submitted': assignment_id})}")
        if assignment.status is not AssignmentStatus.ACCEPTED:
            raise AssignmentOver("It was returned, or its time ran out. Nothing can be submitted for it any more.")
        question = self._workplace.get_question(assignment.hit_id)
        values = {
            "assignment": assignment,
            "frame": self._frame(request, question, assignment.hit_id, assignment_id, session),
        }
        return self._page(request, "assignment.html", values, frame_sources=_frame_sources(question))

    def return_assignment(self, request: Request, assignment_id: str) -> Response:
        """Give the HIT back without an answer."""
        session = self._require_session(request)
        self._check_form(request, session)
        self._workplace.return_assignment(assignment_id, session.worker_id)
        return see_other(f"{request.prefix}/")

    def show_question(self, request: Request, hit_id: str) -> Response:
        """The requester's page, for the frame. Forms that name MTurk's submit addresses are pointed at ours.

        The address names the assignment, so that a form whose field only a script would fill works without scripts.
        """
        session = self._require_session(request)
        assignment_id = request.asked("assignmentId") or PREVIEW_ASSIGNMENT_ID
        if assignment_id != PREVIEW_ASSIGNMENT_ID and self._own_assignment(assignment_id, session).hit_id != hit_id:
            raise NoSuchPage
        question = self._workplace.get_question(hit_id)
        if question.kind is not QuestionKind.HTML:
            raise NoSuchPage
        submit_address = f"{request.prefix}{SUBMIT_PATH}"
        if assignment_id != PREVIEW_ASSIGNMENT_ID:
            submit_address += f"?assignmentId={assignment_id}"
        html = _MTURK_SUBMIT_ADDRESS.sub(submit_address, question.content)
        return self._pages.question(html, request.prefix, tell_height=question.frame_height_px == 0)

    def submit(self, request: Request) -> Response:
        """Take an answer. There is no session: the frame's origin is not ours, so the browser sends no cookie."""
        try:
            fields = request.form()
            named = {value for name, value in fields if name == "assignmentId" and value}
            named = named or set(request.asked("assignmentId").split())
            if len(named) != 1:
                raise BadForm("An answer names one assignment, in the field assignmentId.")
            (assignment_id,) = named
            if assignment_id == PREVIEW_ASSIGNMENT_ID:
                raise NotAccepted
            return self._hand_in(request, assignment_id, fields)
        except (SiteError, WorkerError) as error:
            status, heading = STATUSES_AND_HEADINGS[error.code]
            return self._framed(request, status, heading, error.message)

    def _hand_in(self, request: Request, assignment_id: str, fields: Fields) -> Response:
        _require_id(assignment_id)
        try:
            assignment = self._workplace.submit(
                assignment_id, [(name, value) for name, value in fields if name != "assignmentId"]
            )
        except AssignmentOver:
            assignment = self._workplace.get_assignment(assignment_id)
            if assignment.status not in _DONE:
                raise
            return self._framed(request, 200, "Already submitted", "This answer was taken before.", is_submitted=True)
        promise = f"You earn {shown_dollars(assignment.reward_cents)} when it is approved."
        return self._framed(request, 200, "Submitted", promise, is_submitted=True)

    # -- being paid

    def show_earnings(self, request: Request) -> Response:
        """What the Worker earned, and by which assignments, 50 to a page."""
        session = self._require_session(request)
        start = request.asked("after") or None
        page = self._workplace.list_assignments_of_worker(session.worker_id, ASSIGNMENTS_ON_A_PAGE, start)
        values = {
            "worker": self._workplace.get_worker(session.worker_id),
            "done": [assignment for assignment in page.assignments if assignment.status in _DONE],
            "more": page.next_start,
            "in_progress": [] if start else self._list_in_hand(session),
        }
        return self._page(request, "earnings.html", values, here="earnings")

    def serve_asset(self, request: Request, name: str) -> Response:
        """A style, script or icon of ours, by its hashed name."""
        response = self._pages.serve_asset(name)
        if response is None:
            raise NoSuchPage
        return response

    # -- what these share

    def _dispatch(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        matches = [
            (allowed, match, respond)
            for allowed, pattern, respond in self._routes
            if (match := pattern.fullmatch(request.path))
        ]
        for allowed, match, respond in matches:
            if allowed == method:
                return respond(request, **match.groupdict())
        if matches:
            raise MethodNotAllowed([allowed for allowed, _match, _respond in matches])
        raise NoSuchPage

    def _find_session(self, request: Request) -> Session | None:
        try:
            return self._sessions.read_session(request.cookie(_COOKIE) or "")
        except (InvalidToken, ExpiredToken):
            return None

    def _require_session(self, request: Request) -> Session:
        """A Worker's session."""
        session = self._find_session(request)
        if session is None:
            raise NotSignedIn
        if session.role is not Role.WORKER:
            raise NotForYou(session.role)
        return session

    def _read_invitation(self, token: str) -> Invitation:
        try:
            return self._sessions.read_invitation(token)
        except InvalidToken as error:
            raise InvitationInvalid from error
        except ExpiredToken as error:
            raise InvitationExpired from error

    def _csrf_field(self, bound_to: Session | Invitation) -> Markup:
        return hidden_field("csrf", self._sessions.form_token(bound_to))

    def _check_form(self, request: Request, bound_to: Session | Invitation) -> None:
        """The form's `csrf` field is the one we made; and no other site sent it, where the browser says who did."""
        tokens = [value for name, value in request.form() if name == "csrf"]
        if (
            len(tokens) != 1
            or not self._sessions.is_form_token(tokens[0], bound_to)
            or request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
        ):
            raise ForgedForm

    def _own_assignment(self, assignment_id: str, session: Session) -> Assignment:
        _require_id(assignment_id)
        assignment = self._workplace.get_assignment(assignment_id)
        if assignment.worker_id != session.worker_id:
            raise AssignmentNotYours("It was accepted by another Worker.")
        return assignment

    def _list_in_hand(self, session: Session) -> list[Assignment]:
        """The Worker's accepted assignments, newest first; one from before the last 500 may be missing."""
        worker = self._workplace.find_worker(session.worker_id)
        found: list[Assignment] = []
        start = None
        for _ in range(MAX_PAGES_SEARCHED_FOR_ACCEPTED if worker and worker.accepted else 0):
            page = self._workplace.list_assignments_of_worker(session.worker_id, ASSIGNMENTS_ON_A_PAGE, start)
            found += [one for one in page.assignments if one.status is AssignmentStatus.ACCEPTED]
            start = page.next_start
            if start is None or (worker and len(found) >= worker.accepted):
                break
        return found

    def _confirm(self, assignment_id: str, session: Session) -> str | None:
        """What to say of an assignment that the Worker comes from, if it is submitted; None otherwise."""
        if not assignment_id:
            return None
        try:
            assignment = self._own_assignment(assignment_id, session)
        except WorkerError:
            return None
        if assignment.status not in _DONE:
            return None
        return f"You earn {shown_dollars(assignment.reward_cents)} when it is approved."

    def _frame(self, request: Request, question: Question, hit_id: str, assignment_id: str, session: Session) -> Frame:
        """The question's frame, with MTurk's query parameters."""
        query = {"assignmentId": assignment_id, "hitId": hit_id}
        if assignment_id != PREVIEW_ASSIGNMENT_ID:
            query |= {"workerId": session.worker_id, "turkSubmitTo": request.address}
        if question.kind is QuestionKind.HTML:
            return Frame(f"{request.prefix}/frames/{hit_id}?{urlencode(query)}", question.frame_height_px)
        address, hash_mark, fragment = question.content.partition("#")
        joint = "&" if "?" in address else "?"
        return Frame(f"{address}{joint}{urlencode(query)}{hash_mark}{fragment}", question.frame_height_px)

    def _page(
        self,
        request: Request,
        template: str,
        values: Mapping[str, Any],
        *,
        here: str = "",
        status: int = 200,
        frame_sources: str = "'self'",
    ) -> Response:
        session = self._find_session(request)
        now_ms = self._clock()
        shared = {
            "session": session,
            "here": here,
            "csrf_field": self._csrf_field(session) if session else Markup(),
            "left_s": lambda until_ms: max(0, until_ms - now_ms) // 1000,
        }
        return self._pages.page(template, request.prefix, {**shared, **values}, status, frame_sources)

    def _framed(
        self, request: Request, status: int, heading: str, message: str, is_submitted: bool = False
    ) -> Response:
        values = {"heading": heading, "message": message, "is_submitted": is_submitted}
        return self._pages.framed_page("framed.html", request.prefix, values, status)

    def _explain(self, request: Request, error: SiteError | WorkerError | ServiceFault) -> Response:
        status, heading = STATUSES_AND_HEADINGS[error.code]
        response = self._show_error(request, status, heading, error.message)
        if isinstance(error, MethodNotAllowed):
            return Response(status, response.body, {**response.headers, "Allow": ", ".join(error.allowed)})
        return response

    def _show_error(self, request: Request, status: int, heading: str, message: str) -> Response:
        if request.path.startswith("/frames/"):
            return self._framed(request, status, heading, message)
        return self._page(
            request, "error.html", {"status": status, "heading": heading, "message": message}, status=status
        )


def _require_id(assignment_id: str) -> None:
    """An id that nothing can have is not looked for."""
    if not _ID.fullmatch(assignment_id):
        raise AssignmentNotFound("There is no such assignment.")


def _make_cookie(request: Request, value: str, age_s: int) -> str:
    secure = "; Secure" if request.is_secure else ""
    return f"{_COOKIE}={value}; Path={request.prefix or '/'}; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"


def _frame_sources(question: Question) -> str:
    """An external question may lead on to other addresses of its site, and its answer page is ours."""
    return "'self' https:" if question.kind is QuestionKind.EXTERNAL else "'self'"
