"""Image search over HTTP: find, save and serve, and similar images in their envelope."""

import base64
import io
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from PIL import Image

from crowdsight.wiring import Wiring
from local.workers.truth import PHOTOGRAPHS
from tests.stack.picture_host import PictureHost, picture
from tests.stack.raw_http import CORS, Api, Reply, assert_is_enveloped_error, assert_is_error, assert_key_is_refused
from tests.stack.running_stack import RunningStack, wait_for

ACCOUNT = "default"
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def library(running: RunningStack) -> Wiring:
    """The stack's images as its operator reaches them."""
    return running.stack.image_search()


def find(api: Api, url: str, **query: object) -> Reply:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return api.request("GET", f"/image/find?url={quote(url, safe='')}{more}")


def save(api: Api, request_id: str) -> Reply:
    return api.request("POST", "/image/save", json.dumps({"request_id": request_id}))


def similar(api: Api, **body: object) -> Reply:
    return api.request("POST", "/", json.dumps(body))


def similar_document(reply: Reply) -> Any:
    """What is in the envelope of a success."""
    assert reply.status == 200, reply.body[:500]
    envelope = reply.document
    assert envelope.keys() == {"statusCode", "body", "headers"}
    assert (envelope["statusCode"], envelope["headers"]) == (200, CORS)
    assert reply.headers["access-control-allow-origin"] == "*"
    return json.loads(envelope["body"])


def saved_url(api: Api, url: str) -> str:
    """Save the picture at a URL, which is not stored yet; its new address."""
    found = find(api, url)
    assert found.status == 200, found.body
    reply = save(api, found.document["request_id"])
    assert reply.status == 200, reply.body
    address: str = reply.document["url"]
    return address


def get(api: Api, address: str, accept: str | None = None) -> Reply:
    return api.request("GET", urlsplit(address).path, api_key=None)


@pytest.fixture(scope="module")
def photographs(api: Api, host: PictureHost) -> dict[str, str]:
    """The demonstration's photographs, all of them saved: address by name."""
    return {path.name: saved_url(api, host.url(path.name)) for path in sorted(PHOTOGRAPHS.glob("*.jpg"))}


# Find, save, serve


def test_a_saved_picture_is_what_the_very_next_find_sees(api: Api, host: PictureHost) -> None:
    url = host.serve("first", picture(1))
    found = find(api, url)
    assert (found.status, found.headers["content-type"]) == (200, "application/json")
    assert found.document.keys() == {"request_id", "results"}
    assert UUID.fullmatch(found.document["request_id"])
    saved = save(api, found.document["request_id"])
    assert (saved.status, saved.document.keys()) == (200, {"message", "url"})
    address = saved.document["url"]
    assert saved.document["message"] == f"The image has been successfully saved and can be accessed at {address}"
    again = find(api, url).document
    assert again["request_id"] != found.document["request_id"]
    assert again["results"][0] == {"url": address, "similarity": 1.0}


def test_a_picture_is_served_to_everyone_for_a_long_time_and_without_metadata(api: Api, host: PictureHost) -> None:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"  # turned by 90 degrees; a description
    Image.open(io.BytesIO(picture(2, (120, 80)))).convert("RGB").save(file, "JPEG", exif=exif)
    served = get(api, saved_url(api, host.serve("turned.jpg", file.getvalue())))
    assert (served.status, served.headers["content-type"]) == (200, "image/jpeg")
    assert "max-age=31536000" in served.headers["cache-control"]
    stored = Image.open(io.BytesIO(served.body))
    assert (stored.format, stored.size) == ("JPEG", (80, 120))
    assert b"where I live" not in served.body
    assert not stored.getexif()


def test_transparency_is_kept_as_png(api: Api, host: PictureHost) -> None:
    address = saved_url(api, host.serve("clear", picture(3, mode="RGBA")))
    served = get(api, address)
    assert address.endswith(".png")
    assert (served.status, served.headers["content-type"]) == (200, "image/png")
    assert Image.open(io.BytesIO(served.body)).mode == "RGBA"


@pytest.mark.parametrize(
    "path",
    [
        "/image/00000000000000000000000000000000.jpg",
        "/image/no-such-file.jpg",
        "/image/..%2F..%2Fvectors",
        "/image/%00",
        "/image/%F0%9F%90%95",
        f"/image/{'a' * 3000}.jpg",
        "/thumbnail/00000000000000000000000000000000.webp",
        "/thumbnail/x",
    ],
)
def test_there_is_nothing_at_other_addresses(api: Api, path: str) -> None:
    assert_is_error(api.request("GET", path, api_key=None), 404, "NotFound")


def test_the_same_pixels_are_stored_once_whatever_they_come_as(api: Api, host: PictureHost) -> None:
    address = saved_url(api, host.serve("as.png", picture(4, format="PNG")))
    for name, data in (
        ("again.png", picture(4, format="PNG")),
        ("as.bmp", picture(4, format="BMP")),
        ("our-own.jpg", get(api, address).body),
    ):
        request_id = find(api, host.serve(name, data)).document["request_id"]
        reply = save(api, request_id)
        assert reply.status == 409, name
        assert reply.document.keys() == {"error", "message", "url"}
        assert (reply.document["error"], reply.document["url"]) == ("AlreadyStored", address)
        assert save(api, request_id).status == 409


def test_one_of_our_own_addresses_answers_itself_and_is_stored_already(api: Api, host: PictureHost) -> None:
    address = saved_url(api, host.serve("own", picture(5)))
    found = find(api, address, max_results=2)
    assert found.document["results"][0] == {"url": address, "similarity": 1.0}
    assert len({result["url"] for result in found.document["results"]}) == len(found.document["results"])
    refused = save(api, found.document["request_id"])
    assert (refused.status, refused.document["url"]) == (409, address)
    gone = address.replace(address.rpartition("/")[2], f"{'0' * 32}.jpg")
    assert_is_error(find(api, gone), 404, "NotFound")


def test_results_are_as_many_and_as_alike_as_asked_for_the_most_alike_first(
    api: Api, host: PictureHost, photographs: dict[str, str]
) -> None:
    url = host.url("cat-small.jpg")
    for wanted in (1, 3, 10):
        results = find(api, url, max_results=wanted).document["results"]
        assert len(results) == wanted
        assert [result["similarity"] for result in results] == sorted(
            (result["similarity"] for result in results), reverse=True
        )
        assert results[0]["url"] == photographs["cat-small.jpg"]
    assert results[1]["url"] == photographs["cat.jpg"]
    assert len(find(api, url).document["results"]) == 5
    threshold = results[2]["similarity"]
    for name in ("max_similarity", "min_similarity"):
        alike = find(api, url, max_results=10, **{name: threshold}).document["results"]
        assert alike == [result for result in results if result["similarity"] >= threshold]
        assert alike


@pytest.mark.parametrize("path", ["/image/find", "/image/find?url=", "/image/find?max_results=3"])
def test_a_find_needs_a_url(api: Api, path: str) -> None:
    assert "url" in assert_is_error(api.request("GET", path), 400, "InvalidRequest")


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("ftp://www.example.com/a.jpg", "InvalidRequest"),
        ("file:///etc/passwd", "InvalidRequest"),
        ("not a url", "InvalidRequest"),
        ("http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "UnfetchableImage"),
        ("http://169.254.169.254/latest/meta-data/", "UnfetchableImage"),
        ("http://[::ffff:127.0.0.1]/a.jpg", "UnfetchableImage"),
        ("http://localhost/a.jpg", "UnfetchableImage"),
        ("http://10.0.0.1/a.jpg", "UnfetchableImage"),
        ("http://2130706433/a.jpg", "UnfetchableImage"),
    ],
)
def test_a_url_that_may_not_be_fetched_is_400_with_its_reason(api: Api, url: str, code: str) -> None:
    message = assert_is_error(find(api, url), 400, code)
    assert "Traceback" not in message
    assert_is_enveloped_error(similar(api, url=url), 400)


def test_the_api_itself_is_not_fetched_although_it_is_on_this_machine(api: Api, running: RunningStack) -> None:
    assert_is_error(find(api, f"{running['api_url']}/openapi.json"), 400, "UnfetchableImage")


def test_what_is_no_picture_is_400_with_its_reason(api: Api, host: PictureHost) -> None:
    whole = picture(6, format="PNG")
    for name, data in (("text", b"<html>"), ("half", whole[: len(whole) // 2])):
        assert_is_error(find(api, host.serve(name, data)), 400, "UndecodableImage")
        assert_is_enveloped_error(similar(api, image=base64.b64encode(data).decode()), 400)
    assert_is_error(find(api, host.serve("empty", b"")), 400, "UnfetchableImage")
    assert_is_enveloped_error(similar(api, image="="), 400)
    assert_is_error(find(api, host.url("not-there")), 400, "UnfetchableImage")


def test_only_a_known_request_can_be_saved(api: Api) -> None:
    assert_is_error(save(api, "0b0e6d1c-8f3b-4c49-9d1c-2d8f4b1a7c11"), 404, "NotFound")
    assert_is_error(save(api, "x"), 404, "NotFound")
    for body in ('{"request_id": 1}', "{}", "[]", '{"request_id": "a", "more": 1}', "{"):
        assert_is_error(api.request("POST", "/image/save", body), 400, "InvalidRequest")
    assert_is_error(api.request("POST", "/image/save", "a=b", media_type="text/plain"), 415, "UnsupportedMediaType")


def test_a_request_whose_time_is_over_is_404_and_what_it_fetched_is_swept_away(
    api: Api, host: PictureHost, running: RunningStack
) -> None:
    request_id = find(api, host.serve("late", picture(7))).document["request_id"]
    outputs = running.stack.aws.outputs("crowdsight")
    dynamodb, s3 = running.stack.aws.client("dynamodb"), running.stack.aws.client("s3")
    key = {"pk": {"S": f"ACCOUNT#{ACCOUNT}"}, "sk": {"S": f"REQUEST#{request_id}"}}
    lifetime_s = int(dynamodb.get_item(TableName=outputs["ImagesTable"], Key=key)["Item"]["expires_at_ms"]["N"]) / 1000
    assert 150 < lifetime_s - time.time() <= 180
    dynamodb.update_item(
        TableName=outputs["ImagesTable"],
        Key=key,
        UpdateExpression="SET expires_at_ms = :past, due_sk = :past",
        ExpressionAttributeValues={":past": {"N": "1"}},
    )
    assert_is_error(save(api, request_id), 404, "NotFound")

    def is_swept() -> bool:
        is_kept = s3.list_objects_v2(Bucket=outputs["ImagesBucket"], Prefix=f"requests/{request_id}")["KeyCount"]
        return "Item" not in dynamodb.get_item(TableName=outputs["ImagesTable"], Key=key) and not is_kept

    assert wait_for("the sweep", is_swept)


def test_of_saves_of_one_picture_at_the_same_moment_one_wins(api: Api, host: PictureHost, library: Wiring) -> None:
    url = host.serve("race", picture(8))
    requests = [find(api, url).document["request_id"] for _ in range(6)]
    before = library.image_stats(ACCOUNT)
    with ThreadPoolExecutor(len(requests)) as threads:
        replies = list(threads.map(lambda request_id: save(api, request_id), requests))
    assert sorted(reply.status for reply in replies) == [200, *[409] * 5]
    assert len({reply.document["url"] for reply in replies}) == 1
    after = library.image_stats(ACCOUNT)
    assert (after.images, after.vectors) == (before.images + 1, before.vectors + 1)
    results = find(api, url, max_results=50).document["results"]
    assert [result["url"] for result in results].count(replies[0].document["url"]) == 1


def test_a_killed_save_leaves_nothing_half_visible_and_can_be_repeated(
    api: Api, host: PictureHost, running: RunningStack, library: Wiring
) -> None:
    landed = 0
    for number in range(20):
        url = host.serve(f"killed-{number}", picture(900 + number, (900, 700)))
        request_id = find(api, url).document["request_id"]
        before = library.image_stats(ACCOUNT).images
        killer = threading.Timer(0.02 + 0.05 * (number % 5), running.kill_operation, ["save_image"])
        killer.start()
        reply = save(api, request_id)
        killer.join()
        images = library.image_stats(ACCOUNT).images
        best = max((result["similarity"] for result in find(api, url, max_results=1).document["results"]), default=0)
        if reply.status == 200 or images > before:
            assert best == 1.0
            assert save(api, request_id).status == 409
        else:
            assert reply.status == 502 or reply.status == 500, reply.body
            assert images == before and best < 1.0
            assert save(api, request_id).status == 200
        landed += reply.status != 200
        if landed == 3:
            break
    assert landed


def test_what_was_saved_is_still_found_once_the_index_has_been_refreshed(
    api: Api, photographs: dict[str, str], host: PictureHost, library: Wiring
) -> None:
    wait_for("a segment", lambda: library.image_stats(ACCOUNT).segments)
    wait_for("the log to be folded", lambda: library.image_stats(ACCOUNT).log_length == 0, 120)
    for name, address in list(photographs.items())[:4]:
        assert find(api, host.url(name)).document["results"][0] == {"url": address, "similarity": 1.0}


def test_a_removed_picture_is_nowhere_any_more_and_can_be_saved_again(
    api: Api, host: PictureHost, library: Wiring
) -> None:
    url = host.serve("removed", picture(9))
    address = saved_url(api, url)
    [image] = similar_document(similar(api, url=url))["images"]
    assert image["url"] == address
    library.remove_image(ACCOUNT, image["id"])
    assert_is_error(get(api, address), 404, "NotFound")
    assert_is_error(get(api, image["thumbnail_url"]), 404, "NotFound")
    assert_is_error(find(api, address), 404, "NotFound")
    assert address not in [result["url"] for result in find(api, url, max_results=50).document["results"]]
    assert saved_url(api, url) == address  # the name is the account's and the picture's


# Similar images


def test_similar_images_by_url_by_picture_and_by_words(
    api: Api, host: PictureHost, photographs: dict[str, str]
) -> None:
    data = (PHOTOGRAPHS / "dogs.jpg").read_bytes()
    encoded = base64.b64encode(data).decode()
    queries: list[dict[str, Any]] = [
        {"url": host.url("dogs.jpg")},
        {"url": photographs["dogs.jpg"]},
        {"image": encoded},
        {"image": f"data:image/jpeg;base64,{encoded}"},
        {"text": "dog"},
    ]
    for query in queries:
        document = similar_document(similar(api, **query, num_similar=3))
        assert document.keys() == {"info", "images"}
        assert len(document["images"]) == 3
        first = document["images"][0]
        assert first.keys() == {"url", "score", "thumbnail_url", "id"}
        assert first["url"] == photographs["dogs.jpg"], query.keys()
        if "text" not in query:
            assert first["score"] == 1.0
    assert len(similar_document(similar(api, text="dog"))["images"]) == 1


def test_a_thumbnail_is_a_small_webp_that_everyone_may_see(api: Api, photographs: dict[str, str]) -> None:
    [image] = similar_document(similar(api, url=photographs["pagoda.jpg"]))["images"]
    served = get(api, image["thumbnail_url"])
    assert (served.status, served.headers["content-type"]) == (200, "image/webp")
    small = Image.open(io.BytesIO(served.body))
    large = Image.open(io.BytesIO(get(api, image["url"]).body))
    assert small.format == "WEBP"
    assert max(small.size) == 256
    assert abs(small.width / small.height - large.width / large.height) < 0.02


def test_labels_are_those_of_each_image_in_pixels_of_what_is_stored(api: Api, photographs: dict[str, str]) -> None:
    document = similar_document(similar(api, url=photographs["cat.jpg"], num_similar=2, get_labels="coco_yolov7"))
    assert document.keys() == {"info", "images", "annotations"}
    assert [each["image_id"] for each in document["annotations"]] == [image["id"] for image in document["images"]]
    first = document["annotations"][0]
    stored = Image.open(io.BytesIO(get(api, photographs["cat.jpg"]).body))
    assert (first["width"], first["height"]) == stored.size
    cat = next(label for label in first["annotations"] if label["name"] == "cat")
    assert cat.keys() == {"name", "score", "box", "category_id"}
    assert (cat["category_id"], 0.35 <= cat["score"] <= 1) == (15, True)
    x_min, y_min, x_max, y_max = cat["box"]
    assert 0 <= x_min < x_max <= stored.width and 0 <= y_min < y_max <= stored.height
    assert (x_max - x_min) * (y_max - y_min) > 0.2 * stored.width * stored.height


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "a", "text": "b"},
        {"text": "a", "num_similar": 0},
        {"text": "a", "num_similar": 51},
        {"text": "a", "num_similar": "3"},
        {"text": "a", "get_labels": "other"},
        {"text": "   "},
        {"image": "not base64!"},
        {"text": "a", "more": 1},
    ],
)
def test_a_wrong_query_is_400_in_the_envelope(api: Api, body: dict[str, Any]) -> None:
    assert_is_enveloped_error(similar(api, **body), 400)


def test_an_address_of_ours_that_no_picture_has_is_400_in_the_envelope(api: Api, running: RunningStack) -> None:
    url = f"{running['api_url'].rstrip('/')}/image/{'0' * 32}.jpg"
    assert "no such image" in assert_is_enveloped_error(similar(api, url=url), 400)


def test_broken_json_is_400_in_the_envelope(api: Api) -> None:
    assert "JSON" in assert_is_enveloped_error(api.request("POST", "/", '{"text": '), 400)
    assert_is_enveloped_error(api.request("POST", "/", b'{"text": "\xff"}'), 400)


def test_a_page_of_any_origin_may_ask_before_it_posts(api: Api) -> None:
    reply = api.request("OPTIONS", "/", api_key=None)
    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == "*"
    assert reply.headers["access-control-allow-methods"] == "OPTIONS,POST"
    assert "x-api-key" in reply.headers["access-control-allow-headers"]


def test_a_large_picture_is_found_by_url_and_in_the_body_up_to_the_limit(api: Api, host: PictureHost) -> None:
    large = picture(10, (4000, 3000), "JPEG")
    address = saved_url(api, host.serve("large.jpg", large))
    assert find(api, host.url("large.jpg")).document["results"][0]["url"] == address
    assert similar_document(similar(api, image=base64.b64encode(large).decode()))["images"][0]["url"] == address
    assert similar(api, image="A" * 7_000_000).status == 413


# Filters


def test_a_find_is_limited_to_a_label_to_times_and_to_ids(
    api: Api, host: PictureHost, photographs: dict[str, str]
) -> None:
    url = host.url("cat.jpg")
    labelled = similar_document(similar(api, url=url, num_similar=50, get_labels="coco_yolov7"))
    ids = {image["url"]: image["id"] for image in labelled["images"]}
    scores = {
        image["url"]: max((label["score"] for label in each["annotations"] if label["name"] == "cat"), default=0)
        for image, each in zip(labelled["images"], labelled["annotations"], strict=True)
    }
    surest = max(scores.values())

    def found(**query: object) -> list[str]:
        reply = find(api, url, max_results=50, **query)
        assert reply.status == 200, reply.body
        return [result["url"] for result in reply.document["results"]]

    cats = [address for address, score in scores.items() if score]
    assert photographs["cat.jpg"] in cats and len(cats) < len(scores)
    assert found(label="cat") == cats
    assert found(label="cat", min_label_score=surest) == [address for address in cats if scores[address] == surest]
    two = [photographs["dogs.jpg"], photographs["cat.jpg"]]
    assert sorted(found(ids=",".join(ids[address] for address in two))) == sorted(two)
    assert found(ids=",".join(ids[address] for address in two), label="cat") == two[1:]
    assert found(saved_before="2020-01-01T00:00:00Z") == []
    assert found(label="cat", saved_after="2020-01-01T00:00:00Z") == cats
    assert photographs["cat.jpg"] not in [
        result["url"] for result in find(api, photographs["cat.jpg"], label="dog").document["results"]
    ]


def test_similar_images_are_limited_to_a_label_to_times_and_to_ids(api: Api, photographs: dict[str, str]) -> None:
    cat, dogs = photographs["cat.jpg"], photographs["dogs.jpg"]
    ids = {address: similar_document(similar(api, url=address))["images"][0]["id"] for address in (cat, dogs)}

    def found(**filter: object) -> list[str]:
        document = similar_document(similar(api, text="cat", num_similar=50, get_labels="coco_yolov7", filter=filter))
        if "label" in filter:
            for each in document["annotations"]:
                assert filter["label"] in [label["name"] for label in each["annotations"]]
        return [image["url"] for image in document["images"]]

    assert cat in found(label="cat") and dogs not in found(label="cat")
    assert dogs in found(label="dog", min_label_score=0.36) and dogs not in found(label="dog", min_label_score=0.5)
    assert sorted(found(ids=list(ids.values()))) == sorted(ids)
    assert found(ids=list(ids.values()), label="dog", saved_after="2020-01-01T00:00:00+01:00") == [dogs]
    assert found(saved_before="2020-01-01T00:00:00Z") == []
    assert found() == [image["url"] for image in similar_document(similar(api, text="cat", num_similar=50))["images"]]


@pytest.mark.parametrize(
    ("filter", "field"),
    [
        ({"label": "unicorn"}, "label"),
        ({"label": "dog", "min_label_score": "sure"}, "min_label_score"),
        ({"min_label_score": 0.5}, "min_label_score"),
        ({"saved_after": "yesterday"}, "saved_after"),
        ({"saved_before": "2026-01-31T00:00:00"}, "saved_before"),
        ({"ids": ["0" * 31]}, "ids"),
        ({"ids": []}, "ids"),
    ],
)
def test_a_wrong_filter_is_400_by_the_name_of_its_field(api: Api, filter: dict[str, Any], field: str) -> None:
    assert field in assert_is_enveloped_error(similar(api, text="a dog", filter=filter), 400)
    query = {name: ",".join(value) if name == "ids" else value for name, value in filter.items()}
    assert field in assert_is_error(find(api, "https://www.example.com/a.jpg", **query), 400, "InvalidRequest")


def test_an_unknown_field_of_a_filter_is_400_in_the_envelope(api: Api) -> None:
    assert "filter.lable" in assert_is_enveloped_error(similar(api, text="a dog", filter={"lable": "dog"}), 400)


# Who may


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [("GET", "/image/find?url=a", None), ("POST", "/image/save", "{}"), ("POST", "/", "{}")],
)
def test_a_key_is_needed_but_for_pictures(api: Api, verb: str, path: str, body: str | None) -> None:
    assert_key_is_refused(api.request(verb, path, body, api_key=None), 401, "Missing an API key")
    assert_key_is_refused(api.request(verb, path, body, api_key="wrong"), 403, "Invalid API key")


@pytest.mark.parametrize(
    ("verb", "path", "allowed"),
    [
        ("POST", "/image/find", "GET"),
        ("GET", "/image/save", "POST"),
        ("DELETE", "/image/a.jpg", "GET"),
        ("POST", "/thumbnail/a.webp", "GET"),
    ],
)
def test_another_verb_is_405_and_told_the_right_ones(api: Api, verb: str, path: str, allowed: str) -> None:
    reply = api.request(verb, path)
    assert_is_error(reply, 405, "MethodNotAllowed")
    assert reply.headers["allow"] == allowed


@pytest.mark.parametrize("verb", ["GET", "PUT", "DELETE"])
def test_another_verb_than_post_is_405_in_the_envelope(api: Api, verb: str) -> None:
    reply = api.request(verb, "/")
    assert_is_enveloped_error(reply, 405)
    assert reply.headers["allow"] == "OPTIONS, POST"


def test_the_original_client_works_by_url_by_picture_and_by_words(
    running: RunningStack, host: PictureHost, photographs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERNAUS_TOKEN", running["api_key"])  # it is read when the client is imported
    from getsimilar.get import from_image, from_text, from_url

    ask: dict[str, Callable[[], list[Any]]] = {
        "url": lambda: from_url(host.url("windmill.jpg"), 3, api_url=running["api_url"]),
        "picture": lambda: from_image(Image.open(PHOTOGRAPHS / "windmill.jpg"), 3, api_url=running["api_url"]),
        "words": lambda: from_text("windmill", 3, api_url=running["api_url"]),
    }
    for kind, query in ask.items():
        answer = query()
        assert len(answer) == 3, kind
        assert answer[0][0] == photographs["windmill.jpg"], kind
    assert ask["url"]()[0][1] == 1.0
