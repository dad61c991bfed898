"""Whose API key is it? A REQUEST authorizer on `x-api-key`; a request without the header never gets here."""

from typing import Any

from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

accounts = wire().accounts


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    key = accounts.owner_of(ProxyRequest.from_event(event).headers.get("x-api-key", ""))
    stage_arn = "/".join(event["methodArn"].split("/")[:2])
    return {
        "principalId": key.account if key else "unknown",
        "policyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Action": "execute-api:Invoke",
                    "Effect": "Allow" if key else "Deny",
                    "Resource": f"{stage_arn}/*",  # the answer is kept for every path of this key
                }
            ],
        },
        "usageIdentifierKey": key.hash if key else None,  # by which API Gateway throttles
        "context": {"account": key.account, "key_id": key.id} if key else {},
    }
