import re
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.model import OperationModel

from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.operations import OPERATIONS
from crowdsight.workplace.shapes import LENGTHS, RANGES, check, present, service_model

OFFER: dict[str, Any] = {
    "Title": "t",
    "Description": "d",
    "Reward": "0.05",
    "AssignmentDurationInSeconds": 30,
    "LifetimeInSeconds": 30,
}


def operation(name: str) -> OperationModel:
    return service_model().operation_model(name)


def refusal(name: str, given: Any) -> str:
    with pytest.raises(RequestError) as refused:
        check(operation(name).input_shape, given)
    assert refused.value.turk_error_code == "AWS.MechanicalTurk.ParameterValidationError"
    return refused.value.message


def test_every_operation_on_offer_is_one_of_the_model() -> None:
    assert set(OPERATIONS) <= set(service_model().operation_names)


def test_every_limit_of_ours_is_on_a_member_of_the_model() -> None:
    members = set()
    for name in service_model().operation_names:
        shape = operation(name).input_shape
        members |= set(shape.members) if shape else set()
    members |= set(service_model().shape_for("QualificationRequirement").members)
    members |= set(service_model().shape_for("NotificationSpecification").members)
    assert set(LENGTHS) | set(RANGES) <= members


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_each_required_member_is_asked_for_by_name(name: str) -> None:
    shape = operation(name).input_shape
    assert shape
    for member in shape.required_members:
        given = {other: OFFER.get(other, "X") for other in shape.required_members if other != member}
        if member == shape.required_members[0]:
            assert f"{member} is required" in refusal(name, given)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("Title", ""),
        ("Title", "t" * 129),
        ("Title", 5),
        ("Title", ["t"]),
        ("Title", "\ud800"),
        ("Description", "d" * 2_001),
        ("Keywords", "k" * 1_001),
        ("RequesterAnnotation", "a" * 256),
        ("Reward", "5 cents"),
        ("Reward", "-1"),
        ("Reward", "0.055"),
        ("Reward", "1\n"),
        ("Reward", "٣"),
        ("Reward", 0.05),
        ("AssignmentDurationInSeconds", 29),
        ("AssignmentDurationInSeconds", 31_536_001),
        ("LifetimeInSeconds", 29),
        ("LifetimeInSeconds", 60.0),
        ("LifetimeInSeconds", True),
        ("LifetimeInSeconds", "60"),
        ("AutoApprovalDelayInSeconds", -1),
        ("AutoApprovalDelayInSeconds", 2_592_001),
        ("MaxAssignments", 0),
        ("MaxAssignments", 1_000_000_001),
        ("MaxAssignments", 2**31),
        ("UniqueRequestToken", ""),
        ("UniqueRequestToken", "t" * 65),
        ("HITLayoutId", "lower"),
        ("QualificationRequirements", "none"),
        ("QualificationRequirements", [{"QualificationTypeId": "A", "Comparator": "Exists"}] * 11),
        ("QualificationRequirements", [{"QualificationTypeId": "A"}]),
        ("QualificationRequirements", [{"QualificationTypeId": "A", "Comparator": "Is"}]),
        ("QualificationRequirements", [{"QualificationTypeId": "A", "Comparator": "In", "IntegerValues": ["1"]}]),
        (
            "QualificationRequirements",
            [{"QualificationTypeId": "A", "Comparator": "In", "LocaleValues": [{"Country": "USA"}]}],
        ),
    ],
)
def test_a_member_that_breaks_a_rule_is_refused_by_name(member: str, value: Any) -> None:
    assert member in refusal("CreateHIT", OFFER | {member: value})


@pytest.mark.parametrize("value", [None, [], "x", 3])
def test_a_request_is_an_object(value: Any) -> None:
    assert "must be an object" in refusal("GetHIT", value)


@pytest.mark.parametrize("value", ["now", True, -1, 10**12, float("nan")])
def test_a_time_is_in_seconds_of_our_age(value: Any) -> None:
    assert "ExpireAt" in refusal("UpdateExpirationForHIT", {"HITId": "A", "ExpireAt": value})


def test_what_is_allowed_passes_unchanged_and_what_is_unknown_is_left_out() -> None:
    given = OFFER | {"MaxAssignments": 3, "Keywords": "", "Colour": "red", "RequesterAnnotation": None}
    assert check(operation("CreateHIT").input_shape, given) == OFFER | {"MaxAssignments": 3, "Keywords": ""}


def test_times_are_datetimes_within_and_epoch_seconds_outside() -> None:
    taken = check(operation("UpdateExpirationForHIT").input_shape, {"HITId": "A", "ExpireAt": 1_800_000_000.5})
    assert taken["ExpireAt"] == datetime(2027, 1, 15, 8, 0, 0, 500_000, UTC)
    shown = present(operation("GetHIT").output_shape, {"HIT": {"Expiration": taken["ExpireAt"], "Title": None}})
    assert shown == {"HIT": {"Expiration": 1_800_000_000.5}}


def test_an_answer_holds_only_what_the_model_knows() -> None:
    assert present(operation("GetAccountBalance").output_shape, {"AvailableBalance": "1.00", "Secret": "x"}) == {
        "AvailableBalance": "1.00"
    }


def test_patterns_of_the_model_are_anchored_at_both_ends_so_that_ours_mean_the_same() -> None:
    for name in service_model().shape_names:
        pattern = service_model().shape_for(name).metadata.get("pattern")
        assert pattern is None or re.match(r"\^.*\$$", pattern)
