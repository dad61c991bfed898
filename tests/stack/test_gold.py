"""Known-answer questions and random audits in a stack of their own, with Workers who do not know of either."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from client.gold import stats_of
from client.stack import TASKS_STACK, WORKPLACE_STACK
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.random_audits import RandomAudits
from crowdsight.dynamodb import Table
from crowdsight.money import wire_dollars
from crowdsight.workplace import records
from local.synthesis import ROOT
from local.workers.truth import PHOTOGRAPHS, Truth
from tests.stack.conftest import start
from tests.stack.crowd_hands import CONTAINS, all_hits, contains_input
from tests.stack.raw_http import Api
from tests.stack.running_stack import RunningStack, wait_for

FUNCTION = CATALOGUE[CONTAINS]
RIGHT, WRONG = 4, 3
QUESTIONS, TASKS = 12, 10
LEAST_ANSWERS = 6
DEADLINE_S = 240.0


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    """Four Workers who are always right, and three who do not look. Every finished task is drawn."""
    yield from start(
        tmp_path_factory, "gold", "--workers", "simulated", "--schedule-speed", "20",
        f"--worker-option=--mix=perfect={RIGHT},spammer={WRONG}", "--worker-option=--speed=10",
        "--setting", "workplace_fee_percent=20", "--setting", "audit_percent=100",
    )  # fmt: skip


def client(running: RunningStack, *arguments: str) -> str:
    """What a command of the client prints; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "client", *arguments, "--stack", str(running.path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def stats(running: RunningStack) -> dict[str, Any]:
    return stats_of(FUNCTION, running.stack.crowd())


def worker_ids(running: RunningStack) -> list[str]:
    """Of the Workers, in the order of their kinds."""
    table = Table(running.stack.aws.client("dynamodb"), running.stack.aws.outputs(WORKPLACE_STACK)["WorkplaceTable"])
    found = [table.get(records.worker_pk(item["sk"]), "worker") for item in table.query_all("workers")]
    ids = {worker.name: worker.worker_id for worker in map(records.worker_from_item, filter(None, found))}
    return [ids[name] for name in ("Ada", "Ben", "Cleo", "Dev", "Eve", "Finn", "Gita")]


def test_workers_are_measured_by_questions_that_nobody_else_hears_of(running: RunningStack, tmp_path: Path) -> None:
    truth = Truth.read(Path(PHOTOGRAPHS, "truth.json"))
    file = tmp_path / "questions.jsonl"
    inputs = [contains_input(f"known-{number}") for number in range(QUESTIONS)]
    lines = [
        {"input": each, "truth": {"containsTarget": truth.contains(each["image"]["url"], each["target"]["label"])}}
        for each in inputs
    ]
    file.write_text("\n".join(json.dumps(line) for line in lines))
    for added in (QUESTIONS, 0):
        told = json.loads(client(running, "gold", "add", CONTAINS, str(file)))
        assert told == {"function": CONTAINS, "added": added, "skipped": QUESTIONS - added, "refused": 0}

    api = Api(running["api_url"], running["api_key"])
    for number in range(TASKS):
        assert api.put(CONTAINS, f"asked-{number}", contains_input(f"asked-{number}")).status == 201

    store = running.stack.crowd().gold_store

    def answered() -> bool:
        counts = Counter(answer.worker_id for _, answer in store.answers(FUNCTION))
        return len(counts) == RIGHT + WRONG and min(counts.values()) >= LEAST_ANSWERS

    wait_for("every Worker to have answered some questions", answered, DEADLINE_S)
    documents = [
        wait_for(f"the end of task {number}", partial(ended, api, f"asked-{number}"), DEADLINE_S)
        for number in range(TASKS)
    ]

    # What is learned
    ids = worker_ids(running)
    model = running.stack.crowd().skills.knowing(FUNCTION, ids).model  # type: ignore[attr-defined]
    measured = [model.informedness(worker_id) for worker_id in ids]
    assert min(measured[:RIGHT]) > 0.5 > sum(measured[RIGHT:]) / WRONG
    for worker_id in ids[:RIGHT]:
        known = {name for name in running.stack.crowd().skills.everyone(FUNCTION).workers[worker_id] if "known" in name}
        assert known <= {"known|yes|yes", "known|no|no"}

    # Nothing of it is seen by callers
    listed = [json.loads(line) for line in client(running, "gold", "list", CONTAINS).splitlines()]
    assert len(listed) == QUESTIONS
    for question in listed:
        assert api.get(CONTAINS, question["id"]).status == 404
    assert {document["state"] for document in documents} <= {"completed", "failed"}

    # Every cent is accounted for: callers' tasks, and questions
    def adds_up() -> bool:
        audit = running.operator.audit()
        paid_cents = audit.rewards_paid_cents + audit.fees_cents
        tasks_cents = running.stack.accounts().describe_account("default").committed_cents
        return not audit.discrepancies and paid_cents == tasks_cents + stats(running)["cents"]

    wait_for("what is paid to be what tasks and questions cost", adds_up, DEADLINE_S)
    gold_hits = [hit for hit in all_hits(running) if "/known-" in hit["Question"]]
    assert {hit["Reward"] for hit in gold_hits} == {wire_dollars(FUNCTION.reward_cents)}

    # Audits, blind
    audits: RandomAudits = running.stack.crowd().random_audits
    wait_for("all tasks to be drawn", lambda: len(list(audits.drawn(FUNCTION))) == TASKS, DEADLINE_S)
    drawn = [json.loads(line) for line in client(running, "audit-tasks", "list", CONTAINS).splitlines()]
    assert all(set(task) == {"task", "drawn_at", "input"} for task in drawn)
    assert Counter(task["input"]["image"]["url"] for task in drawn) == Counter(
        contains_input(f"asked-{number}")["image"]["url"] for number in range(TASKS)
    )
    client(running, "audit-tasks", "answer", CONTAINS, drawn[0]["task"], '{"containsTarget": true}')
    left = [json.loads(line)["task"] for line in client(running, "audit-tasks", "list", CONTAINS).splitlines()]
    assert left == [task["task"] for task in drawn[1:]]
    assert running.stack.aws.outputs(TASKS_STACK)["WorkplaceFeePercent"] == "20"


def ended(api: Api, name: str) -> dict[str, Any] | None:
    """The task's document once it has ended."""
    document: dict[str, Any] = api.get(CONTAINS, name).document
    return None if document["state"] == "processing" else document
