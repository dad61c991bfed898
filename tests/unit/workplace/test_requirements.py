"""What HITs require, held against what Workers are and hold."""

from dataclasses import replace
from typing import Any

import pytest

from crowdsight.workplace.faults import RequestError
from crowdsight.workplace.qualifications import (
    LOCALE,
    MASTERS,
    MASTERS_IN_SANDBOX,
    NUMBER_APPROVED,
    PERCENT_APPROVED,
    Qualification,
    QualificationStatus,
)
from crowdsight.workplace.requirements import Action, Standing, normal_requirements
from crowdsight.workplace.workers import Worker

ADA = Worker("AW1", "Ada", 0)


def held(value: int, type_id: str = "3TYPE", status: str = "Granted") -> Qualification:
    return Qualification(type_id, "Reads", "AW1", value, QualificationStatus(status), 0)


def standing(*qualifications: Qualification, **of_worker: Any) -> Standing:
    kept = {qualification.qualification_type_id: qualification for qualification in qualifications}
    return Standing(replace(ADA, **of_worker), kept, {})


def meets(who: Standing, comparator: str, *values: Any, type_id: str = "3TYPE") -> bool:
    member: dict[str, Any] = {"QualificationTypeId": type_id, "Comparator": comparator}
    if values:
        member["LocaleValues" if type_id == LOCALE else "IntegerValues"] = list(values)
    return not who.unmet(normal_requirements([member]), Action.ACCEPT)


@pytest.mark.parametrize(
    ("comparator", "values", "below", "equal", "above"),
    [
        ("LessThan", [50], True, False, False),
        ("LessThanOrEqualTo", [50], True, True, False),
        ("GreaterThan", [50], False, False, True),
        ("GreaterThanOrEqualTo", [50], False, True, True),
        ("EqualTo", [50], False, True, False),
        ("NotEqualTo", [50], True, False, True),
        ("In", [50, 51], False, True, True),
        ("NotIn", [50, 51], True, False, False),
        ("Exists", [], True, True, True),
        ("DoesNotExist", [], False, False, False),
    ],
)
def test_each_comparator_compares_the_value_and_who_holds_none_meets_only_that_there_is_none(
    comparator: str, values: list[int], below: bool, equal: bool, above: bool
) -> None:
    assert [meets(standing(held(value)), comparator, *values) for value in (49, 50, 51)] == [below, equal, above]
    without = comparator == "DoesNotExist"
    assert meets(standing(), comparator, *values) == without
    assert meets(standing(held(50, status="Revoked")), comparator, *values) == without
    assert meets(standing(held(50, "3OTHER")), comparator, *values) == without


def test_a_value_of_zero_is_held() -> None:
    assert meets(standing(held(0)), "Exists")
    assert meets(standing(held(0)), "EqualTo", 0)
    assert not meets(standing(held(0)), "DoesNotExist")
    assert meets(standing(held(-5)), "LessThan", 0)


US, WA, OR, CA = (
    {"Country": "US"},
    {"Country": "US", "Subdivision": "WA"},
    {"Country": "US", "Subdivision": "OR"},
    {"Country": "CA"},
)


@pytest.mark.parametrize(
    ("comparator", "values", "in_wa", "in_us", "in_ca"),
    [
        ("EqualTo", [US], True, True, False),
        ("EqualTo", [WA], True, False, False),
        ("EqualTo", [OR], False, False, False),
        ("NotEqualTo", [US], False, False, True),
        ("NotEqualTo", [WA], False, True, True),
        ("In", [OR, CA], False, False, True),
        ("In", [OR, WA], True, False, False),
        ("NotIn", [OR, CA], True, True, False),
        ("NotIn", [US, CA], False, False, False),
        ("Exists", [], True, True, True),
    ],
)
def test_a_country_includes_its_subdivisions_and_a_worker_of_no_known_place_is_nowhere(
    comparator: str, values: list[dict[str, str]], in_wa: bool, in_us: bool, in_ca: bool
) -> None:
    places = ({"country": "US", "subdivision": "WA"}, {"country": "US"}, {"country": "CA"})
    found = [meets(standing(**place), comparator, *values, type_id=LOCALE) for place in places]
    assert found == [in_wa, in_us, in_ca]
    assert not meets(standing(), comparator, *values, type_id=LOCALE)


def test_where_a_worker_is_unknown_it_does_not_exist() -> None:
    assert meets(standing(), "DoesNotExist", type_id=LOCALE)
    assert not meets(standing(country="US"), "DoesNotExist", type_id=LOCALE)


@pytest.mark.parametrize(
    ("counts", "percent"),
    [
        ({}, 100),
        ({"approved": 1, "rejected": 98}, 100),
        ({"approved": 1, "rejected": 99}, 1),
        ({"approved": 1, "rejected": 49, "waiting": 50}, 2),
        ({"waiting": 100}, 100),
        ({"approved": 999, "rejected": 1}, 99),
        ({"approved": 1000}, 100),
    ],
)
def test_the_share_approved_counts_from_a_hundred_submissions_on_and_is_rounded_down(
    counts: dict[str, int], percent: int
) -> None:
    assert standing(**counts).value_of(PERCENT_APPROVED) == percent
    assert meets(standing(**counts), "GreaterThanOrEqualTo", percent, type_id=PERCENT_APPROVED)
    assert not meets(standing(**counts), "GreaterThan", percent, type_id=PERCENT_APPROVED)


def test_the_number_approved_is_what_was_approved() -> None:
    assert meets(standing(approved=5), "EqualTo", 5, type_id=NUMBER_APPROVED)
    assert meets(standing(), "EqualTo", 0, type_id=NUMBER_APPROVED)


def test_masters_are_masters_in_the_sandbox_too_and_nobody_else_is() -> None:
    for type_id in (MASTERS, MASTERS_IN_SANDBOX):
        assert not meets(standing(approved=100_000), "Exists", type_id=type_id)
        assert meets(standing(held(1, MASTERS)), "Exists", type_id=type_id)


@pytest.mark.parametrize(
    ("given", "kept_from"),
    [
        ({}, {"Accept"}),
        ({"RequiredToPreview": False}, {"Accept"}),
        ({"RequiredToPreview": True}, {"Preview", "Accept"}),
        ({"ActionsGuarded": "Accept"}, {"Accept"}),
        ({"ActionsGuarded": "PreviewAndAccept"}, {"Preview", "Accept"}),
        ({"ActionsGuarded": "DiscoverPreviewAndAccept"}, {"Discover", "Preview", "Accept"}),
        ({"ActionsGuarded": "Accept", "RequiredToPreview": True}, {"Preview", "Accept"}),
        ({"ActionsGuarded": "DiscoverPreviewAndAccept", "RequiredToPreview": False}, {"Discover", "Preview", "Accept"}),
    ],
)
def test_a_requirement_keeps_from_what_it_guards(given: dict[str, Any], kept_from: set[str]) -> None:
    members = normal_requirements([{"QualificationTypeId": "3TYPE", "Comparator": "Exists", **given}])
    assert {action.value for action in Action if standing().unmet(members, action)} == kept_from
    assert not any(standing(held(1)).unmet(members, action) for action in Action)
    (member,) = members
    assert member["RequiredToPreview"] == ("Preview" in kept_from)


def test_every_requirement_that_guards_has_to_be_met() -> None:
    members = normal_requirements(
        [
            {"QualificationTypeId": "3ONE", "Comparator": "Exists", "ActionsGuarded": "DiscoverPreviewAndAccept"},
            {"QualificationTypeId": "3TWO", "Comparator": "Exists", "ActionsGuarded": "PreviewAndAccept"},
            {"QualificationTypeId": "3THREE", "Comparator": "Exists"},
        ]
    )

    def allowed(*type_ids: str) -> list[Action]:
        who = standing(*(held(1, type_id) for type_id in type_ids))
        return [action for action in Action if not who.unmet(members, action)]

    assert allowed() == []
    assert allowed("3ONE") == [Action.DISCOVER]
    assert allowed("3ONE", "3TWO") == [Action.DISCOVER, Action.PREVIEW]
    assert allowed("3ONE", "3TWO", "3THREE") == list(Action)
    assert allowed("3TWO", "3THREE") == []


@pytest.mark.parametrize(
    "given",
    [
        {"Comparator": "Exists", "IntegerValues": [1]},
        {"Comparator": "DoesNotExist", "QualificationTypeId": LOCALE, "LocaleValues": [US]},
        {"Comparator": "EqualTo"},
        {"Comparator": "EqualTo", "IntegerValues": [1, 2]},
        {"Comparator": "EqualTo", "QualificationTypeId": LOCALE, "LocaleValues": [US, CA]},
        {"Comparator": "GreaterThan", "QualificationTypeId": LOCALE, "LocaleValues": [US]},
        {"Comparator": "In"},
        {"Comparator": "NotIn", "IntegerValues": []},
        {"Comparator": "EqualTo", "LocaleValues": [US]},
        {"Comparator": "EqualTo", "QualificationTypeId": LOCALE, "IntegerValues": [1]},
        {"Comparator": "In", "QualificationTypeId": LOCALE, "IntegerValues": [1], "LocaleValues": [US]},
        {"Comparator": "EqualTo", "QualificationTypeId": LOCALE, "LocaleValues": [{"Country": "us"}]},
        {"Comparator": "EqualTo", "QualificationTypeId": LOCALE, "LocaleValues": [{"Country": "U5"}]},
        {"Comparator": "EqualTo", "QualificationTypeId": LOCALE, "LocaleValues": [US | {"Subdivision": "wa"}]},
    ],
)
def test_values_that_do_not_go_with_the_comparator_or_the_type_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(RequestError) as refusal:
        normal_requirements([{"QualificationTypeId": "3TYPE", **given}])
    assert refusal.value.turk_error_code == "AWS.MechanicalTurk.InvalidParameterValue"
