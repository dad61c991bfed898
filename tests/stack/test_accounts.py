"""Accounts over HTTP: keys, the allowance of searches, balances, budgets, and what an operator sees of them."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from crowdsight.accounts.keys import KEY, new_key
from infra.api import AUTHORIZER_TTL_S
from tests.stack.account_hands import Account, admin
from tests.stack.crowd_hands import SIMILARITY, contains_input, similarity_input
from tests.stack.raw_http import Api, Reply, assert_is_enveloped_error, assert_is_error, assert_key_is_refused
from tests.stack.running_stack import RunningStack, wait_for

TWIN = "image-contains-test"
ALLOWANCE = ("x-allowance-limit", "x-allowance-remaining", "x-allowance-reset")


@pytest.fixture
def account(running: RunningStack) -> Account:
    return Account(running, "caller")


def search(api: Api, **query: object) -> Reply:
    return api.request("POST", "/", json.dumps(query or {"text": "a dog"}))


# Keys


def test_a_new_account_is_used_with_its_key_at_once_and_told_of_itself(account: Account) -> None:
    assert KEY.fullmatch(account.key)
    document = account.standing()
    assert (document["account"], document["balance_cents"]) == (account.name, 0)
    assert (document["searches"]["free"], document["searches"]["free_left"], document["searches"]["paid"]) == (
        100,
        100,
        0,
    )
    month = document["crowd"].pop("month")
    assert re.fullmatch(r"\d{4}-\d{2}", month)
    assert document["crowd"] == {"budget_cents": None, "committed_cents": 0}


@pytest.mark.parametrize("path", ["/account", "/account/key"])
def test_an_account_is_nobodys_without_a_key(api: Api, path: str) -> None:
    verb = "GET" if path == "/account" else "POST"
    assert_key_is_refused(api.request(verb, path, api_key=None), 401, "Missing an API key")
    assert_key_is_refused(api.request(verb, path, api_key=new_key()), 403, "Invalid API key")


@pytest.fixture(scope="module", autouse=True)
def revoked(running: RunningStack) -> Api:
    """A key that was used and then revoked, before all of these tests."""
    account = Account(running, "revoked")
    used, unused = (account.admin("keys", "create", account.name)[0] for _ in range(2))
    of_used, of_unused = (Api(running["api_url"], made["api_key"]) for made in (used, unused))
    assert of_used.request("GET", "/account").status == 200
    for made in (used, unused):
        account.admin("keys", "revoke", account.name, made["key_id"])
    assert_key_is_refused(of_unused.request("GET", "/account"), 403, "Invalid API key")
    assert len(account.admin("keys", "list", account.name)) == 1
    assert account.standing()["account"] == account.name
    return of_used


def test_callers_rotate_their_own_key_and_both_work_for_the_overlap(account: Account, running: RunningStack) -> None:
    reply = account.api.request("POST", "/account/key", json.dumps({"overlap_s": 600}))
    assert (reply.status, reply.headers["cache-control"]) == (201, "no-store")
    rotated = Api(running["api_url"], reply.document["api_key"])
    assert rotated.request("GET", "/account").document == account.standing()
    listed = {key["key_id"]: key["expires_at"] for key in account.admin("keys", "list", account.name)}
    assert listed.pop(reply.document["key_id"]) is None
    (expires_at,) = listed.values()
    assert expires_at[:19] == reply.document["previous_key_expires_at"][:19]
    assert_is_error(account.api.request("POST", "/account/key"), 409, "KeyIsEnding")
    assert rotated.request("POST", "/account/key").status == 201


@pytest.mark.parametrize("body", ["[]", "{", '{"overlap_s": -1}', '{"overlap_s": 604801}', '{"key": "mine"}'])
def test_a_rotation_that_makes_no_sense_is_400_and_makes_no_key(account: Account, body: str) -> None:
    assert_is_error(account.api.request("POST", "/account/key", body), 400, "InvalidRequest")
    assert len(account.admin("keys", "list", account.name)) == 1


def test_an_account_has_ten_keys_at_most(account: Account, running: RunningStack) -> None:
    for _ in range(9):
        account.admin("keys", "create", account.name)
    assert_is_error(account.api.request("POST", "/account/key"), 409, "TooManyKeys")
    admin(running, "keys", "create", account.name, code=1)
    assert account.api.request("POST", "/account/key", '{"overlap_s": 0}').status == 201
    assert len(account.admin("keys", "list", account.name)) == 10


# The allowance


def test_every_answer_to_a_search_tells_what_is_left_and_a_failed_one_costs_nothing(account: Account) -> None:
    found, refused = search(account.api), search(account.api, text="a", num_similar=51)
    assert (found.status, refused.status) == (200, 400)
    for reply in (found, refused):
        assert [reply.headers[name] for name in ALLOWANCE[:2]] == ["100", "99"]
        assert int(reply.headers[ALLOWANCE[2]]) % 86_400 == 0
    assert account.standing()["searches"]["free_used"] == 1


def test_402_is_a_day_without_free_ones_and_a_balance_that_does_not_reach(account: Account) -> None:
    account.admin("accounts", "set", account.name, "--free-searches", "1", "--price-cents", "7")
    account.top_up(13)
    assert [search(account.api).status for _ in range(2)] == [200, 200]
    refused = search(account.api)
    message = assert_is_enveloped_error(refused, 402)
    assert "6 cents" in message and "7" in message and f"admin topup {account.name}" in message
    assert [refused.headers[name] for name in ALLOWANCE[:2]] == ["1", "0"]
    assert_is_enveloped_error(search(account.api, text=""), 400)
    account.top_up(1)
    assert search(account.api).status == 200
    document = account.standing()
    assert (document["balance_cents"], document["searches"]["paid"], document["searches"]["price_cents"]) == (0, 2, 7)
    entries = account.admin("usage", account.name, "--ledger")
    assert Counter((entry["kind"], entry["cents"]) for entry in entries) == {
        ("top-up", 13): 1,
        ("top-up", 1): 1,
        ("search", -7): 2,
    }


def test_of_500_searches_at_once_exactly_250_succeed(account: Account, running: RunningStack) -> None:
    account.top_up(150)
    with ThreadPoolExecutor(32) as threads:
        replies = list(threads.map(lambda _: search(account.api), range(500)))
    assert Counter(reply.status for reply in replies) == {200: 250, 402: 250}
    assert {reply.headers["x-allowance-limit"] for reply in replies} == {"100"}
    document = account.standing()
    assert (document["balance_cents"], document["searches"]["free_left"], document["searches"]["paid"]) == (0, 0, 150)
    assert sum(entry["cents"] for entry in account.admin("usage", account.name, "--ledger")) == 0
    assert admin(running, "audit")[0]["discrepancies"] == []


# The crowd budget


def test_every_put_tells_what_a_task_may_cost_and_no_budget_is_crossed(account: Account, running: RunningStack) -> None:
    account.admin("budget", account.name, "30")
    first = account.api.put(SIMILARITY, "budget-1", similarity_input("budget-1"))
    price_cents = int(first.headers["x-worst-case-cents"])
    assert (first.status, 15 < price_cents <= 30) == (201, True)
    again = account.api.put(SIMILARITY, "budget-1", similarity_input("budget-1"))
    assert (again.status, again.headers["x-worst-case-cents"]) == (200, str(price_cents))
    refused = account.api.put(SIMILARITY, "budget-2", similarity_input("budget-2"))
    assert_is_error(refused, 402, "BudgetExceeded")
    assert refused.headers["x-worst-case-cents"] == str(price_cents)
    assert account.standing()["crowd"]["committed_cents"] == price_cents
    assert account.standing()["crowd"]["budget_cents"] == 30
    twin = account.api.put(TWIN, "budget-3", contains_input("budget-3"))
    assert (twin.status, twin.headers["x-worst-case-cents"]) == (201, "0")
    account.admin("budget", account.name, "0")
    assert account.api.put(SIMILARITY, "budget-2", similarity_input("budget-2")).status == 201
    assert admin(running, "audit")[0]["discrepancies"] == []


# Operators


def test_an_operator_lists_accounts_and_sets_their_terms(account: Account, running: RunningStack) -> None:
    account.admin("accounts", "set", account.name, "--free-searches", "7")
    account.top_up(5)
    listed = {line["account"]: line for line in admin(running, "accounts", "list")}
    assert (listed[account.name]["free_searches"], listed[account.name]["own_terms"]) == (7, ["free_searches"])
    assert (listed[account.name]["balance_cents"], listed[account.name]["keys"]) == (5, 1)
    account.admin("accounts", "set", account.name, "--free-searches", "default")
    assert account.standing()["searches"]["free"] == 100
    admin(running, "accounts", "create", account.name, code=1)
    admin(running, "topup", "nobody-of-this-name", "1", "--reference", "r", code=1)


def test_a_revoked_key_opens_nothing_once_the_gateway_has_forgotten_it(revoked: Api) -> None:
    """At the end, so that most of the minute for which the gateway remembers a key that was used is over."""

    def refused() -> Reply | None:
        reply = revoked.request("GET", "/account")
        return reply if reply.status != 200 else None

    reply = wait_for("the gateway to forget a key", refused, AUTHORIZER_TTL_S + 5, poll_s=1)
    assert_key_is_refused(reply, 403, "Invalid API key")


@pytest.fixture(scope="module", autouse=True)
def all_adds_up_in_the_end(running: RunningStack) -> Iterator[None]:
    yield
    assert admin(running, "audit")[0]["discrepancies"] == []
