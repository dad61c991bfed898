"""A search's handler counts it, whatever becomes of it, and tells how the account stands."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from crowdsight.accounts.allowance import RESERVATION_S
from crowdsight.accounts.ledger import EntryKind
from crowdsight.errors import InvalidRequest
from crowdsight.http import Answer
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search_http import CORS, SimilarBody, enveloped, search_operation
from tests.conftest import StoppedClock
from tests.contract.account_world import TERMS, AccountWorld
from tests.contract.interruptions import Killed, kill
from tests.contract.memory_dynamodb import MemoryDynamoDB
from tests.proxy_event import REQUEST_ID, proxy_event

ALLOWANCE = {"X-Allowance-Limit", "X-Allowance-Remaining", "X-Allowance-Reset"}

Call = Callable[..., tuple[int, dict[str, Any], dict[str, str]]]


@pytest.fixture
def world(clock: StoppedClock) -> AccountWorld:
    world = AccountWorld(MemoryDynamoDB(), clock)
    world.accounts.store.create("ann")
    return world


@pytest.fixture
def call(world: AccountWorld) -> Call:
    """Make a search that does this; its status, its envelope and its headers."""

    def call(
        work: Callable[[], object] = lambda: None, sent: str = '{"text": "a dog"}'
    ) -> tuple[int, dict[str, Any], dict[str, str]]:
        @search_operation(world.new_process().allowance)
        def handler(request: ProxyRequest, body: SimilarBody) -> Answer:
            work()
            return enveloped({"images": [body.text]})

        event = proxy_event("POST", "/", body=sent, caller={"account": "ann", "key_id": "k"})
        answered = handler(event, None)
        return answered["statusCode"], json.loads(answered["body"]), answered["headers"]

    return call


def fail_with(error: Exception) -> Callable[[], object]:
    def fail() -> None:
        raise error

    return fail


def test_every_answer_tells_how_many_free_ones_are_left_and_until_when(world: AccountWorld, call: Call) -> None:
    for left in (2, 1, 0):
        status, body, headers = call()
        assert (status, json.loads(body["body"])) == (200, {"images": ["a dog"]})
        standing = world.accounts.allowance.standing("ann")
        assert headers["X-Allowance-Limit"] == str(TERMS.free_searches)
        assert headers["X-Allowance-Remaining"] == str(left) == str(standing.free_left)
        assert headers["X-Allowance-Reset"] == str(standing.resets_at_s)
        assert CORS.items() <= headers.items()


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [(InvalidRequest("no such thing"), 400, "no such thing"), (KeyError("arn:aws:s3:::secret"), 500, REQUEST_ID)],
)
def test_a_search_that_fails_is_free_and_its_error_is_in_the_envelope(
    world: AccountWorld, call: Call, error: Exception, status: int, message: str
) -> None:
    answered, body, headers = call(fail_with(error))
    assert (answered, body["statusCode"], body["headers"]) == (status, status, CORS)
    assert body.keys() == {"statusCode", "error", "headers"}
    assert message in body["error"] and "arn:" not in body["error"]
    assert headers["X-Allowance-Remaining"] == str(TERMS.free_searches)
    assert world.accounts.allowance.standing("ann").free_used == 0


def test_requests_that_call_themselves_alike_are_each_counted_and_paid_for(world: AccountWorld, call: Call) -> None:
    """Callers choose a request's id, by the header X-Amzn-RequestId."""
    world.accounts.ledger.top_up("ann", 4, "r")
    for _ in range(TERMS.free_searches):
        call()
    statuses = []
    assert call(lambda: statuses.append(call()[0]))[0] == 200
    statuses.append(call()[0])
    assert statuses == [200, 402]
    assert world.accounts.store.account("ann").balance_cents == 0
    entries = [entry for entry in world.accounts.ledger.entries("ann") if entry.kind is EntryKind.SEARCH]
    assert [(entry.cents, entry.request_id) for entry in entries] == [(-2, REQUEST_ID)] * 2
    assert len({entry.reference for entry in entries}) == 2
    assert world.accounts.ledger.discrepancies("ann") == []


def test_402_says_how_to_top_up_and_nothing_is_done(world: AccountWorld, call: Call) -> None:
    world.accounts.ledger.top_up("ann", 1, "r")
    for _ in range(TERMS.free_searches):
        call()
    done: list[int] = []
    status, body, headers = call(lambda: done.append(1))
    assert (status, body["statusCode"], done) == (402, 402, [])
    assert body.keys() == {"statusCode", "error", "headers"}
    assert "balance of 1 cents" in body["error"] and "admin topup ann" in body["error"]
    assert headers["X-Allowance-Remaining"] == "0"
    world.accounts.ledger.top_up("ann", 1, "another")
    assert call(lambda: done.append(1))[0] == 200
    assert done == [1]
    assert world.accounts.store.account("ann").balance_cents == 0


def test_a_search_whose_cents_cannot_be_booked_is_no_success_and_costs_nothing(world: AccountWorld, call: Call) -> None:
    world.accounts.ledger.top_up("ann", 2, "r")
    for _ in range(TERMS.free_searches):
        call()

    def lose_the_database() -> None:
        world.interruptions.arm(0, fail_with(ConnectionError("no database")))

    status, body, headers = call(lose_the_database)
    assert (status, "correlation id" in body["error"]) == (500, True)
    assert headers.keys() > ALLOWANCE
    world.clock.move(RESERVATION_S)
    assert world.accounts.allowance.standing("ann").balance_cents == 2
    assert world.accounts.ledger.discrepancies("ann") == []


def test_a_search_that_is_killed_is_given_back(world: AccountWorld, call: Call) -> None:
    with pytest.raises(Killed):
        call(kill)
    assert world.accounts.allowance.standing("ann").free_used == 1
    world.clock.move(RESERVATION_S)
    assert world.accounts.allowance.standing("ann").free_used == 0


def test_a_search_that_was_given_back_before_it_ended_is_no_success(world: AccountWorld, call: Call) -> None:
    def take_too_long() -> None:
        world.clock.move(RESERVATION_S)
        held, _ = world.accounts.allowance.reserve("ann")
        world.accounts.allowance.release("ann", held)

    status, body, headers = call(take_too_long)
    assert status == 500 and "too long" in body["error"]
    assert headers["X-Allowance-Remaining"] == str(TERMS.free_searches)
    assert world.accounts.allowance.standing("ann").free_used == 0


@pytest.mark.parametrize("sent", ["", "{", "[]", "{}", '{"text": ""}', '{"text": "a", "num_similar": 51}'])
def test_a_body_that_is_not_valid_holds_nothing_and_is_told_so_even_when_nothing_is_left(
    world: AccountWorld, call: Call, sent: str
) -> None:
    for left in (TERMS.free_searches, 0):
        before = world.accounts.store.account("ann")
        status, body, headers = call(sent=sent)
        assert (status, body["statusCode"]) == (400, 400)
        assert headers["X-Allowance-Remaining"] == str(left)
        assert world.accounts.store.account("ann") == before
        while call()[0] == 200:
            pass


@pytest.mark.parametrize("lost", range(2), ids=["giving back", "reading"])
def test_an_answer_that_is_made_is_not_changed_by_what_fails_after_it(
    world: AccountWorld, call: Call, lost: int
) -> None:
    def fail() -> None:
        world.interruptions.arm(lost, fail_with(ConnectionError("no database")))
        raise InvalidRequest("no such thing")

    status, body, headers = call(fail)
    assert (status, body["error"]) == (400, "no such thing")
    assert headers.keys() > ALLOWANCE
    world.clock.move(RESERVATION_S)
    assert world.accounts.allowance.standing("ann").free_used == 0


def test_a_body_that_is_not_valid_is_told_so_without_a_database_too(world: AccountWorld, call: Call) -> None:
    world.interruptions.arm(0, fail_with(ConnectionError("no database")))
    assert call(sent="{}")[0] == 400
