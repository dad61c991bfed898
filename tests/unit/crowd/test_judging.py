import pytest

from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.judging import AWAIT_MARGIN_S, Decision, decide, is_ready, last_answer_at_ms, wait_s
from crowdsight.crowd.publishing import problem_of
from crowdsight.task_store import Generation, Phase, RecordedAnswer
from crowdsight.tasks import ProblemCode, TaskKey

CONTAINS = CATALOGUE["image-contains"]
DEADLINE_MS = 1_800_000_000_000
LAST_ANSWER_MS = DEADLINE_MS + CONTAINS.assignment_duration_s * 1000
BEFORE_MS = DEADLINE_MS - 1


def generation(asked: int, hit_over: bool = False) -> Generation:
    return Generation(
        id="0" * 32,
        key=TaskKey("default", CONTAINS.name, "a"),
        function=CONTAINS.name,
        input_json="{}",
        phase=Phase.OPEN,
        started=True,
        created_at_ms=0,
        deadline_ms=DEADLINE_MS,
        hit_id="3HIT",
        assignments_asked=asked,
        hit_over=hit_over,
        token=None,
        budget_month="2027-01",
        worst_case_cents=0,
    )


def answers_of(*values: str | None) -> list[RecordedAnswer]:
    return [RecordedAnswer(f"3A{number}", f"AW{number}", value, number) for number, value in enumerate(values)]


COMPLETE = Decision("complete", result={"containsTarget": True})
EXPIRED = Decision("fail", problem=ProblemCode.EXPIRED)
NO_AGREEMENT = Decision("fail", problem=ProblemCode.NO_AGREEMENT)


@pytest.mark.parametrize(
    ("values", "asked", "hit_over", "now_ms", "decision"),
    [
        (["yes", "yes"], 2, False, BEFORE_MS, COMPLETE),
        (["yes", "yes"], 3, True, LAST_ANSWER_MS, COMPLETE),
        (["yes", None, "nonsense", "yes"], 4, False, BEFORE_MS, COMPLETE),
        (["unavailable"] * 2, 2, False, BEFORE_MS, Decision("fail", problem=ProblemCode.IMAGE_UNAVAILABLE)),
        (["yes", "no"], 2, False, BEFORE_MS, Decision("extend", assignments=3)),
        (["yes", None], 2, False, BEFORE_MS, Decision("extend", assignments=3)),
        (["yes"], 2, False, BEFORE_MS, Decision("wait")),
        (["yes"], 2, False, LAST_ANSWER_MS - 1, Decision("wait")),
        ([], 2, False, LAST_ANSWER_MS, EXPIRED),
        (["yes"], 2, True, BEFORE_MS, EXPIRED),
        (["yes", "no"], 2, True, BEFORE_MS, EXPIRED),
        (["yes", "no"] * 4, 8, False, BEFORE_MS, Decision("extend", assignments=9)),
        (["yes", "no"] * 4 + ["yes"], 9, False, BEFORE_MS, NO_AGREEMENT),
        (["yes", "no"] * 4 + [None], 9, True, LAST_ANSWER_MS, NO_AGREEMENT),
        (["nonsense"] * 9, 9, False, BEFORE_MS, NO_AGREEMENT),
    ],
)
def test_what_is_recorded_decides_what_to_do_next(
    values: list[str | None], asked: int, hit_over: bool, now_ms: int, decision: Decision
) -> None:
    assert decide(CONTAINS, CONTAINS.adjudicator, generation(asked, hit_over), answers_of(*values), now_ms) == decision


def test_an_answer_that_makes_no_sense_takes_a_place() -> None:
    similarity = CATALOGUE["image-similarity"]
    rule, answers = similarity.adjudicator.at_most(3), answers_of("1", "2", "nonsense")
    decision = decide(similarity, rule, generation(3), answers, BEFORE_MS)
    assert decision == decide(similarity, rule.at_most(2), generation(2), answers[:2], BEFORE_MS)
    assert decision.action == "complete"


def test_there_is_something_to_judge_once_all_answers_asked_for_are_in_or_no_more_can_come() -> None:
    assert is_ready(generation(2), answers_of("yes", "no"))
    assert is_ready(generation(2), answers_of("yes", "no", "no"))
    assert is_ready(generation(2, hit_over=True), answers_of())
    assert not is_ready(generation(2), answers_of("yes"))
    assert not is_ready(generation(0), answers_of("yes")), "the HIT is not recorded yet, so nothing is known of it"


def test_the_workflow_waits_until_after_the_last_moment_at_which_an_answer_can_come() -> None:
    assert last_answer_at_ms(CONTAINS, generation(2)) == LAST_ANSWER_MS
    assert wait_s(CONTAINS, generation(2), LAST_ANSWER_MS - 10_000) == 10 + AWAIT_MARGIN_S
    assert wait_s(CONTAINS, generation(2), LAST_ANSWER_MS + 3_600_000) == 1


def test_a_steps_error_means_a_problem_by_the_name_of_its_class() -> None:
    assert problem_of("InsufficientFunds") is ProblemCode.INSUFFICIENT_FUNDS
    assert problem_of("AccountSetup") is ProblemCode.ACCOUNT_SETUP
    for other in ("Refused", "WorkplaceUnavailable", "States.Timeout", "KeyError", "", None):
        assert problem_of(other) is ProblemCode.SERVICE_ERROR
