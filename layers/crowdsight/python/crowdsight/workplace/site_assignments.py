"""The worker site's pages for doing HITs and being paid."""

from crowdsight.workplace import records
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.faults import AssignmentNotFound, AssignmentOver
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_questions import DONE, frame_sources, make_frame
from crowdsight.workplace.site_visits import Visits

ASSIGNMENTS_ON_A_PAGE = 50
DAYS_SHOWN = 14


class AssignmentPages:
    """One Worker's assignments; `assignment_id` and `start`, a place in their list, are out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._workplace = visits.workplace

    def show_assignment(self, request: Request, assignment_id: str) -> Response:
        """The question to answer, with the time left; once it is submitted, on to what comes then."""
        session = self._visits.require_session(request)
        assignment = self._visits.own_assignment(request, assignment_id)
        if assignment.status in DONE:
            return see_other(_done_address(request, assignment))
        if assignment.status is not AssignmentStatus.ACCEPTED:
            raise AssignmentOver("It was returned, or its time ran out. Nothing can be submitted for it any more.")
        question = self._workplace.get_question(assignment.hit_id)
        values = {
            "assignment": assignment,
            "frame": make_frame(request, question, assignment.hit_id, assignment_id, session),
            "is_auto": bool(request.asked("auto")),
            "done_address": _done_address(request, assignment),
        }
        return self._visits.page(request, "assignment.html", values, frame_sources=frame_sources(question))

    def show_done(self, request: Request, start: str) -> Response:
        """That an assignment is submitted, and the next HIT of its group one press away."""
        session = self._visits.require_session(request)
        assignment = self._workplace.find_listed(session.worker_id, start.replace("-", "#"))
        if assignment is None:
            raise AssignmentNotFound("There is no such assignment.")
        if assignment.status not in DONE:
            return see_other(f"{request.prefix}/assignments/{assignment.assignment_id}")
        return self._visits.page(request, "done.html", {"assignment": assignment}, here="hits")

    def return_assignment(self, request: Request, assignment_id: str) -> Response:
        """Give the HIT back without an answer, and see its group or, from there, the queue."""
        session = self._visits.require_form(request)
        self._visits.count(request, "return", session.worker_id)
        self._workplace.return_assignment(assignment_id, session.worker_id)
        is_from_queue = ("from", "queue") in request.form()
        return see_other(f"{request.prefix}/queue" if is_from_queue else f"{request.prefix}/")

    def show_queue(self, request: Request) -> Response:
        """What the Worker has in hand, soonest over first."""
        self._visits.require_session(request)
        return self._visits.page(request, "queue.html", {}, here="queue")

    def show_earnings(self, request: Request) -> Response:
        """What the Worker earned, by day and by assignment, 50 to a page."""
        session = self._visits.require_session(request)
        start = request.asked("after") or None
        page = self._workplace.list_assignments_of_worker(session.worker_id, ASSIGNMENTS_ON_A_PAGE, start)
        desk = self._visits.desk(request)
        days = desk.last_days(self._visits.clock(), DAYS_SHOWN)
        values = {
            "worker": desk.worker,
            "days": days,
            "most_cents": max([1, *(day.reward_cents for day in days)]),
            "done": [assignment for assignment in page.assignments if assignment.status in DONE],
            "more": page.next_start,
            "is_first": start is None,
        }
        return self._visits.page(request, "earnings.html", values, here="earnings")


def _done_address(request: Request, assignment: Assignment) -> str:
    return f"{request.prefix}/done/{records.assignment_start(assignment).replace('#', '-')}"
