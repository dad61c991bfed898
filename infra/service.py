"""The service that callers use: one API under one key, with the crowd's tasks and image search behind it."""

from typing import Any

from aws_cdk import Stack
from constructs import Construct

from infra.api import Api
from infra.crowd import Crowd
from infra.operation import Layers, Operation
from infra.output import add_output
from infra.search import Search
from infra.secret import JsonSecret
from infra.settings import Settings
from infra.workplace import WorkplaceStack


class ServiceStack(Stack):
    """`workplace`: this deployment's own, or None where the settings name another endpoint."""

    def __init__(
        self, scope: Construct, id: str, *, workplace: WorkplaceStack | None, settings: Settings, **options: Any
    ) -> None:
        super().__init__(scope, id, **options)
        layers = Layers(self, "Layers", settings=settings)
        api_key = JsonSecret(self, "ApiKey", values={"account": "default"}, generated="api_key", settings=settings)
        authorize = Operation(
            self,
            "authorize",
            layers=layers,
            settings=settings,
            environment={"API_KEY_SECRET": api_key.secret_arn},
            timeout_s=20,
        )
        authorize.allow(["secretsmanager:GetSecretValue"], [api_key.secret_arn])
        get_openapi = Operation(self, "get_openapi", layers=layers, settings=settings, environment={}, timeout_s=20)
        api = Api(
            self,
            "Api",
            authorize=authorize,
            get_openapi=get_openapi,
            crowd=Crowd(self, "Crowd", workplace=workplace, layers=layers, settings=settings),
            search=Search(self, "Search", layers=layers, settings=settings),
            settings=settings,
        )
        add_output(self, "ApiUrl", api.url, "The base address for callers")
        add_output(self, "ApiKeySecret", api_key.secret_arn, "Holds the API key, for the header x-api-key")
