"""The workplace: where HITs live, an endpoint for requesters' programs and a site for Workers."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Acknowledgment, ArnFormat, Stack, Validations
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infra.operation import Layers, Operation
from infra.output import add_output
from infra.rest_api import RestApi
from infra.secret import JsonSecret
from infra.settings import COGNITO, Settings
from infra.sign_in import LinkMail, UserPool, provider_environment, provider_secret_arn
from infra.table import Table

REQUESTER_SECRETS_PREFIX = "crowdsight/requester/"
"""A requester's credentials are the secret named this and their access key id."""

OWN_REQUESTER = {"requester_id": "A1CROWDSIGHT00", "access_key_id": "CROWDSIGHTREQUESTER0"}
"""The requester account that publishes this deployment's own crowd tasks."""

BY_SESSION = "Workers come by a web browser, whose sessions the Lambda keeps; how they begin is in infra/sign_in.py."
NOTIFYING = {
    "sqs": ["sqs:GetQueueAttributes", "sqs:SendMessage"],
    "sns": ["sns:GetTopicAttributes", "sns:Publish"],
}
TABLE_ACTIONS = ("GetItem", "BatchGetItem", "PutItem", "UpdateItem", "DeleteItem", "Query", "ConditionCheckItem")


class WorkplaceStack(Stack):
    """What a requester's program needs of it: `endpoint_url` and `own_credentials`.

    Whatever meets an event first sends it, to any queue or topic of the account whose own policy lets MTurk send, as
    programs written for MTurk set it; `workplace.senders` looks. So nobody can have the workplace send to a queue whose
    owner does not let MTurk send. To one that does, any requester can, as on MTurk.
    """

    def __init__(self, scope: Construct, id: str, *, settings: Settings, **options: Any) -> None:
        super().__init__(scope, id, **options)
        self._settings = settings
        self._layers = Layers(self, "Layers", settings=settings)
        self._table = Table(
            self,
            "Workplace",
            indexes={
                "due": dynamodb.AttributeType.NUMBER,
                "requester": dynamodb.AttributeType.STRING,
                "open": dynamodb.AttributeType.STRING,
            },
            settings=settings,
        )
        self._session_secret = JsonSecret(self, "SessionSecret", generated="session_key", settings=settings)
        self.own_credentials = JsonSecret(
            self,
            "OwnCredentials",
            name=f"{REQUESTER_SECRETS_PREFIX}{OWN_REQUESTER['access_key_id']}",
            values=OWN_REQUESTER,
            generated="secret_access_key",
            settings=settings,
        )
        self._mail = (
            LinkMail(self, "Mail", sender=settings.sign_in_mail_sender) if settings.sign_in_mail_sender else None
        )
        self._pool = UserPool(self, "UserPool", settings=settings) if settings.sign_in_provider == COGNITO else None
        mturk_api = self._mturk_api()
        worker_site = self._worker_site()
        sweep_workplace = self._sweep_workplace()
        for notifier in (mturk_api, worker_site, sweep_workplace):
            self._let_notify(notifier)

        api = RestApi(
            self,
            "WorkplaceApi",
            name="crowdsight-workplace",
            title="The workplace",
            rate=settings.workplace_throttle_rate,
            burst=settings.workplace_throttle_burst,
        )
        api.route("POST", "/", mturk_api, why_open="Requests carry a SigV4 signature, which the Lambda verifies.")
        api.route("GET", "/", worker_site, why_open=BY_SESSION)
        api.route("ANY", "/{proxy+}", worker_site, why_open=BY_SESSION)
        self.endpoint_url = api.url
        if self._mail:
            self._mail.send_links(site_url=api.url, table=self._table, layers=self._layers, settings=settings)
        if self._pool:
            self._pool.know(api.url)

        add_output(self, "WorkplaceTable", self._table.table_name, "What the operator's commands read and write")
        add_output(self, "SessionSecret", self._session_secret.secret_arn, "What invitations are signed with")
        add_output(self, "OwnCredentialsSecret", self.own_credentials.secret_arn, "This deployment's requester")
        add_output(self, "WorkplaceUrl", self.endpoint_url, "The worker site, and the endpoint of MTurk clients")

    def _let_notify(self, function: Operation) -> None:
        """Requesters name the destinations while the workplace runs: those that there are have no names here."""
        for service, actions in NOTIFYING.items():
            function.allow(actions, [self.format_arn(service=service, resource="*")])
            Validations.of(function.execution_role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:{service}:<AWS::Region>:<AWS::AccountId>:*]",
                    reason="Requesters name the queues and topics; only those whose policies let MTurk send are used.",
                )
            )

    def _mturk_api(self) -> Operation:
        function = self._operation(
            "mturk_api",
            {"REQUESTER_SECRETS_PREFIX": REQUESTER_SECRETS_PREFIX},
            indexes=["requester", "open"],
            timeout_s=29,
        )
        requester_secrets = self.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"{REQUESTER_SECRETS_PREFIX}*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        function.allow(["secretsmanager:GetSecretValue"], [requester_secrets])
        Validations.of(function.execution_role).acknowledge(
            Acknowledgment(
                id="AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:"
                f"secret:{REQUESTER_SECRETS_PREFIX}*]",
                reason="Each requester's credentials are a secret of this prefix, made when an operator issues them.",
            )
        )
        return function

    def _worker_site(self) -> Operation:
        settings = self._settings
        environment = {
            "SESSION_SECRET": self._session_secret.secret_arn,
            "WORKER_RATE": str(settings.worker_rate),
            "NETWORK_RATE": str(settings.network_rate),
            "SIGN_IN_RATE": str(settings.sign_in_rate),
            **({"MAIL_QUEUE_URL": self._mail.queue.queue_url} if self._mail else {}),
            **provider_environment(settings, self._pool),
        }
        function = self._operation("worker_site", environment, indexes=["open", "requester"], timeout_s=29)
        function.allow(["secretsmanager:GetSecretValue"], [self._session_secret.secret_arn])
        if self._mail:
            function.allow(["sqs:SendMessage"], [self._mail.queue.queue_arn])
        if settings.sign_in_provider:
            function.allow(["secretsmanager:GetSecretValue"], [provider_secret_arn(self, settings)])
        return function

    def _sweep_workplace(self) -> Operation:
        """Expires HITs, takes back abandoned assignments and sends events again that did not arrive."""
        function = self._operation("sweep_workplace", {}, indexes=["due", "open"], timeout_s=55)
        function.run_every(minutes=1)
        return function

    def _operation(
        self, name: str, environment: dict[str, str], *, indexes: Sequence[str], timeout_s: int
    ) -> Operation:
        """A Lambda over the workplace's table, of which it searches some indexes.

        Whichever Lambda meets a HIT first carries out what has become due of it, an expiry or an automatic approval,
        with all its consequences. So each of them may do the same to items.
        """
        function = Operation(
            self,
            name,
            layers=self._layers,
            settings=self._settings,
            environment={
                "WORKPLACE_TABLE": self._table.table_name,
                "WORKPLACE_FEE_PERCENT": str(self._settings.workplace_fee_percent),
                **environment,
            },
            timeout_s=timeout_s,
        )
        function.allow(
            [f"dynamodb:{action}" for action in TABLE_ACTIONS],
            [self._table.table_arn],
        )
        function.allow(["dynamodb:Query"], [self._table.index_arn(index) for index in indexes])
        return function
