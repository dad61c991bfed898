"""Known-answer questions in DynamoDB, in the table of tasks: an operator knows their truth, and Workers do not.

| pk            | sk                         | what                                                        |
|---------------|----------------------------|-------------------------------------------------------------|
| GOLD#function | QUESTION#id                | an input, its truth, and the question's HIT                 |
| GOLD#function | ANSWER#question#assignment | one submitted answer                                        |
| GOLD#function | POOL                       | which questions are asked now, and since when               |

A question has one HIT, which is opened and closed again: so no Worker can be asked twice. A removed question is kept
until its HIT is gone.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from crowdsight.adjudication import Value
from crowdsight.catalogue import CATALOGUE, CrowdFunction
from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Table, TransactionFailed
from crowdsight.errors import InvalidRequest, NotFound
from crowdsight.task_store import RecordedAnswer, answers_key, count_step
from crowdsight.tasks import canonical_json, check_input, check_truth

SUBJECT = "gold"
ID_CHARACTERS = 24


class Phase(StrEnum):
    """Of a question's HIT: it is not to be found; it may be found; or it is not, and some Worker may still be at it."""

    WAITING = "waiting"
    OPEN = "open"
    CLOSING = "closing"


@dataclass(frozen=True)
class GoldRef:
    """Which question a HIT is about."""

    function: str
    id: str

    @property
    def subject(self) -> str:
        """As a HIT's annotation has it."""
        return f"{SUBJECT}:{self.function}:{self.id}"

    @classmethod
    def parse(cls, subject: str) -> Self | None:
        """None for another subject."""
        kind, _, rest = subject.partition(":")
        function, _, id = rest.rpartition(":")
        return cls(function, id) if kind == SUBJECT and function and id else None


@dataclass(frozen=True)
class GoldQuestion:
    """One known-answer question. `truth_json`: a document as the function's results are.

    `hits`: how many HITs it has had; `hit_id`: the last one's, None once that is gone.
    """

    ref: GoldRef
    input_json: str
    truth_json: str
    added_at_ms: int
    phase: Phase = Phase.WAITING
    is_removed: bool = False
    hits: int = 0
    hit_id: str | None = None

    @property
    def place(self) -> str:
        """By which a function's questions are ordered."""
        return f"{self.added_at_ms:015}#{self.ref.id}"

    @property
    def truth(self) -> Value:
        """What a right answer means."""
        return check_truth(CATALOGUE[self.ref.function], json.loads(self.truth_json))


@dataclass(frozen=True)
class Pool:
    """The questions asked now: those from place `start` on. `moved_at_ms`: when that last changed; `active_at_ms`: when
    there was an open task."""

    start: str = ""
    moved_at_ms: int = 0
    active_at_ms: int = 0


@dataclass(frozen=True)
class GoldStore:
    """All reads are strongly consistent."""

    table: Table
    clock: Clock

    def add(self, function: CrowdFunction, task_input: Any, truth: Any) -> bool:
        """Keep a question; False if it is there already. Raises InvalidRequest, also if it is with another truth."""
        question = read_question(function, task_input, truth, self.clock())
        try:
            self.table.put(_item(question), "attribute_not_exists(pk)")
        except ConditionFailed as error:
            kept = self.find(question.ref)
            if kept is None or kept.is_removed:
                raise InvalidRequest(
                    f"question {question.ref.id} is being removed; add it again in some minutes"
                ) from error
            if kept.truth_json != question.truth_json:
                raise InvalidRequest(f"question {question.ref.id} is there with the truth {kept.truth_json}") from error
            return False
        return True

    def remove(self, ref: GoldRef) -> None:
        """Ask it no more; what it has taught is taken back when its HIT is gone. Raises NotFound."""
        try:
            self.table.update(
                _pk(ref.function),
                _question_sk(ref.id),
                "SET is_removed = :true",
                "attribute_exists(pk)",
                {"true": True},
            )
        except ConditionFailed as error:
            raise NotFound(f"no such question: {ref.id}") from error

    def find(self, ref: GoldRef) -> GoldQuestion | None:
        """The question, also one that is being removed."""
        item = self.table.get(_pk(ref.function), _question_sk(ref.id))
        return _question(item) if item else None

    def questions(self, function: CrowdFunction) -> list[GoldQuestion]:
        """All of a function, in the order in which they are asked."""
        found = map(_question, self.table.query_all(_pk(function.name), "QUESTION#"))
        return sorted(found, key=lambda question: question.place)

    def answers(self, function: CrowdFunction) -> Iterator[tuple[GoldRef, RecordedAnswer]]:
        """Every answer to a function's questions, those to removed ones among them."""
        for item in self.table.query_all(_pk(function.name), "ANSWER#"):
            _, question_id, assignment_id = item["sk"].split("#")
            answer = RecordedAnswer(assignment_id, item["worker_id"], item["form_value"], item["submitted_at_ms"])
            yield GoldRef(function.name, question_id), answer

    def add_answer(self, ref: GoldRef, answer: RecordedAnswer) -> None:
        """Record and count an answer; the same assignment again changes nothing."""
        item: Item = {
            "pk": _pk(ref.function),
            "sk": f"ANSWER#{ref.id}#{answer.assignment_id}",
            "worker_id": answer.worker_id,
            "form_value": answer.form_value,
            "submitted_at_ms": answer.submitted_at_ms,
        }
        counted = count_step(self.table, ref.function, self.clock(), "to_known", 1)
        try:
            self.table.transact([self.table.put_step("answer", item, "attribute_not_exists(pk)"), counted])
        except TransactionFailed:
            pass  # a second notification

    def answers_this_month(self, function: CrowdFunction) -> tuple[int, int]:
        """How many came to settled tasks, and to known-answer questions."""
        item = self.table.get(*answers_key(function.name, self.clock())) or {}
        return item.get("to_tasks", 0), item.get("to_known", 0)

    def set_phase(self, question: GoldQuestion, phase: Phase) -> None:
        """What becomes of its HIT from now on."""
        self._change(question.ref, "SET phase = :phase", "attribute_exists(pk)", {"phase": phase.value})

    def set_hit(self, question: GoldQuestion, hit_id: str) -> None:
        """The HIT after its last one was created; again: changes nothing."""
        self._change(
            question.ref,
            "SET hit_id = :hit, hits = :next",
            "hits = :hits",
            {"hit": hit_id, "hits": question.hits, "next": question.hits + 1},
        )

    def forget_hit(self, question: GoldQuestion) -> None:
        """The workplace has this HIT no more; again: changes nothing."""
        self._change(question.ref, "SET hit_id = :none", "hit_id = :hit", {"none": None, "hit": question.hit_id})

    def delete(self, ref: GoldRef) -> None:
        """Forget a question, but not its answers, which were paid."""
        self.table.delete(_pk(ref.function), _question_sk(ref.id))

    def pool(self, function: CrowdFunction) -> Pool:
        """Which questions are asked now."""
        item = self.table.get(_pk(function.name), "POOL") or {}
        return Pool(**{name: value for name, value in item.items() if name not in ("pk", "sk")})

    def set_pool(self, function: CrowdFunction, pool: Pool) -> None:
        """Which questions are asked from now on."""
        self.table.put({"pk": _pk(function.name), "sk": "POOL", **pool.__dict__})

    def _change(self, ref: GoldRef, expression: str, condition: str, values: dict[str, Any]) -> None:
        try:
            self.table.update(_pk(ref.function), _question_sk(ref.id), expression, condition, values)
        except ConditionFailed:
            pass  # an earlier run of the same step did it


def read_question(function: CrowdFunction, task_input: Any, truth: Any, at_ms: int) -> GoldQuestion:
    """A question of that input, checked as a task's is; equal inputs make one question. Raises InvalidRequest."""
    check_input(function, task_input)
    check_truth(function, truth)
    input_json = canonical_json(task_input)
    id = hashlib.sha256(f"{function.name} {input_json}".encode()).hexdigest()[:ID_CHARACTERS]
    return GoldQuestion(GoldRef(function.name, id), input_json, canonical_json(truth), at_ms)


def _pk(function: str) -> str:
    return f"GOLD#{function}"


def _question_sk(id: str) -> str:
    return f"QUESTION#{id}"


def _item(question: GoldQuestion) -> Item:
    return {
        "pk": _pk(question.ref.function),
        "sk": _question_sk(question.ref.id),
        "input": question.input_json,
        "truth": question.truth_json,
        "added_at_ms": question.added_at_ms,
        "phase": question.phase.value,
        "is_removed": question.is_removed,
        "hits": question.hits,
        "hit_id": question.hit_id,
    }


def _question(item: Item) -> GoldQuestion:
    return GoldQuestion(
        ref=GoldRef(item["pk"].removeprefix("GOLD#"), item["sk"].removeprefix("QUESTION#")),
        input_json=item["input"],
        truth_json=item["truth"],
        added_at_ms=item["added_at_ms"],
        phase=Phase(item["phase"]),
        is_removed=item["is_removed"],
        hits=item["hits"],
        hit_id=item["hit_id"],
    )
