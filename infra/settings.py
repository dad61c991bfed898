"""What an operator can choose at deployment, read once from the CDK context."""

import platform
import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from aws_cdk import RemovalPolicy

LAMBDA_ARCHITECTURES = {"x86_64": "x86_64", "amd64": "x86_64", "aarch64": "arm64", "arm64": "arm64"}
"""Names of a processor, as machines tell them, and Lambda's name for it."""

MAX_TERM = 1_000_000_000
"""Of what accounts may use, have free or pay; an operator's command line takes no more for a single account either."""


SEGMENTS, S3_VECTORS = "segments", "s3vectors"
"""The engines of image search: our own, in files of the pictures' bucket, and Amazon S3 Vectors."""


COGNITO = "cognito"
"""The provider that the template makes."""

MAIL_SENDER = r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
ISSUER = r"(https://[A-Za-z0-9.-]+(:[0-9]+)?|http://127\.0\.0\.1:[0-9]+)(/[A-Za-z0-9._~/-]*)?"
"""http only for a provider on the same machine, as a local stack may have."""


@dataclass(frozen=True)
class Settings:
    """The deployment's settings; each is the context key of the same name.

    `cdk.json` holds the defaults; `cdk deploy -c hit_lifetime_s=3600` changes one for a deployment.
    """

    hit_lifetime_s: int = 86_400
    """How long Workers can find a task's HIT; afterwards the task ends as `Expired`. 60 to 2,592,000 (30 days)."""

    audit_percent: int = 2
    """Which share of finished tasks is drawn at random for `python -m client audit-tasks`, in percent, 0 to 100."""

    free_searches: int = 100
    """How many successful searches by `POST /` an account has free on each day (UTC)."""

    search_price_cents: int = 1
    """What each further one costs, from the account's balance."""

    crowd_budget_cents: int = 0
    """What one account's tasks may cost in a calendar month (UTC), at the worst; 0 for no ceiling. An operator can
    give an account terms of its own for these three."""

    workplace_fee_percent: int = 0
    """What the workplace charges requesters on top of each reward, in percent of it, 0 to 100."""

    key_throttle_rate: int = 50
    """Requests a second that the callers' API takes from one key in the long run; more are answered 429."""

    key_throttle_burst: int = 100
    """Requests that it takes from one key at once."""

    throttle_rate: int = 200
    """Requests a second that the callers' API takes from all keys together."""

    throttle_burst: int = 400
    """Requests that it takes from all keys at once."""

    workplace_throttle_rate: int = 200
    """The same for the workplace, whose requests are those of Workers and of the tasks already taken on."""

    workplace_throttle_burst: int = 400
    """Requests that the workplace takes at once."""

    worker_rate: int = 120
    """How many HITs one Worker can accept in a minute, and as many return, and as many answers and messages send; more
    are answered 429.
    0 for no limit, as with the next two."""

    network_rate: int = 1200
    """The same for all Workers together that come from one network address."""

    sign_in_rate: int = 100
    """Attempts to sign in from one network address in 15 minutes. Whatever is set here, five links are sent to one
    e-mail address for one network address, and 25 for all."""

    sign_in_mail_sender: str = ""
    """Whom links to sign in by are sent from, an address or domain that Amazon SES has verified; empty for no mail."""

    sign_in_provider: str = ""
    """The organisation's OpenID provider: its issuer's URL, or `cognito` for a user pool of this deployment's own;
    empty for none."""

    sign_in_provider_secret: str = ""
    """For a provider that is not `cognito`: the name of the Secrets Manager secret with what it registered the worker
    site as, JSON {"client_id", "client_secret"}. The address to come back to is the site's `/sign-in/callback`."""

    sign_in_domains: str = ""
    """Domains of e-mail addresses, between commas, whose people the provider signs in without an invitation."""

    sign_in_groups: str = ""
    """The same for groups that the provider tells of (the claim `groups` or `cognito:groups`)."""

    search_bundle: str = "embedded"
    """The models of image search: a folder of `functions/search/models`. Pictures saved with others are
    not found until they are saved again."""

    search_memory_mb: int = 3008
    """Memory of image search's Lambdas, 1,024 to 10,240 MB; a processor for each 1,769."""

    search_recall: float = 0.99
    """Which share of the most similar pictures a search of a long segment is to find, 0.5 to 1; with 1 it compares all
    vectors. Only for `vector_engine` = `segments`."""

    search_base_image: str = ""
    """What image search's container is built on; empty for AWS's image for Lambda that its Dockerfile names."""

    vector_engine: str = SEGMENTS
    """What keeps and searches the vectors of image search: `segments`, or `s3vectors` for Amazon S3 Vectors.
    `python -m client index migrate` copies what is there from the one to the other."""

    keep_vector_bucket: bool = False
    """Have the indexes of Amazon S3 Vectors also while `vector_engine` is `segments`, for migrations."""

    mturk_endpoint_url: str = ""
    """Where HITs are published; empty for this deployment's own workplace, which is left out otherwise."""

    mturk_credentials_secret: str = ""
    """For another `mturk_endpoint_url`: the name of the Secrets Manager secret with the requester's credentials,
    JSON {"requester_id", "access_key_id", "secret_access_key"}."""

    retain_data: bool = True
    """Keep tables and secrets when their stack is deleted, and refuse to delete a table."""

    log_level: str = "INFO"
    """What the Lambdas log: DEBUG, INFO, WARNING or ERROR."""

    architecture: str = ""
    """The Lambdas' processor, x86_64 or arm64; empty for that of the machine that synthesizes."""

    def __post_init__(self) -> None:
        """Raises ValueError for a value that no deployment can use."""
        _require(60 <= self.hit_lifetime_s <= 2_592_000, "hit_lifetime_s must be from 60 to 2592000")
        _require(0 <= self.audit_percent <= 100, "audit_percent must be from 0 to 100")
        for name in ("free_searches", "search_price_cents", "crowd_budget_cents"):
            _require(0 <= getattr(self, name) <= MAX_TERM, f"{name} must be from 0 to {MAX_TERM}")
        _require(0 <= self.workplace_fee_percent <= 100, "workplace_fee_percent must be from 0 to 100")
        for api in ("key_throttle", "throttle", "workplace_throttle"):
            for name in (f"{api}_rate", f"{api}_burst"):
                _require(getattr(self, name) > 0, f"{name} must be positive")
        for name in ("worker_rate", "network_rate", "sign_in_rate"):
            _require(getattr(self, name) >= 0, f"{name} must not be negative")
        _require(
            not self.sign_in_mail_sender or re.fullmatch(MAIL_SENDER, self.sign_in_mail_sender) is not None,
            "sign_in_mail_sender must be an e-mail address",
        )
        _require(
            self.sign_in_provider in ("", COGNITO) or re.fullmatch(ISSUER, self.sign_in_provider) is not None,
            f"sign_in_provider must be {COGNITO} or an https URL without a query",
        )
        _require(
            bool(self.sign_in_provider_secret) == (self.sign_in_provider not in ("", COGNITO)),
            "sign_in_provider_secret goes with the URL of a sign_in_provider: give both or neither",
        )
        _require(
            bool(self.sign_in_provider) or not (self.sign_in_domains or self.sign_in_groups),
            "sign_in_domains and sign_in_groups are for people of a sign_in_provider",
        )
        _require(
            bool(self.mturk_endpoint_url) == bool(self.mturk_credentials_secret),
            "mturk_endpoint_url and mturk_credentials_secret go together: give both or neither",
        )
        _require(
            re.fullmatch(r"[a-z0-9][a-z0-9-]{0,31}", self.search_bundle) is not None,
            "search_bundle must be the name of a folder: a-z 0-9 -",
        )
        _require(0.5 <= self.search_recall <= 1, "search_recall must be from 0.5 to 1")
        _require(self.vector_engine in (SEGMENTS, S3_VECTORS), f"no such vector_engine: {self.vector_engine}")
        _require(1024 <= self.search_memory_mb <= 10_240, "search_memory_mb must be from 1024 to 10240")
        _require(self.log_level in ("DEBUG", "INFO", "WARNING", "ERROR"), f"no such log_level: {self.log_level}")
        _require(
            self.architecture in ("", *LAMBDA_ARCHITECTURES.values()),
            f"architecture must be x86_64, arm64 or empty, not {self.architecture!r}",
        )

    @classmethod
    def from_context(cls, get: Callable[[str], Any]) -> "Settings":
        """The settings as `get`, a lookup by context key, gives them. Raises ValueError, naming the key."""
        found: dict[str, Any] = {}
        for field in fields(cls):
            value = get(field.name)
            if value is not None:
                found[field.name] = _converted(field.name, value, type(field.default))
        return cls(**found)

    @property
    def lambda_architecture(self) -> str:
        """`x86_64` or `arm64`. Raises ValueError where the machine's processor is neither and none is set."""
        if self.architecture:
            return self.architecture
        machine = platform.machine().lower()
        _require(machine in LAMBDA_ARCHITECTURES, f"Lambda has no {machine} processor: set `architecture`")
        return LAMBDA_ARCHITECTURES[machine]

    @property
    def has_vector_bucket(self) -> bool:
        """Whether there are indexes of Amazon S3 Vectors."""
        return self.vector_engine == S3_VECTORS or self.keep_vector_bucket

    @property
    def removal_policy(self) -> RemovalPolicy:
        """What becomes of data when its stack is deleted."""
        return RemovalPolicy.RETAIN if self.retain_data else RemovalPolicy.DESTROY


def _converted(key: str, value: Any, to: type) -> Any:
    """A context value, which is text when it comes from the command line, as the setting's own type."""
    if to is bool and str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    if to is int and str(value).lstrip("-").isdecimal():
        return int(value)
    if to is float and not isinstance(value, bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass  # said below
    if to is str and isinstance(value, str):
        return value
    raise ValueError(f"the setting {key} takes {to.__name__}, not {value!r}")


def _require(holds: bool, rule: str) -> None:
    if not holds:
        raise ValueError(rule)
