"""Whose API key is it? A REQUEST authorizer on `x-api-key`; a request without the header never gets here."""

from typing import Any

from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    account = wiring.api_keys.account_of(ProxyRequest.from_event(event).headers.get("x-api-key", ""))
    stage_arn = "/".join(event["methodArn"].split("/")[:2])
    return {
        "principalId": account or "unknown",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if account else "Deny",
                    "Resource": f"{stage_arn}/*",  # the answer is kept for every path of this key
                }
            ],
        },
        "context": {"account": account} if account else {},
    }
