"""Crowd tasks in this process: the real product over moto, and the real workplace behind an ordinary boto3 client.

Only the workflow is a double: `Executions` drives the steps as the state machine does, with its retries, task tokens
and timeouts. All can be told to die: then each call that a step makes to AWS or to the workplace is its last once.
"""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from crowdsight.catalogue import CATALOGUE
from crowdsight.clock import system_clock
from crowdsight.crowd.disclosure import GetAudit
from crowdsight.crowd.gates import Gates
from crowdsight.crowd.gold import GoldStore
from crowdsight.crowd.gold_hits import GoldHits
from crowdsight.crowd.judging import Judging
from crowdsight.crowd.opinions import Opinions
from crowdsight.crowd.publishing import Publishing, problem_of
from crowdsight.crowd.random_audits import RandomAudits
from crowdsight.crowd.recording import Recorder
from crowdsight.crowd.refitting import Refit
from crowdsight.crowd.requester import Requester, WorkplaceUnavailable
from crowdsight.crowd.requests import DeleteTask, GetTask, PutTask, Terms
from crowdsight.crowd.skills import Skills
from crowdsight.crowd.workflow import WorkflowUnavailable
from crowdsight.dynamodb import Table
from crowdsight.proxy_request import ProxyRequest
from crowdsight.task_store import SHARDS, Generation, Phase, TaskStore
from crowdsight.tasks import Problem, ProblemCode, Task, TaskKey
from crowdsight.workplace.audit import audit
from crowdsight.workplace.credentials import Credentials
from crowdsight.workplace.events import Delivery
from crowdsight.workplace.faults import WorkerError
from crowdsight.workplace.identifiers import new_id
from crowdsight.workplace.mturk_api import MTurkApi
from crowdsight.workplace.operator import Operator
from crowdsight.workplace.workplace import Workplace
from tests.conftest import StoppedClock
from tests.contract.conftest import REGION, create_table
from tests.contract.senders import CallingSender
from tests.contract.workplace_rig import INDEXES, SimpleRaw
from tests.proxy_event import event_of

Result = TypeVar("Result")

KEY = TaskKey("default", "image-contains", "butterbean")
SIMILARITY_KEY = TaskKey("default", "image-similarity", "pair")
CONTAINS_INPUT = {"image": {"url": "https://www.example.com/butterbean.jpg"}, "target": {"label": "dog"}}
SIMILARITY_INPUT = {
    "image1": {"url": "https://www.example.com/1.jpg"},
    "image2": {"url": "https://www.example.com/2.jpg"},
}
REQUESTER = Credentials("A1CROWDSIGHT00", "CROWDSIGHTREQUESTER0", "a secret")
QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/123456789012/notifications"
HIT_LIFETIME_S = 4 * 3600
FEE_PERCENT = 20
CODE_KEY = b"the key of Workers' codes"
AUDIT_PERCENT = 100
STEP_ATTEMPTS = 8
MOST_STATES = 30
"""Without a wait for an answer in between."""


class Killed(BaseException):
    """The process was killed; no `except Exception` can be in its way."""


class Mortal:
    """Counts calls to the outside, and dies after one of them has taken effect."""

    def __init__(self) -> None:
        self.dies_after: int | None = None
        self._calls = 0

    def live(self, dies_after: int | None) -> None:
        self.dies_after, self._calls = dies_after, 0

    def call(self, operation: Callable[..., Result], *args: Any, **request: Any) -> Result:
        result = operation(*args, **request)
        self._calls += 1
        if self._calls == self.dies_after:
            raise Killed
        return result


class MortalClient:
    """A boto3 client each of whose calls may be the last."""

    def __init__(self, client: Any, mortal: Mortal) -> None:
        self._client = client
        self._mortal = mortal

    def __getattr__(self, name: str) -> Any:
        attribute = getattr(self._client, name)
        if not callable(attribute) or name == "get_paginator":
            return attribute
        return lambda *args, **request: self._mortal.call(attribute, *args, **request)


@dataclass
class Execution:
    """One run of the state machine: the state it is in, and what it waits for."""

    generation_id: str
    state: str = "CreateHit"
    token: str | None = None
    woken: bool = False
    await_until_ms: int = 0
    decision: dict[str, Any] = field(default_factory=dict)
    error: str | None = None


class Executions:
    """The workflow, as `crowdsight.crowd.workflow.Workflow` speaks with it."""

    def __init__(self, mortal: Mortal) -> None:
        self._mortal = mortal
        self.by_generation: dict[str, Execution] = {}
        self.is_down = False

    def start(self, generation: Generation) -> None:
        if self.is_down:
            raise WorkflowUnavailable("could not connect to Step Functions")
        self._mortal.call(self._start, generation.id)

    def wake(self, token: str) -> None:
        self._mortal.call(self._wake, token)

    def _start(self, generation_id: str) -> None:
        self.by_generation.setdefault(generation_id, Execution(generation_id))

    def _wake(self, token: str) -> None:
        for execution in self.by_generation.values():
            if execution.token == token:
                execution.woken = True


class World:
    """All of it, over one DynamoDB. The clock stands still until a test moves it.

    `twice`: every step, notification and look runs a second time. `mortal`: each dies after each of its
    calls, as often as it makes any. `workplace_is_down`: the workplace answers nothing but 503.
    """

    workplace_is_down = False

    def __init__(
        self,
        dynamodb: Any,
        *,
        twice: bool = False,
        mortal: bool = False,
        funds_cents: int = 10_000,
        budget_cents: int = 0,
    ) -> None:
        self.clock = StoppedClock(system_clock())
        self.notifications: list[str] = []
        self.workplace_table = create_table(dynamodb, "workplace", INDEXES)
        self.workplace = Workplace(self.workplace_table, self.clock, new_id, FEE_PERCENT, CallingSender(self._notify))
        self._credentials: dict[str, Credentials] = {}
        # Signatures are made at the real time, by boto3, so that is what they are judged by.
        self._mturk_api = MTurkApi(self.workplace.requesters, self._credentials.get, system_clock)
        self.mturk = self.add_requester(REQUESTER, funds_cents)
        self.tasks_table = create_table(dynamodb, "tasks", {"open": "N"})
        self.store = TaskStore(self.tasks_table, self.clock)
        self.gold = GoldStore(self.tasks_table, self.clock)
        self._skills_table = create_table(dynamodb, "skills", {})
        self.skills = Skills(self._skills_table, self.clock)
        self._dynamodb = dynamodb
        self._twice = twice
        self._is_mortal = mortal
        self._budget_cents = budget_cents
        self._mortal = Mortal()
        self.executions = Executions(self._mortal)
        self._ids = (f"{number:x}" * 32 for number in range(16))
        self._tokens = 0
        self.boot()

    def add_requester(self, credentials: Credentials, funds_cents: int) -> Any:
        """A requester account with money in it; a client for it."""
        self._credentials[credentials.access_key_id] = credentials
        unused: Any = None
        operator = Operator(self.workplace_table, self.clock, unused, unused)
        operator.fund_requester(credentials.requester_id, funds_cents, "first")
        return self.mturk_client(credentials)

    def mturk_client(self, credentials: Credentials) -> Any:
        """An ordinary boto3 client, whose requests go to the workplace's API in this process."""
        client = boto3.client(
            "mturk",
            region_name=REGION,
            endpoint_url="https://workplace.test",
            aws_access_key_id=credentials.access_key_id,
            aws_secret_access_key=credentials.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}),
        )
        client.meta.events.register_first("before-send.mturk", self._send)
        return client

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        if self.workplace_is_down:
            return AWSResponse(request.url, 503, {}, SimpleRaw(b""))
        reply = self._mturk_api.reply(ProxyRequest.from_event(event_of(request)))
        return AWSResponse(request.url, reply.status, {}, SimpleRaw(json.dumps(reply.document).encode()))

    def _notify(self, delivery: Delivery) -> None:
        if delivery.destination == QUEUE_URL:
            self.notifications.append(delivery.document)

    def boot(self) -> None:
        """New processes, that remember nothing."""
        client = MortalClient(self._dynamodb, self._mortal)
        table = Table(client, self.tasks_table.name)
        store = TaskStore(table, self.clock)
        skills = Skills(Table(client, self._skills_table.name), self.clock)
        self.opinions = Opinions(Table(client, self._skills_table.name), self.clock)
        requester = Requester(lambda: MortalClient(self.mturk, self._mortal), QUEUE_URL)
        workflow: Any = self.executions
        terms = Terms(HIT_LIFETIME_S, lambda account: self._budget_cents, FEE_PERCENT)
        self.put_task = PutTask(store, workflow, terms, lambda: next(self._ids))
        self.get_task = GetTask(store)
        self.delete_task = DeleteTask(store)
        self.get_audit = GetAudit(self.get_task, store, skills, self.opinions, FEE_PERCENT, lambda: CODE_KEY)
        self.refit_skills = Refit(skills, self.opinions, Gates(skills, requester), CATALOGUE.values())
        self.judging = Judging(store, skills, self.opinions, workflow, self.clock)
        self.publishing = Publishing(store, skills, requester, self.clock)
        self.audits = RandomAudits(table, store, skills, self.clock, AUDIT_PERCENT)
        gold = GoldStore(table, self.clock)
        self.gold_hits = GoldHits(gold, store, skills, requester, self.clock)
        self.recorder = Recorder(
            store, skills, requester, workflow, self.gold_hits, self.audits, self.clock, FEE_PERCENT
        )

    # Callers

    def put(self, key: TaskKey = KEY, task_input: Any = None) -> str:
        """Put a task and run its workflow as far as it goes; its generation."""
        if task_input is None:
            task_input = SIMILARITY_INPUT if key.function == "image-similarity" else CONTAINS_INPUT
        task, _ = self.attempt(lambda: self.put_task(key, task_input))
        self.run()
        return task.generation

    def get(self, key: TaskKey = KEY) -> Task:
        return self.get_task(key)

    def delete(self, key: TaskKey = KEY) -> None:
        self.delete_task(key)

    def end_early(self, generation_id: str) -> Problem:
        """Something ends the task, while its HIT goes on."""
        problem = Problem.of(ProblemCode.SERVICE_ERROR, generation_id)
        assert self.store.fail(self.store.load_generation(generation_id), problem)
        return problem

    # Workers

    def hit_id(self, generation_id: str) -> str:
        generation = self.store.generation(generation_id)
        assert generation and generation.hit_id
        return generation.hit_id

    def accept(self, generation_id: str, worker: str) -> str:
        """A Worker takes the generation's HIT; the assignment."""
        worker_id = f"AWORKER{worker}"
        self.workplace.register_worker(worker_id, worker)
        return self.workplace.accept(self.hit_id(generation_id), worker_id).assignment_id

    def submit(self, assignment_id: str, value: str | None) -> None:
        fields = [("assignmentId", assignment_id)] + ([("answer", value)] if value is not None else [])
        self.workplace.submit(assignment_id, fields)

    def answer(self, generation_id: str, worker: str, value: str | None) -> str:
        """A Worker takes the HIT and submits; the notification waits for `deliver`."""
        assignment_id = self.accept(generation_id, worker)
        self.submit(assignment_id, value)
        return assignment_id

    def answer_all(self, generation_id: str, values: str | list[str]) -> None:
        """Each of several Workers in turn answers, and is heard of."""
        for number, value in enumerate(values):
            self.answer(generation_id, f"{number}", value)
            self.deliver()

    def can_be_taken(self, generation_id: str) -> bool:
        try:
            self.workplace.return_assignment(self.accept(generation_id, "CURIOUS"), "AWORKERCURIOUS")
        except WorkerError:
            return False
        return True

    # What goes on by itself

    def deliver(self) -> None:
        """Every notification so far arrives."""
        waiting, self.notifications = self.notifications, []
        for body in waiting:
            self.hear(body)

    def hear(self, body: str) -> None:
        """A notification arrives."""
        self.attempt(lambda: self.recorder.record_notification(body))
        self.run()

    def lose_notifications(self) -> None:
        self.notifications.clear()

    def reconcile(self) -> None:
        """A minute passes, and everything on a schedule happens once; if it dies, again in the minute after."""
        for dies_after in range(len(SHARDS), 100) if self._is_mortal else [None]:
            self.clock.move(60)
            self.workplace.sweep()
            self._mortal.live(dies_after)
            try:
                self.recorder.reconcile(lambda: 60)
                break
            except Killed:
                self.boot()
            finally:
                self._mortal.live(None)
        self.run()

    def tend_gold(self, seconds: int = 60) -> dict[str, int]:
        """Time passes, and known-answer questions are looked after."""
        self.clock.move(seconds)
        self.workplace.sweep()
        return self.attempt(lambda: self.gold_hits.tend(lambda: 60))

    def pass_time(self, seconds: int) -> None:
        """Time passes; only the workplace and the workflow notice."""
        self.clock.move(seconds)
        self.workplace.sweep()
        self.run()

    def run(self) -> None:
        """Every execution goes on until it waits or ends."""
        for execution in list(self.executions.by_generation.values()):
            for _ in range(MOST_STATES):
                if not self._advance(execution):
                    break
            else:
                raise AssertionError("the workflow goes round and round without waiting for anything")

    def attempt(self, work: Callable[[], Result]) -> Result:
        """Do what is done again when its process dies, as Lambda's callers do."""
        if self._is_mortal:
            for dies_after in range(1, 100):
                self._mortal.live(dies_after)
                try:
                    result = work()
                    break
                except Killed:
                    self.boot()
                finally:
                    self._mortal.live(None)
        else:
            result = work()
        if self._twice:
            work()
        return result

    # The state machine

    def _advance(self, execution: Execution) -> bool:
        """One state; False if it waits or has ended."""
        generation_id = execution.generation_id
        try:
            match execution.state:
                case "CreateHit":
                    self._set_wait(execution, self._retry(lambda: self.publishing.create_hit(generation_id)))
                    execution.state = "AwaitAnswer"
                case "AwaitAnswer" if execution.token is None:
                    execution.woken = False
                    self._retry(lambda: self.judging.await_answer(generation_id, self._issue_token(execution)))
                case "AwaitAnswer" if execution.woken:
                    execution.token, execution.state = None, "Adjudicate"
                case "AwaitAnswer" if self.clock() >= execution.await_until_ms:
                    execution.token, execution.state = None, "CollectLateAnswers"
                case "CollectLateAnswers":
                    self._retry(lambda: self.recorder.collect(generation_id))
                    execution.state = "Adjudicate"
                case "Adjudicate":
                    decision, await_timeout_s = self._retry(lambda: self.judging.adjudicate(generation_id))
                    self._set_wait(execution, await_timeout_s)
                    execution.decision = json.loads(json.dumps(asdict(decision)))
                    states = {"complete": "CloseTask", "fail": "FailTask", "extend": "ExtendHit"}
                    execution.state = states.get(decision.action, "AwaitAnswer")
                case "ExtendHit":
                    assignments = execution.decision["assignments"]
                    self._retry(lambda: self.publishing.extend_hit(generation_id, assignments))
                    execution.state = "AwaitAnswer"
                case "CloseTask":
                    result, grounds = execution.decision["result"], execution.decision["grounds"]
                    self._retry(lambda: self.publishing.close_task(generation_id, result, grounds))
                    execution.state = "Succeeded"
                case "FailTask":
                    problem = (
                        problem_of(execution.error) if execution.error else ProblemCode(execution.decision["problem"])
                    )
                    grounds = None if execution.error else execution.decision["grounds"]
                    self._retry(lambda: self.publishing.fail_task(generation_id, problem, grounds))
                    execution.state = "Failed"
                case _:
                    return False
        except Exception as error:
            execution.error, execution.token = type(error).__name__, None
            execution.state = "Aborted" if execution.state == "FailTask" else "FailTask"
        return True

    def _retry(self, step: Callable[[], Result]) -> Result:
        for _ in range(STEP_ATTEMPTS - 1):
            try:
                return self.attempt(step)
            except WorkplaceUnavailable:
                continue
        return self.attempt(step)

    def _issue_token(self, execution: Execution) -> str:
        """Every attempt of a step gets a new token, and those before it are worth nothing any more."""
        self._tokens += 1
        execution.token = f"token-{self._tokens}"
        return execution.token

    def _set_wait(self, execution: Execution, await_timeout_s: int) -> None:
        assert await_timeout_s >= 1
        execution.await_until_ms = self.clock() + await_timeout_s * 1000

    # What must hold in the end

    def settle(self, *generation_ids: str) -> None:
        """A few minutes later all is done with; then everything must add up."""
        for _ in range(4):
            self.reconcile()
        self.deliver()
        for generation_id in generation_ids:
            generation = self.store.generation(generation_id)
            assert generation and generation.phase is Phase.SETTLED
        assert list(self.store.due_generations()) == []
        self.audit()

    def audit(self) -> None:
        """Every HIT is disposed of, every answer paid exactly once, and nothing else."""
        found = audit(self.workplace_table)
        assert found.discrepancies == []
        assert found.held_cents == 0
        assert self.mturk.list_hits()["HITs"] == []
        for number in range(16):
            answers = self.store.answers(f"{number:x}" * 32)
            assert len({answer.assignment_id for answer in answers}) == len(answers)

    def paid(self) -> Counter[str]:
        """How many rewards each Worker has got."""
        items = self.workplace_table.query_all("workers")
        workers = [self.workplace.get_worker(item["sk"]) for item in items]
        return Counter(
            {worker.worker_id.removeprefix("AWORKER"): worker.approved for worker in workers if worker.approved}
        )

    def hits_created(self) -> int:
        return audit(self.workplace_table).hits

    def committed_cents(self, month: str) -> int:
        item = self.tasks_table.get("BUDGET#default", month)
        return int(item["committed_cents"]) if item else 0

    def spent_cents(self) -> int:
        account = self.workplace.requesters.account(REQUESTER.requester_id)
        return account.spent_cents
