"""Review policies: how a requester wants what is handed in for a HIT to be judged by itself."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from crowdsight.workplace.answer_values import Values, split_values
from crowdsight.workplace.faults import RequestError

KNOWN_ANSWERS = "ScoreMyKnownAnswers/2011-09-01"
PLURALITY = "SimplePlurality/2011-09-01"
MAX_POLICIES_BYTES = 65_535
MAX_QUESTIONS = 1_000
"""In one policy: what is found about each has its place in the transaction that keeps a review."""

YEAR_S = 31_536_000

Member = Mapping[str, Any]
"""A ReviewPolicy as the API has it."""

Found = TypeVar("Found")


@dataclass(frozen=True)
class Judging:
    """From which score on an assignment is approved, below which it is rejected; None for never."""

    approve_from: int | None
    approve_reason: str | None
    reject_below: int | None
    reject_reason: str


@dataclass(frozen=True)
class Extending:
    """Below which score a HIT gets one more assignment, up to how many, and for how long it is then open at least."""

    below: int
    max_assignments: int
    minimum_time_s: int


@dataclass(frozen=True)
class KnownAnswersPolicy:
    """ScoreMyKnownAnswers: for each assignment as it is submitted. Scores are KnownAnswerScores."""

    key: Mapping[str, Values]
    judging: Judging
    extending: Extending | None


@dataclass(frozen=True)
class PluralityPolicy:
    """SimplePlurality: for a HIT as it becomes reviewable.

    `judging` is by the Worker agreement score, `extending` by the HIT agreement score. Assignments that are rejected
    already, or have a KnownAnswerScore below `disregard_below`, are left out where the policy says so.
    """

    question_ids: tuple[str, ...]
    threshold: int
    disregard_rejected: bool
    disregard_below: int | None
    judging: Judging
    extending: Extending | None


@dataclass(frozen=True)
class ReviewPolicies:
    """A HIT's policies. `members` are they as they were given, by level, for keeping."""

    assignment: KnownAnswersPolicy | None = None
    hit: PluralityPolicy | None = None
    members: tuple[tuple[str, Member], ...] = ()


NO_POLICIES = ReviewPolicies()


def read_policies(assignment: Member | None, hit: Member | None) -> ReviewPolicies:
    """The policies given with a HIT. Raises RequestError InvalidParameterValue, which names what is wrong."""
    members = {level: member for level, member in (("assignment", assignment), ("hit", hit)) if member}
    if len(json.dumps(members).encode()) > MAX_POLICIES_BYTES:
        raise RequestError(
            "ParameterValidationError", f"Review policies must not be longer than {MAX_POLICIES_BYTES} bytes."
        )
    return ReviewPolicies(
        _known_answers(assignment) if assignment else None,
        _plurality(hit) if hit else None,
        tuple(members.items()),
    )


def _known_answers(member: Member) -> KnownAnswersPolicy:
    given = _Parameters("AssignmentReviewPolicy", member, KNOWN_ANSWERS)
    policy = KnownAnswersPolicy(
        key=given.answer_key("AnswerKey"),
        judging=Judging(
            approve_from=given.number("ApproveIfKnownAnswerScoreIsAtLeast", 0, 101),
            approve_reason=given.text("ApproveReason"),
            reject_below=given.number("RejectIfKnownAnswerScoreIsLessThan", 0, 101),
            reject_reason=given.text("RejectReason") or "",
        ),
        extending=given.extending("ExtendIfKnownAnswerScoreIsLessThan", (0, 101), (2, 25, 5), (60, YEAR_S, 0)),
    )
    given.refuse_others()
    return policy


def _plurality(member: Member) -> PluralityPolicy:
    given = _Parameters("HITReviewPolicy", member, PLURALITY)
    policy = PluralityPolicy(
        question_ids=given.question_ids("QuestionIds"),
        threshold=given.required("QuestionAgreementThreshold", given.number("QuestionAgreementThreshold", 0, 100)),
        disregard_rejected=given.flag("DisregardAssignmentIfRejected"),
        disregard_below=given.number("DisregardAssignmentIfKnownAnswerScoreIsLessThan", 0, 101),
        judging=Judging(
            approve_from=given.number("ApproveIfWorkerAgreementScoreIsAtLeast", 0, 101),
            approve_reason=None,
            reject_below=given.number("RejectIfWorkerAgreementScoreIsLessThan", 0, 101),
            reject_reason=given.text("RejectReason") or "",
        ),
        extending=given.extending(
            "ExtendIfHITAgreementScoreIsLessThan", (1, 100), (1, 1_000_000_000, None), (3_600, YEAR_S, None)
        ),
    )
    given.refuse_others()
    return policy


class _Parameters:
    """A policy's parameters, each to be asked for once. Names are compared without regard to case: MTurk's own examples
    write both QuestionIds and QuestionIDs."""

    def __init__(self, where: str, member: Member, name: str) -> None:
        self._where = where
        if member["PolicyName"] != name:
            raise self.refusal("PolicyName", f"must be {name}")
        self._left: dict[str, Member] = {}
        for parameter in member.get("Parameters", ()):
            key = str(parameter.get("Key", ""))
            if key.lower() in self._left:
                raise self.refusal(key, "is given twice")
            self._left[key.lower()] = parameter

    def refusal(self, name: str, what: str) -> RequestError:
        return RequestError("InvalidParameterValue", f"{self._where}: {name} {what}.")

    def refuse_others(self) -> None:
        for parameter in self._left.values():
            raise self.refusal(repr(parameter.get("Key", "")), "is no parameter of this policy")

    def answer_key(self, name: str) -> Mapping[str, Values]:
        entries = self._left.pop(name.lower(), {}).get("MapEntries", ())
        key = {str(entry.get("Key", "")): split_values(entry.get("Values", ())) for entry in entries}
        if not key or "" in key:
            raise self.refusal(name, "must have a MapEntry for each question, with its Key and Values")
        if len(key) < len(entries):
            raise self.refusal(name, "has two MapEntries for one question")
        self._refuse_too_many(name, len(key))
        return key

    def question_ids(self, name: str) -> tuple[str, ...]:
        values = self._left.pop(name.lower(), {}).get("Values", ())
        names = (part.strip() for value in values for part in value.split(","))
        ids = dict.fromkeys(question_id for question_id in names if question_id)
        self._refuse_too_many(name, len(ids))
        if not ids:
            raise self.refusal(name, "is required")
        return tuple(ids)

    def required(self, name: str, value: Found | None) -> Found:
        if value is None:
            raise self.refusal(name, "is required")
        return value

    def _refuse_too_many(self, name: str, questions: int) -> None:
        if questions > MAX_QUESTIONS:
            raise self.refusal(name, f"must not have more than {MAX_QUESTIONS} questions")

    def text(self, name: str) -> str | None:
        return self._one(name, str)

    def number(self, name: str, least: int, most: int) -> int | None:
        def read(text: str) -> int:
            if not (text.isascii() and text.isdigit() and len(text) <= 12 and least <= int(text) <= most):
                raise self.refusal(name, f"must be a whole number from {least} to {most}")
            return int(text)

        return self._one(name, read)

    def flag(self, name: str) -> bool:
        def read(text: str) -> bool:
            if text.lower() not in ("t", "true", "f", "false"):
                raise self.refusal(name, "must be T or F")
            return text.lower() in ("t", "true")

        return self._one(name, read) or False

    def extending(
        self,
        below: str,
        scores: tuple[int, int],
        maximum: tuple[int, int, int | None],
        minimum_time_s: tuple[int, int, int | None],
    ) -> Extending | None:
        """Each of the last two: least, most, and what it is if not given (None if it must be)."""
        score = self.number(below, *scores)
        most = self.number("ExtendMaximumAssignments", *maximum[:2])
        time_s = self.number("ExtendMinimumTimeInSeconds", *minimum_time_s[:2])
        if score is None:
            return None
        most = maximum[2] if most is None else most
        time_s = minimum_time_s[2] if time_s is None else time_s
        return Extending(
            score, _given(self, "ExtendMaximumAssignments", most), _given(self, "ExtendMinimumTimeInSeconds", time_s)
        )

    def _one(self, name: str, read: Callable[[str], Found]) -> Found | None:
        parameter = self._left.pop(name.lower(), None)
        if parameter is None:
            return None
        values = parameter.get("Values", ())
        if len(values) != 1:
            raise self.refusal(name, "must have one value")
        return read(str(values[0]).strip())


def _given(given: _Parameters, name: str, value: int | None) -> int:
    if value is None:
        raise given.refusal(name, "is required with a score to extend below")
    return value
