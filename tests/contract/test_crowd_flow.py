import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from crowdsight.adjudication.tally import SkillState
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.judging import Grounds
from crowdsight.crowd.recording import GIVE_UP_AFTER_S, LOOK_AFTER_S, MalformedNotification
from crowdsight.crowd.requester import (
    TOKEN_LIFETIME_S,
    AccountSetup,
    Requester,
    RequesterError,
    WorkplaceUnavailable,
)
from crowdsight.crowd.requests import PutTask, Terms
from crowdsight.errors import BudgetExceeded, InvalidRequest, NotFound, StillProcessing
from crowdsight.task_store import Phase
from crowdsight.tasks import ProblemCode, State
from crowdsight.workplace.credentials import Credentials
from tests.contract.crowd_world import CONTAINS_INPUT, HIT_LIFETIME_S, KEY, QUEUE_URL, REQUESTER, SIMILARITY_KEY, World
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.contract.workplace_rig import HTML_QUESTION, OFFER

ANSWER_CENTS = 3  # image-contains: 2 cents and the least fee

NO_GROUNDS = Grounds((), SkillState(), {}, None).document()

MakeWorld = Callable[..., World]


@pytest.fixture
def make_world() -> MakeWorld:
    return lambda **options: World(MemoryDynamoDB(), **options)


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


def problem_of(world: World) -> ProblemCode | None:
    problem = world.get().problem
    return problem.code if problem else None


def asked(world: World, generation_id: str) -> int:
    """How many assignments the workplace has been asked for."""
    return world.workplace.get_hit(world.hit_id(generation_id)).max_assignments


def month_of(world: World) -> str:
    return datetime.fromtimestamp(world.clock() / 1000, UTC).strftime("%Y-%m")


# From answers to a verdict


def test_two_agreeing_answers_complete_a_task_and_are_all_that_is_asked_for(world: World) -> None:
    generation = world.put()
    assert world.get().document()["state"] == "processing"
    world.answer(generation, "A", "yes")
    world.deliver()
    assert world.get().state is State.PROCESSING
    world.answer(generation, "B", "yes")
    world.deliver()
    assert world.get().result == {"containsTarget": True}
    hit = world.workplace.get_hit(world.hit_id(generation))
    assert hit.max_assignments == 2 and hit.expired
    world.settle(generation)
    assert world.paid() == Counter({"A": 1, "B": 1})
    assert world.spent_cents() == 2 * ANSWER_CENTS


def test_a_split_asks_for_one_answer_more_at_a_time_until_one_leads_by_two(world: World) -> None:
    generation = world.put()
    values = ["yes", "no", "no", "yes", "no", "no"]
    for number, value in enumerate(values):
        assert asked(world, generation) == max(2, number + 1)
        world.answer(generation, f"{number}", value)
        world.deliver()
    assert world.get().result == {"containsTarget": False}
    assert asked(world, generation) == 6
    world.settle(generation)
    assert world.paid() == Counter({f"{number}": 1 for number in range(6)})


def test_grades_that_agree_complete_near_their_mean(world: World) -> None:
    generation = world.put(SIMILARITY_KEY)
    world.answer_all(generation, ["3", "3", "3", "3"])
    assert world.get(SIMILARITY_KEY).result == {"similarityScore": pytest.approx(0.75, abs=0.01)}
    world.settle(generation)


def test_after_nine_answers_that_do_not_agree_it_is_given_up_and_never_a_tenth_is_asked_for(world: World) -> None:
    generation = world.put()
    world.answer_all(generation, ["yes", "no"] * 4 + ["yes"])
    assert problem_of(world) is ProblemCode.NO_AGREEMENT
    assert asked(world, generation) == 9
    world.settle(generation)
    assert sum(world.paid().values()) == 9


def test_workers_who_agree_that_the_image_does_not_load_end_the_task(world: World) -> None:
    generation = world.put()
    world.answer_all(generation, ["yes", "unavailable", "unavailable", "unavailable"])
    assert problem_of(world) is ProblemCode.IMAGE_UNAVAILABLE
    world.settle(generation)
    assert sum(world.paid().values()) == 4


def test_an_answer_the_question_never_offered_is_paid_and_decides_nothing(world: World) -> None:
    generation = world.put()
    for worker, value in (("A", "maybe"), ("B", None), ("C", "<script>"), ("D", "yes" * 30)):
        world.answer(generation, worker, value)
        world.deliver()
    assert world.get().state is State.PROCESSING
    world.answer_all(generation, ["no", "no"])
    assert world.get().result == {"containsTarget": False}
    world.settle(generation)
    assert world.paid() == Counter("ABCD01")


def test_nine_nonsense_answers_end_in_no_agreement(world: World) -> None:
    generation = world.put()
    world.answer_all(generation, ["maybe"] * 9)
    assert problem_of(world) is ProblemCode.NO_AGREEMENT
    world.settle(generation)
    assert sum(world.paid().values()) == 9


# Time


def test_a_task_that_nobody_answers_expires_at_the_end_of_its_lifetime_and_not_before(world: World) -> None:
    generation = world.put()
    world.pass_time(HIT_LIFETIME_S - 1)
    world.deliver()
    assert world.get().state is State.PROCESSING
    world.pass_time(2)
    world.deliver()
    assert problem_of(world) is ProblemCode.EXPIRED
    world.settle(generation)
    assert world.spent_cents() == 0


def test_too_few_answers_expire_and_are_paid(world: World) -> None:
    generation = world.put()
    world.answer_all(generation, ["yes"])
    world.pass_time(HIT_LIFETIME_S + 1)
    world.deliver()
    assert problem_of(world) is ProblemCode.EXPIRED
    world.settle(generation)
    assert world.paid() == Counter("0")


def test_who_accepted_at_the_last_moment_can_still_answer_and_decide(world: World) -> None:
    generation = world.put()
    world.answer_all(generation, ["yes"])
    world.pass_time(HIT_LIFETIME_S - 1)
    late = world.accept(generation, "LATE")
    world.pass_time(200)
    world.deliver()
    assert world.get().state is State.PROCESSING
    world.submit(late, "yes")
    world.deliver()
    assert world.get().result == {"containsTarget": True}
    world.settle(generation)
    assert world.paid() == Counter(["0", "LATE"])


def test_with_every_notification_lost_and_no_schedule_the_workflow_still_ends_in_time(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    world.answer(generation, "B", "yes")
    world.lose_notifications()
    world.pass_time(HIT_LIFETIME_S + 300 + 60)
    assert world.get().result == {"containsTarget": True}
    world.settle(generation)


def test_an_abandoned_assignment_is_offered_again(world: World) -> None:
    generation = world.put()
    world.accept(generation, "A")
    world.answer(generation, "B", "no")
    assert not world.can_be_taken(generation)
    world.pass_time(301)
    world.answer(generation, "C", "no")
    world.deliver()
    assert world.get().result == {"containsTarget": False}
    world.settle(generation)
    assert world.paid() == Counter("BC")


# Notifications: early, twice, late, out of order, never


def test_every_notification_twice_changes_nothing(world: World) -> None:
    generation = world.put()
    for number, value in enumerate(["yes", "no", "yes", "yes"]):
        world.answer(generation, f"{number}", value)
        world.notifications *= 2
        world.deliver()
    assert world.get().result == {"containsTarget": True}
    world.settle(generation)
    assert set(world.paid().values()) == {1}


def test_notifications_out_of_order_and_of_a_finished_task_change_nothing(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    world.answer(generation, "B", "yes")
    heard = list(world.notifications)
    world.notifications.reverse()
    world.deliver()
    before = world.get()
    world.notifications = heard * 2
    world.deliver()
    assert world.get() == before
    world.settle(generation)
    world.notifications = heard
    world.deliver()
    world.audit()
    assert world.paid() == Counter("AB")


def test_when_every_notification_is_lost_the_schedule_finds_the_answers(world: World) -> None:
    generation = world.put()
    for worker, value in (("A", "yes"), ("B", "no"), ("C", "yes"), ("D", "yes")):
        world.answer(generation, worker, value)
        world.lose_notifications()
        world.reconcile()
        world.lose_notifications()
    assert world.get().result == {"containsTarget": True}
    world.settle(generation)
    assert world.paid() == Counter("ABCD")


def test_when_the_notification_that_a_hit_expired_is_lost_the_schedule_finds_it_out(world: World) -> None:
    generation = world.put()
    world.pass_time(HIT_LIFETIME_S + 1)
    world.lose_notifications()
    world.reconcile()
    world.lose_notifications()
    assert problem_of(world) is ProblemCode.EXPIRED
    world.settle(generation)


def test_an_answer_that_is_heard_of_before_its_hit_is_recorded_counts(world: World) -> None:
    """The process that created the HIT died before it could write that down; Workers were quicker than the next."""
    task, _ = world.put_task(KEY, CONTAINS_INPUT)
    execution = world.executions.by_generation[task.generation]
    assert execution.state == "CreateHit"
    hit_id = world.attempt(lambda: _publish_and_forget(world, task.generation))
    for worker in ("A", "B"):
        world.workplace.register_worker(f"AWORKER{worker}", worker)
        assignment = world.workplace.accept(hit_id, f"AWORKER{worker}")
        world.submit(assignment.assignment_id, "yes")
    for body in world.notifications:
        world.recorder.record_notification(body)
    world.run()
    assert world.get().result == {"containsTarget": True}
    assert world.hits_created() == 1
    world.settle(task.generation)


def _publish_and_forget(world: World, generation_id: str) -> str:
    other_process = Requester(lambda: world.mturk, QUEUE_URL)
    function = CATALOGUE[KEY.function]
    hit_id, _ = other_process.publish(function, generation_id, HTML_QUESTION, HIT_LIFETIME_S, 2, token=generation_id)
    return hit_id


def test_a_late_answer_after_the_end_is_paid_and_changes_nothing(world: World) -> None:
    generation = world.put()
    world.answer(generation, "A", "unavailable")
    slow = world.accept(generation, "SLOW")
    ended = world.end_early(generation)
    world.reconcile()
    assert not world.can_be_taken(generation)
    world.deliver()
    assert world.get().problem == ended
    world.submit(slow, "yes")
    world.deliver()
    assert world.get().problem == ended
    world.settle(generation)
    assert world.paid() == Counter(["A", "SLOW"])


def test_a_failed_tasks_hit_is_taken_from_the_list_at_once_or_by_the_schedule(world: World) -> None:
    generation = world.put()
    world.publishing.fail_task(generation, ProblemCode.SERVICE_ERROR)
    assert not world.can_be_taken(generation)
    other = world.put(replace(KEY, name="other"))
    world.end_early(other)
    assert world.can_be_taken(other)
    world.reconcile()
    assert not world.can_be_taken(other)


def test_a_hit_whose_creation_was_never_heard_of_is_taken_from_the_list_and_its_answers_are_paid(world: World) -> None:
    task, _ = world.put_task(KEY, CONTAINS_INPUT)
    hit_id = world.attempt(lambda: _publish_and_forget(world, task.generation))
    world.publishing.fail_task(task.generation, ProblemCode.SERVICE_ERROR)
    world.workplace.register_worker("AWORKERA", "A")
    assignment = world.workplace.accept(hit_id, "AWORKERA")
    world.reconcile()
    assert not world.can_be_taken(task.generation)
    world.submit(assignment.assignment_id, "yes")
    world.settle(task.generation)
    assert world.hits_created() == 1
    assert world.paid() == Counter(["A"])


@pytest.mark.parametrize("ending", ["complete", "fail"])
def test_the_last_step_may_come_again_after_the_hit_is_disposed_of(world: World, ending: str) -> None:
    generation = world.put()
    world.answer_all(generation, ["yes", "yes"])
    world.settle(generation)
    before = world.get()
    if ending == "complete":
        world.publishing.close_task(generation, {"containsTarget": False}, NO_GROUNDS)
    else:
        world.publishing.fail_task(generation, ProblemCode.SERVICE_ERROR)
    assert world.get() == before


def test_a_name_that_no_task_can_have_is_not_found_whatever_its_length(world: World) -> None:
    for name in ("x" * 65, "x" * 5000, "a/b", ""):
        for ask in (world.get, world.delete):
            with pytest.raises(NotFound):
                ask(replace(KEY, name=name))


def test_a_task_whose_account_stays_refused_is_asked_about_for_a_day_and_then_settled(world: World) -> None:
    world.mturk = world.mturk_client(replace(REQUESTER, access_key_id="CROWDSIGHTUNKNOWN000"))
    world.boot()
    generation = world.put()
    assert problem_of(world) is ProblemCode.ACCOUNT_SETUP
    with pytest.raises(ExceptionGroup):
        world.reconcile()
    assert world.store.load_generation(generation).phase is Phase.CLOSED
    world.clock.move(TOKEN_LIFETIME_S)
    world.reconcile()
    assert world.store.load_generation(generation).phase is Phase.SETTLED
    assert world.hits_created() == 0


def test_an_answer_to_a_deleted_task_never_reaches_the_next_one_of_its_name(world: World) -> None:
    first = world.put()
    slow = world.accept(first, "SLOW")
    world.answer(first, "A", "yes")
    with pytest.raises(StillProcessing):
        world.delete()
    world.end_early(first)
    world.delete()
    second = world.put()
    assert second != first
    world.submit(slow, "yes")
    world.notifications *= 2
    world.deliver()
    world.reconcile()
    assert world.get().state is State.PROCESSING
    assert world.store.answers(second) == []
    world.answer_all(second, ["no", "no"])
    assert world.get().result == {"containsTarget": False}
    world.settle(first, second)
    assert world.paid() == Counter(["SLOW", "A", "0", "1"])


def test_late_steps_of_a_deleted_task_never_touch_the_next_one_of_its_name(world: World) -> None:
    first = world.put()
    world.end_early(first)
    world.delete()
    second = world.put()
    world.publishing.close_task(first, {"containsTarget": True}, NO_GROUNDS)
    world.publishing.fail_task(first, ProblemCode.EXPIRED)
    world.publishing.extend_hit(first, 3)
    world.judging.await_answer(first, "a late token")
    assert world.get().state is State.PROCESSING
    assert world.get().generation == second
    assert world.can_be_taken(second) and not world.can_be_taken(first)


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", '"x"', "{}", '{"Events": null}', '{"Events": ["x"]}', "[" * 100_000, '{"Events": {"a": 1}}'],
    ids=lambda body: body[:16],
)
def test_what_is_not_a_notification_document_is_an_error(world: World, body: str) -> None:
    with pytest.raises(MalformedNotification):
        world.recorder.record_notification(body)


def test_notifications_of_other_programs_unknown_things_and_tests_are_passed_over(world: World) -> None:
    unknown = "3" + "X" * 29
    foreign = world.mturk.create_hit(**OFFER, RequesterAnnotation="another program's")["HIT"]
    world.workplace.register_worker("AWORKERA", "A")
    world.submit(world.workplace.accept(foreign["HITId"], "AWORKERA").assignment_id, "yes")
    assignment = world.mturk.list_assignments_for_hit(HITId=foreign["HITId"])["Assignments"][0]
    events = [
        {"EventType": "Ping"},
        {"EventType": "AssignmentAccepted", "AssignmentId": unknown, "HITId": unknown},
        {"EventType": "AssignmentSubmitted", "AssignmentId": unknown, "HITId": unknown},
        {"EventType": "AssignmentSubmitted", "AssignmentId": assignment["AssignmentId"], "HITId": foreign["HITId"]},
        {"EventType": "HITReviewable", "HITId": unknown},
        {"EventType": "HITExpired", "HITId": foreign["HITId"]},
    ]
    world.recorder.record_notification(json.dumps({"Events": events}))
    again = world.mturk.get_assignment(AssignmentId=assignment["AssignmentId"])["Assignment"]
    assert again["AssignmentStatus"] == "Submitted", "another program's answers are not ours to pay"


# Steps and processes that run twice or die


SCENARIOS: dict[str, tuple[list[str], object]] = {
    "complete": (["yes", "yes"], {"containsTarget": True}),
    "extended": (["yes", "no", "yes", "yes"], {"containsTarget": True}),
    "unavailable": (["unavailable", "unavailable"], ProblemCode.IMAGE_UNAVAILABLE),
    "expired": (["yes"], ProblemCode.EXPIRED),
}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_running_every_step_twice_changes_nothing(make_world: MakeWorld, scenario: str) -> None:
    _play(make_world(twice=True), scenario)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_process_that_dies_after_any_of_its_calls_changes_nothing(make_world: MakeWorld, scenario: str) -> None:
    _play(make_world(mortal=True), scenario)


def _play(world: World, scenario: str) -> None:
    values, outcome = SCENARIOS[scenario]
    generation = world.put()
    world.reconcile()
    world.answer_all(generation, values)
    if scenario == "expired":
        world.pass_time(HIT_LIFETIME_S + 1)
        world.deliver()
    task = world.get()
    assert (task.result or (task.problem and task.problem.code)) == outcome
    assert asked(world, generation) == max(2, len(values))
    world.settle(generation)
    assert world.hits_created() == 1
    assert world.paid() == Counter({f"{number}": 1 for number in range(len(values))})
    assert world.spent_cents() == len(values) * ANSWER_CENTS


def test_a_task_whose_execution_could_not_be_started_is_started_by_the_schedule(world: World) -> None:
    world.executions.is_down = True
    generation = world.put()
    assert world.get().state is State.PROCESSING
    world.executions.is_down = False
    world.reconcile()
    world.answer_all(generation, ["yes", "yes"])
    assert world.get().result == {"containsTarget": True}
    world.settle(generation)


def test_a_workplace_that_is_down_for_a_while_delays_and_for_good_fails_the_task_as_a_service_error(
    world: World,
) -> None:
    generation = world.put()
    world.answer(generation, "A", "yes")
    world.answer(generation, "B", "yes")
    world.workplace_is_down = True
    with pytest.raises(WorkplaceUnavailable):
        world.hear(world.notifications[0])
    failed = world.put(replace(KEY, name="other"))
    world.workplace_is_down = False
    world.deliver()
    assert world.get().result == {"containsTarget": True}
    problem = world.get(replace(KEY, name="other")).problem
    assert problem and problem.code is ProblemCode.SERVICE_ERROR
    world.settle(generation, failed)


def test_a_task_that_its_workflow_never_ends_fails_as_a_service_error(world: World) -> None:
    generation = world.put()
    world.executions.by_generation.clear()
    world.pass_time(HIT_LIFETIME_S + 300 + 60 + GIVE_UP_AFTER_S)
    world.lose_notifications()
    world.reconcile()
    problem = world.get().problem
    assert problem and problem.code is ProblemCode.SERVICE_ERROR and generation in problem.message
    world.settle(generation)


def test_a_step_that_comes_after_the_end_of_its_task_publishes_nothing(world: World) -> None:
    task, _ = world.put_task(KEY, CONTAINS_INPUT)
    world.publishing.fail_task(task.generation, ProblemCode.SERVICE_ERROR)
    world.publishing.create_hit(task.generation)
    assert world.hits_created() == 0
    world.executions.by_generation.clear()
    world.settle(task.generation)


def test_a_put_that_another_was_quicker_than_is_answered_with_the_others_task(world: World) -> None:
    rivals = []

    def new_id() -> str:
        """Between looking whether the name is free and taking it."""
        rivals.append(world.put())
        return "f" * 32

    unused_workflow: Any = None
    slow = PutTask(world.store, unused_workflow, Terms(HIT_LIFETIME_S, lambda account: 0, 0), new_id)
    task, is_new = slow(KEY, CONTAINS_INPUT)
    assert (task.generation, is_new) == (rivals[0], False)
    assert world.hits_created() == 1


def test_the_same_put_from_many_callers_at_once_creates_one_task_and_one_hit(world: World) -> None:
    with ThreadPoolExecutor(12) as callers:
        puts = list(callers.map(lambda _: world.put_task(KEY, CONTAINS_INPUT), range(12)))
    assert [is_new for _, is_new in puts].count(True) == 1
    assert len({task.generation for task, _ in puts}) == 1
    world.run()
    assert world.hits_created() == 1


# Putting, getting, deleting


def test_a_put_with_an_equal_input_is_the_task_as_it_now_is_and_with_another_is_refused(world: World) -> None:
    generation = world.put()
    reordered = {"target": {"label": "dog"}, "image": CONTAINS_INPUT["image"]}
    world.answer_all(generation, ["yes", "yes"])
    task, is_new = world.put_task(KEY, reordered)
    assert not is_new and task.generation == generation and task.result == {"containsTarget": True}
    with pytest.raises(InvalidRequest, match="different input"):
        world.put_task(KEY, CONTAINS_INPUT | {"target": {"label": "cat"}})
    assert world.hits_created() == 1


def test_a_refused_put_leaves_nothing_behind(world: World) -> None:
    for key, task_input in (
        (replace(KEY, name="a/b"), CONTAINS_INPUT),
        (KEY, CONTAINS_INPUT | {"extra": 1}),
        (replace(KEY, function="image-contains-test"), {}),
    ):
        with pytest.raises(InvalidRequest):
            world.put_task(key, task_input)
    with pytest.raises(NotFound):
        world.put_task(replace(KEY, function="image-color"), CONTAINS_INPUT)
    assert world.executions.by_generation == {}
    assert list(world.store.due_generations()) == []


def test_a_twin_says_processing_once_and_then_always_the_same_result_at_no_cost(world: World) -> None:
    twin = replace(SIMILARITY_KEY, function="image-similarity-test")
    generation = world.put(twin, {"image1": CONTAINS_INPUT["image"], "image2": CONTAINS_INPUT["image"]})
    first = world.get(twin)
    assert first.state is State.COMPLETED and first.generation == generation
    assert [world.get(twin) for _ in range(3)] == [first] * 3
    assert world.executions.by_generation == {} and world.hits_created() == 0
    world.delete(twin)
    with pytest.raises(NotFound):
        world.get(twin)


# Money and the requester account


def test_without_funds_a_task_fails_as_insufficient_funds(make_world: MakeWorld) -> None:
    world = make_world(funds_cents=2 * ANSWER_CENTS - 1, budget_cents=1000)
    generation = world.put()
    assert problem_of(world) is ProblemCode.INSUFFICIENT_FUNDS
    assert world.hits_created() == 0
    world.settle(generation)
    assert world.committed_cents(month_of(world)) == 0


def test_when_the_funds_end_at_an_extension_the_task_fails_and_what_was_answered_is_paid(make_world: MakeWorld) -> None:
    world = make_world(funds_cents=2 * ANSWER_CENTS)
    generation = world.put()
    world.answer_all(generation, ["yes", "no"])
    assert problem_of(world) is ProblemCode.INSUFFICIENT_FUNDS
    world.settle(generation)
    assert world.paid() == Counter("01")


def test_a_refused_requester_account_fails_the_task_as_account_setup(world: World) -> None:
    world.mturk = world.mturk_client(replace(REQUESTER, access_key_id="CROWDSIGHTUNKNOWN000"))
    world.boot()
    world.put()
    assert problem_of(world) is ProblemCode.ACCOUNT_SETUP
    world.mturk = world.mturk_client(replace(REQUESTER, secret_access_key="not the right one"))
    world.boot()
    with pytest.raises(AccountSetup):
        world.publishing.create_hit(world.put_task(replace(KEY, name="other"), CONTAINS_INPUT)[0].generation)


def test_a_task_that_the_budget_does_not_cover_is_refused_and_fits_again_when_another_has_ended(
    make_world: MakeWorld,
) -> None:
    worst_case_cents = 9 * ANSWER_CENTS
    world = make_world(budget_cents=worst_case_cents + 2 * ANSWER_CENTS)
    month = month_of(world)
    generation = world.put()
    other = replace(KEY, name="other")
    with pytest.raises(BudgetExceeded):
        world.put_task(other, CONTAINS_INPUT)
    assert world.committed_cents(month) == worst_case_cents
    world.answer_all(generation, ["yes", "yes"])
    world.settle(generation)
    assert world.committed_cents(month) == 2 * ANSWER_CENTS == world.spent_cents()
    assert world.put(other)


def test_an_answer_that_comes_late_is_in_what_the_budget_says_was_spent(make_world: MakeWorld) -> None:
    world = make_world(budget_cents=1000)
    month = month_of(world)
    generation = world.put()
    world.answer_all(generation, ["yes", "no"])
    slow = world.accept(generation, "SLOW")
    world.end_early(generation)
    world.reconcile()
    world.submit(slow, "maybe")
    world.lose_notifications()
    world.settle(generation)
    assert world.paid() == Counter(["0", "1", "SLOW"])
    assert world.committed_cents(month) == 3 * ANSWER_CENTS == world.spent_cents()


def test_a_generation_that_the_workplace_refuses_does_not_keep_the_others_waiting(world: World) -> None:
    """The first one's HIT is another requester's; whatever is asked about it is refused."""
    broken, _ = world.put_task(KEY, CONTAINS_INPUT)
    world.store.set_hit(broken.generation, "not-a-hit-id", 2)
    good = world.put(replace(KEY, name="other"))
    world.answer(good, "A", "yes")
    world.answer(good, "B", "yes")
    world.lose_notifications()
    world.clock.move(LOOK_AFTER_S)
    try:
        world.recorder.reconcile(lambda: 60)
    except ExceptionGroup as errors:
        assert errors.subgroup(RequesterError)
    world.run()
    assert world.get(replace(KEY, name="other")).state is State.COMPLETED


def test_reconciliation_stops_in_time(world: World) -> None:
    for name in ("a", "b", "c"):
        world.put(replace(KEY, name=name))
    world.clock.move(1)
    left_s = iter((30, 11, 9))
    assert world.recorder.reconcile(lambda: next(left_s)) == 2
    assert len(list(world.store.due_generations())) == 1


def test_nothing_is_ever_paid_from_another_requesters_account(world: World) -> None:
    other = world.add_requester(Credentials("A2ANOTHER", "CROWDSIGHTANOTHER000", "its secret"), 500)
    generation = world.put()
    world.answer_all(generation, ["yes", "yes"])
    world.settle(generation)
    assert other.get_account_balance()["AvailableBalance"] == "5.00"
    assert world.spent_cents() == 2 * ANSWER_CENTS
    found = world.store.generation(generation)
    assert found and found.phase is Phase.SETTLED
