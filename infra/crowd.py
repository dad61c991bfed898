"""Crowd tasks: their table, the Lambdas and the workflow that adjudicates them."""

from collections.abc import Sequence

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.accounts import Accounts
from infra.adjudication_flow import AdjudicationFlow, Steps
from infra.operation import ImageOperation, Layers, Operation
from infra.output import add_output
from infra.search import Search
from infra.secret import JsonSecret
from infra.settings import Settings
from infra.table import Table
from infra.workplace import WorkplaceStack

WORKFLOW_NAME = "crowdsight-adjudication"
"""Fixed, so that the workflow's own Lambdas can be told its ARN before it exists; it in turn names them."""

GET, GET_MANY, PUT, UPDATE, DELETE, QUERY = (
    f"dynamodb:{action}" for action in ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
)

RECORD_TIMEOUT_S = 30
"""The queue hides a message for six times as long, as Lambda asks, before it is delivered again."""

RECEIVES_BEFORE_DEAD_LETTER = 5

REFIT_TIMEOUT_S = 600
REFIT_MEMORY_MB = 1769
"""A whole processor: a thousand closed tasks of a function are judged anew five times over."""


class Crowd(Construct):
    """What the API's routes need of it: `put_task`, `get_task`, `delete_task`, `get_task_audit`.

    `workplace`: this deployment's own, or None where the settings name another endpoint.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        accounts: Accounts,
        workplace: WorkplaceStack | None,
        search: Search,
        layers: Layers,
        settings: Settings,
    ) -> None:
        super().__init__(scope, id)
        self._settings = settings
        self._layers = layers
        self._table = Table(self, "Tasks", indexes={"open": dynamodb.AttributeType.NUMBER}, settings=settings)
        self._skills = Table(self, "Skills", indexes={}, settings=settings)
        self._notifications = self._notification_queue()
        self._requester_environment, self._requester_secret_arn = self._requester(workplace)
        self._workflow_arn = Stack.of(self).format_arn(
            service="states",
            resource="stateMachine",
            resource_name=WORKFLOW_NAME,
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

        # What callers ask
        self.put_task = self._operation(
            "put_task",
            {
                "TASK_WORKFLOW_ARN": self._workflow_arn,
                "HIT_LIFETIME_S": str(settings.hit_lifetime_s),
                "WORKPLACE_FEE_PERCENT": str(settings.workplace_fee_percent),
                **accounts.environment,
            },
            table_actions=[GET, PUT, UPDATE],
        )
        self.put_task.allow(["states:StartExecution"], [self._workflow_arn])
        accounts.allow_reading(self.put_task)
        accounts.get_account.add_environment("TASKS_TABLE", self._table.table_name)
        accounts.get_account.allow([GET], [self._table.table_arn])  # what the month's tasks may cost
        self.get_task = self._operation("get_task", table_actions=[GET])
        self.delete_task = self._operation("delete_task", table_actions=[GET, DELETE])
        code_key = JsonSecret(self, "WorkerCodes", generated="code_key", settings=settings)
        self.get_task_audit = self._operation(
            "get_task_audit",
            {
                "WORKER_CODES_SECRET": code_key.secret_arn,
                "WORKPLACE_FEE_PERCENT": str(settings.workplace_fee_percent),
            },
            table_actions=[GET, QUERY],
        )
        self.get_task_audit.allow(["secretsmanager:GetSecretValue"], [code_key.secret_arn])
        self._allow_skills(self.get_task_audit, [GET_MANY])

        # What the workflow does
        create_hit = self._requester_operation(
            "create_hit", {"NOTIFICATIONS_QUEUE_URL": self._notifications.queue_url}, table_actions=[GET, UPDATE]
        )
        self._allow_skills(create_hit, [GET_MANY])
        await_answer = self._operation("await_answer", table_actions=[GET, QUERY, UPDATE])
        await_answer.allow(["states:SendTaskSuccess"], [self._workflow_arn])
        reconcile_hits = self._reconcile_hits()
        adjudicate = self._operation("adjudicate", table_actions=[GET, QUERY])
        self._allow_skills(adjudicate, [GET_MANY])
        close_task, fail_task = (
            self._requester_operation(name, table_actions=[GET, QUERY, UPDATE]) for name in ("close_task", "fail_task")
        )
        for learns in (close_task, fail_task):
            self._allow_skills(learns, [GET_MANY, PUT, UPDATE])
        AdjudicationFlow(
            self,
            "Adjudication",
            name=WORKFLOW_NAME,
            steps=Steps(
                create_hit=create_hit,
                ask_machine=search.score_task,
                await_answer=await_answer,
                collect_late_answers=reconcile_hits,
                adjudicate=adjudicate,
                extend_hit=self._requester_operation("extend_hit", table_actions=[GET, UPDATE]),
                close_task=close_task,
                fail_task=fail_task,
            ),
            settings=settings,
        )

        # What the models make of it
        for scores, reads in ((search.score_task, [GET]), (search.score_known, [QUERY])):
            scores.add_environment("TASKS_TABLE", self._table.table_name)
            scores.allow(reads, [self._table.table_arn])
            self._allow_skills(scores, [GET_MANY, PUT])

        # What the workplace tells
        self._record_answers()

        # What is learned
        refit_skills = self._requester_operation(
            "refit_skills", table_actions=(), timeout_s=REFIT_TIMEOUT_S, memory_mb=REFIT_MEMORY_MB
        )
        self._allow_skills(refit_skills, [GET, GET_MANY, PUT, UPDATE, QUERY])
        refit_skills.run_every(minutes=60)
        self._tend_gold()

        add_output(self, "TasksTable", self._table.table_name, "The tasks and their generations")
        add_output(self, "SkillsTable", self._skills.table_name, "What is known of each function's Workers")
        add_output(self, "WorkplaceFeePercent", str(settings.workplace_fee_percent), "On top of each reward")

    def _notification_queue(self) -> sqs.Queue:
        """Where the workplace, or MTurk, tells of answers."""
        dead_letters = sqs.Queue(
            self,
            "NotificationsDeadLetters",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        queue = sqs.Queue(
            self,
            "Notifications",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(4),
            visibility_timeout=Duration.seconds(6 * RECORD_TIMEOUT_S),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=RECEIVES_BEFORE_DEAD_LETTER),
        )
        mturk = iam.ServicePrincipal("mturk-requester.amazonaws.com")
        queue.add_to_resource_policy(
            iam.PolicyStatement(principals=[mturk], actions=["sqs:SendMessage"], resources=[queue.queue_arn])
        )
        return queue

    def _requester(self, workplace: WorkplaceStack | None) -> tuple[dict[str, str], str]:
        """The environment of a Lambda that speaks to the workplace, and the ARN of its credentials' secret."""
        if workplace:
            url, secret = workplace.endpoint_url, workplace.own_credentials.secret_arn
            return {"MTURK_ENDPOINT_URL": url, "MTURK_CREDENTIALS_SECRET": secret}, secret
        url, name = self._settings.mturk_endpoint_url, self._settings.mturk_credentials_secret
        secret = Stack.of(self).format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"{name}-??????",  # Secrets Manager adds six characters of its own
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        return {"MTURK_ENDPOINT_URL": url, "MTURK_CREDENTIALS_SECRET": name}, secret

    def _reconcile_hits(self) -> Operation:
        """Runs for one generation when the workflow asks it to, and each minute for all that are due."""
        function = self._requester_operation(
            "reconcile_hits",
            {
                "TASK_WORKFLOW_ARN": self._workflow_arn,
                "NOTIFICATIONS_QUEUE_URL": self._notifications.queue_url,  # it may find that a HIT must be created
                "WORKPLACE_FEE_PERCENT": str(self._settings.workplace_fee_percent),
                "AUDIT_PERCENT": str(self._settings.audit_percent),
            },
            table_actions=[GET, QUERY, PUT, UPDATE],
            timeout_s=55,
        )
        self._allow_skills(function, [GET_MANY])
        function.allow(["dynamodb:Query"], [self._table.index_arn("open")])
        function.allow(["states:StartExecution", "states:SendTaskSuccess"], [self._workflow_arn])
        function.run_every(minutes=1)
        return function

    def _record_answers(self) -> None:
        function = self._requester_operation(
            "record_answers", table_actions=[GET, QUERY, PUT, UPDATE], timeout_s=RECORD_TIMEOUT_S
        )
        self._allow_skills(function, [GET_MANY, QUERY, PUT, UPDATE])
        function.allow(["states:SendTaskSuccess"], [self._workflow_arn])
        function.add_event_source(
            event_sources.SqsEventSource(self._notifications, batch_size=10, report_batch_item_failures=True)
        )

    def _tend_gold(self) -> None:
        """Asks known-answer questions."""
        function = self._requester_operation(
            "tend_gold",
            {
                "NOTIFICATIONS_QUEUE_URL": self._notifications.queue_url,  # it creates HITs
                "HIT_LIFETIME_S": str(self._settings.hit_lifetime_s),
            },
            table_actions=[GET, QUERY, PUT, UPDATE, DELETE],
            timeout_s=55,
        )
        self._allow_skills(function, [GET_MANY, QUERY, PUT, UPDATE, DELETE])
        function.allow(["dynamodb:Query"], [self._table.index_arn("open")])
        function.run_every(minutes=1)

    def _allow_skills(self, function: Operation | ImageOperation, actions: Sequence[str]) -> None:
        """Let a Lambda do these things to what is known of Workers."""
        function.add_environment("SKILLS_TABLE", self._skills.table_name)
        function.allow(actions, [self._skills.table_arn])

    def _requester_operation(
        self,
        name: str,
        environment: dict[str, str] | None = None,
        *,
        table_actions: Sequence[str],
        timeout_s: int = 60,
        memory_mb: int = 512,
    ) -> Operation:
        """A Lambda that speaks to the workplace for this deployment's requester account."""
        function = self._operation(
            name,
            {**self._requester_environment, **(environment or {})},
            table_actions=table_actions,
            timeout_s=timeout_s,
            memory_mb=memory_mb,
        )
        function.allow(["secretsmanager:GetSecretValue"], [self._requester_secret_arn])
        return function

    def _operation(
        self,
        name: str,
        environment: dict[str, str] | None = None,
        *,
        table_actions: Sequence[str] = (),
        timeout_s: int = 20,
        memory_mb: int = 512,
    ) -> Operation:
        """`table_actions`: what it may do to items of the tasks table, also within transactions."""
        function = Operation(
            self,
            name,
            layers=self._layers,
            settings=self._settings,
            environment={**({"TASKS_TABLE": self._table.table_name} if table_actions else {}), **(environment or {})},
            timeout_s=timeout_s,
            memory_mb=memory_mb,
        )
        if table_actions:
            function.allow(table_actions, [self._table.table_arn])
        return function
