"""The pages of a requester's staff: HITs by status, their answers, judging them, messages, and pay."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from crowdsight.workplace import records
from crowdsight.workplace.answers import read_answers
from crowdsight.workplace.assignments import Assignment
from crowdsight.workplace.faults import AnswerRefused, HitNotFound
from crowdsight.workplace.hits import DAY_MS, HitStatus
from crowdsight.workplace.messages import MAX_SUBJECT_LENGTH, MAX_TEXT_LENGTH
from crowdsight.workplace.payroll import MAX_DAYS, payroll_lines
from crowdsight.workplace.requesters import NOT_DISPOSED
from crowdsight.workplace.sessions import Role
from crowdsight.workplace.site_errors import BadForm, NoSuchPage
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import attachment, see_other
from crowdsight.workplace.site_visits import Visits, require_id
from crowdsight.workplace.workers import Staff

HITS_ON_A_PAGE = 25
ANSWERS_ON_A_PAGE = 25
MESSAGES_ON_A_PAGE = 20
MAX_FEEDBACK_LENGTH = 1_024
PAY_DAYS = 30

_LISTED = {
    "Open": (HitStatus.ASSIGNABLE, HitStatus.UNASSIGNABLE),
    HitStatus.REVIEWABLE.value: (HitStatus.REVIEWABLE,),
    HitStatus.REVIEWING.value: (HitStatus.REVIEWING,),
}
"""What can be asked for in the list of HITs besides all of them."""


@dataclass(frozen=True)
class ReadAnswer:
    """An assignment with its answers by question; `agreement`: the share of them that most Workers gave too, 0 to 1."""

    assignment: Assignment
    fields: dict[str, str]
    agreement: float | None = None


@dataclass(frozen=True)
class Agreement:
    """What Workers say to one question; `share`: of those who gave the answer that most gave, 0 to 1."""

    question: str
    counts: list[tuple[str, int]]
    share: float


class RequesterPages:
    """One requester's HITs; `hit_id` and `assignment_id` are out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._requesters = visits.workplace.requesters
        self._messages = visits.workplace.messages
        self._payroll = visits.workplace.payroll

    def show_hits(self, request: Request) -> Response:
        """The requester's HITs of all states or some, newest first, with the balance."""
        staff = self._require_staff(request)
        status = request.asked("status") if request.asked("status") in _LISTED else ""
        statuses = _LISTED.get(status, NOT_DISPOSED)
        start = request.asked("after") or None
        hits, next_start = self._requesters.look_through(staff.requester_id, statuses, HITS_ON_A_PAGE, start)
        asked = {"status": status} if status else {}
        values = {
            "hits": hits,
            "status": status,
            "more": urlencode(asked | {"after": next_start}) if next_start else None,
            "account": self._visits.account(request),
        }
        return self._visits.page(request, "requester_hits.html", values, here="hits")

    def show_hit(self, request: Request, hit_id: str) -> Response:
        """A HIT's answers, newest first, and how far Workers agree."""
        staff = self._require_staff(request)
        start = request.asked("after") or None
        found = self._requesters.look_into(staff.requester_id, hit_id, ANSWERS_ON_A_PAGE, start)
        if found is None:
            raise HitNotFound("There is no such HIT.")
        hit, page = found
        answers = [ReadAnswer(one, _read_fields(one)) for one in page.assignments]
        agreements = find_agreements(answers)
        values = {
            "hit": hit,
            "answers": [_with_agreement(answer, agreements) for answer in answers],
            "agreements": agreements,
            "more": page.next_start,
            "said": request.asked("said"),
        }
        return self._visits.page(request, "requester_hit.html", values, here="hits")

    def approve(self, request: Request, assignment_id: str) -> Response:
        """Pay for an assignment, also for one that was rejected before."""
        staff = self._require_staff(request, is_form=True)
        require_id(assignment_id)
        feedback = _text(request, "feedback", MAX_FEEDBACK_LENGTH)
        judged = self._requesters.approve(staff.requester_id, assignment_id, feedback or None, override_rejection=True)
        return see_other(f"{request.prefix}/requester/hits/{judged.hit_id}?said=approved")

    def reject(self, request: Request, assignment_id: str) -> Response:
        """Do not pay for an assignment, and tell its Worker why."""
        staff = self._require_staff(request, is_form=True)
        require_id(assignment_id)
        feedback = _text(request, "feedback", MAX_FEEDBACK_LENGTH)
        if not feedback:
            raise BadForm("A rejection needs a reason, which its Worker reads.")
        judged = self._requesters.reject(staff.requester_id, assignment_id, feedback)
        return see_other(f"{request.prefix}/requester/hits/{judged.hit_id}?said=rejected")

    def show_messages(self, request: Request) -> Response:
        """What Workers wrote, newest first."""
        staff = self._require_staff(request)
        page = self._messages.list_for_requester(staff.requester_id, MESSAGES_ON_A_PAGE, request.asked("after") or None)
        values = {"messages": page.messages, "more": page.next_start, "sent": bool(request.asked("sent"))}
        return self._visits.page(request, "requester_messages.html", values, here="messages")

    def reply(self, request: Request) -> Response:
        """Write to a Worker who wrote to the requester."""
        staff = self._require_staff(request, is_form=True)
        self._visits.count(request, "reply", staff.worker_id)
        subject, text = _text(request, "subject", MAX_SUBJECT_LENGTH), _text(request, "text", MAX_TEXT_LENGTH)
        if not subject or not text:
            raise BadForm("A message has a subject and a text.")
        answered = self._messages.find_for_requester(staff.requester_id, _text(request, "message", 128))
        if answered is None:
            raise BadForm("There is no such message to reply to.")
        self._messages.send_to_worker(answered.worker_id, staff.requester_id, subject, text)
        return see_other(f"{request.prefix}/requester/messages?sent=1")

    def show_pay(self, request: Request) -> Response:
        """What was paid to each Worker in a period, as a payroll needs it."""
        staff = self._require_staff(request)
        first, last = self._read_period(request)
        values = {"first": first, "last": last, "lines": self._payroll.lines(staff.requester_id, first, last)}
        return self._visits.page(request, "requester_pay.html", values, here="pay")

    def download_pay(self, request: Request) -> Response:
        """The same as CSV."""
        staff = self._require_staff(request)
        first, last = self._read_period(request)
        lines = payroll_lines(self._payroll.lines(staff.requester_id, first, last), first, last)
        return attachment(f"crowdsight-pay-{first}-{last}.csv", "".join(lines), "text/csv")

    def _require_staff(self, request: Request, is_form: bool = False) -> Staff:
        if is_form:
            self._visits.require_form(request, Role.REQUESTER)
        else:
            self._visits.require_session(request, Role.REQUESTER)
        staff = self._visits.known(request)
        if not isinstance(staff, Staff):
            raise NoSuchPage
        return staff

    def _read_period(self, request: Request) -> tuple[str, str]:
        """The days (UTC) asked for, the last 30 if none are."""
        now_ms = self._visits.clock()
        first = request.asked("from") or records.date_of(now_ms - (PAY_DAYS - 1) * DAY_MS)
        last = request.asked("to") or records.date_of(now_ms)
        try:
            self._payroll.check_period(first, last)
        except ValueError as error:
            raise BadForm(f"A period is written as two days such as 2026-11-28, {MAX_DAYS} apart at most.") from error
        return first, last


def find_agreements(answers: Sequence[ReadAnswer]) -> list[Agreement]:
    """For each question that two Workers or more have answered, how far they agree; none for a single answer."""
    counts: dict[str, Counter[str]] = {}
    for answer in answers:
        for question, value in answer.fields.items():
            counts.setdefault(question, Counter())[value] += 1
    return [
        Agreement(question, count.most_common(), count.most_common(1)[0][1] / count.total())
        for question, count in counts.items()
        if count.total() > 1
    ]


def _with_agreement(answer: ReadAnswer, agreements: Sequence[Agreement]) -> ReadAnswer:
    """A question whose most given answers are two or more says nothing about who gave them."""
    compared = [
        answer.fields[one.question] == one.counts[0][0]
        for one in agreements
        if one.question in answer.fields and (len(one.counts) == 1 or one.counts[0][1] > one.counts[1][1])
    ]
    return ReadAnswer(answer.assignment, answer.fields, sum(compared) / len(compared) if compared else None)


def _read_fields(assignment: Assignment) -> dict[str, str]:
    """An answer by question, as text; an answer that cannot be read is shown as it is."""
    if not assignment.answer_xml:
        return {}
    try:
        return {answer.question_id: answer.shown for answer in read_answers(assignment.answer_xml)}
    except AnswerRefused:
        return {"answer": assignment.answer_xml}


def _text(request: Request, name: str, longest: int) -> str:
    """A text field without the blanks around it, "" if it is missing. Raises BadForm if it is too long."""
    text = next((value for field, value in request.form() if field == name), "").strip()
    if len(text) > longest:
        raise BadForm(f"That has at most {longest:,} characters.")
    return text
