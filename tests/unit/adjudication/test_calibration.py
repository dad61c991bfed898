import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication.calibration import START, Calibration, fit

SHARES = st.floats(0, 1)
AUDITS = st.lists(st.tuples(SHARES, st.booleans()), max_size=30)


@given(AUDITS, SHARES, SHARES)
def test_more_belief_never_states_less_confidence(audits: list[tuple[float, bool]], one: float, other: float) -> None:
    low, high = sorted((one, other))
    calibration = fit(audits)
    assert 0 <= calibration.stated(low) <= calibration.stated(high) <= 1


@given(AUDITS)
def test_an_even_belief_stays_even(audits: list[tuple[float, bool]]) -> None:
    assert fit(audits).stated(0.5) == pytest.approx(0.5)


def test_without_audits_it_stays_where_it_starts() -> None:
    assert fit([]).stated(0.9) == pytest.approx(START.stated(0.9), abs=0.01)
    assert fit([]).audits == 0


def test_what_was_right_less_often_than_believed_is_stated_with_less_confidence() -> None:
    overconfident = fit([(0.97, number % 4 != 0) for number in range(200)])
    assert overconfident.stated(0.97) == pytest.approx(0.75, abs=0.04)
    assert overconfident.audits == 200


def test_what_was_right_more_often_than_believed_is_stated_with_more_confidence() -> None:
    assert fit([(0.8, number % 20 != 0) for number in range(200)]).stated(0.8) > 0.88


def test_tasks_that_mislead_cap_the_confidence_however_firm_the_belief() -> None:
    assert Calibration(slope=1, misled=0.1).stated(1) == pytest.approx(0.9, abs=1e-5)
