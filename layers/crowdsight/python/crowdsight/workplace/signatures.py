"""Requests signed with AWS Signature Version 4: whose they are, proved by signing them again with botocore's signer."""

import hashlib
import hmac
import re
from datetime import UTC, datetime, timedelta

import botocore.credentials
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest

from crowdsight.clock import Clock
from crowdsight.proxy_request import ProxyRequest
from crowdsight.workplace.credentials import Credentials, FindCredentials
from crowdsight.workplace.faults import AccessRefused

SERVICE = "mturk-requester"
MAX_SKEW = timedelta(minutes=5)
MUST_BE_SIGNED = frozenset(("host", "x-amz-date", "x-amz-target"))

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256\s+Credential=(?P<key_id>[^/,\s]+)/(?P<date>[0-9]{8})/(?P<region>[a-z0-9-]{1,64})/"
    r"(?P<service>[a-z0-9-]+)/aws4_request\s*,\s*SignedHeaders=(?P<headers>[a-z0-9;_-]+)\s*,\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_DATE = "%Y%m%dT%H%M%SZ"


def verify(request: ProxyRequest, find_credentials: FindCredentials, clock: Clock) -> Credentials:
    """The credentials that signed the request.

    Raises AccessRefused: MissingAuthenticationTokenException, IncompleteSignatureException,
    UnrecognizedClientException, RequestExpired when the clocks are over five minutes apart, InvalidSignatureException.
    """
    header = request.headers.get("authorization")
    if not header:
        raise AccessRefused("MissingAuthenticationTokenException", "Missing Authentication Token")
    claim = _AUTHORIZATION.fullmatch(header.strip())
    if claim is None:
        raise AccessRefused("IncompleteSignatureException", "The Authorization header is not an AWS4-HMAC-SHA256 one.")
    signed = claim["headers"].split(";")
    date = request.headers.get("x-amz-date", "")
    if not set(signed) >= MUST_BE_SIGNED or not all(name in request.headers for name in signed):
        raise AccessRefused(
            "IncompleteSignatureException", f"The request must have and sign {', '.join(sorted(MUST_BE_SIGNED))}."
        )
    if claim["service"] != SERVICE or not date.startswith(claim["date"]):
        raise AccessRefused(
            "InvalidSignatureException", f"The credential's scope should be the request's date and {SERVICE}."
        )
    _check_date(date, clock)
    credentials = find_credentials(claim["key_id"])
    if credentials is None:
        raise AccessRefused("UnrecognizedClientException", "The security token included in the request is invalid.")
    # Some gateways hand on the root of a stage without the slash that the client signed.
    for path in {request.whole_path, request.whole_path.rstrip("/") + "/"}:
        expected = _signature(request, path, signed, date, claim["region"], credentials)
        if hmac.compare_digest(expected, claim["signature"]):
            return credentials
    raise AccessRefused(
        "InvalidSignatureException",
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access"
        " Key and signing method. Consult the service documentation for details.",
    )


def _check_date(date: str, clock: Clock) -> None:
    try:
        signed_at = datetime.strptime(date, _DATE).replace(tzinfo=UTC)
    except ValueError as error:
        raise AccessRefused("IncompleteSignatureException", "X-Amz-Date must look like 20260131T235959Z.") from error
    now = datetime.fromtimestamp(clock() / 1000, UTC)
    if abs(now - signed_at) > MAX_SKEW:
        raise AccessRefused(
            "RequestExpired", f"Signature expired: {date} is more than 5 minutes from {now.strftime(_DATE)}."
        )


def _signature(
    request: ProxyRequest, path: str, signed: list[str], date: str, region: str, credentials: Credentials
) -> str:
    headers = {name: request.headers[name] for name in signed}
    if headers.get("x-amz-content-sha256", _hash(request.body)) != _hash(request.body):
        raise AccessRefused("InvalidSignatureException", "X-Amz-Content-SHA256 is not the body's hash.")
    again = AWSRequest(
        method=request.method,
        url=f"https://{request.headers['host']}{path}",
        headers=headers,
        data=request.body,
        params=list(request.query),
    )
    again.context["timestamp"] = date
    keys = botocore.credentials.Credentials(credentials.access_key_id, credentials.secret_access_key)
    signer = SigV4Auth(keys, SERVICE, region)
    try:
        return str(signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again))
    except ValueError as error:
        raise AccessRefused("IncompleteSignatureException", "The Host header is not a host.") from error


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
