"""The machine's opinion, from a score to what a task is judged with, and the evidence in between."""

from dataclasses import dataclass, field, replace

import pytest

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.machine_prior import Curve
from crowdsight.catalogue import CATALOGUE, CrowdFunction, Document, ImageContainsInput, ImageSimilarityInput
from crowdsight.crowd import refitting
from crowdsight.crowd.gold import GoldStore
from crowdsight.crowd.machine import Machine
from crowdsight.crowd.opinions import Score
from crowdsight.errors import UnfetchableImage
from tests.contract.crowd_world import KEY, SIMILARITY_KEY, World
from tests.contract.memory_dynamodb import MemoryDynamoDB

CONTAINS, SIMILARITY = CATALOGUE["image-contains"], CATALOGUE["image-similarity"]


@dataclass
class FixedScorer:
    """Scores by what an address ends in; other addresses cannot be fetched."""

    scores: dict[str, float] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def score(self, task_input: Document) -> Score | None:
        match task_input:
            case ImageContainsInput():
                url = task_input.image.url
            case ImageSimilarityInput():
                url = task_input.image1.url
            case _:
                return None
        self.asked.append(url)
        if url not in self.scores:
            raise UnfetchableImage("no such image")
        return Score("fixed", self.scores[url])


@pytest.fixture
def world() -> World:
    return World(MemoryDynamoDB())


@pytest.fixture
def scorer() -> FixedScorer:
    return FixedScorer()


@pytest.fixture
def machine(world: World, scorer: FixedScorer) -> Machine:
    gold = GoldStore(world.tasks_table, world.clock)
    return Machine(world.store, gold, world.opinions, scorer, CATALOGUE.values())


def address(number: int) -> str:
    return f"https://www.example.com/{number}.jpg"


def contains(number: int) -> dict[str, object]:
    return {"image": {"url": address(number)}, "target": {"label": "dog"}}


def tell_truths(world: World, function: CrowdFunction, truths: list[Value], scores: list[float]) -> None:
    """Questions that were scored and whose truth became known, each answered rightly by three Workers."""
    for number, (truth, score) in enumerate(zip(truths, scores, strict=True)):
        world.opinions.note(function, f"known-{number}", Score("fixed", score))
        answers = [Answer(f"AWORKER{worker}", truth) for worker in "ABC"]
        world.skills.tell(function, f"known-{number}", truth, answers)
    world.refit_skills(lambda: 600)


def test_a_task_is_scored_once(world: World, machine: Machine, scorer: FixedScorer) -> None:
    scorer.scores[address(1)] = 0.7
    generation = world.put(KEY, contains(1))
    machine.score_task(generation)
    scorer.scores[address(1)] = 0.2
    machine.score_task(generation)
    assert world.opinions.scores(CONTAINS, [generation]) == {generation: Score("fixed", 0.7)}
    assert scorer.asked == [address(1)]


def test_a_picture_that_no_model_can_look_at_leaves_the_task_to_workers(world: World, machine: Machine) -> None:
    generation = world.put(KEY, contains(1))
    machine.score_task(generation)
    world.answer_all(generation, ["yes", "yes"])
    assert world.get().result == {"containsTarget": True}
    assert world.get_audit(KEY)["machinePrior"] is None


def test_without_known_truths_a_score_has_no_weight(world: World, machine: Machine, scorer: FixedScorer) -> None:
    scorer.scores[address(1)] = 0.9
    generation = world.put(KEY, contains(1))
    before = world.get_audit(KEY)
    machine.score_task(generation)
    audit = world.get_audit(KEY)
    assert audit["machinePrior"] == {"kind": "fixed", "score": 0.9, "evidence": 0.0, "truths": 0, "opinion": None}
    world.answer(generation, "A", "no")
    assert before["machinePrior"] is None
    assert world.opinions.advice(CONTAINS, generation).opinion is None  # type: ignore[union-attr]


def test_scores_that_told_known_truths_come_to_weigh(world: World, machine: Machine, scorer: FixedScorer) -> None:
    truths: list[Value] = ["yes" if number % 3 else "no" for number in range(60)]
    tell_truths(world, CONTAINS, truths, [0.8 if truth == "yes" else 0.3 for truth in truths])
    scorer.scores[address(1)] = 0.8
    generation = world.put(KEY, contains(1))
    machine.score_task(generation)
    opinion = world.get_audit(KEY)["machinePrior"]["opinion"]
    assert opinion["value"] == "yes"
    assert opinion["probability"] > 0.9
    world.answer(generation, "A", "yes")
    world.deliver()
    world.answer_all(generation, ["yes"]) if world.get().result is None else None
    assert world.get().result == {"containsTarget": True}
    audit = world.get_audit(KEY)
    assert audit["machinePrior"]["opinion"] == opinion
    assert (audit["machinePrior"]["truths"], audit["machinePrior"]["evidence"] > 3) == (60, True)


def test_scores_that_told_nothing_stay_without_weight(world: World) -> None:
    truths: list[Value] = ["yes" if number % 3 else "no" for number in range(60)]
    tell_truths(world, CONTAINS, truths, [(number * 7 % 10) / 10 for number in range(60)])
    world.opinions.note(CONTAINS, "a task", Score("fixed", 0.9))
    advice = world.opinions.advice(CONTAINS, "a task")
    assert advice
    assert advice.prior
    assert advice.prior.truths == 60
    assert advice.opinion is None


def test_grades_are_foretold_by_a_line(world: World) -> None:
    truths: list[Value] = [number % 5 / 4 for number in range(60)]
    tell_truths(world, SIMILARITY, truths, [0.5 + float(truth) / 2 for truth in truths])
    generation = world.put(SIMILARITY_KEY)
    world.opinions.note(SIMILARITY, generation, Score("fixed", 0.75))
    told = world.get_audit(SIMILARITY_KEY)["machinePrior"]["opinion"]
    assert told["value"] == pytest.approx(0.5, abs=0.05)
    assert told["standardDeviation"] < 0.2


def test_scores_of_another_kind_have_evidence_of_their_own(world: World) -> None:
    truths: list[Value] = ["yes" if number % 3 else "no" for number in range(60)]
    tell_truths(world, CONTAINS, truths, [0.8 if truth == "yes" else 0.3 for truth in truths])
    world.opinions.note(CONTAINS, "a task", Score("another model's", 0.9))
    advice = world.opinions.advice(CONTAINS, "a task")
    assert advice
    assert advice.opinion is None


def test_known_answer_questions_are_scored_once(world: World, machine: Machine, scorer: FixedScorer) -> None:
    gold = GoldStore(world.tasks_table, world.clock)
    for number in range(3):
        gold.add(CONTAINS, contains(number), {"containsTarget": True})
    scorer.scores |= {address(0): 0.1, address(1): 0.2}
    assert machine.score_known(lambda: False) == 2
    assert machine.score_known(lambda: True) == 0
    assert machine.score_known(lambda: False) == 0
    assert scorer.asked.count(address(0)) == 1
    subjects = [question.ref.subject for question in gold.questions(CONTAINS)]
    assert len(world.opinions.scores(CONTAINS, subjects)) == 2


def test_pictures_that_cannot_be_scored_keep_no_others_waiting(
    world: World, machine: Machine, scorer: FixedScorer
) -> None:
    gold = GoldStore(world.tasks_table, world.clock)
    for number in range(3):
        gold.add(CONTAINS, contains(number), {"containsTarget": True})
    for number in range(3):
        scorer.scores = {address(number): 0.5}
        scored = 0
        for _ in range(200):
            one_at_a_time = iter([False, True])
            scored += machine.score_known(lambda: next(one_at_a_time, True))  # noqa: B023  it is called at once
        assert scored == 1


def test_of_more_truths_than_are_weighed_audited_tasks_come_first(
    world: World, machine: Machine, scorer: FixedScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refitting, "MOST_TRUTHS", 1)
    scorer.scores[address(1)] = 0.9
    generation = world.put(replace(KEY, name="audited"), contains(1))
    machine.score_task(generation)
    world.answer_all(generation, ["yes", "yes"])
    world.settle(generation)
    world.audits.tell(CONTAINS, generation, {"containsTarget": True})
    tell_truths(world, CONTAINS, ["no"] * 3, [0.1] * 3)
    curve = world.opinions.priors(CONTAINS)["fixed"]
    assert isinstance(curve, Curve)
    assert (curve.truths, curve.usual) == (1, 2 / 3), "of one truth, which is yes"


def test_an_audited_tasks_score_is_evidence(world: World, machine: Machine, scorer: FixedScorer) -> None:
    scorer.scores[address(1)] = 0.9
    generation = world.put(replace(KEY, name="audited"), contains(1))
    machine.score_task(generation)
    world.answer_all(generation, ["yes", "yes"])
    world.settle(generation)
    world.audits.tell(CONTAINS, generation, {"containsTarget": True})
    world.refit_skills(lambda: 600)
    assert world.opinions.priors(CONTAINS)["fixed"].truths == 1
