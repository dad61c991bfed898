import random
from collections import Counter

import pytest

from local.workers.behaviour import BEHAVIOURS, MODES, Question, read_mix, scaled
from local.workers.truth import Truth

CAT = "http://127.0.0.1/cat.jpg"
YES_NO = ("yes", "no", "unavailable")
STEPS = ("0", "1", "2", "3", "4", "unavailable")
CONTAINS = Question("image-contains", (CAT,), "cat", YES_NO)
SIMILAR = Question("image-similarity", ("http://127.0.0.1/dahlia.jpg", "http://127.0.0.1/dahlia-crop.jpg"), "", STEPS)


def answers(name: str, question: Question, truth: Truth, loads: bool = True, count: int = 2000) -> Counter[str]:
    dice = random.Random(7)
    return Counter(BEHAVIOURS[name].answer(question, loads, truth, dice) for _ in range(count))


def test_perfect_workers_are_always_right(truth: Truth) -> None:
    assert answers("perfect", CONTAINS, truth) == {"yes": 2000}
    assert answers("perfect", SIMILAR, truth) == {"3": 2000}
    assert answers("perfect", CONTAINS, truth, loads=False) == {"unavailable": 2000}


@pytest.mark.parametrize(("name", "share"), [("careful", 0.95), ("slow", 0.95), ("careless", 0.75)])
def test_careful_and_careless_workers_are_right_as_often_as_they_should_be(
    name: str, share: float, truth: Truth
) -> None:
    for question, loads, right in ((CONTAINS, True, "yes"), (SIMILAR, True, "3"), (CONTAINS, False, "unavailable")):
        counts = answers(name, question, truth, loads)
        assert counts[right] / 2000 == pytest.approx(share, abs=0.03)


def test_wrong_grades_are_near_the_truth_and_on_the_scale(truth: Truth) -> None:
    counts = answers("careless", SIMILAR, truth)
    assert set(counts) <= {"1", "2", "3", "4"}
    assert counts["2"] > counts["1"]


def test_a_truth_between_two_steps_comes_out_right_on_average() -> None:
    between = Truth({}, {frozenset(("a.jpg", "b.jpg")): 0.6})
    truth = Truth({"a.jpg": frozenset(), "b.jpg": frozenset()}, between.likeness)
    counts = answers("perfect", Question("image-similarity", ("/a.jpg", "/b.jpg"), "", STEPS), truth)
    assert set(counts) == {"2", "3"}
    assert sum(int(step) * count for step, count in counts.items()) / 2000 / 4 == pytest.approx(0.6, abs=0.01)


def test_spammers_do_not_look_and_mostly_press_the_first_button(truth: Truth) -> None:
    counts = answers("spammer", SIMILAR, truth)
    assert set(counts) == set(STEPS)
    assert counts["0"] > 1000


def test_workers_agree_about_questions_of_unknown_functions(truth: Truth) -> None:
    question = Question("image-quality", (CAT,), "", ("good", "bad"))
    assert len(answers("perfect", question, truth)) == 1


def test_a_mix_lists_its_workers_and_can_be_scaled() -> None:
    mix = read_mix("careful=2, spammer=1,absent=0")
    assert [behaviour.name for behaviour in mix] == ["careful", "careful", "spammer"]
    names = Counter(behaviour.name for behaviour in scaled(read_mix("careful=8,careless=1,slow=1"), 20))
    assert names == {"careful": 16, "careless": 2, "slow": 2}


@pytest.mark.parametrize("text", ["", "careful", "careful=-1", "angels=3", "careful=0"])
def test_a_mix_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"behaviour|Workers"):
        read_mix(text)


def test_every_mode_has_the_nine_workers_that_a_task_can_need() -> None:
    for mix in MODES.values():
        assert sum(behaviour.leaves == 0 for behaviour in read_mix(mix)) >= 9
