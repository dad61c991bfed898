"""The service that callers use: one API under keys of accounts, with the crowd's tasks and image search behind it."""

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from infra.accounts import Accounts
from infra.api import Api
from infra.crowd import Crowd
from infra.operation import Layers, Operation
from infra.output import add_output
from infra.search import Search
from infra.settings import Settings
from infra.workplace import WorkplaceStack


class ServiceStack(Stack):
    """`workplace`: this deployment's own, or None where the settings name another endpoint."""

    def __init__(
        self, scope: Construct, id: str, *, workplace: WorkplaceStack | None, settings: Settings, **options: Any
    ) -> None:
        super().__init__(scope, id, **options)
        layers = Layers(self, "Layers", settings=settings)
        accounts = Accounts(self, "Accounts", layers=layers, settings=settings)
        get_openapi = Operation(self, "get_openapi", layers=layers, settings=settings, environment={}, timeout_s=20)
        search = Search(self, "Search", accounts=accounts, layers=layers, settings=settings)
        crowd = Crowd(
            self, "Crowd", accounts=accounts, workplace=workplace, search=search, layers=layers, settings=settings
        )
        api = Api(
            self,
            "Api",
            accounts=accounts,
            get_openapi=get_openapi,
            crowd=crowd,
            search=search,
            settings=settings,
        )
        add_output(self, "ApiUrl", api.url, "The base address for callers")
