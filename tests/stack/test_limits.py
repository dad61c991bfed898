"""What is answered when something is used up: a crowd budget, or the requests a second.

That a HIT's time or the requester's money is, ends a task: see test_tasks.
"""

import concurrent.futures

from tests.stack.account_hands import Account
from tests.stack.crowd_hands import CONTAINS, SIMILARITY, hits_of, similarity_input
from tests.stack.raw_http import Api, Reply, assert_is_error, task_target
from tests.stack.running_stack import RunningStack, wait_for


def test_402_is_a_budget_that_the_task_could_exceed_and_nothing_is_published(limited: RunningStack) -> None:
    """A similarity task may cost 27 cents, so that at most four fit into 130."""
    api = Api(limited["api_url"], limited["api_key"])
    names = [f"limits-402-{number}" for number in range(5)]
    replies = [api.put(SIMILARITY, name, similarity_input(name)) for name in names]
    refused = [name for name, reply in zip(names, replies, strict=True) if reply.status == 402]
    assert {reply.status for reply in replies} <= {201, 402} and refused
    assert "budget" in assert_is_error(replies[names.index(refused[-1])], 402, "BudgetExceeded")
    for name in refused:
        assert api.get(SIMILARITY, name).status == 404
        assert not hits_of(limited, name)


def test_a_key_that_is_used_too_fast_is_429_and_another_accounts_is_served(limited: RunningStack) -> None:
    hasty, calm = Account(limited, "hasty").api, Account(limited, "calm").api

    def throttled() -> Reply | None:
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            replies = list(pool.map(lambda _: hasty.request_once("GET", "/account"), range(12)))
        assert {reply.status for reply in replies} <= {200, 429}
        return next((reply for reply in replies if reply.status == 429), None)

    reply = wait_for("a request too many", throttled)
    assert_is_error(reply, 429, "TooManyRequests")
    assert reply.headers["retry-after"] == "1"
    assert [calm.request("GET", "/account").status for _ in range(2)] == [200, 200]
    wait_for("the next second", lambda: hasty.request_once("GET", "/account").status == 200)


def test_429_says_when_to_try_again_and_then_the_request_is_taken(limited: RunningStack) -> None:
    api = Api(limited["api_url"], limited["api_key"])
    target = task_target(CONTAINS, "limits-429")

    def throttled() -> Reply | None:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(lambda _: api.request_once("GET", target), range(64)))
        assert {reply.status for reply in replies} <= {404, 429}
        return next((reply for reply in replies if reply.status == 429), None)

    reply = wait_for("a request too many", throttled)
    assert_is_error(reply, 429, "TooManyRequests")
    assert reply.headers["retry-after"] == "1"
    wait_for("the next second", lambda: api.request_once("GET", target).status == 404)
