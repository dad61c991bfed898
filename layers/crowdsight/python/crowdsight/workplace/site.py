"""The worker site: the pages on which Workers find, do and are told of HITs.

Each address of the site is one row of `WorkerSite._routes`; the method it names lies in the module of its subject.
Pages are whole documents made here; the question is a document of the requester's, shown in a frame that has an origin
of its own and so can read nothing of the site, neither cookie nor page. Its answer comes back without a session,
authorised by the id of the assignment, which only the Worker who accepted it was told and which cannot be guessed.

site_signing_in     invitations and sessions
site_sign_in        signing in by e-mail or by the organisation's provider
site_account        what is known of who is signed in
site_statement      what a Worker was paid, by month
site_hits           finding HITs
site_assignments    doing them and being paid
site_messages       what requesters wrote to a Worker, and writing to them
site_requester      the pages of a requester's staff
site_questions      the question's frame and the answers out of it
site_visits         what these share
"""

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crowdsight.clock import Clock
from crowdsight.workplace.faults import RequestError, ServiceFault, WorkerError
from crowdsight.workplace.limits import Limits
from crowdsight.workplace.mail import ADDRESS_PATH, SIGN_IN_PATH, MailQueue
from crowdsight.workplace.people import People
from crowdsight.workplace.site_account import AccountPages
from crowdsight.workplace.site_assignments import AssignmentPages
from crowdsight.workplace.site_errors import (
    STATUSES_AND_HEADINGS,
    MethodNotAllowed,
    NoSuchPage,
    SiteError,
    more_headers,
)
from crowdsight.workplace.site_hits import HitPages
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_messages import MessagePages
from crowdsight.workplace.site_qualifications import QualificationPages
from crowdsight.workplace.site_questions import SUBMIT_PATH, QuestionPages
from crowdsight.workplace.site_requester import RequesterPages
from crowdsight.workplace.site_sign_in import CALLBACK_PATH, SignInPages
from crowdsight.workplace.site_signing_in import SigningIn
from crowdsight.workplace.site_statement import StatementPages
from crowdsight.workplace.site_visits import Visits
from crowdsight.workplace.workplace import Workplace

if TYPE_CHECKING:
    from crowdsight.workplace.openid import IdentityProvider

_GROUP = r"/groups/(?P<group_id>[0-9A-Z]{1,64})"
_HIT = r"/hits/(?P<hit_id>[0-9A-Z]{1,64})"
_TEST = r"/tests/(?P<request_id>[0-9A-Z]{1,64})"
_ASSIGNMENT = r"/assignments/(?P<assignment_id>[0-9A-Z]{1,64})"
_TOKEN = r"(?P<token>[\w.-]+)"
_INVITATION = rf"/join/{_TOKEN}"

_logger = logging.getLogger(__name__)


class WorkerSite:
    """Answers API Gateway's events with pages.

    A page's method returns its response or raises a SiteError or WorkerError, which `respond` explains by
    `STATUSES_AND_HEADINGS`; what it takes beside the request is out of the address. `mail` is None where no mail is
    sent, `provider` where the organisation has no OpenID provider.
    """

    def __init__(
        self,
        workplace: Workplace,
        people: People,
        limits: Limits,
        clock: Clock,
        mail: MailQueue | None = None,
        provider: "IdentityProvider | None" = None,
    ) -> None:
        self._visits = visits = Visits(workplace, people, limits, clock, has_sign_in=bool(mail or provider))
        sign_in = SignInPages(visits, mail, provider)
        signing_in, hits = SigningIn(visits), HitPages(visits)
        account, statements = AccountPages(visits, has_mail=mail is not None), StatementPages(visits)
        assignments, questions = AssignmentPages(visits), QuestionPages(visits)
        requester, messages = RequesterPages(visits), MessagePages(visits)
        qualifications = QualificationPages(visits)
        self._routes = [
            (method, re.compile(pattern, re.ASCII), respond)
            for method, pattern, respond in (
                ("GET", _INVITATION, signing_in.show_invitation),
                ("POST", _INVITATION, signing_in.sign_in),
                ("POST", r"/sign-out", signing_in.sign_out),
                ("GET", r"/sign-in", sign_in.show_ways),
                ("POST", r"/sign-in", sign_in.ask_for_link),
                ("GET", rf"{SIGN_IN_PATH}/{_TOKEN}", sign_in.show_link),
                ("POST", rf"{SIGN_IN_PATH}/{_TOKEN}", sign_in.use_link),
                ("GET", r"/sign-in/provider", sign_in.go_to_provider),
                ("GET", CALLBACK_PATH, sign_in.come_back),
                ("POST", ADDRESS_PATH, sign_in.ask_for_address),
                ("GET", rf"{ADDRESS_PATH}/{_TOKEN}", sign_in.show_address),
                ("POST", rf"{ADDRESS_PATH}/{_TOKEN}", sign_in.use_address),
                ("GET", r"/account", account.show_account),
                ("POST", r"/account/sign-out-everywhere", account.sign_out_everywhere),
                ("GET", r"/statement", statements.show_statement),
                ("GET", r"/statement\.csv", statements.download_statement),
                ("GET", r"/", hits.show_groups),
                ("GET", _GROUP, hits.show_group),
                ("GET", f"{_GROUP}/preview", hits.preview_one),
                ("POST", f"{_GROUP}/accept", hits.accept_one),
                ("GET", _HIT, hits.show_hit),
                ("POST", f"{_HIT}/accept", hits.accept),
                ("GET", _ASSIGNMENT, assignments.show_assignment),
                ("POST", f"{_ASSIGNMENT}/return", assignments.return_assignment),
                ("GET", r"/done/(?P<start>[0-9]{15}-[0-9A-Z]{1,64})", assignments.show_done),
                ("GET", r"/queue", assignments.show_queue),
                ("GET", r"/earnings", assignments.show_earnings),
                ("GET", r"/requester", requester.show_hits),
                ("GET", f"/requester{_HIT}", requester.show_hit),
                ("POST", f"/requester{_ASSIGNMENT}/approve", requester.approve),
                ("POST", f"/requester{_ASSIGNMENT}/reject", requester.reject),
                ("GET", r"/requester/messages", requester.show_messages),
                ("POST", r"/requester/messages", requester.reply),
                ("GET", r"/requester/pay", requester.show_pay),
                ("GET", r"/requester/pay\.csv", requester.download_pay),
                ("GET", r"/qualifications", qualifications.show_qualifications),
                ("POST", r"/qualifications", qualifications.say_where),
                ("POST", r"/qualifications/(?P<type_id>[0-9A-Z]{1,64})", qualifications.ask),
                ("GET", _TEST, qualifications.show_test),
                ("POST", _TEST, qualifications.hand_in),
                ("GET", r"/messages", messages.show_messages),
                ("GET", r"/contact/(?P<hit_id>[0-9A-Z]{1,64})", messages.show_contact),
                ("POST", r"/contact/(?P<hit_id>[0-9A-Z]{1,64})", messages.send),
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
        except (SiteError, WorkerError, RequestError, ServiceFault) as error:
            response = self._explain(request, error)
        except Exception:
            # The edge of the program: what nobody foresaw is logged whole, and the Worker gets a number to quote.
            _logger.exception("request %s failed: %s %s", request.id, request.method, request.path)
            request.memo.setdefault("visitor", None)  # what failed may be the very search for them
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

    def _explain(self, request: Request, error: SiteError | WorkerError | RequestError | ServiceFault) -> Response:
        status, heading = STATUSES_AND_HEADINGS[error.code]
        response = self._visits.error(request, status, heading, error.message)
        return Response(status, response.body, {**response.headers, **more_headers(error)})
