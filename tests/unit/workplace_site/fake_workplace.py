"""The workplace in memory, as far as the worker site uses it."""

from collections.abc import Sequence
from dataclasses import replace

from crowdsight.clock import Clock
from crowdsight.workplace.answers import answers_document
from crowdsight.workplace.assignments import Assignment, AssignmentStatus
from crowdsight.workplace.faults import (
    AssignmentNotFound,
    AssignmentNotYours,
    AssignmentOver,
    HitAlreadyDone,
    HitNotAvailable,
    HitNotFound,
    WorkerNotFound,
)
from crowdsight.workplace.hits import Hit
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.questions import Question, QuestionKind
from crowdsight.workplace.workers import Earnings, Worker
from crowdsight.workplace.workplace import AssignmentPage, HitPage

HELD = (AssignmentStatus.ACCEPTED, AssignmentStatus.SUBMITTED, AssignmentStatus.APPROVED, AssignmentStatus.REJECTED)


class FakeWorkplace:
    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.hits: dict[str, Hit] = {}
        self.questions: dict[str, Question] = {}
        self.assignments: dict[str, Assignment] = {}
        self.workers: dict[str, Worker] = {}

    # -- what a test sets up

    def offer(
        self,
        content: str = "<p>Is there a dog?</p>",
        *,
        kind: QuestionKind = QuestionKind.HTML,
        frame_height_px: int = 0,
        title: str = "Is there a dog?",
        description: str = "Look at one picture and say whether there is a dog in it.",
        reward_cents: int = 2,
        max_assignments: int = 3,
        assignment_duration_s: int = 600,
        lifetime_s: int = 86_400,
    ) -> str:
        """Offer a HIT; its id."""
        hit_id = new_id()
        now_ms = self.clock()
        self.hits[hit_id] = Hit(
            hit_id=hit_id,
            hit_type_id=new_id(),
            hit_group_id=new_id(),
            requester_id="A1REQUESTER000",
            title=title,
            description=description,
            keywords="",
            reward_cents=reward_cents,
            fee_cents=0,
            assignment_duration_s=assignment_duration_s,
            auto_approval_delay_s=0,
            qualification_requirements=(),
            requester_annotation="",
            max_assignments=max_assignments,
            created_at_ms=now_ms,
            expires_at_ms=now_ms + lifetime_s * 1000,
        )
        self.questions[hit_id] = Question(kind, content, frame_height_px, "")
        return hit_id

    def approve(self, assignment_id: str) -> None:
        self._change(assignment_id, status=AssignmentStatus.APPROVED, approved_at_ms=self.clock())

    def reject(self, assignment_id: str, feedback: str) -> None:
        self._change(assignment_id, status=AssignmentStatus.REJECTED, requester_feedback=feedback)

    # -- what the site uses

    def list_open_hits(self, limit: int = 20, start: str | None = None, worker_id: str | None = None) -> HitPage:
        first = _position(start)
        open_hits = [
            hit
            for hit in map(self.get_hit, self.hits)
            if hit.available and (worker_id is None or self.find_accepted(hit.hit_id, worker_id) is None)
        ]
        following = first + limit
        return HitPage(open_hits[first:following], str(following) if following < len(open_hits) else None)

    def get_hit(self, hit_id: str) -> Hit:
        if hit_id not in self.hits:
            raise HitNotFound("There is no such HIT.")
        hit = self.hits[hit_id]
        held = [one for one in self.assignments.values() if one.hit_id == hit_id and one.status in HELD]
        return replace(hit, pending=len(held), expired=hit.expires_at_ms <= self.clock())

    def get_question(self, hit_id: str) -> Question:
        self.get_hit(hit_id)
        return self.questions[hit_id]

    def accept(self, hit_id: str, worker_id: str) -> Assignment:
        hit = self.get_hit(hit_id)
        if worker_id not in self.workers:
            raise WorkerNotFound("There is no such Worker.")
        if self.find_accepted(hit_id, worker_id):
            raise HitAlreadyDone("You have this HIT already, or did it before.")
        if not hit.available:
            raise HitNotAvailable("This HIT is no longer available.")
        now_ms = self.clock()
        assignment = Assignment(
            assignment_id=new_id(),
            hit_id=hit_id,
            hit_type_id=hit.hit_type_id,
            requester_id=hit.requester_id,
            worker_id=worker_id,
            title=hit.title,
            reward_cents=hit.reward_cents,
            fee_cents=0,
            status=AssignmentStatus.ACCEPTED,
            accepted_at_ms=now_ms,
            deadline_ms=now_ms + hit.assignment_duration_s * 1000,
        )
        self.assignments[assignment.assignment_id] = assignment
        return assignment

    def find_accepted(self, hit_id: str, worker_id: str) -> Assignment | None:
        for one in map(self.get_assignment, list(self.assignments)):
            if one.hit_id == hit_id and one.worker_id == worker_id and one.status in HELD:
                return one
        return None

    def return_assignment(self, assignment_id: str, worker_id: str) -> None:
        assignment = self.get_assignment(assignment_id)
        if assignment.worker_id != worker_id:
            raise AssignmentNotYours("Another Worker has this assignment.")
        self._require_accepted(assignment)
        self._change(assignment_id, status=AssignmentStatus.RETURNED)

    def submit(self, assignment_id: str, answer_fields: Sequence[tuple[str, str]]) -> Assignment:
        self._require_accepted(self.get_assignment(assignment_id))
        answer_xml = answers_document(answer_fields)
        return self._change(
            assignment_id,
            status=AssignmentStatus.SUBMITTED,
            submitted_at_ms=self.clock(),
            answer_xml=answer_xml,
        )

    def get_assignment(self, assignment_id: str) -> Assignment:
        if assignment_id not in self.assignments:
            raise AssignmentNotFound("There is no such assignment.")
        assignment = self.assignments[assignment_id]
        if assignment.status is AssignmentStatus.ACCEPTED and assignment.deadline_ms <= self.clock():
            assignment = self._change(assignment_id, status=AssignmentStatus.ABANDONED)
        return assignment

    def list_assignments_of_worker(self, worker_id: str, limit: int = 50, start: str | None = None) -> AssignmentPage:
        first = _position(start)
        mine = [self.get_assignment(one) for one in reversed(self.assignments)]
        mine = [one for one in mine if one.worker_id == worker_id]
        following = first + limit
        return AssignmentPage(mine[first:following], str(following) if following < len(mine) else None)

    def earnings(self, worker_id: str) -> Earnings:
        worker = self.find_worker(worker_id)
        if worker is None:
            raise WorkerNotFound("There is no such Worker.")
        return Earnings(
            worker_id, worker.earned_cents, worker.waiting_cents, worker.approved, worker.waiting, worker.rejected
        )

    def find_worker(self, worker_id: str) -> Worker | None:
        if worker_id not in self.workers:
            return None
        by_status: dict[AssignmentStatus, list[Assignment]] = {status: [] for status in AssignmentStatus}
        for one in map(self.get_assignment, list(self.assignments)):
            if one.worker_id == worker_id:
                by_status[one.status].append(one)
        approved, waiting = by_status[AssignmentStatus.APPROVED], by_status[AssignmentStatus.SUBMITTED]
        return replace(
            self.workers[worker_id],
            accepted=len(by_status[AssignmentStatus.ACCEPTED]),
            waiting=len(waiting),
            approved=len(approved),
            rejected=len(by_status[AssignmentStatus.REJECTED]),
            waiting_cents=sum(one.reward_cents for one in waiting),
            earned_cents=sum(one.reward_cents for one in approved),
        )

    def register_worker(self, worker_id: str, name: str) -> Worker:
        return self.workers.setdefault(worker_id, Worker(worker_id, name, self.clock()))

    def _require_accepted(self, assignment: Assignment) -> None:
        if assignment.status is not AssignmentStatus.ACCEPTED:
            raise AssignmentOver("Its time ran out, or it was returned or submitted before.")

    def _change(self, assignment_id: str, **changes: object) -> Assignment:
        self.assignments[assignment_id] = replace(self.assignments[assignment_id], **changes)  # type: ignore[arg-type]
        return self.assignments[assignment_id]


def _position(start: str | None) -> int:
    return int(start) if start and start.isdecimal() and len(start) < 10 else 0
