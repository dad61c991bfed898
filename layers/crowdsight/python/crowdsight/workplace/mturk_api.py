"""MTurk's Requester API, version 2017-01-17, as AWS's JSON 1.1 protocol carries it."""

import json
import logging
from dataclasses import dataclass
from typing import Any

from botocore.model import OperationModel, OperationNotFoundError

from crowdsight.clock import Clock
from crowdsight.proxy_request import ProxyRequest
from crowdsight.workplace.calls import Call
from crowdsight.workplace.credentials import FindCredentials
from crowdsight.workplace.faults import AccessRefused, RequestError, ServiceFault
from crowdsight.workplace.operations import OPERATIONS
from crowdsight.workplace.paging import NextTokens
from crowdsight.workplace.requesters import Requesters
from crowdsight.workplace.shapes import check, present, service_model
from crowdsight.workplace.signatures import verify

logger = logging.getLogger(__name__)

TARGET_PREFIX = "MTurkRequesterServiceV20170117."


@dataclass(frozen=True)
class Reply:
    """An HTTP status and a JSON document."""

    status: int
    document: dict[str, Any]


class MTurkApi:
    """Answers requests that botocore's `mturk` client, or any other of the protocol, has signed."""

    def __init__(self, requesters: Requesters, find_credentials: FindCredentials, clock: Clock) -> None:
        self._requesters = requesters
        self._find_credentials = find_credentials
        self._clock = clock

    def reply(self, request: ProxyRequest) -> Reply:
        """The operation's answer, or its error in the form from which botocore makes a ClientError. Never raises."""
        try:
            return Reply(200, self._answer(request))
        except AccessRefused as error:
            return Reply(error.status, {"__type": error.code, "message": error.message})
        except RequestError as error:
            return Reply(400, self._fault(error))
        except ServiceFault as error:
            return Reply(500, self._fault(error))
        except Exception:
            # The edge of the program: what nobody foresaw is logged whole, and the caller may try again.
            logger.exception("request %s failed: %s", request.id, request.headers.get("x-amz-target"))
            return Reply(500, self._fault(ServiceFault()))

    def _answer(self, request: ProxyRequest) -> dict[str, Any]:
        credentials = verify(request, self._find_credentials, self._clock)
        operation = _operation(request.headers["x-amz-target"])
        call = Call(
            requesters=self._requesters,
            requester_id=credentials.requester_id,
            next_tokens=NextTokens(credentials.secret_access_key),
            now_ms=self._clock(),
            given=check(operation.input_shape, _read(request.body)),
        )
        return dict(present(operation.output_shape, OPERATIONS[operation.name](call)))

    def _fault(self, error: RequestError | ServiceFault) -> dict[str, Any]:
        # MTurk's messages end in the time of the answer in milliseconds.
        return {
            "__type": error.code,
            "Message": f"{error.message} ({self._clock()})",
            "TurkErrorCode": error.turk_error_code,
        }


def _operation(target: str) -> OperationModel:
    name = target.removeprefix(TARGET_PREFIX)
    try:
        if name != target:
            return service_model().operation_model(name)
    except OperationNotFoundError:
        pass
    raise AccessRefused("UnknownOperationException", "X-Amz-Target names no operation of this service.")


def _read(body: bytes) -> Any:
    try:
        return json.loads(body.decode() or "{}")
    except (ValueError, RecursionError) as error:
        raise AccessRefused("SerializationException", "The body is not a JSON document.") from error
