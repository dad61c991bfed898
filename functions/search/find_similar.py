"""POST /: stored images like a picture, by URL or bytes, or like words."""

from typing import Any

from crowdsight.http import account_of
from crowdsight.images.decoding import decode_base64
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search_http import Addresses, SimilarBody, enveloped, search_operation, similar_document
from crowdsight.wiring import wire

wiring = wire()
find_similar = wiring.find_similar


@search_operation(wiring.allowance)
def handler(request: ProxyRequest, body: SimilarBody) -> dict[str, Any]:
    addresses = Addresses(request.base_url)
    hits = find_similar(
        account_of(request),
        url=body.url,
        data=None if body.image is None else decode_base64(body.image),
        text=body.text,
        own_file=None if body.url is None else addresses.file_at(body.url),
        limit=body.limit,
        images=body.images,
    )
    return enveloped(similar_document(hits, addresses, with_labels=body.get_labels is not None))
