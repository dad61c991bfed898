"""GET /image/find: stored images like the one at a URL."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import account_of, answer, json_operation
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search_http import Addresses, find_query, found_document
from crowdsight.wiring import wire

find_images = wire().find_images


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    query, addresses = find_query(request), Addresses(request.base_url)
    finding = find_images(
        account_of(request),
        query.url,
        query.max_results,
        query.threshold,
        addresses.file_at(query.url),
        query.images,
    )
    return answer(HTTPStatus.OK, found_document(finding, addresses))
