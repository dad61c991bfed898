"""A secret that is made at deployment and never seen by whoever deploys."""

import json
from collections.abc import Mapping

from aws_cdk import Acknowledgment, Validations
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.settings import Settings


class JsonSecret(secretsmanager.Secret):
    """JSON with `values` as they are and 40 random letters and digits under the key `generated`."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        generated: str,
        settings: Settings,
        values: Mapping[str, str] | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            scope,
            id,
            secret_name=name,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps(values or {}),
                generate_string_key=generated,
                password_length=40,
                exclude_punctuation=True,
            ),
            removal_policy=settings.removal_policy,
        )
        Validations.of(self).acknowledge(
            Acknowledgment(
                id="AwsSolutions-SMG4",
                reason="Whoever holds the value outside AWS, a caller or a Worker with a link, would be locked out by "
                "a rotation at a time not of their choosing; the operator rotates it by putting a new value.",
            )
        )
