"""Known-answer questions, from their upload to what they teach, at the real workplace."""

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from crowdsight.adjudication import Value
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd import gold_hits
from crowdsight.crowd.gold import GoldQuestion, GoldRef, Phase
from crowdsight.crowd.gold_hits import FEWEST_ASKED, IDLE_AFTER_S, MOVE_AFTER_S
from crowdsight.crowd.prices import GOLD_ASSIGNMENTS, gold_answer_cents
from crowdsight.crowd.requester import RequesterError
from crowdsight.errors import InvalidRequest, NotFound
from crowdsight.workplace.audit import audit
from crowdsight.workplace.faults import WorkerError
from tests.contract.crowd_world import FEE_PERCENT, HIT_LIFETIME_S, KEY, REQUESTER, SIMILARITY_KEY, World
from tests.contract.memory_dynamodb import MemoryDynamoDB

CONTAINS = CATALOGUE["image-contains"]
SIMILARITY = CATALOGUE["image-similarity"]
CENTS = gold_answer_cents(CONTAINS, FEE_PERCENT)


@pytest.fixture
def world() -> World:
    return World(MemoryDynamoDB())


def question(number: int) -> dict[str, Any]:
    return {"image": {"url": f"https://www.example.com/gold-{number}.jpg"}, "target": {"label": "cat"}}


def add(world: World, count: int, truth: bool = True) -> None:
    """So many questions, in the order of their numbers."""
    for number in range(count):
        world.clock.move(1)
        assert world.gold.add(CONTAINS, question(number), {"containsTarget": truth})


def asked(world: World) -> list[GoldQuestion]:
    return [each for each in world.gold.questions(CONTAINS) if each.phase is Phase.OPEN]


def hit_of(world: World, number: int) -> str:
    hit_id = world.gold.questions(CONTAINS)[number].hit_id
    assert hit_id
    return hit_id


def accept(world: World, hit_id: str, worker: str) -> str:
    world.workplace.register_worker(f"AWORKER{worker}", worker)
    return world.workplace.accept(hit_id, f"AWORKER{worker}").assignment_id


def answer(world: World, hit_id: str, worker: str, value: str) -> None:
    world.submit(accept(world, hit_id, worker), value)


def taught(world: World, worker: str) -> Counter[str]:
    """What is counted of a Worker, in whole answers."""
    tally = world.skills.everyone(CONTAINS).workers.get(f"AWORKER{worker}", {})
    return Counter({name: count // 1_000_000 for name, count in tally.items()})


def held_cents(world: World) -> int:
    return world.workplace.requesters.account(REQUESTER.requester_id).held_cents


def end(world: World, *generations: str) -> None:
    """The tasks end, and their HITs are settled."""
    for generation in generations:
        world.end_early(generation)
    for _ in range(4):
        world.reconcile()


# Unseen


def test_a_questions_hit_is_like_a_tasks_to_whoever_may_see_it(world: World) -> None:
    task = world.workplace.get_hit(world.hit_id(world.put()))
    add(world, 1)
    assert world.tend_gold() == {"image-contains": 1, "image-similarity": 0}
    gold = world.workplace.get_hit(hit_of(world, 0))
    unlike = {name for name, value in task.__dict__.items() if value != getattr(gold, name)}
    # Of these a Worker sees the time, which is that of any task of the last hours.
    assert unlike <= {
        "hit_id", "fee_cents", "requester_annotation", "max_assignments", "created_at_ms", "expires_at_ms",
        "next_due_at_ms", "version",
    }  # fmt: skip
    pages = [
        world.mturk.get_hit(HITId=hit.hit_id)["HIT"]["Question"].replace(picture, "")
        for hit, picture in ((task, "butterbean.jpg"), (gold, "gold-0.jpg"))
    ]
    assert pages[0].replace("dog", "cat") == pages[1]


def test_nothing_is_asked_of_a_function_without_tasks(world: World) -> None:
    add(world, 3)
    world.put(SIMILARITY_KEY)
    assert world.tend_gold() == {"image-contains": 0, "image-similarity": 0}
    assert world.hits_created() == 1


def test_questions_cost_no_caller_anything(world: World) -> None:
    generation = world.put()
    month = world.store.month()
    committed = world.committed_cents(month)
    add(world, 2)
    world.tend_gold()
    answer(world, hit_of(world, 0), "A", "yes")
    world.deliver()
    assert world.committed_cents(month) == committed
    assert world.spent_cents() == CENTS
    end(world, generation)
    assert world.committed_cents(month) == 0


# What is learned


def test_workers_are_measured_by_what_is_known_and_all_are_paid_once(world: World) -> None:
    world.put()
    add(world, 3)
    world.tend_gold()
    for number in range(3):
        answer(world, hit_of(world, number), "GOOD", "yes")
        answer(world, hit_of(world, number), "BAD", "no")
    for body in (waiting := list(world.notifications)):
        world.hear(body)
    for body in waiting:  # and each once more
        world.hear(body)
    assert taught(world, "GOOD") == Counter({"known|yes|yes": 3})
    assert taught(world, "BAD") == Counter({"known|yes|no": 3})
    rule = world.skills.knowing(CONTAINS, ["AWORKERGOOD", "AWORKERBAD"])
    assert rule.model.confusion("AWORKERGOOD")[0][0] > rule.model.confusion("AWORKERBAD")[0][0] + 0.2  # type: ignore[attr-defined]
    assert world.paid() == Counter(GOOD=3, BAD=3)
    assert world.spent_cents() == 6 * CENTS
    assert audit(world.workplace_table).discrepancies == []


def test_the_truth_of_a_question_counts_once_however_many_answer_it(world: World) -> None:
    world.put()
    add(world, 1)
    world.tend_gold()
    for worker in "ABC":
        answer(world, hit_of(world, 0), worker, "yes")
        world.deliver()
    pooled = world.skills.everyone(CONTAINS).pooled
    assert pooled["known|yes"] == 1_000_000
    assert pooled["known|yes|yes"] == 3_000_000


@pytest.mark.parametrize("value", ["maybe", ""])
def test_an_answer_that_makes_no_sense_is_paid_and_counts_as_missed(world: World, value: str) -> None:
    world.put()
    add(world, 1)
    world.tend_gold()
    answer(world, hit_of(world, 0), "A", value)
    world.deliver()
    assert taught(world, "A") == Counter({"missed|yes": 1})
    assert world.paid() == Counter(A=1)


def test_that_an_image_does_not_load_is_held_against_a_worker_once_another_has_seen_it(world: World) -> None:
    world.put()
    add(world, 1)
    world.tend_gold()
    for worker in "AB":
        answer(world, hit_of(world, 0), worker, "unavailable")
    world.deliver()
    assert taught(world, "A") == taught(world, "B") == Counter()
    answer(world, hit_of(world, 0), "C", "no")
    world.deliver()
    assert taught(world, "A") == taught(world, "B") == Counter({"missed|yes": 1})
    assert taught(world, "C") == Counter({"known|yes|no": 1})
    assert world.paid() == Counter(A=1, B=1, C=1)


def test_an_answer_whose_notification_is_lost_is_found(world: World) -> None:
    world.put()
    add(world, 1)
    world.tend_gold()
    answer(world, hit_of(world, 0), "A", "yes")
    world.lose_notifications()
    world.tend_gold()
    assert taught(world, "A") == Counter({"known|yes|yes": 1})
    assert world.paid() == Counter(A=1)


def test_grades_are_measured_against_the_known_one(world: World) -> None:
    world.put(SIMILARITY_KEY)
    pair = {"image1": {"url": "https://www.example.com/a.jpg"}, "image2": {"url": "https://www.example.com/b.jpg"}}
    world.gold.add(SIMILARITY, pair, {"similarityScore": 0.5})
    world.tend_gold()
    hit_id = world.gold.questions(SIMILARITY)[0].hit_id
    assert hit_id
    answer(world, hit_id, "A", "4")
    world.deliver()
    assert world.skills.everyone(SIMILARITY).workers["AWORKERA"]["deviations"] == 500_000


# Never twice, never too many


def test_a_worker_cannot_do_a_question_twice_not_even_when_it_is_asked_again(world: World) -> None:
    generation = world.put()
    add(world, 1)
    world.tend_gold()
    hit_id = hit_of(world, 0)
    answer(world, hit_id, "A", "yes")
    end(world, generation)
    world.tend_gold(IDLE_AFTER_S)
    world.delete()
    world.put()
    world.tend_gold()
    assert hit_of(world, 0) == hit_id
    with pytest.raises(WorkerError):
        accept(world, hit_id, "A")
    answer(world, hit_id, "B", "yes")


def test_where_the_workplace_has_lost_a_hit_another_is_made_and_a_second_answer_teaches_nothing(world: World) -> None:
    generation = world.put()
    add(world, 1)
    world.tend_gold()
    first = hit_of(world, 0)
    answer(world, first, "A", "yes")
    world.deliver()
    end(world, generation)
    world.tend_gold(IDLE_AFTER_S)
    world.tend_gold()
    world.mturk.delete_hit(HITId=first)
    world.delete()
    world.put()
    world.tend_gold()
    world.tend_gold()
    second = hit_of(world, 0)
    assert second != first
    answer(world, second, "A", "no")
    world.deliver()
    assert taught(world, "A") == Counter({"known|yes|yes": 1})
    assert world.paid() == Counter(A=2)


def test_more_workers_than_a_hit_begins_with_can_answer_it(world: World) -> None:
    world.put()
    add(world, 1)
    world.tend_gold()
    hit_id = hit_of(world, 0)
    for number in range(GOLD_ASSIGNMENTS + 3):
        answer(world, hit_id, f"{number}", "yes")
        world.deliver()
        world.tend_gold()
    assert hit_of(world, 0) == hit_id
    assert world.skills.everyone(CONTAINS).pooled["known|yes|yes"] == (GOLD_ASSIGNMENTS + 3) * 1_000_000


def test_a_hit_can_be_found_as_long_as_some_open_tasks(world: World) -> None:
    add(world, 3)
    opened: list[str] = []
    for _ in range(6):
        opened.append(world.put(replace(KEY, name=f"{world.clock()}")))
        world.tend_gold(HIT_LIFETIME_S // 3)
        if len(opened) == 3:
            end(world, opened.pop(0))
            world.tend_gold()
        deadlines = {world.workplace.get_hit(world.hit_id(each)).expires_at_ms // 1000 for each in opened}
        for number in range(3):
            hit = world.workplace.get_hit(hit_of(world, number))
            assert not hit.expired
            assert hit.expires_at_ms // 1000 in deadlines
    assert [each.hits for each in world.gold.questions(CONTAINS)] == [1, 1, 1]


def test_a_hit_keeps_the_deadline_of_a_task_until_that_ends(world: World) -> None:
    add(world, 1)
    first = world.put()
    world.tend_gold()
    expires_at_ms = world.workplace.get_hit(hit_of(world, 0)).expires_at_ms
    world.put(replace(KEY, name="second"))
    for _ in range(10):
        world.tend_gold()
    assert world.workplace.get_hit(hit_of(world, 0)).expires_at_ms == expires_at_ms
    end(world, first)
    world.tend_gold()
    assert world.workplace.get_hit(hit_of(world, 0)).expires_at_ms > expires_at_ms


def test_of_many_tasks_only_some_are_looked_at(world: World) -> None:
    for number in range(5):
        world.put(replace(KEY, name=f"{number}"))
    assert len(world.store.open_generations(100)) == 5
    assert len(world.store.open_generations(3)) == 3


def test_a_few_are_asked_at_once_and_every_hour_one_gives_way_to_the_next(world: World) -> None:
    add(world, FEWEST_ASKED + 3)
    order = [each.ref for each in world.gold.questions(CONTAINS)]
    world.put()
    world.tend_gold()
    assert [each.ref for each in asked(world)] == order[:FEWEST_ASKED]
    world.tend_gold(MOVE_AFTER_S - 60)
    assert [each.ref for each in asked(world)] == order[:FEWEST_ASKED]
    world.tend_gold()
    assert [each.ref for each in asked(world)] == order[1 : FEWEST_ASKED + 1]
    world.tend_gold()
    assert world.gold.questions(CONTAINS)[0].phase is Phase.WAITING
    for hour in range(2, 4):
        world.put(replace(KEY, name=f"{hour}"))
        world.tend_gold(MOVE_AFTER_S)
    assert [each.ref for each in asked(world)] == order[3:]
    world.put(replace(KEY, name="on"))
    world.tend_gold(MOVE_AFTER_S)
    assert {each.ref for each in asked(world)} == {order[0], *order[4:]}


def test_the_more_tasks_there_are_the_more_questions_are_asked(world: World) -> None:
    add(world, FEWEST_ASKED + 5)
    for number in range(15):
        world.put(replace(KEY, name=f"{number}"))
    world.gold_hits.tend(lambda: 60)
    assert len(asked(world)) == FEWEST_ASKED


# Money


def test_when_there_has_been_no_task_for_a_while_no_hit_is_open_and_no_money_held(world: World) -> None:
    generation = world.put()
    add(world, 3)
    world.tend_gold()
    last_ms = world.clock()
    end(world, generation)
    world.tend_gold()
    assert len(asked(world)) == 3
    assert held_cents(world) == 3 * GOLD_ASSIGNMENTS * CENTS
    world.tend_gold(IDLE_AFTER_S - 1 - (world.clock() - last_ms) // 1000)
    assert len(asked(world)) == 3
    slow = accept(world, hit_of(world, 1), "SLOW")
    world.tend_gold(1)
    assert asked(world) == []
    assert held_cents(world) == CENTS
    world.submit(slow, "no")
    world.lose_notifications()
    world.tend_gold()
    assert held_cents(world) == 0
    assert taught(world, "SLOW") == Counter({"known|yes|no": 1})
    assert {each.phase for each in world.gold.questions(CONTAINS)} == {Phase.WAITING}
    assert audit(world.workplace_table).discrepancies == []


def test_questions_are_asked_only_as_long_as_their_share_of_answers_is_not_used_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gold_hits, "ANSWERS_AT_FIRST", 2)
    add(world, 3)
    world.put()
    assert world.tend_gold()["image-contains"] == 2
    for worker in "AB":
        answer(world, hit_of(world, 0), worker, "yes")
    world.deliver()
    world.deliver()
    assert world.gold.answers_this_month(CONTAINS) == (0, 2)
    assert world.tend_gold()["image-contains"] == 0
    done = world.put(replace(KEY, name="done"))
    world.answer_all(done, ["yes", "no", "yes", "no", "no", "no"])
    world.reconcile()
    world.reconcile()
    assert world.gold.answers_this_month(CONTAINS) == (6, 2)
    world.put(replace(KEY, name="more"))
    assert world.tend_gold()["image-contains"] == 1


def test_one_that_cannot_be_paid_for_keeps_the_others_from_nothing(world: World) -> None:
    generation = world.put()
    add(world, 2)
    spare = world.workplace.requesters.account(REQUESTER.requester_id).available_cents
    world.mturk.create_hit(
        Title="Another", Description="Another", Reward=f"{(spare - GOLD_ASSIGNMENTS * CENTS) // 1.2 / 100:.2f}",
        AssignmentDurationInSeconds=60, LifetimeInSeconds=60, MaxAssignments=1,
        Question=world.mturk.get_hit(HITId=world.hit_id(generation))["HIT"]["Question"],
    )  # fmt: skip
    with pytest.raises(ExceptionGroup) as refused:
        world.gold_hits.tend(lambda: 60)
    assert [type(error).__name__ for error in refused.value.exceptions] == ["InsufficientFunds"]
    assert [each.hit_id is None for each in asked(world)] == [False, True]
    world.tend_gold()
    assert [each.hit_id is None for each in asked(world)] == [False, False]


# Uploading and removing


def test_a_question_is_kept_once_and_with_one_truth(world: World) -> None:
    assert world.gold.add(CONTAINS, question(1), {"containsTarget": True})
    assert not world.gold.add(CONTAINS, question(1), {"containsTarget": True})
    with pytest.raises(InvalidRequest, match="there with the truth"):
        world.gold.add(CONTAINS, question(1), {"containsTarget": False})
    assert len(world.gold.questions(CONTAINS)) == 1


@pytest.mark.parametrize(
    ("task_input", "truth", "complaint"),
    [
        ({**question(1), "more": 1}, {"containsTarget": True}, "input.more"),
        ({"image": {"url": "ftp://a/b"}, "target": {"label": "cat"}}, {"containsTarget": True}, "input.image.url"),
        (question(1), {"containsTarget": "yes"}, "truth.containsTarget"),
        (question(1), {"similarityScore": 1}, "truth.similarityScore"),
        (question(1), None, "truth"),
    ],
)
def test_what_no_task_could_be_or_end_in_is_no_question(
    world: World, task_input: Any, truth: Any, complaint: str
) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        world.gold.add(CONTAINS, task_input, truth)
    assert world.gold.questions(CONTAINS) == []


def test_a_removed_question_is_asked_no_more_and_what_it_taught_is_taken_back(world: World) -> None:
    world.put()
    add(world, 2)
    world.tend_gold()
    kept, removed = (each.ref for each in world.gold.questions(CONTAINS))
    hit_id = hit_of(world, 1)
    for number in range(2):
        answer(world, hit_of(world, number), "A", "no")
    slow = accept(world, hit_id, "SLOW")
    world.deliver()
    world.gold.remove(removed)
    for _ in range(3):
        world.tend_gold()
    with pytest.raises(InvalidRequest, match="in some minutes"):
        world.gold.add(CONTAINS, question(1), {"containsTarget": False})
    world.submit(slow, "yes")
    world.deliver()
    for _ in range(3):
        world.tend_gold()
    assert [each.ref for each in world.gold.questions(CONTAINS)] == [kept]
    assert taught(world, "A") == Counter({"known|yes|no": 1})
    assert taught(world, "SLOW") == Counter()
    assert world.paid() == Counter(A=2, SLOW=1)
    assert world.mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"] == "Disposed"
    assert world.gold.add(CONTAINS, question(1), {"containsTarget": False})
    world.tend_gold()
    assert hit_of(world, 1) != hit_id


def test_what_is_not_there_cannot_be_removed(world: World) -> None:
    with pytest.raises(NotFound):
        world.gold.remove(GoldRef("image-contains", "0" * 24))
    assert world.gold.find(GoldRef("image-contains", "0" * 24)) is None


# Everything may happen twice, and every process may die


@pytest.mark.parametrize("options", [{"twice": True}, {"mortal": True}])
def test_steps_that_die_or_run_twice_ask_once_teach_once_and_pay_once(options: dict[str, bool]) -> None:
    world = World(MemoryDynamoDB(), **options)
    generation = world.put()
    add(world, 2)
    world.tend_gold()
    world.tend_gold()
    for number in range(2):
        answer(world, hit_of(world, number), "A", "yes")
    world.deliver()
    first, second = world.gold.questions(CONTAINS)
    world.gold.remove(second.ref)
    for _ in range(4):
        world.tend_gold()
    end(world, generation)
    world.tend_gold(IDLE_AFTER_S)
    world.tend_gold()
    assert [each.ref for each in world.gold.questions(CONTAINS)] == [first.ref]
    assert taught(world, "A") == Counter({"known|yes|yes": 1})
    assert world.paid() == Counter(A=2)
    assert world.hits_created() == 3
    found = audit(world.workplace_table)
    assert (found.discrepancies, found.held_cents) == ([], 0)


def test_a_workplace_that_is_down_is_said_so_and_tried_again(world: World) -> None:
    world.put()
    add(world, 1)
    world.workplace_is_down = True
    with pytest.raises(ExceptionGroup) as failed:
        world.tend_gold()
    assert all(isinstance(error, RequesterError) for error in failed.value.exceptions)
    world.workplace_is_down = False
    world.tend_gold()
    assert not world.workplace.get_hit(hit_of(world, 0)).expired


@pytest.mark.parametrize(("value", "truth"), [("yes", {"containsTarget": True}), ("no", {"containsTarget": False})])
def test_a_truth_means_what_the_result_would(world: World, value: Value, truth: Any) -> None:
    world.gold.add(CONTAINS, question(1), truth)
    assert world.gold.questions(CONTAINS)[0].truth == value
