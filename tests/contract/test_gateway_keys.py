"""Keys that a gateway knows, API Gateway's as moto has it and those in memory."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from crowdsight.accounts.gateway_keys import ApiGatewayKeys, GatewayKeys, NoUsagePlan
from tests.contract.memory_gateway_keys import MemoryGatewayKeys

PLAN = "crowdsight"
HASHES = ["1" * 64, "2" * 64]

Known = Callable[[], set[str]]


@pytest.fixture(params=["moto", "memory"])
def gateway(request: pytest.FixtureRequest) -> tuple[GatewayKeys, Known]:
    """The keys, and a look at those whose requests are counted."""
    if request.param == "memory":
        memory = MemoryGatewayKeys()
        return memory, lambda: set(memory.hashes.values())
    client = request.getfixturevalue("aws")["apigateway"]
    client.create_usage_plan(name="another")
    plan_id = client.create_usage_plan(name=PLAN)["id"]

    def known() -> set[str]:
        """moto leaves a key in its plans that has been deleted."""
        ids = {key["id"] for key in client.get_api_keys()["items"]}
        return {key["value"] for key in client.get_usage_plan_keys(usagePlanId=plan_id)["items"] if key["id"] in ids}

    return ApiGatewayKeys(lambda: client, PLAN), known


def test_a_key_is_counted_from_when_it_is_registered_until_it_is_removed(gateway: tuple[GatewayKeys, Known]) -> None:
    keys, known = gateway
    ids = [keys.register(key_hash[:12], key_hash) for key_hash in HASHES]
    assert len(set(ids)) == 2 and known() == set(HASHES)
    keys.remove(ids[0])
    assert known() == {HASHES[1]}


def test_removing_again_is_no_error(gateway: tuple[GatewayKeys, Known]) -> None:
    keys, known = gateway
    gateway_id = keys.register("a", HASHES[0])
    for _ in range(2):
        keys.remove(gateway_id)
    assert known() == set()


def test_without_the_usage_plan_no_key_is_registered(aws: dict[str, Any]) -> None:
    with pytest.raises(NoUsagePlan, match=PLAN):
        ApiGatewayKeys(lambda: aws["apigateway"], PLAN).register("a", HASHES[0])
    assert aws["apigateway"].get_api_keys()["items"] == []


class ThrottledPlan:
    """A client that makes keys and cannot add them to a usage plan."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_usage_plan_key(self, **request: Any) -> None:
        error = {"Code": "TooManyRequestsException", "Message": "slower"}
        raise ClientError({"Error": error}, "CreateUsagePlanKey")


def test_a_key_that_cannot_be_counted_is_not_left_behind(aws: dict[str, Any]) -> None:
    client = aws["apigateway"]
    client.create_usage_plan(name=PLAN)
    with pytest.raises(ClientError, match="slower"):
        ApiGatewayKeys(lambda: ThrottledPlan(client), PLAN).register("a", HASHES[0])
    assert client.get_api_keys()["items"] == []
