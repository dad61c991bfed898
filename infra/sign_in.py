"""How people come to the worker site beside invitations' links: by e-mail, and by an OpenID provider."""

from collections.abc import Mapping

from aws_cdk import Acknowledgment, ArnFormat, Duration, RemovalPolicy, Stack, Validations
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.operation import Layers, Operation
from infra.settings import COGNITO, Settings
from infra.table import Table

OWN_CLIENT_SECRET = "crowdsight/sign-in"
"""The secret with what the user pool knows the worker site as. It has a name, because the site's Lambda must know of it
before the user pool's client knows of the site's address."""

CALLBACK_PATH = "sign-in/callback"
"""Of the site, below its address, which ends in /."""
SEND_TIMEOUT_S = 20
SENDS_BEFORE_DEAD_LETTER = 5


class LinkMail(Construct):
    """Links sent by Amazon SES from `sender`: a queue that the site may send to, and the Lambda that empties it."""

    def __init__(self, scope: Construct, id: str, *, sender: str) -> None:
        super().__init__(scope, id)
        self._sender = sender
        dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.days(14),
        )
        self.queue = sqs.Queue(
            self,
            "Links",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=Duration.hours(1),  # a link is over after 15 minutes
            visibility_timeout=Duration.seconds(6 * SEND_TIMEOUT_S),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=SENDS_BEFORE_DEAD_LETTER),
        )

    def send_links(self, *, site_url: str, table: Table, layers: Layers, settings: Settings) -> None:
        """The Lambda: it may read who is known, and send mail from the one address."""
        function = Operation(
            self,
            "send_links",
            layers=layers,
            settings=settings,
            environment={
                "WORKPLACE_TABLE": table.table_name,
                "WORKPLACE_URL": site_url,
                "MAIL_SENDER": self._sender,
            },
            timeout_s=SEND_TIMEOUT_S,
        )
        function.allow(["dynamodb:GetItem"], [table.table_arn])
        # SES looks for the address among its verified identities, and then for the domain.
        identities = [self._sender, self._sender.partition("@")[2]]
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[
                    Stack.of(self).format_arn(service="ses", resource="identity", resource_name=each)
                    for each in identities
                ],
                conditions={"StringEquals": {"ses:FromAddress": self._sender}},
            )
        )
        function.add_event_source(
            event_sources.SqsEventSource(self.queue, batch_size=10, report_batch_item_failures=True)
        )


class UserPool(Construct):
    """People of this deployment's own: a Cognito user pool, which an administrator adds them to."""

    def __init__(self, scope: Construct, id: str, *, settings: Settings) -> None:
        super().__init__(scope, id)
        self._pool = cognito.UserPool(
            self,
            "People",
            self_sign_up_enabled=False,
            sign_in_aliases=cognito.SignInAliases(email=True),
            sign_in_case_sensitive=False,
            auto_verify=cognito.AutoVerifiedAttrs(email=True),
            password_policy=cognito.PasswordPolicy(
                min_length=12, require_digits=True, require_lowercase=True, require_symbols=True, require_uppercase=True
            ),
            account_recovery=cognito.AccountRecovery.EMAIL_ONLY,
            deletion_protection=settings.retain_data,
            removal_policy=settings.removal_policy,
        )
        for rule, reason in (
            ("AwsSolutions-COG2", "Whether a second factor is asked for is the organisation's choice, in the console."),
            ("AwsSolutions-COG8", "Threat protection is of Cognito's Plus plan, which costs by the person."),
        ):
            Validations.of(self._pool).acknowledge(Acknowledgment(id=rule, reason=reason))
        self.issuer: str = self._pool.user_pool_provider_url

    def know(self, site_url: str) -> None:
        """Send people back to the worker site, and to nowhere else."""
        self._pool.add_domain(
            "Domain",
            cognito_domain=cognito.CognitoDomainOptions(domain_prefix=f"crowdsight-{Stack.of(self).account}"),
        )
        client = self._pool.add_client(
            "Site",
            generate_secret=True,
            prevent_user_existence_errors=True,
            o_auth=cognito.OAuthSettings(
                flows=cognito.OAuthFlows(authorization_code_grant=True),
                scopes=[cognito.OAuthScope.OPENID, cognito.OAuthScope.EMAIL, cognito.OAuthScope.PROFILE],
                callback_urls=[f"{site_url}{CALLBACK_PATH}"],
            ),
        )
        resource = client.node.default_child
        assert isinstance(resource, cognito.CfnUserPoolClient)
        secret = secretsmanager.CfnSecret(
            self,
            "Client",
            name=OWN_CLIENT_SECRET,
            secret_string=Stack.of(self).to_json_string(
                {"client_id": resource.ref, "client_secret": resource.attr_client_secret}
            ),
        )
        secret.apply_removal_policy(RemovalPolicy.DESTROY)  # it goes with the client that it is of
        Validations.of(secret).acknowledge(
            Acknowledgment(id="AwsSolutions-SMG4", reason="Cognito makes the value, once for each client.")
        )


def provider_environment(settings: Settings, pool: UserPool | None) -> Mapping[str, str]:
    """What the site's Lambda is told of the provider; nothing if there is none."""
    if not settings.sign_in_provider:
        return {}
    given = {
        "OPENID_ISSUER": pool.issuer if pool else settings.sign_in_provider,
        "OPENID_CLIENT_SECRET": OWN_CLIENT_SECRET if pool else settings.sign_in_provider_secret,
        "WELCOME_DOMAINS": settings.sign_in_domains,
        "WELCOME_GROUPS": settings.sign_in_groups,
    }
    return {name: value for name, value in given.items() if value}


def provider_secret_arn(scope: Construct, settings: Settings) -> str:
    """The secret with what the provider knows the site as."""
    name = OWN_CLIENT_SECRET if settings.sign_in_provider == COGNITO else settings.sign_in_provider_secret
    return Stack.of(scope).format_arn(
        service="secretsmanager",
        resource="secret",
        resource_name=f"{name}-??????",  # Secrets Manager adds six characters of its own
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
