"""What API Gateway knows of keys, so that it can throttle each by itself: their hashes, in a usage plan.

The authorizer tells API Gateway whose requests they are by the key's hash, as its `usageIdentifierKey`. Nobody can call
with a hash.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from botocore.exceptions import ClientError


class NoUsagePlan(LookupError):
    """The gateway has no usage plan of this name: the deployment is not whole."""


class GatewayKeys(Protocol):
    """Makes hashes of keys known to a gateway."""

    def register(self, key_id: str, key_hash: str) -> str:
        """Have the gateway count the requests of a key; returns its own id for it. What fails leaves no key there."""

    def remove(self, gateway_id: str) -> None:
        """Have the gateway forget it; one that it does not know is no error."""


class ApiGatewayKeys:
    """Those of API Gateway's usage plan of this name. `connect` gives a boto3 `apigateway` client.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-api-usage-plans.html: at most 10,000 keys
    in an account and region.
    """

    def __init__(self, connect: Callable[[], Any], usage_plan: str) -> None:
        self._connect = connect
        self._usage_plan = usage_plan

    def register(self, key_id: str, key_hash: str) -> str:
        """See `GatewayKeys.register`. One that is killed in between leaves a key that nothing has the use of.

        Raises NoUsagePlan, ClientError.
        """
        plan_id = self._usage_plan_id
        made: str = self._client.create_api_key(name=f"{self._usage_plan}-{key_id}", value=key_hash, enabled=True)["id"]
        try:
            self._client.create_usage_plan_key(usagePlanId=plan_id, keyId=made, keyType="API_KEY")
        except ClientError:
            self.remove(made)
            raise
        return made

    def remove(self, gateway_id: str) -> None:
        """See `GatewayKeys.remove`."""
        try:
            self._client.delete_api_key(apiKey=gateway_id)
        except self._client.exceptions.NotFoundException:
            pass  # it was removed before

    @cached_property
    def _client(self) -> Any:
        return self._connect()

    @cached_property
    def _usage_plan_id(self) -> str:
        """By its name: a template cannot tell a Lambda of the API the id of the API's own usage plan."""
        for page in self._client.get_paginator("get_usage_plans").paginate():
            for plan in page["items"]:
                if plan["name"] == self._usage_plan:
                    plan_id: str = plan["id"]
                    return plan_id
        raise NoUsagePlan(f"API Gateway has no usage plan {self._usage_plan}: is the stack deployed whole?")
