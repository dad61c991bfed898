import pytest

from crowdsight.workplace.site_pages import about, duration, iso, moment


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 seconds"),
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (90, "1 minute 30 seconds"),
        (3_600, "1 hour"),
        (3_630, "1 hour"),
        (3_660, "1 hour 1 minute"),
        (31_536_000, "365 days"),
    ],
)
def test_a_time_span_is_shown_in_its_two_largest_units(seconds: int, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (89, "89 seconds"),
        (5_399, "90 minutes"),
        (86_399, "24 hours"),
        (172_000, "2 days"),
    ],
)
def test_what_is_left_is_shown_roughly(seconds: int, text: str) -> None:
    assert about(seconds) == text


def test_moments_are_shown_in_utc() -> None:
    assert moment(1_790_777_100_999) == "30 Sep 2026, 14:05 UTC"
    assert iso(1_790_777_100_999) == "2026-09-30T14:05:00Z"
