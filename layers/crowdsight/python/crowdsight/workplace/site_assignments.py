"""The worker site's pages for doing HITs and being paid."""

from urllib.parse import urlencode

from crowdsight.workplace.assignments import AssignmentStatus
from crowdsight.workplace.faults import AssignmentOver
from crowdsight.workplace.site_hits import ASSIGNMENTS_ON_A_PAGE, list_in_hand
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_questions import DONE, frame_sources, make_frame
from crowdsight.workplace.site_visits import Visits


class AssignmentPages:
    """One Worker's assignments; `assignment_id` is out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._workplace = visits.workplace

    def show_assignment(self, request: Request, assignment_id: str) -> Response:
        """The question to answer, with the time left; once it is submitted, on to the next HIT."""
        session = self._visits.require_session(request)
        assignment = self._visits.own_assignment(assignment_id, session)
        if assignment.status in DONE:
            return see_other(f"{request.prefix}/?{urlencode({'submitted': assignment_id})}")
        if assignment.status is not AssignmentStatus.ACCEPTED:
            raise AssignmentOver("It was returned, or its time ran out. Nothing can be submitted for it any more.")
        question = self._workplace.get_question(assignment.hit_id)
        values = {
            "assignment": assignment,
            "frame": make_frame(request, question, assignment.hit_id, assignment_id, session),
        }
        return self._visits.page(request, "assignment.html", values, frame_sources=frame_sources(question))

    def return_assignment(self, request: Request, assignment_id: str) -> Response:
        """Give the HIT back without an answer."""
        session = self._visits.require_form(request)
        self._workplace.return_assignment(assignment_id, session.worker_id)
        return see_other(f"{request.prefix}/")

    def show_earnings(self, request: Request) -> Response:
        """What the Worker earned, and by which assignments, 50 to a page."""
        session = self._visits.require_session(request)
        start = request.asked("after") or None
        page = self._workplace.list_assignments_of_worker(session.worker_id, ASSIGNMENTS_ON_A_PAGE, start)
        values = {
            "worker": self._workplace.get_worker(session.worker_id),
            "done": [assignment for assignment in page.assignments if assignment.status in DONE],
            "more": page.next_start,
            "in_progress": [] if start else list_in_hand(self._workplace, session),
        }
        return self._visits.page(request, "earnings.html", values, here="earnings")
