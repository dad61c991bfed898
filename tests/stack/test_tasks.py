"""Crowd tasks from their PUT to their end, seen by their caller, their Workers and the requester account."""

import concurrent.futures
import json
from collections import Counter
from decimal import Decimal
from functools import partial
from typing import Any

import pytest

from tests.stack.crowd_hands import (
    CONTAINS,
    SIMILARITY,
    UNANSWERED,
    Hands,
    all_hits,
    answer_all,
    contains_input,
    hits_of,
    similarity_input,
    wait_for_hit,
)
from tests.stack.raw_http import Api, Reply, task_target
from tests.stack.running_stack import RunningStack, wait_for

AT_ONCE = 50
REWARD_CENTS = 2
LAST_MARGIN_S = 120.0
"""How long after its HIT's 60 seconds a task may take to end on a slow machine."""


def test_of_50_equal_puts_at_once_one_creates_the_task_and_its_one_hit(api: Api, running: RunningStack) -> None:
    name = "at-once"
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        replies = list(pool.map(lambda _: api.put(CONTAINS, name, contains_input(name)), range(AT_ONCE)))
    assert Counter(reply.status for reply in replies) == {201: 1, 200: AT_ONCE - 1}
    assert len({reply.body for reply in replies}) == 1
    hit_id = wait_for_hit(running, name)
    assert api.put(CONTAINS, name, contains_input(name)).status == 200
    assert [hit["HITId"] for hit in hits_of(running, name)] == [hit_id]


def test_of_50_different_puts_at_once_one_creates_the_task_and_the_others_are_refused(
    api: Api, running: RunningStack
) -> None:
    name = "at-once-different"
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(
            pool.map(lambda number: api.put(CONTAINS, name, contains_input(f"{name}-{number}")), range(AT_ONCE))
        )
    assert Counter(reply.status for reply in replies) == {201: 1, 400: AT_ONCE - 1}
    [winner] = [number for number, reply in enumerate(replies) if reply.status == 201]
    assert api.get(CONTAINS, name).document["input"] == contains_input(f"{name}-{winner}")
    wait_for_hit(running, f"{name}-{winner}")
    assert len([hit for hit in all_hits(running) if f"/{name}-" in hit["Question"]]) == 1


def test_a_task_ends_with_what_two_workers_agree_on_who_are_paid_and_its_hit_is_disposed_of(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    name = "agreed"
    wait_until_paid(running)
    paid_before_cents = running.operator.audit().rewards_paid_cents
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    hit_id = answer_all(running, hands[:2], name, "no")
    assert wait_for_end(api, name)["result"] == {"containsTarget": False}
    wait_for("its HIT to be disposed of", lambda: _status_of(running, hit_id) == "Disposed", LAST_MARGIN_S)
    audit = running.operator.audit()
    assert audit.rewards_paid_cents - paid_before_cents == 2 * REWARD_CENTS
    assert audit.discrepancies == []


def test_an_audit_tells_who_answered_what_and_what_it_cost_and_no_workers_name(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    name = "audited"
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    hit_id = answer_all(running, hands[:2], name, "yes")
    wait_for_end(api, name)
    audit = api.request("GET", f"{task_target(CONTAINS, name)}/audit").document
    assert [answer["answer"] for answer in audit["answers"]] == ["yes", "yes"]
    assert audit["answers"][0]["confidence"] < audit["answers"][1]["confidence"] < 1
    assert (audit["state"], audit["stopped"], audit["cents"]) == ("completed", "confident", 2 * REWARD_CENTS)
    assignments = running.mturk.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    workers = {assignment["WorkerId"] for assignment in assignments}
    assert len({answer["worker"] for answer in audit["answers"]}) == 2
    assert not workers & {answer["worker"] for answer in audit["answers"]}


def test_workers_who_disagree_are_joined_by_others_until_one_answer_leads_by_two(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    name = "disagreed"
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    hit_id = wait_for_hit(running, name)
    with Hands(running, "Dev") as dev:
        for worker, answer in zip([*hands, dev], ("no", "yes", "yes", "yes"), strict=True):
            wait_for("a place at the HIT", partial(_can_accept, worker, hit_id))
            assert api.get(CONTAINS, name).document["state"] == "processing"
            worker.answer(hit_id, answer)
    assert wait_for_end(api, name)["result"] == {"containsTarget": True}


def test_workers_who_agree_that_the_image_does_not_load_end_the_task_with_that_problem(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    name = "unavailable"
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    answer_all(running, hands[:2], name, "unavailable")
    assert wait_for_end(api, name)["problemDetails"] == {
        "code": "ImageUnavailable",
        "message": "Workers agree that an image of your task does not load.",
    }


def test_answers_that_were_never_offered_are_paid_and_do_not_count(
    api: Api, running: RunningStack, hands: list[Hands]
) -> None:
    name = "not-offered"
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    hit_id = wait_for_hit(running, name)
    for worker, answer in zip(hands, ("maybe", "yes", "yes"), strict=True):
        wait_for("a place at the HIT", partial(_can_accept, worker, hit_id))
        worker.answer(hit_id, answer)
    assert wait_for_end(api, name)["result"] == {"containsTarget": True}
    wait_for("all three to be paid", lambda: _are_paid(running, hit_id, 3))


@pytest.mark.parametrize("same_input", [True, False])
def test_a_late_answer_to_a_deleted_task_is_paid_and_does_not_touch_the_next_task_of_that_name(
    api: Api, running: RunningStack, hands: list[Hands], same_input: bool
) -> None:
    name = f"late-{same_input}"
    second = name if same_input else f"{name}-second"
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    first_hit_id = wait_for_hit(running, name)
    # A third place, so that somebody still works at the HIT when the other two have decided the task.
    running.mturk.create_additional_assignments_for_hit(HITId=first_hit_id, NumberOfAdditionalAssignments=1)
    late_work = hands[2].accept(first_hit_id)
    for worker in hands[:2]:
        worker.answer(first_hit_id, "yes")
    assert wait_for_end(api, name)["result"] == {"containsTarget": True}
    assert api.delete(CONTAINS, name).status == 204

    assert api.put(CONTAINS, name, contains_input(second)).status == 201
    second_hit_id = wait_for_hit(running, second, but_not=first_hit_id)
    assert hands[2].submit(late_work, "yes").status < 400
    wait_for("the late answer to be paid", lambda: _are_paid(running, first_hit_id, 3))
    assert api.get(CONTAINS, name).document["state"] == "processing"
    hands[0].answer(second_hit_id, "no")
    assert api.get(CONTAINS, name).document["state"] == "processing"  # the late yes is not its first answer
    hands[1].answer(second_hit_id, "no")
    assert wait_for_end(api, name)["result"] == {"containsTarget": False}
    assert _are_paid(running, second_hit_id, 2)


def test_a_twin_has_no_hit_costs_nothing_and_gives_each_task_one_random_result_for_good(
    api: Api, running: RunningStack
) -> None:
    wait_until_paid(running)
    hits_before, paid_before_cents = _hit_ids(running), running.operator.audit().rewards_paid_cents
    results: dict[str, list[str]] = {CONTAINS: [], SIMILARITY: []}
    for number in range(20):
        for function, task_input in (
            (CONTAINS, contains_input("twin")),
            (SIMILARITY, similarity_input("twin")),
        ):
            twin, name = f"{function}-test", f"twin-{number}"
            put = api.put(twin, name, task_input)
            assert (put.status, put.document["state"], put.document["result"]) == (201, "processing", None)
            got = api.get(twin, name)
            assert (got.status, got.document["state"]) == (200, "completed")
            assert api.get(twin, name).document == got.document == api.put(twin, name, task_input).document
            results[function].append(json.dumps(got.document["result"]))
    assert set(results[CONTAINS]) == {'{"containsTarget": true}', '{"containsTarget": false}'}
    scores = [json.loads(result)["similarityScore"] for result in results[SIMILARITY]]
    assert all(0 <= score <= 1 for score in scores) and len(set(scores)) > 3
    assert _hit_ids(running) <= hits_before
    assert running.operator.audit().rewards_paid_cents == paid_before_cents


def test_a_twin_and_its_function_do_not_share_names(api: Api) -> None:
    assert api.put(CONTAINS, "shared-name", contains_input("shared-name")).status == 201
    assert api.get(f"{CONTAINS}-test", "shared-name").status == 404
    assert api.put(f"{CONTAINS}-test", "shared-name", contains_input("another")).status == 201
    assert api.get(CONTAINS, "shared-name").document["input"] == contains_input("shared-name")


def test_a_hit_that_a_requester_ends_early_ends_its_task_as_expired(api: Api, running: RunningStack) -> None:
    name = "ended-early"
    assert api.put(CONTAINS, name, contains_input(name)).status == 201
    hit_id = wait_for_hit(running, name)
    running.mturk.update_expiration_for_hit(HITId=hit_id, ExpireAt=0)
    assert wait_for_end(api, name)["problemDetails"]["code"] == "Expired"


def test_a_task_that_nobody_answers_in_time_ends_as_expired_and_costs_nothing(limited: RunningStack) -> None:
    api = Api(limited["api_url"], limited["api_key"])
    ended = wait_for_end(api, UNANSWERED, deadline_s=60 + LAST_MARGIN_S)
    assert ended["problemDetails"] == {
        "code": "Expired",
        "message": "Not enough Workers provided answers for your task within the allotted time.",
    }
    wait_for("its HIT to be disposed of", lambda: not hits_of(limited, UNANSWERED), LAST_MARGIN_S)
    audit = limited.operator.audit()
    assert (audit.rewards_paid_cents, audit.fees_cents, audit.discrepancies) == (0, 0, [])


def test_a_task_that_the_requester_account_cannot_pay_for_ends_with_that_problem(limited: RunningStack) -> None:
    """And the crowd budget is free again once the tasks that took it up have ended."""
    api = Api(limited["api_url"], limited["api_key"])
    name = "no-funds"
    wait_for("tasks before it to have ended", lambda: not all_hits(limited), 60 + LAST_MARGIN_S)
    balance = Decimal(limited.mturk.get_account_balance()["AvailableBalance"])
    everything = limited.mturk.create_hit(
        Title="Everything the account has",
        Description="But three cents.",
        Reward=str(balance - Decimal("0.03")),
        MaxAssignments=1,
        AssignmentDurationInSeconds=600,
        LifetimeInSeconds=600,
        Question=question_of_another_program(),
    )["HIT"]["HITId"]
    try:
        put = wait_for("budget for it", lambda: _taken(api.put(CONTAINS, name, contains_input(name))), LAST_MARGIN_S)
        assert put.status == 201
        assert wait_for_end(api, name)["problemDetails"] == {
            "code": "InsufficientFunds",
            "message": "The requester account does not have the funds for the HIT of your task.",
        }
    finally:
        limited.mturk.update_expiration_for_hit(HITId=everything, ExpireAt=0)
        limited.mturk.delete_hit(HITId=everything)
    assert Decimal(limited.mturk.get_account_balance()["AvailableBalance"]) == balance


def question_of_another_program() -> str:
    """A question of somebody else's program."""
    schema = "http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2011-11-11/HTMLQuestion.xsd"
    page = "<!DOCTYPE html><form><input name=answer></form>"
    content = f"<HTMLContent><![CDATA[{page}]]></HTMLContent><FrameHeight>0</FrameHeight>"
    return f'<HTMLQuestion xmlns="{schema}">{content}</HTMLQuestion>'


def wait_for_end(api: Api, name: str, deadline_s: float = 90.0) -> dict[str, Any]:
    def ended() -> dict[str, Any] | None:
        reply = api.get(CONTAINS, name)
        return reply.document if reply.status == 200 and reply.document["state"] != "processing" else None

    return wait_for(f"{name} to end", ended, deadline_s)


def wait_until_paid(running: RunningStack) -> None:
    """No answer of any task waits for its pay."""

    def nothing_waits() -> bool:
        return all(_are_paid(running, hit["HITId"]) for hit in all_hits(running))

    wait_for("everyone to be paid", nothing_waits)


def _are_paid(running: RunningStack, hit_id: str, count: int | None = None) -> bool:
    """Whether all answers to the HIT, and that many of them, are approved."""
    answers = running.mturk.list_assignments_for_hit(HITId=hit_id)["Assignments"]
    return {answer["AssignmentStatus"] for answer in answers} <= {"Approved"} and count in (None, len(answers))


def _can_accept(worker: Hands, hit_id: str) -> bool:
    return worker.open(f"/hits/{hit_id}").form_to("/accept") is not None


def _hit_ids(running: RunningStack) -> set[str]:
    return {hit["HITId"] for hit in all_hits(running)}


def _status_of(running: RunningStack, hit_id: str) -> str:
    return str(running.mturk.get_hit(HITId=hit_id)["HIT"]["HITStatus"])


def _taken(reply: Reply) -> Reply | None:
    return None if reply.status == 402 else reply
