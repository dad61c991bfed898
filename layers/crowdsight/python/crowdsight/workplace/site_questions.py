"""The worker site's frames: the requester's question in an origin of its own, and the answers that come from there."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode

from crowdsight.money import shown_dollars
from crowdsight.workplace.assignments import AssignmentStatus
from crowdsight.workplace.faults import AssignmentOver, FormIncomplete, WorkerError
from crowdsight.workplace.question_form import QuestionForm
from crowdsight.workplace.questions import Question, QuestionKind
from crowdsight.workplace.sessions import Session
from crowdsight.workplace.site_errors import (
    STATUSES_AND_HEADINGS,
    BadForm,
    NoSuchPage,
    NotAccepted,
    SiteError,
    more_headers,
)
from crowdsight.workplace.site_http import Fields, Request, Response, values_by_name
from crowdsight.workplace.site_pages import FRAME_FREEDOMS
from crowdsight.workplace.site_visits import Visits, require_id

PREVIEW_ASSIGNMENT_ID = "ASSIGNMENT_ID_NOT_AVAILABLE"
"""MTurk's word for: this is a preview."""

SUBMIT_PATH = "/mturk/externalSubmit"
RESERVED_FIELDS = ("assignmentId", "hitId")
"""Never answers, as on MTurk."""

DONE = (AssignmentStatus.SUBMITTED, AssignmentStatus.APPROVED, AssignmentStatus.REJECTED)

_MTURK_SUBMIT_ADDRESS = re.compile(
    r"(?:https?:)?//(?:www|workersandbox)\.mturk\.com/mturk/externalSubmit", re.IGNORECASE
)


@dataclass(frozen=True)
class Frame:
    """Where a question comes from, how high it is (0 = as high as its content), and what its sandbox allows."""

    address: str
    height_px: int
    freedoms: str = FRAME_FREEDOMS


class QuestionPages:
    """What is shown in the frame and sent from it."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._workplace = visits.workplace

    def show_question(self, request: Request, hit_id: str) -> Response:
        """The requester's page, for the frame. Forms that name MTurk's submit addresses are pointed at ours.

        The address names the assignment, so that a form whose field only a script would fill works without scripts.
        """
        session = self._visits.require_session(request)
        assignment_id = request.asked("assignmentId") or PREVIEW_ASSIGNMENT_ID
        if assignment_id == PREVIEW_ASSIGNMENT_ID:
            preview = self._workplace.preview(hit_id, session.worker_id)
            self._workplace.check_preview(preview.hit, self._visits.desk(request).standing)
            question = preview.question
        elif self._visits.own_assignment(request, assignment_id).hit_id == hit_id:
            question = self._workplace.get_question(hit_id)
        else:
            raise NoSuchPage
        if question.form:
            return self._show_form(request, question.form, assignment_id)
        if question.kind is not QuestionKind.HTML:
            raise NoSuchPage
        submit_address = f"{request.prefix}{SUBMIT_PATH}"
        if assignment_id != PREVIEW_ASSIGNMENT_ID:
            submit_address += f"?assignmentId={assignment_id}"
        html = _MTURK_SUBMIT_ADDRESS.sub(submit_address, question.content)
        return self._visits.pages.question(html, request.prefix, tell_height=question.frame_height_px == 0)

    def submit(self, request: Request) -> Response:
        """Take an answer. There is no session: the frame's origin is not ours, so the browser sends no cookie."""
        try:
            fields = request.form()
            assignment_id = _the_one_named(request, fields)
            if assignment_id == PREVIEW_ASSIGNMENT_ID:
                raise NotAccepted
            return self._hand_in(request, assignment_id, [*request.query, *fields])
        except (SiteError, WorkerError) as error:
            status, heading = STATUSES_AND_HEADINGS[error.code]
            return self._visits.framed(request, status, heading, error.message, headers=more_headers(error))

    def _show_form(
        self,
        request: Request,
        form: QuestionForm,
        assignment_id: str,
        given: Sequence[tuple[str, str]] = (),
        problems: Mapping[int, str] = MappingProxyType({}),
    ) -> Response:
        values = {
            "form": form,
            "given": values_by_name(given),
            "problems": problems,
            "assignment_id": assignment_id,
            "is_preview": assignment_id == PREVIEW_ASSIGNMENT_ID,
            "submit_address": f"{request.prefix}{SUBMIT_PATH}",
        }
        return self._visits.pages.form_page(request.prefix, values, 422 if problems else 200)

    def _hand_in(self, request: Request, assignment_id: str, fields: Fields) -> Response:
        require_id(assignment_id)
        framed = self._visits.framed
        answers = [(name, value) for name, value in fields if name not in RESERVED_FIELDS]
        try:
            assignment = self._workplace.submit(
                assignment_id, answers, lambda worker_id: self._visits.count(request, "submit", worker_id)
            )
        except FormIncomplete as error:
            form = self._workplace.get_question(self._workplace.get_assignment(assignment_id).hit_id).form
            if form is None:
                raise
            return self._show_form(request, form, assignment_id, answers, error.problems)
        except AssignmentOver:
            assignment = self._workplace.get_assignment(assignment_id)
            if assignment.status not in DONE:
                raise
            return framed(request, 200, "Already submitted", "This answer was taken before.", is_submitted=True)
        promise = f"You earn {shown_dollars(assignment.reward_cents)} when it is approved."
        return framed(request, 200, "Submitted", promise, is_submitted=True)


def make_frame(request: Request, question: Question, hit_id: str, assignment_id: str, session: Session) -> Frame:
    """The question's frame, with MTurk's query parameters."""
    query = {"assignmentId": assignment_id, "hitId": hit_id}
    if assignment_id != PREVIEW_ASSIGNMENT_ID:
        query |= {"workerId": session.worker_id, "turkSubmitTo": request.address}
    if question.kind is not QuestionKind.EXTERNAL:
        return Frame(f"{request.prefix}/frames/{hit_id}?{urlencode(query)}", question.frame_height_px)
    address, hash_mark, fragment = question.content.partition("#")
    joint = "&" if "?" in address else "?"
    return Frame(
        f"{address}{joint}{urlencode(query)}{hash_mark}{fragment}",
        question.frame_height_px,
        f"{FRAME_FREEDOMS} allow-same-origin",  # its own origin, which is another site's
    )


def frame_sources(question: Question) -> str:
    """An external question may lead on to other addresses of its site, and its answer page is ours."""
    return "'self' https:" if question.kind is QuestionKind.EXTERNAL else "'self'"


def _the_one_named(request: Request, fields: Iterable[tuple[str, str]]) -> str:
    """The assignment that an answer is for, by its fields or else its address. Raises BadForm."""
    named = {value for name, value in fields if name == "assignmentId" and value}
    named = named or set(request.asked("assignmentId").split())
    if len(named) != 1:
        raise BadForm("An answer names one assignment, in the field assignmentId.")
    return named.pop()
