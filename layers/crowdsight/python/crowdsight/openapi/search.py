"""Image search in the description: find, save and serve, and similar images in their envelope."""

from typing import Any

from pydantic import BaseModel

from crowdsight.errors import (
    AllowanceExhausted,
    AlreadyStored,
    InternalError,
    InvalidRequest,
    NotFound,
    TooManyRequests,
    UndecodableImage,
    UnfetchableImage,
    UnsupportedMediaType,
)
from crowdsight.filter_http import IDS_SCHEMA, LABEL_SCHEMA, TIME_SCHEMA
from crowdsight.openapi.answers import ALWAYS, REFERENCE, error_answers, json_content, object_schema, reference
from crowdsight.search_http import MAX_RESULTS, SaveBody, SimilarBody

_URL = {"type": "string", "format": "uri"}
_SCORE = {"type": "number", "minimum": 0, "maximum": 1}
_BAD_IMAGE = (InvalidRequest.code, UnfetchableImage.code, UndecodableImage.code)
_ALLOWANCE = {
    name: {"schema": {"type": "integer"}, "description": description}
    for name, description in (
        ("X-Allowance-Limit", "How many successful searches a UTC day has free."),
        ("X-Allowance-Remaining", "How many of them are left."),
        ("X-Allowance-Reset", "When the day ends, in seconds since the epoch."),
    )
}
"""Of the operation's own answers: where the gateway answers before it, they are missing."""

_IMAGE_TYPES = ("image/jpeg", "image/png", "image/webp")


def models() -> list[type[BaseModel]]:
    """What the descriptions refer to."""
    return [SaveBody, SimilarBody]


def schemas() -> dict[str, Any]:
    """Bodies of answers."""
    cors = {
        "type": "object",
        "required": ["Access-Control-Allow-Origin", "Access-Control-Allow-Methods"],
        "additionalProperties": {"type": "string"},
    }
    failed = object_schema(statusCode={"type": "integer"}, error={"type": "string"}, headers=cors)
    return {
        "Finding": object_schema(
            request_id={"type": "string", "format": "uuid"},
            results={"type": "array", "items": object_schema(url=_URL, similarity=_SCORE)},
        ),
        "Saved": object_schema(message={"type": "string"}, url=_URL),
        "Similar": object_schema(
            statusCode={"const": 200},
            body={
                "type": "string",
                "contentMediaType": "application/json",
                "contentSchema": {"$ref": REFERENCE.format(model="SimilarImages")},
            },
            headers=cors,
        ),
        "SimilarImages": {
            "type": "object",
            "required": ["info", "images"],
            "properties": {
                "info": object_schema(url=_URL),
                "images": {
                    "type": "array",
                    "items": object_schema(url=_URL, score=_SCORE, thumbnail_url=_URL, id={"type": "string"}),
                },
                "annotations": {
                    "type": "array",
                    "description": "With get_labels: one for each image, in the same order.",
                    "items": object_schema(
                        image_id={"type": "string"},
                        height={"type": "integer"},
                        width={"type": "integer"},
                        annotations={
                            "type": "array",
                            "items": object_schema(
                                name={"type": "string"},
                                score={"type": "number"},
                                box={
                                    "type": "array",
                                    "items": {"type": "number"},
                                    "minItems": 4,
                                    "maxItems": 4,
                                    "description": "x_min, y_min, x_max, y_max in pixels of the stored image.",
                                },
                                category_id={"type": "integer", "minimum": 0, "maximum": 79},
                            ),
                        },
                    ),
                },
            },
        },
        "SimilarError": {
            "description": "In the envelope from the operation itself, plain where the gateway answers before it.",
            "anyOf": [failed, {"$ref": REFERENCE.format(model="Error")}],
        },
    }


def paths() -> dict[str, Any]:
    """The routes."""
    return {
        "/image/find": {"get": _find()},
        "/image/save": {"post": _save()},
        "/image/{file}": {"get": _serve("get-image", "A stored image.")},
        "/thumbnail/{file}": {"get": _serve("get-thumbnail", "A stored image's thumbnail, WebP.")},
        "/": {"post": _similar(), "options": _preflight()},
    }


def _find() -> dict[str, Any]:
    threshold = {"type": "number", "minimum": 0, "maximum": 1}
    return {
        "operationId": "find-images",
        "summary": "Stored images like the one at a URL, most similar first; remembered for 3 minutes.",
        "parameters": [
            _query("url", {"type": "string", "minLength": 1}, "http or https", required=True),
            _query("max_results", {"type": "integer", "minimum": 1, "maximum": MAX_RESULTS, "default": 5}),
            _query("max_similarity", threshold, "Results below it are left out, whatever its name says."),
            _query("min_similarity", threshold, "The same, by an honest name; both must be equal."),
            _query("label", LABEL_SCHEMA, "Only images in which it was detected."),
            _query("min_label_score", threshold, "How sure of the label the detector was at least; only with it."),
            _query("saved_after", TIME_SCHEMA, "Only images that were saved then or later."),
            _query("saved_before", TIME_SCHEMA, "Only images that were saved earlier."),
            _query("ids", IDS_SCHEMA, "Only these images, as `POST /` names them.") | {"explode": False},
        ],
        "responses": _found("What was found.", "Finding") | error_answers(*_BAD_IMAGE, *ALWAYS),
    }


def _save() -> dict[str, Any]:
    return {
        "operationId": "save-image",
        "summary": "Store the image of a find; the next find sees it.",
        "requestBody": {"required": True, "content": json_content(reference(SaveBody))},
        "responses": _found("Where it is now.", "Saved")
        | error_answers(*_BAD_IMAGE, AlreadyStored.code, "RequestTooLarge", UnsupportedMediaType.code, *ALWAYS),
    }


def _serve(id: str, summary: str) -> dict[str, Any]:
    content = {type: {"schema": {"type": "string", "format": "binary"}} for type in _IMAGE_TYPES}
    return {
        "operationId": id,
        "summary": summary,
        "security": [],
        "parameters": [{"name": "file", "in": "path", "required": True, "schema": {"type": "string"}}],
        "responses": {"200": {"description": "The picture.", "content": content}}
        | error_answers(NotFound.code, TooManyRequests.code, InternalError.code),
    }


def _similar() -> dict[str, Any]:
    return {
        "operationId": "find-similar",
        "summary": "Stored images like a picture, by URL or bytes, or like words; with COCO labels if asked for.",
        "requestBody": {"required": True, "content": json_content(reference(SimilarBody))},
        "responses": {
            status: answered | {"headers": _ALLOWANCE | answered.get("headers", {})}
            for status, answered in (
                _found("Found.", "Similar")
                | error_answers(*_BAD_IMAGE, AllowanceExhausted.code, "RequestTooLarge", *ALWAYS, model="SimilarError")
            ).items()
        },
    }


def _preflight() -> dict[str, Any]:
    return {
        "operationId": "preflight-similar",
        "summary": "What a web page may do here (CORS).",
        "security": [],
        "responses": {"200": {"description": "Allowed to every origin."}}
        | error_answers(UnsupportedMediaType.code, "RequestTooLarge", TooManyRequests.code, InternalError.code),
    }


def _query(name: str, schema: dict[str, Any], description: str = "", required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _found(description: str, model: str) -> dict[str, Any]:
    return {"200": {"description": description, "content": json_content({"$ref": REFERENCE.format(model=model)})}}
