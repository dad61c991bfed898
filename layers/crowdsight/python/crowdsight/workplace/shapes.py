"""Requests and responses after botocore's model of MTurk, whose shapes, enums and limits are the authority."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import botocore.loaders
from botocore.model import ListShape, ServiceModel, Shape, StructureShape

from crowdsight.workplace.faults import RequestError

MAX_DEPTH = 20
LATEST_S = 253_402_300_799  # the end of the year 9999

# What MTurk's documentation limits and botocore's model leaves open, by the member's name.
LENGTHS: Mapping[str, tuple[int, int]] = {
    "Title": (1, 128),
    "Description": (1, 2_000),
    "Keywords": (0, 1_000),
    "RequesterAnnotation": (0, 255),
    "RequesterFeedback": (0, 1_024),
    "Destination": (1, 1_024),
    "Reason": (0, 4_096),
    "Subject": (1, 200),
    "MessageText": (1, 4_096),
    "QualificationTypeId": (1, 64),
    "QualificationRequestId": (1, 64),
    "Name": (1, 200),
    "Query": (0, 1_000),
}
RANGES: Mapping[str, tuple[int, int]] = {
    "LifetimeInSeconds": (30, 31_536_000),
    "AssignmentDurationInSeconds": (30, 31_536_000),
    "AutoApprovalDelayInSeconds": (0, 2_592_000),
    "MaxAssignments": (1, 1_000_000_000),
    "TestDurationInSeconds": (1, 31_536_000),
    "RetryDelayInSeconds": (0, 31_536_000),
    "NumberOfAdditionalAssignments": (1, 1_000_000_000),
}
COUNTS: Mapping[str, tuple[int, int]] = {
    "QualificationRequirements": (0, 10),
    "IntegerValues": (0, 15),
    "LocaleValues": (0, 30),
    "EventTypes": (0, 12),
    "AssignmentStatuses": (0, 3),
    "PolicyLevels": (0, 2),
    "WorkerIds": (1, 100),
}


@cache
def service_model() -> ServiceModel:
    """botocore's model of MTurk's Requester API, version 2017-01-17."""
    loader = botocore.loaders.create_loader()
    return ServiceModel(loader.load_service_model("mturk", "service-2"), "mturk")


def check(shape: Shape | None, value: Any) -> Any:
    """The request as its operation takes it: known members only, timestamps as datetimes.

    Checks what is required, types, lengths, ranges, enums, patterns and numbers of members.
    Raises RequestError ParameterValidationError, which names the member.
    """
    if shape is None:
        return {}
    return _check(shape, value, "", "", 0)


def present(shape: Shape | None, value: Any) -> Any:
    """A response as JSON has it: only members that the model knows and that are not None, times as epoch seconds."""
    if shape is None:
        return {}
    if isinstance(shape, StructureShape):
        members = ((name, value.get(name)) for name in shape.members)
        return {name: present(shape.members[name], member) for name, member in members if member is not None}
    if isinstance(shape, ListShape):
        return [present(shape.member, member) for member in value]
    if shape.type_name == "timestamp":
        seconds = value.timestamp()
        return int(seconds) if seconds.is_integer() else round(seconds, 3)
    return value


def _check(shape: Shape, value: Any, path: str, name: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise _refused(path, "is nested too deeply")
    if isinstance(shape, StructureShape):
        return _check_structure(shape, value, path, depth)
    if isinstance(shape, ListShape):
        if not isinstance(value, list):
            raise _refused(path, "must be a list")
        _check_limits(shape, len(value), COUNTS.get(name), path, "members")
        return [_check(shape.member, member, f"{path}[{index}]", "", depth + 1) for index, member in enumerate(value)]
    if shape.type_name == "string":
        return _check_string(shape, value, path, name)
    if shape.type_name in ("integer", "long"):
        if not isinstance(value, int) or isinstance(value, bool):
            raise _refused(path, "must be a whole number")
        bits = 31 if shape.type_name == "integer" else 63
        if not -(2**bits) <= value < 2**bits:
            raise _refused(path, f"must fit into {bits + 1} bits")
        _check_limits(shape, value, RANGES.get(name), path, "")
        return value
    if shape.type_name == "boolean":
        if not isinstance(value, bool):
            raise _refused(path, "must be true or false")
        return value
    if shape.type_name == "timestamp":
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise _refused(path, "must be a time in seconds since 1970-01-01T00:00:00Z")
        if not 0 <= value <= LATEST_S:
            raise _refused(path, "must lie between the years 1970 and 9999")
        return datetime.fromtimestamp(value, UTC)
    raise _refused(path, f"has a type that is not offered here ({shape.type_name})")


def _check_structure(shape: StructureShape, value: Any, path: str, depth: int) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(path or "the request", "must be an object")
    for name in shape.required_members:
        if value.get(name) is None:
            raise _refused(_join(path, name), "is required")
    return {
        name: _check(member, value[name], _join(path, name), name, depth + 1)
        for name, member in shape.members.items()
        if value.get(name) is not None
    }


def _check_string(shape: Shape, value: Any, path: str, name: str) -> str:
    if not isinstance(value, str):
        raise _refused(path, "must be a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _refused(path, "is not well-formed Unicode") from error
    _check_limits(shape, len(value), LENGTHS.get(name), path, "characters")
    enum = shape.metadata.get("enum")
    if enum and value not in enum:
        raise _refused(path, f"must be one of {', '.join(enum)}")
    pattern = shape.metadata.get("pattern")
    # The patterns end in $, which in Python would allow a line break after it.
    if pattern and not re.fullmatch(pattern.removeprefix("^").removesuffix("$"), value, re.ASCII):
        raise _refused(path, f"must match {pattern}")
    return value


def _check_limits(shape: Shape, value: int, documented: tuple[int, int] | None, path: str, unit: str) -> None:
    least, most = documented or (shape.metadata.get("min"), shape.metadata.get("max"))
    what = f" {unit}" if unit else ""
    if least is not None and value < least:
        raise _refused(path, f"must have at least {least}{what}" if unit else f"must be at least {least}")
    if most is not None and value > most:
        raise _refused(path, f"must have at most {most}{what}" if unit else f"must be at most {most}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _refused(path: str, what: str) -> RequestError:
    return RequestError("ParameterValidationError", f"Invalid parameter: {path} {what}.")
