from hypothesis import given
from hypothesis import strategies as st

from crowdsight.adjudication.tally import SkillState

NAMES = st.sampled_from(["a", "b", "c"])
TALLIES = st.dictionaries(NAMES, st.integers(-(10**12), 10**12).filter(bool))
STATES = st.builds(SkillState, TALLIES, st.dictionaries(NAMES, TALLIES.filter(bool)))


def total(*states: SkillState) -> SkillState:
    found = SkillState()
    for state in states:
        found.add(state)
    return found


@given(STATES, STATES)
def test_a_contribution_that_is_taken_back_leaves_nothing(state: SkillState, contribution: SkillState) -> None:
    changed = total(state, contribution)
    changed.subtract(contribution)
    assert changed == state


@given(STATES, STATES, STATES)
def test_contributions_add_up_the_same_in_any_order(one: SkillState, two: SkillState, three: SkillState) -> None:
    assert total(one, two, three) == total(three, one, two)


@given(STATES, STATES)
def test_adding_changes_no_contribution(state: SkillState, contribution: SkillState) -> None:
    before = total(contribution)
    total(state, contribution).add(state)
    assert contribution == before


@given(STATES)
def test_a_task_needs_only_the_pool_and_its_own_workers(state: SkillState) -> None:
    needed = state.of(["a", "none"])
    assert needed.pooled == state.pooled
    assert needed.workers == {worker: tally for worker, tally in state.workers.items() if worker == "a"}
