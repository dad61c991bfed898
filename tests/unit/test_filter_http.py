"""Filters in the body of `POST /` and in the query of `GET /image/find`."""

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from crowdsight.errors import InvalidRequest
from crowdsight.filter_http import MOST_IDS, milliseconds
from crowdsight.models.coco import CATEGORIES
from crowdsight.openapi import describe_api
from crowdsight.proxy_request import ProxyRequest
from crowdsight.search.image_filter import ALL_IMAGES, ImageFilter
from crowdsight.search_http import find_query, similar_body
from tests.proxy_event import proxy_event

EMBEDDED = Path(__file__).resolve().parents[2] / "functions" / "search" / "models" / "embedded"
ONE, OTHER = "0123456789abcdef" * 2, "f" * 32
API = describe_api("/")
BODY_SCHEMA = Draft202012Validator(
    API["components"]["schemas"]["SimilarBody"] | {"components": API["components"]},
)
FIND_SCHEMAS = {
    parameter["name"]: Draft202012Validator(parameter["schema"])
    for parameter in API["paths"]["/image/find"]["get"]["parameters"]
}


def in_body(filter: Any) -> ImageFilter:
    body = json.dumps({"text": "a dog", "filter": filter})
    return similar_body(ProxyRequest.from_event(proxy_event("POST", "/", body=body))).images


def in_query(filter: dict[str, Any]) -> ImageFilter:
    texts = {name: ",".join(value) if isinstance(value, list) else value for name, value in filter.items()}
    query = urlencode({"url": "a"} | texts)
    return find_query(ProxyRequest.from_event(proxy_event("GET", f"/image/find?{query}"))).images


def message_of(read: Any, filter: Any) -> str:
    with pytest.raises(InvalidRequest) as refused:
        read(filter)
    return refused.value.message


@pytest.mark.parametrize(
    ("filter", "images"),
    [
        ({}, ALL_IMAGES),
        ({"label": "dog"}, ImageFilter("dog")),
        ({"label": "traffic light", "min_label_score": 0.5}, ImageFilter("traffic light", 0.5)),
        ({"label": "dog", "min_label_score": 1}, ImageFilter("dog", 1.0)),
        ({"saved_after": "2026-01-31T00:00:00Z"}, ImageFilter(saved_since_ms=1_769_817_600_000)),
        ({"saved_before": "2026-01-31T01:30:00.25+01:30"}, ImageFilter(saved_before_ms=1_769_817_600_250)),
        ({"ids": [ONE, OTHER, ONE]}, ImageFilter(image_ids=frozenset({ONE, OTHER}))),
        (
            {
                "label": "cat",
                "saved_after": "1970-01-01T00:00:01Z",
                "saved_before": "1970-01-01T00:00:02Z",
                "ids": [ONE],
            },
            ImageFilter("cat", 0.0, 1000, 2000, frozenset({ONE})),
        ),
    ],
)
def test_a_filter_means_the_same_in_a_body_and_in_a_query(filter: dict[str, Any], images: ImageFilter) -> None:
    assert in_body(filter) == in_query(filter) == images


def test_without_a_filter_all_images_are_meant() -> None:
    assert in_body(None) == ALL_IMAGES
    assert in_body(dict.fromkeys(("label", "min_label_score", "saved_after", "saved_before", "ids"))) == ALL_IMAGES
    body = ProxyRequest.from_event(proxy_event("POST", "/", body='{"text": "a"}'))
    assert similar_body(body).images == ALL_IMAGES


BAD_TIMES = [
    "", "now", "1769817600", "2026-01-31", "2026-01-31T00:00:00", "2026-01-31 00:00:00Z", "2026-01-31T00:00Z",
    "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T00:00:60Z",
    "0000-01-01T00:00:00Z", "2026-01-31T00:00:00.Z", "2026-01-31T00:00:00.0000000001Z", "2026-01-31T00:00:00+24:00",
    "2026-01-31T00:00:00 01:00", "2026-01-31T00:00:00Z\n", " 2026-01-31T00:00:00Z", "２０２６-01-31T00:00:00Z",
]  # fmt: skip
BAD_IDS = [[], [""], [ONE, ""], [ONE[:31]], [f"{ONE}0"], [ONE.upper()], [f"{ONE}\n"], [f" {ONE}"], ["g" * 32]]


@pytest.mark.parametrize(
    ("filter", "field"),
    [
        *(({"label": label}, "label: one of COCO's 80") for label in ("", "dogs", "Dog", "dog ", "d\0g", "x" * 4000)),
        *(({"label": "dog", "min_label_score": score}, "min_label_score") for score in (-0.1, 1.1, "", "x")),
        ({"min_label_score": 0.5}, "min_label_score is that of a label"),
        *(({name: time}, f"{name}: a time") for name in ("saved_after", "saved_before") for time in BAD_TIMES),
        *(({"ids": ids}, "ids: ") for ids in BAD_IDS),
        ({"ids": [ONE] * (MOST_IDS + 1)}, "ids: 1 to 1,000"),
    ],
)
def test_a_wrong_part_is_named_in_a_body_and_in_a_query(filter: dict[str, Any], field: str) -> None:
    for message in (message_of(in_body, filter), message_of(in_query, filter)):
        assert field in message
        assert len(message) < 300


WRONG_TYPES: dict[str, list[Any]] = {
    "label": [1, True, ["dog"], {}],
    "min_label_score": ["0.5", True, []],
    "saved_after": [0, 1_769_817_600_000, True, [], {}],
    "ids": [ONE, 1, {}, {ONE: 1}, [1], [None], [[ONE]]],
    "labels": ["dog"],
    "account": ["bob"],
}


@pytest.mark.parametrize(
    ("filter", "field"),
    [
        *(
            ({"label": "dog", name: value}, f"body.filter.{name}")
            for name in WRONG_TYPES
            for value in WRONG_TYPES[name]
        ),
        ([], "body.filter"),
        ("dog", "body.filter"),
        (True, "body.filter"),
    ],
)
def test_wrong_types_and_unknown_fields_of_a_body_are_named(filter: Any, field: str) -> None:
    assert field in message_of(in_body, filter)


def test_the_id_that_is_none_is_told_by_its_place() -> None:
    assert "at place 2 " in message_of(in_body, {"ids": [ONE, "x", OTHER]})
    assert in_body({"ids": [f"{number:032x}" for number in range(MOST_IDS)]}).image_ids is not None


def test_labels_are_the_names_that_the_embedded_detector_gives() -> None:
    assert list(CATEGORIES) == json.loads((EMBEDDED / "coco80.json").read_text())


ZONES = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=ZONES),
    st.integers(0, 999_999_999),
    st.integers(-1, 2),
)
def test_what_was_saved_in_a_millisecond_is_before_a_time_exactly_if_it_is(
    time: datetime, nanoseconds: int, distance_ms: int
) -> None:
    text = time.replace(microsecond=0).isoformat().replace("+00:00", "Z")
    zone = -1 if text.endswith("Z") else -6
    whole_ms = (time.replace(microsecond=0) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    saved_ms = whole_ms + nanoseconds // 1_000_000 + distance_ms
    is_before = saved_ms * 1_000_000 < whole_ms * 1_000_000 + nanoseconds
    assert (saved_ms < milliseconds(f"{text[:zone]}.{nanoseconds:09}{text[zone:]}")) == is_before


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59.999Z", "1970-01-01T00:00:00Z"])
def test_before_1970_nothing_was_saved(text: str) -> None:
    assert milliseconds(text) == 0


NEARLY = {
    "label": st.sampled_from(["dog", "Dog", "", "traffic light", "\ud800"]) | st.text(max_size=5),
    "min_label_score": st.floats() | st.integers() | st.sampled_from(["0.5", "nan"]),
    "saved_after": st.from_regex(
        r"\A[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:00:00(\.[0-9]{0,10})?(Z|[+-][0-2]0:00)?\Z"
    ),
    "saved_before": st.datetimes().map(lambda time: f"{time.isoformat()}Z") | st.text(max_size=30),
    "ids": st.lists(st.sampled_from([ONE, OTHER, "", "x", ",", f"{ONE},{OTHER}"]) | st.text(max_size=33), max_size=3),
    "more": st.none(),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
BODIES = JSON | st.fixed_dictionaries({}, optional={name: JSON | value for name, value in NEARLY.items()})


@given(BODIES)
@example({"label": "\ud800"})
@example({"ids": [ONE] * 1000})
def test_whatever_a_body_holds_is_a_filter_or_refused_and_what_is_not_described_is_refused(filter: Any) -> None:
    try:
        images = in_body(filter)
    except InvalidRequest:
        return
    assert isinstance(images, ImageFilter)
    assert BODY_SCHEMA.is_valid({"text": "a dog", "filter": filter})


@given(st.fixed_dictionaries({}, optional={name: value for name, value in NEARLY.items() if name != "more"}))
def test_whatever_a_query_says_is_a_filter_or_refused_and_what_is_not_described_is_refused(
    filter: dict[str, Any],
) -> None:
    texts = {name: ",".join(value) if isinstance(value, list) else str(value) for name, value in filter.items()}
    event = proxy_event("GET", "/image/find?url=a")
    event["multiValueQueryStringParameters"] |= {name: [text] for name, text in texts.items()}
    try:
        images = find_query(ProxyRequest.from_event(event)).images
    except InvalidRequest:
        return
    assert isinstance(images, ImageFilter)
    for name in ("label", "saved_after", "saved_before"):
        assert name not in texts or FIND_SCHEMAS[name].is_valid(texts[name])
    assert "ids" not in texts or FIND_SCHEMAS["ids"].is_valid(texts["ids"].split(","))
