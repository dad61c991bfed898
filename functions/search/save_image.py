"""POST /image/save: store the image of a find."""

from http import HTTPStatus
from typing import Any

from crowdsight.http import account_of, answer, json_operation
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search_http import Addresses, save_body, saved_document
from crowdsight.wiring import wire

save_image = wire().save_image


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    addresses = Addresses(request.base_url)
    image = save_image(account_of(request), save_body(request).request_id, addresses.image)
    return answer(HTTPStatus.OK, saved_document(image, addresses))
