"""The worker site's pages for finding HITs."""

from crowdsight.money import shown_dollars
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.faults import HitAlreadyDone, HitNotAvailable, WorkerError
from crowdsight.workplace.sessions import Role, Session
from crowdsight.workplace.site_errors import NotForYou
from crowdsight.workplace.site_http import Request, Response
from crowdsight.workplace.site_pages import see_other
from crowdsight.workplace.site_questions import DONE, PREVIEW_ASSIGNMENT_ID, frame_sources, make_frame
from crowdsight.workplace.site_visits import Visits
from crowdsight.workplace.workplace import Workplace

HITS_ON_A_PAGE = 20
ASSIGNMENTS_ON_A_PAGE = 50
MAX_PAGES_SEARCHED_FOR_ACCEPTED = 10


class HitPages:
    """Lists, previews and accepts; `hit_id` is out of the address."""

    def __init__(self, visits: Visits) -> None:
        self._visits = visits
        self._workplace = visits.workplace

    def show_hits(self, request: Request) -> Response:
        """The HITs that the Worker can accept, 20 to a page, and those in hand; without a session, how to get one."""
        session = self._visits.find_session(request)
        if session is None:
            return self._visits.page(request, "welcome.html", {})
        if session.role is not Role.WORKER:
            raise NotForYou(session.role)
        start = request.asked("after") or None
        page = self._workplace.list_open_hits(HITS_ON_A_PAGE, start, session.worker_id)
        values = {
            "hits": page.hits,
            "more": page.next_start,
            "submitted": self._confirm(request.asked("submitted"), session),
            "in_progress": [] if start else list_in_hand(self._workplace, session),
        }
        return self._visits.page(request, "hits.html", values, here="hits")

    def show_hit(self, request: Request, hit_id: str) -> Response:
        """A preview of the HIT, or the way back to one in hand."""
        session = self._visits.require_session(request)
        hit = self._workplace.get_hit(hit_id)
        mine = self._workplace.find_accepted(hit_id, session.worker_id)
        if mine is None:
            self._workplace.check_preview(hit, session.worker_id)
        if mine is None and not hit.available:
            raise HitNotAvailable("Its time is over, or others were faster.")
        if mine is None:
            self._workplace.check_preview(hit, session.worker_id)
        question = self._workplace.get_question(hit_id)
        values = {
            "hit": hit,
            "frame": make_frame(request, question, hit_id, PREVIEW_ASSIGNMENT_ID, session),
            "assignment_id": mine.assignment_id if mine and mine.status is AssignmentStatus.ACCEPTED else None,
            "is_done": mine is not None and mine.status in DONE,
        }
        return self._visits.page(request, "hit.html", values, frame_sources=frame_sources(question))

    def accept(self, request: Request, hit_id: str) -> Response:
        """Take the HIT and go on to its assignment."""
        session = self._visits.require_form(request)
        self._visits.count(request, "accept", session.worker_id)
        try:
            assignment = self._workplace.accept(hit_id, session.worker_id)
        except HitAlreadyDone:
            mine = self._workplace.find_accepted(hit_id, session.worker_id)
            if mine is None or mine.status is not AssignmentStatus.ACCEPTED:
                raise
            assignment = mine  # pressed twice: the one in hand is what they want
        return see_other(f"{request.prefix}/assignments/{assignment.assignment_id}")

    def _confirm(self, assignment_id: str, session: Session) -> str | None:
        """What to say of an assignment that the Worker comes from, if it is submitted; None otherwise."""
        if not assignment_id:
            return None
        try:
            assignment = self._visits.own_assignment(assignment_id, session)
        except WorkerError:
            return None
        if assignment.status not in DONE:
            return None
        return f"You earn {shown_dollars(assignment.reward_cents)} when it is approved."


def list_in_hand(workplace: Workplace, session: Session) -> list[Assignment]:
    """The Worker's accepted assignments, newest first; one from before the last 500 may be missing."""
    worker = workplace.find_worker(session.worker_id)
    found: list[Assignment] = []
    start = None
    for _ in range(MAX_PAGES_SEARCHED_FOR_ACCEPTED if worker and worker.accepted else 0):
        page = workplace.list_assignments_of_worker(session.worker_id, ASSIGNMENTS_ON_A_PAGE, start)
        found += [one for one in page.assignments if one.status is AssignmentStatus.ACCEPTED]
        start = page.next_start
        if start is None or (worker and len(found) >= worker.accepted):
            break
    return found
