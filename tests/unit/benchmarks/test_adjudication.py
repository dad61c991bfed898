import json
from pathlib import Path

import pytest

from benchmarks.adjudication.__main__ import main
from benchmarks.adjudication.categorical import Outcome, calibration_error, replay
from benchmarks.adjudication.crowds import ATTACKS, crowd
from benchmarks.adjudication.graded import rank_correlation
from benchmarks.adjudication.replay import Replay
from crowdsight.adjudication.two_coin import TwoCoin

CROWD = crowd(ATTACKS["none"], seed=1, tasks=40, honest=15, answers_per_task=8)


def files(folder: Path, labels: list[str], golds: list[str]) -> list[str]:
    """Ten Workers' answers, all with the task's label, and the truths, as options of the command line."""
    answers = [f"T{task},W{worker},{label}" for task, label in enumerate(labels) for worker in range(10)]
    truths = [f"T{task},{gold}" for task, gold in enumerate(golds)]
    (folder / "a.csv").write_text("\n".join(["task,worker,label", *answers]))
    (folder / "g.csv").write_text("\n".join(["task,gold", *truths]))
    return ["--answers", str(folder / "a.csv"), "--gold", str(folder / "g.csv"), "--seed", "1"]


@pytest.mark.parametrize("known", [0, 3])
def test_categories_give_one_line_with_the_four_figures(
    known: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ["yes", "no"] * 15
    assert main([*files(tmp_path, labels, labels), "--kind", "binary", "--known", str(known)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["accuracy"] == figures["coverage"] == figures["majority_of_5_accuracy"] == 1
    assert figures["answers_per_task"] <= figures["lead_by_two_answers_per_task"] == 2
    assert 0 <= figures["expected_calibration_error"] < 0.2


def test_grades_give_one_line_with_the_four_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    grades = [str(step / 20) for step in range(20)]
    assert main([*files(tmp_path, grades, grades), "--kind", "graded"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["mae"] < 0.03
    assert figures["spearman"] > 0.98
    assert 2 <= figures["answers_per_task"] <= 9
    assert figures["interval_coverage"] == 1


def test_files_of_another_form_are_refused_in_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = files(tmp_path, ["a", "b", "c"], ["a", "b", "c"])
    assert main([*options, "--kind", "binary"]) == 2
    assert main([*options, "--kind", "graded"]) == 2
    (tmp_path / "g.csv").unlink()
    assert main([*options, "--kind", "categorical"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 3


def test_a_seed_replays_alike_and_another_otherwise() -> None:
    assert replay(CROWD, 1) == replay(CROWD, 1) != replay(CROWD, 2)


def test_an_answer_to_a_known_question_is_never_met_again_and_at_most_half_are_taken() -> None:
    run = Replay(CROWD, TwoCoin(CROWD.categories), seed=3, known=1000)
    told = {(task, answer.worker_id) for task, (answers, _) in run.questions.items() for answer in answers}
    met = {(task, answer.worker_id) for task, order in run.orders.items() for answer in order}
    given = {(task, answer.worker_id) for task, answers in CROWD.answers.items() for answer in answers}
    assert told and not told & met and told | met == given
    assert len(told) <= len(given) / 2


def test_no_task_gets_more_than_the_most_answers() -> None:
    outcomes, _ = replay(CROWD, 1, rule=TwoCoin(CROWD.categories, most_answers=3))
    assert len(outcomes) == 40
    assert max(outcome.answers for outcome in outcomes) <= 3


def test_the_honest_workers_of_a_seed_are_the_same_under_every_attack() -> None:
    truths = [crowd(attack, seed=5, tasks=10, honest=30).truths for attack in ATTACKS.values()]
    assert all(found == truths[0] for found in truths)


def test_known_answers_keep_a_crowd_under_attack_above_its_majority() -> None:
    outcomes, _ = replay(crowd(ATTACKS["contrary"], seed=1, tasks=100), 1, known=10)
    assert sum(outcome.right for outcome in outcomes) > sum(outcome.majority for outcome in outcomes)


def test_known_answers_keep_those_out_who_say_that_no_image_loads() -> None:
    recorded = crowd(ATTACKS["always unavailable"], seed=1, tasks=100)
    assert recorded.categories == ("no", "yes")
    unmeasured, measured = (replay(recorded, 1, known)[0] for known in (0, 10))
    assert sum(outcome.right for outcome in measured) > sum(outcome.right for outcome in unmeasured)


def test_the_calibration_error_is_the_gap_between_said_and_found() -> None:
    def outcome(right: bool, confidence: float) -> Outcome:
        return Outcome(right, confidence, 3, True, right, right, 3)

    assert calibration_error([outcome(number < 9, 0.95) for number in range(10)]) == pytest.approx(0.05)
    assert calibration_error([outcome(True, 1.0), outcome(False, 0.5)]) == pytest.approx(0.25)


def test_rank_correlation_knows_ties() -> None:
    assert rank_correlation([1, 2, 3], [10, 20, 30]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 2], [1, 2, 3]) == pytest.approx(0.866, abs=0.001)
    assert rank_correlation([1, 1], [1, 2]) == 0
