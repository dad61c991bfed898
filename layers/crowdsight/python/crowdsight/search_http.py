"""Image search's HTTP: what its requests say, the addresses of its pictures, and its answers.

`GET /image/find`, `POST /image/save` and `GET /image/{file}` speak as the rest of the API does. `POST /` speaks in the
envelope of the API that it stands in for: `{"statusCode", "body": "<JSON text>", "headers"}`.
"""

import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from crowdsight.accounts.allowance import Allowance, allowance_headers
from crowdsight.accounts.store import Reservation
from crowdsight.errors import CrowdsightError, InvalidRequest
from crowdsight.filter_http import FilterBody, Filtered, ImageIds, Score
from crowdsight.http import (
    Answer,
    Handler,
    account_of,
    answer,
    guard,
    guarded,
    json_body,
    json_value,
    logger,
    read_model,
)
from crowdsight.models.texts import MAX_CHARACTERS
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search.image_filter import ALL_IMAGES, ImageFilter

if TYPE_CHECKING:  # what embeds and searches is not in every Lambda that speaks this
    from crowdsight.search.finding import Finding
    from crowdsight.search.library import ImageRecord
    from crowdsight.search.neighbours import Hit

MAX_RESULTS = 50
KEEP_S = 365 * 86_400
"""How long a picture may be cached: its address never leads to another one."""

CORS = {"Access-Control-Allow-Origin": "*", "Access-Control-Allow-Methods": "OPTIONS,POST"}

DEFAULT_PORTS = {"http": 80, "https": 443}
BLANKS_AND_CONTROLS = re.compile(r"[\x00-\x20\x7f]")


def _at_commas(text: Any) -> Any:
    """A list from a query parameter; from none at all an empty one."""
    return text.split(",") if text else []


class FindQuery(Filtered):
    """The query of `GET /image/find`. `max_similarity` is, for all its name, what results are at least."""

    model_config = ConfigDict(frozen=True)

    url: Annotated[str, StringConstraints(min_length=1)]
    max_results: Annotated[int, Field(ge=1, le=MAX_RESULTS)] = 5
    max_similarity: Score | None = None
    min_similarity: Score | None = None
    ids: Annotated[ImageIds | None, BeforeValidator(_at_commas)] = None

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.max_similarity is not None and self.min_similarity not in (None, self.max_similarity):
            raise ValueError("max_similarity and min_similarity are two names of one threshold: give one")
        return self

    @property
    def threshold(self) -> float | None:
        return self.max_similarity if self.min_similarity is None else self.min_similarity


class SaveBody(BaseModel):
    """The body of `POST /image/save`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=100)]


class SimilarBody(BaseModel):
    """The body of `POST /`: exactly one of `url`, `image` (base64) and `text`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    url: Annotated[str, StringConstraints(min_length=1)] | None = None
    image: Annotated[str, StringConstraints(min_length=1)] | None = None
    text: Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARACTERS)] | None = None
    num_similar: Annotated[int, Field(ge=1, le=MAX_RESULTS)] | None = None
    get_labels: Literal["coco_yolov7"] | None = None
    filter: FilterBody | None = None

    @model_validator(mode="after")
    def _one_query(self) -> Self:
        if sum(query is not None for query in (self.url, self.image, self.text)) != 1:
            raise ValueError("give exactly one of url, image and text")
        return self

    @property
    def limit(self) -> int:
        return self.num_similar or 1

    @property
    def images(self) -> ImageFilter:
        """Which images are meant."""
        return self.filter.images if self.filter else ALL_IMAGES


SearchOperation = Callable[[ProxyRequest, SimilarBody], Answer]


def find_query(request: ProxyRequest) -> FindQuery:
    """Raises InvalidRequest naming each wrong parameter; one that is not known is ignored."""
    return read_model(FindQuery, dict(request.query), "query")


def save_body(request: ProxyRequest) -> SaveBody:
    """Raises UnsupportedMediaType, InvalidRequest."""
    return read_model(SaveBody, json_body(request), "body")


def similar_body(request: ProxyRequest) -> SimilarBody:
    """Whatever its Content-Type is. Raises InvalidRequest."""
    return read_model(SimilarBody, json_value(request.body), "body")


@dataclass(frozen=True)
class Addresses:
    """Where the API's pictures are. `base_url`: what its paths come after."""

    base_url: str

    def image(self, file: str) -> str:
        return f"{self.base_url}/image/{file}"

    def thumbnail(self, file: str) -> str:
        return f"{self.base_url}/thumbnail/{file}"

    def file_at(self, url: str) -> str | None:
        """The name of the picture that is served at an address, there or not; None where it is not one of ours."""
        own, other = _split(self.base_url), _split(url)
        if own is None or other is None or own[:2] != other[:2]:
            return None
        folder, _, file = other[2].rpartition("/")
        return file if folder == f"{own[2]}/image" else None


def _split(url: str) -> tuple[str, int | None, str] | None:
    """Host, port (None for a scheme's own) and decoded path of an http or https URL; None for anything else."""
    if BLANKS_AND_CONTROLS.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    return host.rstrip("."), None if port == DEFAULT_PORTS[parts.scheme] else port, unquote(parts.path)


def file_of(request: ProxyRequest) -> str:
    """The file that a path names."""
    return unquote(request.path_parameters["file"])


def is_thumbnail(request: ProxyRequest) -> bool:
    """Whether a path is that of a thumbnail."""
    return request.resource == "/thumbnail/{file}"


def found_document(finding: "Finding", addresses: Addresses) -> dict[str, Any]:
    """The answer of `GET /image/find`."""
    results = [{"url": addresses.image(hit.image.file), "similarity": hit.similarity} for hit in finding.results]
    return {"request_id": finding.request_id, "results": results}


def saved_document(image: "ImageRecord", addresses: Addresses) -> dict[str, Any]:
    """The answer of `POST /image/save`."""
    url = addresses.image(image.file)
    return {"message": f"The image has been successfully saved and can be accessed at {url}", "url": url}


def similar_document(hits: Sequence["Hit"], addresses: Addresses, *, with_labels: bool) -> dict[str, Any]:
    """What the envelope of `POST /` holds."""
    images = [
        {
            "url": addresses.image(hit.image.file),
            "score": hit.similarity,
            "thumbnail_url": addresses.thumbnail(hit.image.thumbnail_file),
            "id": hit.image.image_id,
        }
        for hit in hits
    ]
    annotations = {"annotations": [_annotation(hit.image) for hit in hits]} if with_labels else {}
    return {"info": {"url": addresses.base_url}, "images": images, **annotations}


def _annotation(image: "ImageRecord") -> dict[str, Any]:
    labels = [
        {"name": label.name, "score": label.score, "box": list(label.box), "category_id": label.category_id}
        for label in image.labels
    ]
    return {"image_id": image.image_id, "height": image.height, "width": image.width, "annotations": labels}


def picture_answer(data: bytes, media_type: str) -> Answer:
    """A picture as the proxy integration takes it, to be cached for as long as caches will."""
    return {
        "statusCode": int(HTTPStatus.OK),
        "headers": {
            "Content-Type": media_type,
            "Cache-Control": f"public, max-age={KEEP_S}, immutable",
            "X-Content-Type-Options": "nosniff",
            "Access-Control-Allow-Origin": "*",
        },
        "body": base64.b64encode(data).decode(),
        "isBase64Encoded": True,
    }


def search_operation(allowance: Allowance) -> Callable[[SearchOperation], Handler]:
    """Makes a search a Lambda's handler that is counted, and whose errors are in the envelope.

    It is counted once its body is known to be valid and before its work, and not at all if it fails. Every answer
    tells how the account stands, unless nobody can read it before the search is held.
    """

    def decorate(search: SearchOperation) -> Handler:
        def counted(request: ProxyRequest) -> Answer:
            account = account_of(request)
            try:
                body = similar_body(request)
            except InvalidRequest as error:
                error.headers = _headers_now(allowance, account, {})
                raise
            held, standing = allowance.reserve(account)

            def search_and_settle(request: ProxyRequest) -> Answer:
                found = search(request, body)
                allowance.settle(account, held, request.id)
                return found

            answered = guard(search_and_settle, _enveloped_error, CORS)(request)
            headers: Mapping[str, str] = allowance_headers(standing)
            if answered["statusCode"] != HTTPStatus.OK:
                _give_back(allowance, account, held)
                headers = _headers_now(allowance, account, headers)
            answered["headers"] |= headers
            return answered

        return guarded(counted, _enveloped_error, CORS)

    return decorate


def _give_back(allowance: Allowance, account: str, held: Reservation) -> None:
    try:
        allowance.release(account, held)
    except Exception:  # its own error is the answer, and what is held expires by itself
        logger.exception("a search that failed is held until it expires")


def _headers_now(allowance: Allowance, account: str, otherwise: Mapping[str, str]) -> Mapping[str, str]:
    try:
        return allowance_headers(allowance.standing(account))
    except Exception:  # the answer is made, whatever the account's standing is
        logger.exception("an answer does not tell how the account stands now")
        return otherwise


def enveloped(document: Mapping[str, Any]) -> Answer:
    """A document in the envelope, as text in its `body`."""
    status = HTTPStatus.OK
    return answer(status, {"statusCode": int(status), "body": json.dumps(document), "headers": CORS}, CORS)


def _enveloped_error(status: int, error: CrowdsightError) -> dict[str, Any]:
    return {"statusCode": int(status), "error": error.message, "headers": CORS}
