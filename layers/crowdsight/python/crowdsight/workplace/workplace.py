"""The workplace: where Workers find HITs, do them and are paid, and where requesters offer them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Step, Table
from crowdsight.workplace import lifecycle, records
from crowdsight.workplace.answers import answers_document, write_answers
from crowdsight.workplace.assignments import MAX_TAKES, Assignment, AssignmentPage, AssignmentStatus
from crowdsight.workplace.events import Sender
from crowdsight.workplace.faults import (
    AssignmentNotFound,
    AssignmentNotYours,
    AssignmentOver,
    HitAlreadyDone,
    HitNotAvailable,
    HitNotFound,
    NotQualified,
    WorkerNotFound,
    WorkerSuspended,
)
from crowdsight.workplace.form_answers import check_answers
from crowdsight.workplace.hits import Hit, HitStatus
from crowdsight.workplace.lifecycle import Change
from crowdsight.workplace.listing import Listing
from crowdsight.workplace.messages import Messages
from crowdsight.workplace.payroll import Payroll
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.questions import Question, read_question
from crowdsight.workplace.requesters import Requesters
from crowdsight.workplace.requirements import Action, Standing
from crowdsight.workplace.statement import Statements
from crowdsight.workplace.store import Store
from crowdsight.workplace.worker_qualifications import WorkerQualifications
from crowdsight.workplace.workers import Worker


@dataclass(frozen=True)
class Preview:
    """A HIT with what it shows, and the Worker's assignment of it, if they have or did it."""

    hit: Hit
    question: Question
    mine: Assignment | None


class Workplace:
    """What Workers do. `requesters` is the other side, over the same table; `messages` go between the two.
    `statements` are what Workers were paid.

    `new_id` makes identifiers that cannot be guessed: knowing an assignment's is what allows to submit it.
    `fee_percent` is taken of the reward on top of it. `sender` is how notifications leave.
    """

    def __init__(self, table: Table, clock: Clock, new_id: Callable[[], str], fee_percent: int, sender: Sender) -> None:
        self._table = table
        self._clock = clock
        self._new_id = new_id
        self._store = Store(table, clock, new_id, sender)
        self.messages = Messages(table, clock, new_id)
        self.listing = Listing(table, clock)
        self.payroll = Payroll(table)
        self.statements = Statements(table, clock)
        self._qualifications = QualificationStore(table, clock, new_id)
        self.qualifications = WorkerQualifications(self._qualifications)
        self.requesters = Requesters(self._store, fee_percent, self._qualifications, self.messages)
        self._blocks = self.requesters.blocks

    def get_hit(self, hit_id: str) -> Hit:
        """The HIT at this moment. Raises HitNotFound."""
        return self._store.get_hit(hit_id)

    def preview(self, hit_id: str, worker_id: str) -> Preview:
        """The HIT at this moment as it looks before it is accepted, by one call for most. Raises HitNotFound."""
        pk = records.hit_pk(hit_id)
        holder_sk = records.holder_sk(worker_id)
        items = {item["sk"]: item for item in self._table.get_many((pk, sk) for sk in ("hit", "question", holder_sk))}
        if "hit" not in items or "question" not in items:
            raise HitNotFound("There is no such HIT.")
        hit = records.hit_from_item(items["hit"])
        if hit.next_due_at_ms is not None and hit.next_due_at_ms <= self._clock():
            return Preview(self.get_hit(hit_id), self.get_question(hit_id), self.find_accepted(hit_id, worker_id))
        held_sk = records.held_sk(items.get(holder_sk))
        mine = self._store.read_assignment(hit_id, held_sk) if held_sk else None
        return Preview(hit, read_question(items["question"]["xml"]), mine)

    def find_listed(self, worker_id: str, start: str) -> Assignment | None:
        """The Worker's assignment at this place of their list (see `records.assignment_start`), without its answer."""
        if not records.is_start(start):
            return None
        item = self._table.get(records.worker_pk(worker_id), f"{records.ASSIGNMENTS}{start}")
        return _at(records.assignment_from_item(item), self._clock()) if item else None

    def get_question(self, hit_id: str) -> Question:
        """What the HIT shows to a Worker. Raises HitNotFound."""
        return read_question(self._store.question_xml(hit_id))

    def accept(self, hit_id: str, worker_id: str) -> Assignment:
        """Take a HIT for the time its requester allows.

        A Worker gets a HIT once, and again only after returning or abandoning it, five times in all.
        Raises HitNotFound, HitNotAvailable, HitAlreadyDone, NotQualified, TooManyAccepted, WorkerNotFound,
        WorkerSuspended.
        """
        self._require_active(worker_id)
        assignment_id = self._new_id()
        checks: list[Step] = []

        def decide(hit: Hit, now_ms: int) -> Change:
            holder = self._table.get(records.hit_pk(hit_id), records.holder_sk(worker_id))
            if records.held_sk(holder):
                raise HitAlreadyDone("You have this HIT already, or have done it before.")
            if records.is_taken_too_often(holder):
                raise HitNotAvailable(f"You have taken this HIT {MAX_TAKES} times, and cannot take it again.")
            if hit.status is not HitStatus.ASSIGNABLE:
                raise HitNotAvailable("This HIT is not available any more.")
            checks[:] = self._require_qualified(hit, worker_id, Action.ACCEPT)
            return lifecycle.accept(hit, assignment_id, worker_id, now_ms)

        change = self._store.change_hit(hit_id, decide, checks)
        return change.assignments[0][1]

    def check_preview(self, hit: Hit, standing: Standing) -> None:
        """Raises NotQualified, or HitNotAvailable, unless the Worker may look at the question before accepting."""
        if hit.requester_id in standing.blocked_by:
            raise HitNotAvailable("This HIT is not available to you.")
        _require_met(standing, hit, Action.PREVIEW)

    def find_accepted(self, hit_id: str, worker_id: str) -> Assignment | None:
        """The assignment of this HIT that the Worker has or did (not returned, not abandoned), if any."""
        if self._store.find_hit(hit_id) is None:
            return None
        held_sk = records.held_sk(self._table.get(records.hit_pk(hit_id), records.holder_sk(worker_id)))
        return self._store.read_assignment(hit_id, held_sk) if held_sk else None

    def return_assignment(self, assignment_id: str, worker_id: str) -> None:
        """Give a HIT back unfinished. Raises AssignmentNotFound, AssignmentNotYours, AssignmentOver."""
        first = self.get_assignment(assignment_id)
        if first.worker_id != worker_id:
            raise AssignmentNotYours("This assignment is another Worker's.")

        def decide(hit: Hit, now_ms: int) -> Change:
            return lifecycle.give_back(hit, self._in_hand(first), now_ms)

        self._store.change_hit(first.hit_id, decide)

    def submit(
        self,
        assignment_id: str,
        answer_fields: list[tuple[str, str]],
        check_worker: Callable[[str], None] = lambda _: None,
    ) -> Assignment:
        """Hand in the answers, names and values in the form's order. Whoever knows the assignment's id may.

        `check_worker` is given the Worker's id before anything is changed, and may raise what it will.
        Raises AssignmentNotFound, AssignmentOver (also when it was submitted before), WorkerSuspended, AnswerRefused,
        and FormIncomplete when the question is a form and its answers are not what it asks for.
        """
        first = self.get_assignment(assignment_id)
        check_worker(first.worker_id)
        self._require_active(first.worker_id)
        form = self.get_question(first.hit_id).form
        answer_xml = write_answers(check_answers(form, answer_fields)) if form else answers_document(answer_fields)

        def decide(hit: Hit, now_ms: int) -> Change:
            return lifecycle.submit(hit, self._in_hand(first), answer_xml, now_ms)

        self._store.change_hit(first.hit_id, decide)
        return self.get_assignment(assignment_id)

    def get_assignment(self, assignment_id: str) -> Assignment:
        """The assignment at this moment. Raises AssignmentNotFound."""
        assignment = self._store.find_assignment(assignment_id)
        if assignment is None:
            raise AssignmentNotFound("There is no such assignment.")
        return assignment

    def list_assignments_of_worker(self, worker_id: str, limit: int = 50, start: str | None = None) -> AssignmentPage:
        """A Worker's assignments, newest first, without their answers, each at this moment.

        A `start` that is no `next_start` gives the first page.
        """
        pk = records.worker_pk(worker_id)
        key = {"pk": pk, "sk": f"{records.ASSIGNMENTS}{start}"} if records.is_start(start) else None
        page = self._table.query(pk, records.ASSIGNMENTS, limit=limit, newest_first=True, start_key=key)
        now_ms = self._clock()
        assignments = [_at(records.assignment_from_item(item), now_ms) for item in page.items]
        next_start = page.next_key["sk"].removeprefix(records.ASSIGNMENTS) if page.next_key else None
        return AssignmentPage(assignments, next_start)

    def get_worker(self, worker_id: str) -> Worker:
        """The Worker, with what they earned. Raises WorkerNotFound."""
        worker = self.find_worker(worker_id)
        if worker is None:
            raise WorkerNotFound("There is no such Worker.")
        return worker

    def _require_active(self, worker_id: str) -> None:
        if self.get_worker(worker_id).is_suspended:
            raise WorkerSuspended

    def find_worker(self, worker_id: str) -> Worker | None:
        """The Worker, or None."""
        item = self._table.get(records.worker_pk(worker_id), "worker")
        return records.worker_from_item(item) if item else None

    def register_worker(self, worker_id: str, name: str) -> Worker:
        """Make a Worker known, once; later calls return the Worker as registered first."""
        worker = Worker(worker_id, name, self._clock())
        self._table.put({"pk": "workers", "sk": worker_id})
        try:
            self._table.put(records.worker_to_item(worker), "attribute_not_exists(pk)")
        except ConditionFailed:
            return self.get_worker(worker_id)
        return worker

    def sweep(self, is_time_up: Callable[[], bool] = lambda: False) -> dict[str, int]:
        """Bring overdue HITs up to date and send events that are due; how many of each. See `Store.sweep`."""
        return self._store.sweep(is_time_up)

    def _require_qualified(self, hit: Hit, worker_id: str, action: Action) -> list[Step]:
        """Checks that what the Worker holds stays so until the write that they go with.

        Raises NotQualified, and HitNotAvailable when the HIT's requester blocks the Worker.
        """
        if self._blocks.is_blocked(worker_id, hit.requester_id):
            raise HitNotAvailable("This HIT is not available to you.")
        if not hit.qualification_requirements:
            return []
        standing = self._qualifications.find_standing(worker_id)
        if standing is None:
            raise WorkerNotFound("There is no such Worker.")
        _require_met(standing, hit, action)
        return self._qualifications.unchanged(standing, hit.qualification_requirements)

    def _in_hand(self, first: Assignment) -> Assignment:
        """The assignment as it is now, its HIT being up to date. Raises AssignmentOver."""
        assignment = self._store.read_assignment(first.hit_id, records.assignment_sk(first))
        match assignment.status:
            case AssignmentStatus.ACCEPTED:
                return assignment
            case AssignmentStatus.ABANDONED:
                raise AssignmentOver("The time for this HIT ran out.")
            case AssignmentStatus.RETURNED:
                raise AssignmentOver("You returned this HIT.")
            case _:
                raise AssignmentOver("This HIT was submitted already.")


def _require_met(standing: Standing, hit: Hit, action: Action) -> None:
    if standing.unmet(hit.qualification_requirements, action):
        raise NotQualified("It asks for qualifications that you do not have.")


def _at(assignment: Assignment, now_ms: int) -> Assignment:
    """The assignment as it is at this moment, which may be before anybody has written it so."""
    if assignment.status is AssignmentStatus.ACCEPTED and assignment.deadline_ms <= now_ms:
        return replace(assignment, status=AssignmentStatus.ABANDONED)
    approval_at_ms = assignment.auto_approval_at_ms
    if assignment.status is AssignmentStatus.SUBMITTED and approval_at_ms is not None and approval_at_ms <= now_ms:
        return replace(assignment, status=AssignmentStatus.APPROVED, approved_at_ms=approval_at_ms)
    return assignment
