"""POST / of the workplace: MTurk's Requester API."""

import json
from typing import Any

from crowdsight.proxy_request import ProxyRequest
from crowdsight.wiring import wire

wiring = wire()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    reply = wiring.mturk_api.reply(ProxyRequest.from_event(event))
    return {
        "statusCode": reply.status,
        "headers": {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": context.aws_request_id},
        "body": json.dumps(reply.document, ensure_ascii=False),
    }
