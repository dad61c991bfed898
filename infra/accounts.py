"""Accounts: their table, and the Lambdas that know whose a key is and tell callers of their account."""

from aws_cdk import Acknowledgment, Aws, Validations
from constructs import Construct

from infra.operation import Layers, Operation, Permitted
from infra.output import add_output
from infra.settings import Settings
from infra.table import Table

USAGE_PLAN = "crowdsight"
"""The usage plan's name, fixed, so that Lambdas behind the API can be told of it before it exists."""

GET, PUT, UPDATE, DELETE, QUERY = (
    f"dynamodb:{action}" for action in ("GetItem", "PutItem", "UpdateItem", "DeleteItem", "Query")
)


class Accounts(Construct):
    """What the API's routes need of it: `authorize`, `get_account`, `rotate_key`.

    `environment`: what a Lambda must be told that counts or prices anything; see also `allow_reading` and
    `allow_counting`.
    """

    def __init__(self, scope: Construct, id: str, *, layers: Layers, settings: Settings) -> None:
        super().__init__(scope, id)
        self._table = Table(self, "Accounts", indexes={}, settings=settings)
        self.environment = {
            "ACCOUNTS_TABLE": self._table.table_name,
            "USAGE_PLAN": USAGE_PLAN,
            "FREE_SEARCHES": str(settings.free_searches),
            "SEARCH_PRICE_CENTS": str(settings.search_price_cents),
            "CROWD_BUDGET_CENTS": str(settings.crowd_budget_cents),
        }

        def operation(name: str) -> Operation:
            return Operation(self, name, layers=layers, settings=settings, environment=self.environment, timeout_s=20)

        self.authorize = operation("authorize")
        self.allow_reading(self.authorize)
        self.get_account = operation("get_account")
        self.allow_reading(self.get_account)
        self.rotate_key = operation("rotate_key")
        self.rotate_key.allow([GET, PUT, UPDATE, DELETE, QUERY], [self._table.table_arn])
        self._allow_registering(self.rotate_key)

        add_output(self, "AccountsTable", self._table.table_name, "The accounts, their keys' hashes and their ledgers")
        add_output(self, "UsagePlan", USAGE_PLAN, "The name of the usage plan that throttles each key")
        add_output(self, "FreeSearches", str(settings.free_searches), "Free searches a day")
        add_output(self, "SearchPriceCents", str(settings.search_price_cents), "The price of any further search")
        add_output(self, "CrowdBudgetCents", str(settings.crowd_budget_cents), "What a month's tasks may cost; 0: all")

    def _allow_registering(self, function: Operation) -> None:
        """Let a Lambda tell API Gateway of keys. Their ids are API Gateway's own, and so is the usage plan's."""
        gateway = f"arn:{Aws.PARTITION}:apigateway:{Aws.REGION}::"
        plans, keys = f"{gateway}/usageplans", f"{gateway}/apikeys"
        function.allow(["apigateway:GET"], [plans])
        function.allow(["apigateway:POST"], [keys, f"{plans}/*/keys"])
        function.allow(["apigateway:DELETE"], [f"{keys}/*"])
        for resource in (f"{plans}/*/keys", f"{keys}/*"):
            Validations.of(function.execution_role).acknowledge(
                Acknowledgment(
                    id=f"AwsSolutions-IAM5[Resource::{_as_nag_says(resource)}]",
                    reason="A usage plan has an id only once the API exists that this Lambda is behind, and a key once "
                    "it is made.",
                )
            )

    def allow_reading(self, function: Permitted) -> None:
        """Let a Lambda look up keys and accounts."""
        function.allow([GET], [self._table.table_arn])

    def allow_counting(self, function: Permitted) -> None:
        """Let a Lambda hold and spend what an account has, and write its ledger."""
        function.allow([GET, PUT, UPDATE], [self._table.table_arn])


def _as_nag_says(arn: str) -> str:
    return arn.replace(Aws.PARTITION, "<AWS::Partition>").replace(Aws.REGION, "<AWS::Region>")
