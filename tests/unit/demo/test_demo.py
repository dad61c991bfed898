"""The demonstration against hand-written stand-ins for its two APIs."""

import argparse
import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from rich.console import Console

from client.tasks import ApiError, TaskClient
from crowdsight.catalogue import CATALOGUE
from crowdsight.crowd.questions import render_question
from local.demo.display import LiveTable, PlainLines, display_for, show_results
from local.demo.options import DemoOptions, add_options
from local.demo.photographs import PhotographServer
from local.demo.tasks import TASKS, DemoTask
from local.demo.watch import Watch
from local.workers.truth import PHOTOGRAPHS, Truth

URL = "http://127.0.0.1:9000"
CAT, ALIKE, MOCK = TASKS[0], TASKS[7], TASKS[-1]
ANSWER = (
    '<QuestionFormAnswers xmlns="http://mechanicalturk.amazonaws.com/AWSMechanicalTurkDataSchemas/2005-10-01/'
    'QuestionFormAnswers.xsd"><Answer><QuestionIdentifier>answer</QuestionIdentifier><FreeText>{}</FreeText></Answer>'
    "</QuestionFormAnswers>"
)


class FakeApi:
    """Tasks by name; a test says how they stand. `fails`: the statuses of the next requests."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.fails: list[int] = []

    def client(self) -> TaskClient:
        return TaskClient(URL, "key", transport=httpx.MockTransport(self._answer), sleep=lambda seconds: None)

    def end(self, name: str, **changes: Any) -> None:
        self.documents[name] |= changes

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if self.fails:
            return httpx.Response(self.fails.pop(0), json={"error": "InternalError", "message": "no"})
        name = request.url.path.rpartition("/")[2]
        if request.method == "PUT":
            self.documents[name] = {
                "taskName": name,
                "input": {},
                "problemDetails": None,
                "state": "processing",
                "result": None,
            }
        return httpx.Response(200, json=self.documents[name])


class FakeMturk:
    """HITs with their assignments, two on a page, as boto3's paginators give them."""

    def __init__(self) -> None:
        self.hits: list[dict[str, Any]] = []
        self.assignments: dict[str, list[dict[str, Any]]] = {}
        self.reads = 0

    def offer(self, task: DemoTask) -> str:
        entry = CATALOGUE[task.function]
        hit_id = f"HIT{len(self.hits)}"
        self.hits.append(
            {
                "HITId": hit_id,
                "Question": render_question(entry, entry.input_model.model_validate(task.input(URL))),
                "Reward": "0.02",
                "MaxAssignments": 2,
                "NumberOfAssignmentsPending": 0,
                "NumberOfAssignmentsAvailable": 2,
                "NumberOfAssignmentsCompleted": 0,
            }
        )
        self.assignments[hit_id] = []
        return hit_id

    def submit(self, hit_id: str, answer: str, *, approved: bool = True) -> None:
        hit = next(hit for hit in self.hits if hit["HITId"] == hit_id)
        hit["NumberOfAssignmentsAvailable"] -= 1
        hit["NumberOfAssignmentsCompleted"] += approved
        self.assignments[hit_id].append(
            {
                "Answer": ANSWER.format(answer),
                "AssignmentStatus": "Approved" if approved else "Submitted",
                "SubmitTime": datetime(2026, 10, 1, 12, 0, len(self.assignments[hit_id]), tzinfo=UTC),
            }
        )

    def get_paginator(self, operation: str) -> "FakeMturk":
        self._operation = operation
        return self

    def paginate(self, HITId: str = "") -> Iterator[dict[str, Any]]:  # noqa: N803  the protocol's own name
        key, found = ("HITs", self.hits) if self._operation == "list_hits" else ("Assignments", self.assignments[HITId])
        self.reads += key == "Assignments"
        return iter([{key: found[start : start + 2]} for start in range(0, len(found), 2)])


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def mturk() -> FakeMturk:
    return FakeMturk()


def watch(api: FakeApi, mturk: FakeMturk, *tasks: DemoTask) -> Watch:
    return Watch(tasks, api.client(), mturk, URL)


def looked(watch: Watch) -> list[str]:
    return [f"{event.task}: {event.what}" for event in watch.look()]


def test_the_tasks_ask_both_functions_a_twin_and_about_a_picture_that_is_not_there() -> None:
    assert sum(not task.is_test for task in TASKS) == 12
    assert {task.function for task in TASKS} == {"image-contains", "image-similarity", "image-contains-test"}
    there = {path.name for path in PHOTOGRAPHS.glob("*.jpg")}
    missing = [task.name for task in TASKS if not set(task.photographs) <= there]
    assert missing == ["lost"]
    assert len({task.name for task in TASKS}) == len(TASKS)


def test_what_the_tasks_call_true_is_what_the_pictures_show(truth: Truth) -> None:
    for task in TASKS:
        if task.is_test or task.name == "lost":
            continue
        if task.label:
            assert task.truth == ("yes" if truth.contains(f"{URL}/{task.photographs[0]}", task.label) else "no")
        else:
            assert task.truth == f"{truth.similarity(*(f'{URL}/{name}' for name in task.photographs)):.2f}"


@pytest.fixture
def truth() -> Truth:
    return Truth.read(PHOTOGRAPHS / "truth.json")


def test_a_task_is_followed_from_the_question_to_the_last_cent(api: FakeApi, mturk: FakeMturk) -> None:
    tasks = watch(api, mturk, CAT, ALIKE)
    assert looked(tasks) == ["cat: asked: cat: a cat?", "same-cat: asked: cat + cat-small: how alike?"]
    alike, cat = mturk.offer(ALIKE), mturk.offer(CAT)
    mturk.submit(cat, "yes")
    mturk.submit(alike, "3")
    assert looked(tasks) == ["same-cat: answer 1: 0.75", "cat: answer 1: yes"]
    mturk.submit(cat, "unavailable", approved=False)
    api.end("cat", state="completed", result={"containsTarget": True})
    assert looked(tasks) == ["cat: answer 2: unavailable", "cat: completed: yes"]
    api.end("same-cat", state="failed", problemDetails={"code": "NoAgreement", "message": "They differ."})
    assert looked(tasks) == ["same-cat: failed: NoAgreement"]
    assert tasks.all_ended and not tasks.is_settled
    mturk.assignments[cat][1]["AssignmentStatus"] = "Approved"
    next(hit for hit in mturk.hits if hit["HITId"] == cat)["NumberOfAssignmentsCompleted"] += 1
    assert looked(tasks) == []
    assert tasks.is_settled
    assert [(one.answers, one.paid_cents, one.result) for one in tasks.standings] == [
        (["yes", "unavailable"], 4, "yes"),
        (["0.75"], 2, "NoAgreement"),
    ]


def test_a_hit_in_somebodys_hand_is_waited_for(api: FakeApi, mturk: FakeMturk) -> None:
    tasks = watch(api, mturk, CAT)
    looked(tasks)
    mturk.offer(CAT)
    mturk.hits[0]["NumberOfAssignmentsPending"] = 1
    api.end("cat", state="completed", result={"containsTarget": True})
    looked(tasks)
    assert tasks.all_ended and not tasks.is_settled


def test_answers_are_read_only_when_a_hits_counts_have_changed(api: FakeApi, mturk: FakeMturk) -> None:
    tasks = watch(api, mturk, CAT)
    mturk.offer(CAT)
    for _ in range(5):
        looked(tasks)
    assert mturk.reads == 1


def test_hits_of_other_programs_are_left_alone(api: FakeApi, mturk: FakeMturk) -> None:
    mturk.submit(mturk.offer(DemoTask("other", ("other.jpg",), "cat")), "yes")
    tasks = watch(api, mturk, CAT)
    assert looked(tasks) == ["cat: asked: cat: a cat?"]


def test_a_service_that_is_not_quite_up_is_asked_again(api: FakeApi, mturk: FakeMturk) -> None:
    tasks = watch(api, mturk, CAT)
    api.fails = [502]
    assert looked(tasks) == []
    api.fails = []
    assert looked(tasks) == ["cat: asked: cat: a cat?"]
    api.fails = [503]
    assert looked(tasks) == []


def test_a_service_that_refuses_ends_the_demonstration(api: FakeApi, mturk: FakeMturk) -> None:
    api.fails = [403]
    with pytest.raises(ApiError, match="403"):
        looked(watch(api, mturk, CAT))


@pytest.fixture
def written(api: FakeApi, mturk: FakeMturk) -> Watch:
    tasks = watch(api, mturk, CAT, ALIKE, MOCK)
    looked(tasks)
    cat = mturk.offer(CAT)
    for answer in ("yes", "unavailable", "yes", "yes"):
        mturk.submit(cat, answer)
    api.end("cat", state="failed", problemDetails={"code": "ImageUnavailable", "message": "Not there."})
    looked(tasks)
    return tasks


def test_without_a_terminal_each_event_is_one_plain_line(written: Watch, mturk: FakeMturk, api: FakeApi) -> None:
    output = io.StringIO()
    console = Console(file=output, width=80)
    display = display_for(console)
    assert isinstance(display, PlainLines)
    api.end("mock", state="completed", result={"containsTarget": False})
    with display:
        display.show(3.25, written.standings, list(written.look()))
    show_results(console, written.standings)
    lines = output.getvalue().splitlines()
    assert lines[0] == "   3.2 s  mock          completed: no"
    assert "\x1b" not in output.getvalue()
    assert any("ImageUnavailable" in line and line.endswith("4      8") for line in lines)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_on_a_terminal_a_table_is_written_in_place_and_fits(written: Watch, width: int) -> None:
    output = io.StringIO()
    console = Console(file=output, width=width, height=50, force_terminal=True, legacy_windows=False, _environ={})
    display = display_for(console)
    assert isinstance(display, LiveTable)
    with display:
        display.show(1.0, written.standings, [])
        display.show(2.0, written.standings, [])
    show_results(console, written.standings)
    assert output.getvalue().count("\x1b[?25l") == output.getvalue().count("\x1b[?25h") == 1
    plain = Console(file=io.StringIO(), width=width)
    plain.begin_capture()
    show_results(plain, written.standings)
    assert all(len(line) <= width for line in plain.end_capture().splitlines())


def test_photographs_are_served_and_nothing_else() -> None:
    with PhotographServer() as photographs, httpx.Client(base_url=photographs.url, trust_env=False) as http:
        picture = http.get("/cat.jpg")
        assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
        assert picture.content == (PHOTOGRAPHS / "cat.jpg").read_bytes()
        for path in ("/not-there.jpg", "/truth.json", "/../truth.json", "/%2e%2e/photographs/cat.jpg", "/"):
            assert http.get(path).status_code == 404, path
        assert http.post("/cat.jpg").status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{photographs.url}/cat.jpg", trust_env=False)


def test_an_option_that_is_not_given_is_what_a_program_gets_too() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser)
    options = DemoOptions.of(parser.parse_args([]))
    assert options == DemoOptions(state_dir=DemoOptions.state_dir.resolve())
