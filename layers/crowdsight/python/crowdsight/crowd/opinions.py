"""The machine's opinions in DynamoDB: what models scored, and what scores are known to say.

| pk               | sk       | what                                                                             |
|------------------|----------|----------------------------------------------------------------------------------|
| SCORES#function  | question | a task's or a known-answer question's score, and its kind                        |
| SKILLS#function  | MACHINE  | what each kind of score says of the truth, and the evidence that it says anything |

They lie in the table of skills. A score is written once, and forgotten when finished tasks are.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crowdsight.adjudication.machine_prior import Curve, Grade, Line, MachinePrior, Opinion, Share
from crowdsight.catalogue import CrowdFunction
from crowdsight.clock import Clock
from crowdsight.dynamodb import ConditionFailed, Item, Table
from crowdsight.tasks import KEEP_FINISHED_S


@dataclass(frozen=True)
class Score:
    """What a model made of a task. `kind`: only values of one kind can be compared."""

    kind: str
    value: float


@dataclass(frozen=True)
class Advice:
    """A task's score and what such scores are known to say; None if that is nothing so far."""

    score: Score
    prior: MachinePrior | None

    @property
    def opinion(self) -> Opinion | None:
        """What the task may be judged with; None without enough evidence."""
        return self.prior.opinion(self.score.value) if self.prior else None

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Advice":
        """The advice that `document` was made of."""
        return cls(Score(document["kind"], document["score"]), _prior(document["prior"]))

    def document(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"kind": self.score.kind, "score": self.score.value, "prior": _described(self.prior)}


class Opinions:
    """All reads are strongly consistent."""

    def __init__(self, table: Table, clock: Clock) -> None:
        self._table = table
        self._clock = clock

    def note(self, function: CrowdFunction, question: str, score: Score) -> None:
        """Keep a question's score; a second one changes nothing, so that a task is judged by one."""
        item: Item = {
            "pk": _scores_pk(function),
            "sk": question,
            "kind": score.kind,
            "value": repr(score.value),
            "ttl_s": self._clock() // 1000 + KEEP_FINISHED_S,
        }
        try:
            self._table.put(item, "attribute_not_exists(pk)")
        except ConditionFailed:
            pass  # scored by an earlier run of the same step

    def scores(self, function: CrowdFunction, questions: Iterable[str]) -> dict[str, Score]:
        """The scores of those of these questions that have one."""
        items = self._table.get_many((_scores_pk(function), question) for question in questions)
        return {item["sk"]: _score(item) for item in items}

    def advice(self, function: CrowdFunction, question: str) -> Advice | None:
        """None for a question without a score."""
        items = self._table.get_many([(_scores_pk(function), question), _machine_key(function)])
        found = {item["sk"]: item for item in items}
        if question not in found:
            return None
        score = _score(found[question])
        priors = json.loads(found["MACHINE"]["priors"]) if "MACHINE" in found else {}
        return Advice(score, _prior(priors.get(score.kind)))

    def set_priors(self, function: CrowdFunction, priors: Mapping[str, MachinePrior]) -> None:
        """What scores say from now on, by their kinds."""
        pk, sk = _machine_key(function)
        described = {kind: _described(prior) for kind, prior in priors.items()}
        self._table.put({"pk": pk, "sk": sk, "priors": json.dumps(described)})

    def priors(self, function: CrowdFunction) -> dict[str, MachinePrior]:
        """What each kind of score is known to say."""
        item = self._table.get(*_machine_key(function))
        documents = json.loads(item["priors"]) if item else {}
        return {kind: prior for kind, document in documents.items() if (prior := _prior(document))}


def opinion_document(opinion: Opinion) -> dict[str, Any]:
    """An opinion as the API tells it."""
    match opinion:
        case Share(category, share):
            return {"value": category, "probability": round(share, 4)}
        case Grade(grade, variance):
            return {"value": round(grade, 4), "standardDeviation": round(variance**0.5, 4)}


def _score(item: Item) -> Score:
    return Score(item["kind"], float(item["value"]))


def _described(prior: MachinePrior | None) -> dict[str, Any] | None:
    return None if prior is None else asdict(prior)


def _prior(document: Mapping[str, Any] | None) -> MachinePrior | None:
    if document is None:
        return None
    return Curve(**document) if "category" in document else Line(**document)


def _scores_pk(function: CrowdFunction) -> str:
    return f"SCORES#{function.name}"


def _machine_key(function: CrowdFunction) -> tuple[str, str]:
    return f"SKILLS#{function.name}", "MACHINE"
