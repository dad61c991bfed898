"""One account sees, counts, finds, deletes and pays nothing of another's, on any route."""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pytest

from tests.stack.account_hands import Account, admin
from tests.stack.crowd_hands import CONTAINS, contains_input
from tests.stack.picture_host import PictureHost, picture
from tests.stack.raw_http import Reply, assert_is_enveloped_error, assert_is_error, task_target
from tests.stack.running_stack import RunningStack

TWIN = "image-contains-test"
NAME = "tenancy"
DATA = picture(4711, (300, 200))


@dataclass(frozen=True)
class Ann:
    """An account with a task of each kind, a stored picture, and a find that is remembered."""

    account: Account
    picture_url: str
    request_id: str


@pytest.fixture(scope="module")
def ann(running: RunningStack, host: PictureHost) -> Ann:
    account = Account(running, "ann")
    for function in (CONTAINS, TWIN):
        assert account.api.put(function, NAME, contains_input(NAME)).status == 201
    url = host.serve("anns", DATA)
    saved = account.api.request("POST", "/image/save", json.dumps({"request_id": find(account, url)["request_id"]}))
    assert saved.status == 200
    another = host.serve("anns-other", picture(4712))
    return Ann(account, saved.document["url"], find(account, another)["request_id"])


@pytest.fixture
def bob(running: RunningStack) -> Account:
    return Account(running, "bob")


def find(account: Account, url: str) -> dict[str, Any]:
    reply = account.api.request("GET", f"/image/find?url={quote(url, safe='')}&max_results=50")
    assert reply.status == 200, reply.body
    document: dict[str, Any] = reply.document
    return document


def ask_for_what_is_anns(bob: Account, ann: Ann, account_id: str) -> dict[str, tuple[Reply, Reply]]:
    """By route, what Bob is answered when he names what is Ann's, and when he names what there is not."""
    missing_picture = f"{ann.picture_url.rpartition('/')[0]}/{'0' * 32}.png"
    missing_request = "00000000-0000-4000-8000-000000000000"

    def both(verb: str, mine: str, nobodys: str, *bodies: str) -> tuple[Reply, Reply]:
        first, second = bodies or (None, None)
        return bob.api.request(verb, mine, first), bob.api.request(verb, nobodys, second)

    answers = {}
    for prefix in ("", f"/{account_id}"):
        for verb in ("GET", "DELETE"):
            for function in (CONTAINS, TWIN):
                route = f"{verb} {'/{account}' if prefix else ''}/functions/{{function}}/tasks/{{task}}"
                answers[f"{route} {function}"] = both(
                    verb, prefix + task_target(function, NAME), prefix + task_target(function, "nowhere")
                )
        route = f"GET {'/{account}' if prefix else ''}/functions/{{function}}/tasks/{{task}}/audit"
        mine, nobodys = (f"{prefix}{task_target(CONTAINS, name)}/audit" for name in (NAME, "nowhere"))
        answers[route] = both("GET", mine, nobodys)
    finds = [f"/image/find?url={quote(url, safe='')}" for url in (ann.picture_url, missing_picture)]
    answers["GET /image/find"] = both("GET", *finds)
    saves = [json.dumps({"request_id": id}) for id in (ann.request_id, missing_request)]
    answers["POST /image/save"] = both("POST", "/image/save", "/image/save", *saves)
    searches = [json.dumps({"url": url}) for url in (ann.picture_url, missing_picture)]
    answers["POST /"] = both("POST", "/", "/", *searches)
    return answers


def test_what_is_another_accounts_is_answered_as_what_there_is_not(
    ann: Ann, bob: Account, running: RunningStack
) -> None:
    for route, (anns, nobodys) in ask_for_what_is_anns(bob, ann, running["account_id"]).items():
        if route == "POST /":
            assert_is_enveloped_error(anns, 400)
        else:
            assert_is_error(anns, 404, "NotFound")
        assert (anns.status, anns.body) == (nobodys.status, nobodys.body), route
    for function in (CONTAINS, TWIN):
        assert ann.account.api.get(function, NAME).status == 200


def test_every_route_that_needs_a_key_is_walked(ann: Ann, bob: Account, running: RunningStack) -> None:
    walked = {" ".join(route.split()[:2]) for route in ask_for_what_is_anns(bob, ann, running["account_id"])}
    walked |= {"PUT /functions/{function}/tasks/{task}", "PUT /{account}/functions/{function}/tasks/{task}"}  # below
    walked |= {"GET /account", "POST /account/key"}  # they name nothing; below
    needing = set()
    for path, item in bob.api.request("GET", "/openapi.json").document["paths"].items():
        general = re.sub("/functions/[^/]+/", "/functions/{function}/", path)
        needing |= {
            f"{verb.upper()} {general}"
            for verb, operation in item.items()
            if verb != "parameters" and "security" not in operation
        }
    assert walked == needing


@pytest.mark.parametrize("with_account", [False, True])
def test_a_name_that_another_account_uses_is_free(
    ann: Ann, bob: Account, running: RunningStack, with_account: bool
) -> None:
    prefix = f"/{running['account_id']}" if with_account else ""
    body = json.dumps({"input": contains_input(f"{NAME}-of-bob")})
    for function in (CONTAINS, TWIN):
        assert bob.api.request("PUT", prefix + task_target(function, NAME), body).status == 201
    assert bob.api.request("DELETE", prefix + task_target(TWIN, NAME)).status == 204
    assert ann.account.api.get(TWIN, NAME).document["input"] == contains_input(NAME)
    assert ann.account.api.get(CONTAINS, NAME).document["input"] == contains_input(NAME)


def test_no_search_finds_another_accounts_picture(ann: Ann, bob: Account, host: PictureHost) -> None:
    encoded = base64.b64encode(DATA).decode()
    for query in ({"url": host.url("anns")}, {"image": encoded}, {"text": "a pattern"}):
        reply = bob.api.request("POST", "/", json.dumps({**query, "num_similar": 50, "get_labels": "coco_yolov7"}))
        document = json.loads(reply.document["body"])
        assert (document["images"], document["annotations"]) == ([], [])
    assert find(bob, host.url("anns"))["results"] == []


def test_another_accounts_ids_are_answered_as_ids_of_none(ann: Ann, bob: Account, host: PictureHost) -> None:
    url = host.url("anns")
    request_id = find(bob, host.serve("bobs", picture(4713)))["request_id"]
    own = bob.api.request("POST", "/image/save", json.dumps({"request_id": request_id}))
    assert own.status == 200
    anns, bobs = (re.split("[/.]", address)[-2] for address in (ann.picture_url, own.document["url"]))
    for ids, expected in (([anns], []), (["0" * 32], []), ([anns, bobs], [own.document["url"]])):
        query = {"url": url, "num_similar": 50, "filter": {"ids": ids}}
        images = json.loads(bob.api.request("POST", "/", json.dumps(query)).document["body"])["images"]
        assert [image["url"] for image in images] == expected
        reply = bob.api.request("GET", f"/image/find?url={quote(url, safe='')}&max_results=50&ids={','.join(ids)}")
        assert (reply.status, [result["url"] for result in reply.document["results"]]) == (200, expected)
    query = {"url": url, "filter": {"ids": [anns]}}
    [image] = json.loads(ann.account.api.request("POST", "/", json.dumps(query)).document["body"])["images"]
    assert image["url"] == ann.picture_url


def test_the_same_picture_is_another_accounts_to_save_under_another_name(
    ann: Ann, bob: Account, host: PictureHost
) -> None:
    request_id = find(bob, host.url("anns"))["request_id"]
    saved = bob.api.request("POST", "/image/save", json.dumps({"request_id": request_id}))
    assert saved.status == 200
    assert saved.document["url"] != ann.picture_url
    assert [result["url"] for result in find(bob, host.url("anns"))["results"]] == [saved.document["url"]]
    assert saved.document["url"] not in json.dumps(find(ann.account, host.url("anns")))
    # The addresses are public, for whoever has them; neither tells of the other.
    file = saved.document["url"].rpartition("/")[2]
    assert bob.api.request("GET", f"/image/{file}", api_key=None).status == 200


def test_what_one_account_does_is_not_counted_for_another(ann: Ann, bob: Account) -> None:
    before = ann.account.standing()
    bob.admin("accounts", "set", bob.name, "--free-searches", "1")
    assert [bob.api.request("POST", "/", '{"text": "a dog"}').status for _ in range(2)] == [200, 402]
    bob.admin("budget", bob.name, "1")
    assert_is_error(bob.api.put(CONTAINS, "bobs", contains_input("bobs")), 402, "BudgetExceeded")
    assert ann.account.standing() == before
    assert bob.standing()["crowd"]["committed_cents"] == 0


def test_a_key_rotates_itself_and_no_other(ann: Ann, bob: Account, running: RunningStack) -> None:
    assert bob.api.request("POST", "/account/key", '{"overlap_s": 0}').status == 201
    assert [key["expires_at"] for key in ann.account.admin("keys", "list", ann.account.name)] == [None]
    (anns,) = ann.account.admin("keys", "list", ann.account.name)
    admin(running, "keys", "revoke", bob.name, anns["key_id"], code=1)
    assert ann.account.standing()["account"] == ann.account.name
