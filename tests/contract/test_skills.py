"""Skills: tallies are exactly the sums of their lessons, however often and at once things happen."""

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from crowdsight.adjudication import Answer, Value
from crowdsight.adjudication.tally import SkillState
from crowdsight.catalogue import CATALOGUE, CrowdFunction
from crowdsight.crowd.skills import ANSWERS_A_PART, Skills
from crowdsight.dynamodb import Table
from crowdsight.task_store import Generation, Phase
from crowdsight.tasks import TaskKey
from tests.conftest import StoppedClock

CONTAINS, SIMILARITY = CATALOGUE["image-contains"], CATALOGUE["image-similarity"]
MOST = 1_000


@pytest.fixture
def skills(skills_table: Table) -> Skills:
    return Skills(skills_table, StoppedClock(1_000_000_000_000))


def generation(number: int) -> Generation:
    key = TaskKey("default", "image-contains", f"task-{number}")
    return Generation(
        f"{number:032x}", key, key.function, "{}", Phase.CLOSED, True, 1_000 + number, 0, None, 0, False, None, "", 0
    )


def answered(**values: Value) -> list[Answer]:
    return [Answer(worker_id, value) for worker_id, value in values.items()]


def sum_of_lessons(skills: Skills, function: CrowdFunction) -> SkillState:
    total = SkillState()
    told = [*skills.audited_tasks(function, MOST), *skills.told_questions(function, MOST)]
    for lesson in [*skills.closed_tasks(function, MOST), *told]:
        total.add(lesson.contribution)
    return total


@pytest.mark.parametrize(
    ("function", "answers"),
    [(CONTAINS, answered(A="yes", B="yes", C="no")), (SIMILARITY, answered(A=0.25, B=0.5, C=0.25))],
)
def test_a_task_that_closes_twice_teaches_once(
    skills: Skills, function: CrowdFunction, answers: Sequence[Answer]
) -> None:
    taught = function.adjudicator.contribution(answers)
    skills.close(function, generation(1), answers)
    skills.close(function, generation(1), answers)
    assert skills.everyone(function) == taught
    assert [lesson.contribution for lesson in skills.closed_tasks(function, MOST)] == [taught]


def test_a_task_knows_its_own_workers_and_the_pool_and_nothing_of_other_functions(skills: Skills) -> None:
    skills.close(CONTAINS, generation(1), answered(A="yes", B="yes"))
    skills.close(SIMILARITY, generation(2), answered(A=0.0, C=1.0))
    known = skills.knowing(CONTAINS, ["A", "NOBODY"])
    everyone = skills.everyone(CONTAINS)
    assert known == CONTAINS.adjudicator.knowing(everyone.of(["A"]))
    assert set(everyone.workers) == {"A", "B"}


def test_nothing_is_lost_when_tasks_close_and_are_refitted_and_told_at_once(skills: Skills) -> None:
    dice = random.Random(7)
    tasks = [
        (generation(n), [Answer(f"W{w}", dice.choice(("yes", "no"))) for w in dice.sample(range(6), 3)])
        for n in range(24)
    ]

    def close(task: tuple[Generation, list[Answer]]) -> None:
        skills.close(CONTAINS, *task)

    def refit(_: object) -> None:
        skills.replace(
            CONTAINS, [(lesson, SkillState({"learned|yes": 7})) for lesson in skills.closed_tasks(CONTAINS, MOST)]
        )

    def tell(task: tuple[Generation, list[Answer]]) -> None:
        skills.tell(CONTAINS, task[0].id, "yes", task[1], instead_of=task[0])

    with ThreadPoolExecutor(8) as pool:
        work = [pool.submit(close, task) for task in tasks + tasks[:8]]
        work += [pool.submit(refit, None) for _ in range(3)]
        work += [pool.submit(tell, task) for task in tasks[:6] + tasks[:2]]
        for each in work:
            each.result()
    assert len(skills.closed_tasks(CONTAINS, MOST)) == 18
    assert len(skills.audited_tasks(CONTAINS, MOST)) == 6
    assert skills.everyone(CONTAINS) == sum_of_lessons(skills, CONTAINS)


def test_a_told_truth_takes_the_place_of_what_its_task_taught_by_itself(skills: Skills) -> None:
    answers = answered(A="yes", B="no")
    skills.close(CONTAINS, generation(1), answers)
    for _ in range(2):
        skills.tell(CONTAINS, "audit-1", "no", answers, instead_of=generation(1))
    skills.close(CONTAINS, generation(1), answers)
    rule = CONTAINS.adjudicator
    told = rule.lesson(answers, "no")
    told.add(rule.truth_lesson("no"))
    assert skills.everyone(CONTAINS) == told
    assert skills.closed_tasks(CONTAINS, MOST) == []


def test_a_task_whose_truth_is_told_before_it_has_taught_teaches_nothing_else(skills: Skills) -> None:
    answers = answered(A="yes", B="no")
    skills.tell(CONTAINS, "audit-1", "no", answers, instead_of=generation(1))
    before = skills.everyone(CONTAINS)
    skills.close(CONTAINS, generation(1), answers)
    assert skills.everyone(CONTAINS) == before


def test_audited_tasks_are_read_apart_from_known_questions_and_newest_first(skills: Skills) -> None:
    for number in (2, 3, 1):
        task, answers = generation(number), answered(A="yes")
        skills.tell(CONTAINS, task.id, "yes", answers, instead_of=task)
        skills.tell(CONTAINS, f"gold:{number}", "yes", answers)
    newest = [generation(3).id, generation(2).id]
    assert [lesson.question for lesson in skills.audited_tasks(CONTAINS, 2)] == newest
    assert {lesson.question for lesson in skills.told_questions(CONTAINS, MOST)} == {"gold:1", "gold:2", "gold:3"}


def test_a_known_question_counts_each_workers_answer_once(skills: Skills) -> None:
    for worker_id in ("A", "B", "A"):
        skills.tell(CONTAINS, "gold-1", "yes", answered(**{worker_id: "yes"}))
    rule = CONTAINS.adjudicator
    told = rule.lesson(answered(A="yes", B="yes"), "yes")
    told.add(rule.truth_lesson("yes"))
    assert skills.everyone(CONTAINS) == told


def test_a_known_question_takes_any_number_of_answers_at_once(skills: Skills) -> None:
    answers = [Answer(f"W{number}", "yes") for number in range(2 * ANSWERS_A_PART + 5)]
    skills.tell(CONTAINS, "gold-1", "yes", answers)
    parts = skills.told_questions(CONTAINS, MOST)
    assert sorted(len(part.answers) for part in parts) == [5, ANSWERS_A_PART, ANSWERS_A_PART]
    assert len(skills.everyone(CONTAINS).workers) == len(answers)
    assert skills.everyone(CONTAINS).pooled["known|yes"] == 1_000_000, "its truth counts once"
    skills.take_back(CONTAINS, "gold-1")
    assert skills.everyone(CONTAINS) == SkillState()


@pytest.mark.parametrize("function", [CONTAINS, SIMILARITY])
def test_what_is_taken_back_leaves_nothing(skills: Skills, function: CrowdFunction) -> None:
    values: tuple[Value, Value] = ("yes", "no") if function is CONTAINS else (0.25, 0.75)
    skills.tell(function, "gold-1", values[0], answered(A=values[0], B=values[1]))
    skills.tell(function, "gold-1", values[0], answered(C=values[1]))
    for _ in range(2):
        skills.take_back(function, "gold-1")
    assert skills.everyone(function) == SkillState()


def test_a_lesson_that_was_changed_meanwhile_is_not_replaced_and_the_others_are(skills: Skills) -> None:
    for number in range(70):  # more than one transaction
        skills.close(CONTAINS, generation(number), answered(A="yes", **{f"W{number}": "yes"}))
    lessons = skills.closed_tasks(CONTAINS, MOST)
    assert [lesson.sk for lesson in lessons] == sorted((lesson.sk for lesson in lessons), reverse=True)
    skills.tell(CONTAINS, "audit-3", "yes", lessons[3].answers, instead_of=generation(66))
    assert skills.replace(CONTAINS, [(lesson, SkillState({"learned|no": 5})) for lesson in lessons]) == 69
    assert skills.everyone(CONTAINS) == sum_of_lessons(skills, CONTAINS)


def test_a_rule_is_as_it_was_tuned_last(skills: Skills) -> None:
    tuning = {"worker_weight": 5.0, "slope": 0.8, "misled": 0.1, "audits": 12, "next_right": 0.9}
    skills.set_tuning(CONTAINS, tuning)
    assert skills.knowing(CONTAINS, []).tuning == tuning
    assert skills.knowing(SIMILARITY, []) == SIMILARITY.adjudicator


def test_exclusions_are_remembered_beside_the_tally(skills: Skills) -> None:
    skills.tell(CONTAINS, "gold-1", "yes", answered(A="no", B="yes"))
    before = skills.everyone(CONTAINS)
    skills.set_excluded(CONTAINS, "A", True)
    assert skills.excluded(CONTAINS) == skills.excluded(CONTAINS, ["A", "B"]) == {"A": False}
    skills.set_told(CONTAINS, "A")
    assert skills.excluded(CONTAINS) == {"A": True}
    assert skills.excluded(SIMILARITY) == {}
    assert skills.everyone(CONTAINS) == before
    skills.set_excluded(CONTAINS, "A", False)
    assert skills.excluded(CONTAINS) == {}
    skills.set_excluded(CONTAINS, "A", True)
    assert skills.excluded(CONTAINS) == {"A": False}
