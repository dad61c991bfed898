"""How the tasks stand, read from the two APIs as any caller and requester could."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from defusedxml.ElementTree import fromstring

from client.tasks import ApiError, ApiUnreachable, Task, TaskClient
from local.demo.tasks import DemoTask
from local.workers.pages import read_page

CENTS = Decimal(100)


@dataclass
class Standing:
    """How one task stands. `answers`: as Workers gave them, in order of submission. `paid_cents`: for approved ones.
    `in_hand`: how many Workers have accepted its HIT and not answered yet.
    """

    task: DemoTask
    state: str = "new"
    result: str = ""
    hit_id: str = ""
    answers: list[str] = field(default_factory=list)
    paid_cents: int = 0
    unpaid_answers: int = 0
    in_hand: int = 0

    @property
    def has_ended(self) -> bool:
        return self.state in ("completed", "failed")


@dataclass(frozen=True)
class Event:
    """Something new about a task, in words."""

    task: str
    what: str


class Watch:
    """Puts the tasks and looks how they stand. `mturk`: a boto3 client of the requester who pays for them."""

    def __init__(self, tasks: Sequence[DemoTask], client: TaskClient, mturk: Any, base_url: str) -> None:
        self.standings = [Standing(task) for task in tasks]
        self._client = client
        self._mturk = mturk
        self._base_url = base_url
        self._counts: dict[str, tuple[int, ...]] = {}

    @property
    def all_ended(self) -> bool:
        return all(standing.has_ended for standing in self.standings)

    @property
    def any_answered(self) -> bool:
        """Whether a Worker has answered."""
        return any(standing.answers for standing in self.standings)

    @property
    def any_completed(self) -> bool:
        """Whether the crowd has completed a task; twins do not count."""
        return any(standing.state == "completed" and not standing.task.is_test for standing in self.standings)

    @property
    def is_settled(self) -> bool:
        """Whether all have ended, nobody has a HIT in hand any more, and every answer is paid."""
        return self.all_ended and not any(one.unpaid_answers or one.in_hand for one in self.standings)

    def put(self) -> Iterator[Event]:
        """Put every task that is not put yet. A service that is not quite up leaves some for the next time."""
        for standing in self.standings:
            if standing.state == "new":
                task = standing.task
                try:
                    put = self._client.put_task(task.function, task.name, task.input(self._base_url))
                except (ApiError, ApiUnreachable) as error:
                    if isinstance(error, ApiError) and error.status < 500:
                        raise
                    continue
                yield from self._note_task(standing, put)

    def look(self) -> Iterator[Event]:
        """Ask once how everything stands, and tell what is new. Raises TaskError, ClientError and BotoCoreError."""
        yield from self.put()
        yield from self._look_at_hits()
        for standing in self.standings:
            if not standing.has_ended and standing.state != "new":
                try:
                    task = self._client.get_task(standing.task.function, standing.task.name)
                except ApiError as error:
                    if error.status < 500:
                        raise
                    continue
                yield from self._note_task(standing, task)

    def _note_task(self, standing: Standing, task: Task) -> Iterator[Event]:
        if task.state == standing.state:
            return
        if standing.state == "new":
            yield Event(standing.task.name, f"asked: {standing.task.pictures}: {standing.task.question}")
        standing.state = task.state
        if task.problem:
            standing.result = task.problem.code
        elif task.result:
            standing.result = _in_words(task.result)
        if standing.has_ended:
            yield Event(standing.task.name, f"{task.state}: {standing.result}")

    def _look_at_hits(self) -> Iterator[Event]:
        pages = self._mturk.get_paginator("list_hits").paginate()
        for hit in (hit for page in pages for hit in page["HITs"]):
            standing = self._standing_of(hit)
            counts = tuple(
                hit[name]
                for name in (
                    "MaxAssignments",
                    "NumberOfAssignmentsPending",
                    "NumberOfAssignmentsAvailable",
                    "NumberOfAssignmentsCompleted",
                )
            )
            # Most HITs have nothing new most of the time, and are not asked for their answers.
            if standing is not None and self._counts.get(hit["HITId"]) != counts:
                self._counts[hit["HITId"]] = counts
                yield from self._read_answers(standing, hit)

    def _standing_of(self, hit: dict[str, Any]) -> Standing | None:
        known = next((one for one in self.standings if one.hit_id == hit["HITId"]), None)
        if known is not None:
            return known
        facts = read_page(_text_in(hit["Question"], "HTMLContent"), self._base_url).facts
        found = next((one for one in self.standings if facts == one.task.facts(self._base_url)), None)
        if found is not None:
            found.hit_id = hit["HITId"]
        return found

    def _read_answers(self, standing: Standing, hit: dict[str, Any]) -> Iterator[Event]:
        pages = self._mturk.get_paginator("list_assignments_for_hit").paginate(HITId=hit["HITId"])
        assignments = sorted(
            (assignment for page in pages for assignment in page["Assignments"]), key=lambda one: one["SubmitTime"]
        )
        before = len(standing.answers)
        standing.answers = [_answer_in(assignment["Answer"]) for assignment in assignments]
        standing.in_hand = hit["NumberOfAssignmentsPending"]
        approved = sum(assignment["AssignmentStatus"] == "Approved" for assignment in assignments)
        standing.paid_cents = approved * int(Decimal(hit["Reward"]) * CENTS)
        standing.unpaid_answers = len(assignments) - approved
        for number, answer in enumerate(standing.answers[before:], start=before + 1):
            yield Event(standing.task.name, f"answer {number}: {answer}")


def _in_words(result: Any) -> str:
    if "containsTarget" in result:
        return "yes" if result["containsTarget"] else "no"
    return f"{result['similarityScore']:.2f}"


def _answer_in(answer_xml: str) -> str:
    """An answer as people read it: a grade of five steps as a number from 0 to 1."""
    value = _text_in(answer_xml, "FreeText")
    return f"{int(value) / 4:.2f}" if value.isdecimal() else value


def _text_in(xml: str, element: str) -> str:
    """The text of a document's first element of that name, in whatever namespace; empty if there is none."""
    found = next((one for one in fromstring(xml).iter() if one.tag.rpartition("}")[2] == element), None)
    return (found.text or "") if found is not None else ""
