"""Tasks while several things go wrong at once; `python -m benchmarks.faults` is the same with more of them."""

from pathlib import Path

from benchmarks.faults.plan import Plan
from benchmarks.faults.run import run


def test_no_answer_is_lost_or_paid_twice_when_functions_are_killed_and_notifications_come_twice(tmp_path: Path) -> None:
    plan = Plan(tasks=12, seed=1, notifications="duplicate", kill_every_s=1.0, timeout_s=120)
    report = run(plan, tmp_path)
    assert report.audit == "ok"
    assert report.completed + sum(report.failed.values()) == plan.tasks
    assert report.kills > 3
