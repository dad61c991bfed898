"""The workplace: where Workers find HITs, do them and are paid, and where requesters offer them."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Step, Table
from crowdsight.workplace import lifecycle, records
from crowdsight.workplace.answers import answers_document, write_answers
from crowdsight.workplace.assignments import Assignment, AssignmentPage, AssignmentStatus
from crowdsight.workplace.events import SendEvent
from crowdsight.workplace.faults import (
    AssignmentNotFound,
    AssignmentNotYours,
    AssignmentOver,
    HitAlreadyDone,
    HitNotAvailable,
    NotQualified,
    WorkerNotFound,
    WorkerSuspended,
)
from crowdsight.workplace.form_answers import check_answers
from crowdsight.workplace.hits import Hit, HitStatus
from crowdsight.workplace.lifecycle import Change
from crowdsight.workplace.messages import Messages
from crowdsight.workplace.qualification_store import QualificationStore
from crowdsight.workplace.questions import Question, read_question
from crowdsight.workplace.requesters import Requesters
from crowdsight.workplace.requirements import Action, Standing
from crowdsight.workplace.statement import Statements
from crowdsight.workplace.store import Store
from crowdsight.workplace.worker_qualifications import WorkerQualifications
from crowdsight.workplace.workers import Worker

MAX_PAGES_LOOKED_THROUGH = 10


@dataclass(frozen=True)
class HitPage:
    """Some HITs, and where to go on (None at the end)."""

    hits: list[Hit]
    next_start: str | None


class Workplace:
    """What Workers do. `requesters` is the other side, over the same table; `messages` go between the two.
    `statements` are what Workers were paid.

    `new_id` makes identifiers that cannot be guessed: knowing an assignment's is what allows to submit it.
    `fee_percent` is taken of the reward on top of it. `send_event` sends one notification or raises DeliveryFailed.
    """

    def __init__(
        self, table: Table, clock: Clock, new_id: Callable[[], str], fee_percent: int, send_event: SendEvent
    ) -> None:
        self._table = table
        self._clock = clock
        self._new_id = new_id
        self._store = Store(table, clock, new_id, send_event)
        self.messages = Messages(table, clock, new_id)
        self.statements = Statements(table, clock)
        self._qualifications = QualificationStore(table, clock, new_id)
        self.qualifications = WorkerQualifications(self._qualifications)
        self.requesters = Requesters(self._store, fee_percent, self._qualifications, self.messages)
        self._blocks = self.requesters.blocks

    def list_open_hits(self, limit: int = 20, start: str | None = None, worker_id: str | None = None) -> HitPage:
        """HITs that can be accepted now, oldest first; with `worker_id`, without those the Worker has or did, and
        without those that only Workers with other qualifications may see, or that a requester keeps from the Worker.

        A page may be shorter than `limit` and still have a next one. The list may lag a moment behind, as an index
        does; `accept` decides. A `start` that is no `next_start` gives the first page.
        """
        hits: list[Hit] = []
        now_ms = self._clock()
        standing = self._qualifications.find_standing(worker_id) if worker_id else None
        key = _open_key(start)
        for _ in range(MAX_PAGES_LOOKED_THROUGH):
            page = self._table.query(records.ASSIGNABLE, index="open", limit=limit + 1, start_key=key)
            found = [records.hit_from_item(item) for item in page.items]
            taken = self._taken_since(worker_id, found[0].created_at_ms) if worker_id and found else set()
            for hit in found:
                if hit.expires_at_ms > now_ms and hit.hit_id not in taken and _may_see(standing, hit):
                    if len(hits) == limit:
                        return HitPage(hits, _open_start(hits[-1]))
                    hits.append(hit)
            key = page.next_key
            if key is None:
                return HitPage(hits, None)
        return HitPage(hits, str(key["open_sk"]) if key else None)

    def get_hit(self, hit_id: str) -> Hit:
        """The HIT at this moment. Raises HitNotFound."""
        return self._store.get_hit(hit_id)

    def get_question(self, hit_id: str) -> Question:
        """What the HIT shows to a Worker. Raises HitNotFound."""
        return read_question(self._store.question_xml(hit_id))

    def accept(self, hit_id: str, worker_id: str) -> Assignment:
        """Take a HIT for the time its requester allows.

        A Worker gets a HIT once, and again only after returning or abandoning it.
        Raises HitNotFound, HitNotAvailable, HitAlreadyDone, NotQualified, TooManyAccepted, WorkerNotFound,
        WorkerSuspended.
        """
        self._require_active(worker_id)
        assignment_id = self._new_id()
        checks: list[Step] = []

        def decide(hit: Hit, now_ms: int) -> Change:
            if self._table.get(records.hit_pk(hit_id), records.holder_sk(worker_id)):
                raise HitAlreadyDone("You have this HIT already, or have done it before.")
            if hit.status is not HitStatus.ASSIGNABLE:
                raise HitNotAvailable("This HIT is not available any more.")
            checks[:] = self._require_qualified(hit, worker_id, Action.ACCEPT)
            return lifecycle.accept(hit, assignment_id, worker_id, now_ms)

        change = self._store.change_hit(hit_id, decide, checks)
        return change.assignments[0][1]

    def check_preview(self, hit: Hit, worker_id: str) -> None:
        """Raises NotQualified or HitNotAvailable unless the Worker may look at the HIT's question before accepting it;
        WorkerNotFound."""
        self._require_qualified(hit, worker_id, Action.PREVIEW)

    def find_accepted(self, hit_id: str, worker_id: str) -> Assignment | None:
        """The assignment of this HIT that the Worker has or did (not returned, not abandoned), if any."""
        if self._store.find_hit(hit_id) is None:
            return None
        holder = self._table.get(records.hit_pk(hit_id), records.holder_sk(worker_id))
        return self._store.read_assignment(hit_id, holder["assignment_sk"]) if holder else None

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
        assignments = []
        for item in page.items:
            assignment = records.assignment_from_item(item)
            if _is_behind(assignment, self._clock()):
                now = self.get_assignment(assignment.assignment_id)
                assignment = replace(now, answer_xml=None)
            assignments.append(assignment)
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
        if standing.unmet(hit.qualification_requirements, action):
            raise NotQualified("It asks for qualifications that you do not have.")
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

    def _taken_since(self, worker_id: str, since_ms: int) -> set[str]:
        """The HITs a Worker has or did, of those created at `since_ms` or later."""
        between = records.assignments_since(since_ms)
        items = self._table.query_all(records.worker_pk(worker_id), sk_between=between)
        given_up = (AssignmentStatus.RETURNED, AssignmentStatus.ABANDONED)
        return {item["hit_id"] for item in items if item["status"] not in given_up}


def _may_see(standing: Standing | None, hit: Hit) -> bool:
    if standing is None:
        return True
    is_blocked = hit.requester_id in standing.blocked_by
    return not is_blocked and not standing.unmet(hit.qualification_requirements, Action.DISCOVER)


def _open_start(hit: Hit) -> str:
    return records.time_key(hit.created_at_ms, hit.hit_id)


def _open_key(start: str | None) -> dict[str, str] | None:
    if not records.is_start(start):
        return None
    hit_id = start.partition("#")[2]
    return {"pk": records.hit_pk(hit_id), "sk": "hit", "open_pk": records.ASSIGNABLE, "open_sk": start}


def _is_behind(assignment: Assignment, now_ms: int) -> bool:
    """Whether time alone has changed the assignment since it was written."""
    if assignment.status is AssignmentStatus.ACCEPTED:
        return assignment.deadline_ms <= now_ms
    if assignment.status is AssignmentStatus.SUBMITTED and assignment.auto_approval_at_ms is not None:
        return assignment.auto_approval_at_ms <= now_ms
    return False
