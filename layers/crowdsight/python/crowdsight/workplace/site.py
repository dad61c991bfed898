"""The worker site: the pages on which Workers find, do and are told of HITs.

Each address of the site is one row of `WorkerSite._routes`; the method it names lies in the module of its subject.
Pages are whole documents made here; the question is a document of the requester's, shown in a frame that has an origin
of its own and so can read nothing of the site, neither cookie nor page. Its answer comes back without a session,
authorised by the id of the assignment, which only the Worker who accepted it was told and which cannot be guessed.

site_signing_in     invitations and sessions
site_hits           finding HITs
site_assignments    doing them and being paid
site_questions      the question's frame and the answers out of it
site_visits         what these share
"""

import logging
import re
from collections.abc import Mapping
from typing import Any

from crowdsight.clock import Clock
from crowdsight.workplace.faults import ServiceFault, WorkerError
from crowdsight.workplace.sessions import Sessions
from crowdsight.workplace.site_assignments import AssignmentPages
from crowdsight.workplace.site_errors import STATUSES_AND_HEADINGS, MethodNotAllowed, NoSuchPage, SiteError
from crowdsight.workplace.site_hits import HitPages
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_questions import SUBMIT_PATH, QuestionPages
from crowdsight.workplace.site_signing_in import SigningIn
from crowdsight.workplace.site_visits import Visits
from crowdsight.workplace.workplace import Workplace

_HIT = r"/hits/(?P<hit_id>[0-9A-Z]{1,64})"
_ASSIGNMENT = r"/assignments/(?P<assignment_id>[0-9A-Z]{1,64})"
_INVITATION = r"/join/(?P<token>[\w.-]+)"

_logger = logging.getLogger(__name__)


class WorkerSite:
    """Answers API Gateway's events with pages.

    A page's method returns its response or raises a SiteError or WorkerError, which `respond` explains by
    `STATUSES_AND_HEADINGS`; what it takes beside the request is out of the address.
    """

    def __init__(self, workplace: Workplace, sessions: Sessions, clock: Clock) -> None:
        self._visits = visits = Visits(workplace, sessions, clock)
        signing_in, hits = SigningIn(visits), HitPages(visits)
        assignments, questions = AssignmentPages(visits), QuestionPages(visits)
        self._routes = [
            (method, re.compile(pattern, re.ASCII), respond)
            for method, pattern, respond in (
                ("GET", _INVITATION, signing_in.show_invitation),
                ("POST", _INVITATION, signing_in.sign_in),
                ("POST", r"/sign-out", signing_in.sign_out),
                ("GET", r"/", hits.show_hits),
                ("GET", _HIT, hits.show_hit),
                ("POST", f"{_HIT}/accept", hits.accept),
                ("GET", _ASSIGNMENT, assignments.show_assignment),
                ("POST", f"{_ASSIGNMENT}/return", assignments.return_assignment),
                ("GET", r"/earnings", assignments.show_earnings),
                ("GET", r"/frames/(?P<hit_id>[0-9A-Z]{1,64})", questions.show_question),
                ("POST", SUBMIT_PATH, questions.submit),
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
            response = self._visits.error(
                request, 500, "Something went wrong", f"It is our fault. Try again. ({request.id})"
            )
        return response.to_event()

    def serve_asset(self, request: Request, name: str) -> Response:
        """A style, script or icon of ours, by its hashed name."""
        response = self._visits.pages.serve_asset(name)
        if response is None:
            raise NoSuchPage
        return response

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

    def _explain(self, request: Request, error: SiteError | WorkerError | ServiceFault) -> Response:
        status, heading = STATUSES_AND_HEADINGS[error.code]
        response = self._visits.error(request, status, heading, error.message)
        if isinstance(error, MethodNotAllowed):
            return Response(status, response.body, {**response.headers, "Allow": ", ".join(error.allowed)})
        return response
