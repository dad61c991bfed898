"""What is known of each function's Workers, in DynamoDB: tallies, and the lessons that they are the sums of.

| pk               | sk                      | what                                                                |
|------------------|-------------------------|---------------------------------------------------------------------|
| SKILLS#function  | POOL                    | the tally of all Workers together                                   |
| SKILLS#function  | WORKER#id               | a Worker's tally, since when that Worker gets no more HITs, and     |
|                  |                         | since when that Worker is told so                                   |
| SKILLS#function  | TUNING                  | what the last refit set beside the tallies                          |
| LESSONS#function | TASK#created#generation | a closed task: its answers, and what they contribute                |
| LESSONS#function | AUDIT#created#key#part  | a task whose truth was told: its answers, and what they contribute  |
| LESSONS#function | TOLD#key#part           | a question whose truth was told: its answers, what they contribute  |

A lesson is written in one transaction with what it adds to the tallies, or takes from them, on condition that it is as
it was read. So it counts once however often a step runs, and everything may happen at once: tallies are only ever added
to. A lesson of a closed task is forgotten after a while, and what it taught stays.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.learning import Learner
from crowdsight.adjudication.tally import SkillState, Tally
from crowdsight.catalogue import CrowdFunction
from crowdsight.clock import Clock
from crowdsight.dynamodb import Item, Step, Table, TransactionFailed
from crowdsight.task_store import Generation
from crowdsight.tasks import KEEP_FINISHED_S

TALLY = "tally "
"""What the attribute of a count is called before the count's name."""

ANSWERS_A_PART = 40
"""Of a told question; those after them begin another part, so that every lesson fits into one transaction."""

STEPS_A_TRANSACTION = 100
RACES = 20
"""How often a write is tried again because somebody else has changed the lesson meanwhile."""


@dataclass(frozen=True)
class Lesson:
    """A question and what of it is in the tallies. `truth`: None if it was never told. `version` grows with changes."""

    sk: str
    answers: tuple[Answer, ...]
    truth: Value | None
    contribution: SkillState
    version: int

    @property
    def question(self) -> str:
        """Which one it is: the key by which its truth was told, or a closed task's generation."""
        kind, *names = self.sk.split("#")
        return names[0] if kind == "TOLD" else names[1]


class Skills:
    """All reads are strongly consistent."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    # What is known

    def knowing(self, function: CrowdFunction, worker_ids: Iterable[str]) -> Learner:
        """The function's rule, as it was tuned last, with what is known of these Workers."""
        pk = _skills_pk(function)
        keys = ["POOL", "TUNING", *(_worker_sk(worker_id) for worker_id in worker_ids)]
        items = {item["sk"]: item for item in self._table.get_many((pk, sk) for sk in keys)}
        tuning = items.pop("TUNING", None)
        rule = function.adjudicator.with_tuning(json.loads(tuning["tuning"])) if tuning else function.adjudicator
        return rule.knowing(_state(items.values()))

    def everyone(self, function: CrowdFunction) -> SkillState:
        """What is known of all Workers of a function."""
        pk = _skills_pk(function)
        pool = self._table.get(pk, "POOL")
        return _state([*([pool] if pool else []), *self._table.query_all(pk, "WORKER#")])

    def closed_tasks(self, function: CrowdFunction, most: int) -> list[Lesson]:
        """The lessons of the function's newest closed tasks, newest first; not those whose truth was told since."""
        lessons = map(_lesson, self._newest(function, "TASK#"))
        return list(islice((lesson for lesson in lessons if lesson.answers), most))

    def audited_tasks(self, function: CrowdFunction, most: int) -> list[Lesson]:
        """The newest tasks whose truth was told, newest first."""
        return list(islice(map(_lesson, self._newest(function, "AUDIT#")), most))

    def told_questions(self, function: CrowdFunction, most: int) -> list[Lesson]:
        """Other questions whose truth was told, in no particular order; one with many answers is several."""
        return list(islice(map(_lesson, self._newest(function, "TOLD#")), most))

    # What is learned

    def close(self, function: CrowdFunction, generation: Generation, answers: Sequence[Answer]) -> None:
        """A task has ended with these answers: add what they contribute, once; never if its truth was told before."""
        rule = self.knowing(function, [answer.worker_id for answer in answers])
        lesson = Lesson(_task_sk(generation), tuple(answers), None, rule.contribution(answers), 1)
        try:
            self._table.transact(
                [self._put_step(function, lesson, 0), *self._change_steps(function, lesson.contribution)]
            )
        except TransactionFailed:
            pass  # an earlier run of the same step did it

    def tell(
        self,
        function: CrowdFunction,
        key: str,
        truth: Value,
        answers: Sequence[Answer],
        instead_of: Generation | None = None,
    ) -> None:
        """The truth of a question, `key`, is known: add what these answers to it tell, each Worker's once.

        A question may get answers at any number of times; its truth must stay the same. `instead_of`: the task whose
        answers these are; what it taught by itself is taken back. Raises ValueError for a key with `#` in it.
        """
        while self._tell_some(function, key, truth, answers, instead_of):
            pass  # more than one part has room for

    def take_back(self, function: CrowdFunction, key: str) -> None:
        """Forget a told question, not a task, and all that it told. Again: changes nothing."""
        for part in self._parts(function, f"TOLD#{key}#"):
            steps = self._change_steps(function, _difference(SkillState(), part.contribution))
            gone = self._table.delete_step(
                "lesson", _lessons_pk(function), part.sk, "version = :version", {"version": part.version}
            )
            try:
                self._table.transact([gone, *steps])
            except TransactionFailed:
                return self.take_back(function, key)  # it has got another answer meanwhile

    def replace(self, function: CrowdFunction, lessons: Iterable[tuple[Lesson, SkillState]]) -> int:
        """Let lessons contribute something else than they did; returns how many do now.

        Those that somebody else has changed since they were read stay as they are.
        """
        done = 0
        batch: list[tuple[Lesson, SkillState]] = []
        for lesson, contribution in lessons:
            if self._steps_of([*batch, (lesson, contribution)]) > STEPS_A_TRANSACTION:
                done += self._replace(function, batch)
                batch = []
            batch.append((lesson, contribution))
        return done + self._replace(function, batch)

    def set_tuning(self, function: CrowdFunction, tuning: Mapping[str, float]) -> None:
        """What the function's rule is tuned to from now on."""
        self._table.put({"pk": _skills_pk(function), "sk": "TUNING", "tuning": json.dumps(tuning)})

    # Who gets no more HITs

    def excluded(self, function: CrowdFunction, worker_ids: Iterable[str] | None = None) -> dict[str, bool]:
        """Which of these Workers, or of all, get no more HITs of a function, and whether each was told so."""
        pk = _skills_pk(function)
        items = (
            self._table.query_all(pk, "WORKER#")
            if worker_ids is None
            else self._table.get_many((pk, _worker_sk(worker_id)) for worker_id in worker_ids)
        )
        return {_worker_id(item): "told_at_ms" in item for item in items if "excluded_at_ms" in item}

    def set_excluded(self, function: CrowdFunction, worker_id: str, is_excluded: bool) -> None:
        """Whether a Worker gets no more HITs of a function."""
        change = "SET excluded_at_ms = :now" if is_excluded else "REMOVE excluded_at_ms, told_at_ms"
        values = {"now": self._clock()} if is_excluded else None
        self._table.update(_skills_pk(function), _worker_sk(worker_id), change, values=values)

    def set_told(self, function: CrowdFunction, worker_id: str) -> None:
        """A Worker who gets no more HITs of a function has been told so."""
        self._table.update(
            _skills_pk(function), _worker_sk(worker_id), "SET told_at_ms = :now", values={"now": self._clock()}
        )

    def _tell_some(
        self, function: CrowdFunction, key: str, truth: Value, answers: Sequence[Answer], instead_of: Generation | None
    ) -> bool:
        """Tell as many of the answers as one part has room for; whether there may be more."""
        if "#" in key:
            raise ValueError("a told question's key has no #")
        prefix = f"AUDIT#{instead_of.created_at_ms:015}#{key}#" if instead_of else f"TOLD#{key}#"
        for _ in range(RACES):
            parts = self._parts(function, prefix)
            told = {answer.worker_id for part in parts for answer in part.answers}
            new = [answer for answer in answers if answer.worker_id not in told]
            closed = self._find(function, _task_sk(instead_of)) if instead_of else None
            withdraws = instead_of is not None and (closed is None or bool(closed.answers))
            if not new and not withdraws:
                return False
            part = parts[-1] if parts else None
            if part is None or len(part.answers) >= ANSWERS_A_PART:
                part = Lesson(f"{prefix}{len(parts):06}", (), truth, SkillState(), 0)
            told_now = (*part.answers, *new[: ANSWERS_A_PART - len(part.answers)])
            rule = self.knowing(function, [answer.worker_id for answer in told_now])
            contribution = rule.lesson(told_now, truth)
            if part.sk == f"{prefix}{0:06}":  # a truth counts once, however many answers there are
                contribution.add(rule.truth_lesson(truth))
            change = _difference(contribution, part.contribution)
            lesson = Lesson(part.sk, told_now, truth, contribution, part.version + 1)
            steps = [self._put_step(function, lesson, part.version)]
            if withdraws and instead_of:
                before = closed or Lesson(_task_sk(instead_of), (), None, SkillState(), 0)
                change.subtract(before.contribution)
                withdrawn = Lesson(before.sk, (), None, SkillState(), before.version + 1)
                steps.append(self._put_step(function, withdrawn, before.version))
            try:
                self._table.transact([*steps, *self._change_steps(function, change)])
            except TransactionFailed:
                continue  # somebody else has told, or closed, just now: look again
            return True
        raise TransactionFailed([f"lesson {key}"])

    def _replace(self, function: CrowdFunction, batch: Sequence[tuple[Lesson, SkillState]]) -> int:
        while batch:
            change = SkillState()
            steps = []
            for lesson, contribution in batch:
                change.add(_difference(contribution, lesson.contribution))
                new = Lesson(lesson.sk, lesson.answers, lesson.truth, contribution, lesson.version + 1)
                steps.append(self._put_step(function, new, lesson.version))
            try:
                self._table.transact([*steps, *self._change_steps(function, change)])
            except TransactionFailed as error:
                batch = [each for each in batch if each[0].sk not in error.failed]
            else:
                break
        return len(batch)

    @staticmethod
    def _steps_of(batch: Sequence[tuple[Lesson, SkillState]]) -> int:
        workers = {worker for lesson, new in batch for worker in (*lesson.contribution.workers, *new.workers)}
        return len(batch) + len(workers) + 1

    def _newest(self, function: CrowdFunction, sk_prefix: str) -> Iterator[Item]:
        start_key = None
        while True:
            page = self._table.query(_lessons_pk(function), sk_prefix, newest_first=True, start_key=start_key)
            yield from page.items
            if page.next_key is None:
                return
            start_key = page.next_key

    def _parts(self, function: CrowdFunction, sk_prefix: str) -> list[Lesson]:
        return [_lesson(item) for item in self._table.query_all(_lessons_pk(function), sk_prefix)]

    def _find(self, function: CrowdFunction, sk: str) -> Lesson | None:
        item = self._table.get(_lessons_pk(function), sk)
        return _lesson(item) if item else None

    def _put_step(self, function: CrowdFunction, lesson: Lesson, version: int) -> Step:
        """Write a lesson, if it is of this version so far; 0: if there is none. The step's label is its sort key."""
        item: Item = {
            "pk": _lessons_pk(function),
            "sk": lesson.sk,
            "answers": json.dumps([[answer.worker_id, answer.value] for answer in lesson.answers]),
            "truth": json.dumps(lesson.truth),
            "contribution": json.dumps([lesson.contribution.pooled, lesson.contribution.workers]),
            "version": lesson.version,
        }
        if lesson.sk.startswith("TASK#"):
            item["ttl_s"] = self._clock() // 1000 + KEEP_FINISHED_S
        if not version:
            return self._table.put_step(lesson.sk, item, "attribute_not_exists(pk)")
        return self._table.put_step(lesson.sk, item, "version = :version", {"version": version})

    def _change_steps(self, function: CrowdFunction, change: SkillState) -> list[Step]:
        tallies = {"POOL": change.pooled} | {_worker_sk(worker): tally for worker, tally in change.workers.items()}
        return [self._add_step(function, sk, tally) for sk, tally in tallies.items() if tally]

    def _add_step(self, function: CrowdFunction, sk: str, tally: Tally) -> Step:
        counts = {f"n{number}": (name, count) for number, (name, count) in enumerate(sorted(tally.items()))}
        return self._table.update_step(
            sk,
            _skills_pk(function),
            sk,
            "ADD " + ", ".join(f"#{label} :{label}" for label in counts),
            values={label: count for label, (_, count) in counts.items()},
            names={label: TALLY + name for label, (name, _) in counts.items()},
        )


def _difference(after: SkillState, before: SkillState) -> SkillState:
    difference = SkillState(after.pooled, after.workers)
    difference.subtract(before)
    return difference


def _skills_pk(function: CrowdFunction) -> str:
    return f"SKILLS#{function.name}"


def _lessons_pk(function: CrowdFunction) -> str:
    return f"LESSONS#{function.name}"


def _worker_sk(worker_id: str) -> str:
    return f"WORKER#{worker_id}"


def _worker_id(item: Item) -> str:
    return str(item["sk"].removeprefix("WORKER#"))


def _task_sk(generation: Generation) -> str:
    return f"TASK#{generation.created_at_ms:015}#{generation.id}"


def _state(items: Iterable[Item]) -> SkillState:
    state = SkillState()
    for item in items:
        tally = {name.removeprefix(TALLY): n for name, n in item.items() if name.startswith(TALLY) and n}
        if item["sk"] == "POOL":
            state.pooled = tally
        elif tally:
            state.workers[_worker_id(item)] = tally
    return state


def _lesson(item: Item) -> Lesson:
    pooled, workers = json.loads(item["contribution"])
    return Lesson(
        sk=item["sk"],
        answers=tuple(Answer(worker_id, value) for worker_id, value in json.loads(item["answers"])),
        truth=json.loads(item["truth"]),
        contribution=SkillState(pooled, workers),
        version=item["version"],
    )
