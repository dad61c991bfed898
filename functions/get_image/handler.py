"""GET /image/{file} and /thumbnail/{file}: a picture, for whoever has its address."""

from typing import Any

from crowdsight.http import json_operation
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search_http import file_of, is_thumbnail, picture_answer
from crowdsight.wiring import wire

wiring = wire()


@json_operation
def handler(request: ProxyRequest) -> dict[str, Any]:
    read = wiring.serve_file.thumbnail if is_thumbnail(request) else wiring.serve_file.image
    file = read(file_of(request))
    return picture_answer(file.data, file.media_type)
