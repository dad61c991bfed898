"""What an operator can set."""

import json
from dataclasses import asdict, fields
from typing import Any

import pytest

from infra.settings import Settings
from tests.infra.template import ROOT

CONTEXT = json.loads((ROOT / "cdk.json").read_text())["context"]


def test_cdk_json_has_every_setting_with_its_default() -> None:
    names = {field.name for field in fields(Settings)}
    assert {key: value for key, value in CONTEXT.items() if key in names} == asdict(Settings())


def test_cdk_json_has_nothing_else_but_flags_of_the_cdk() -> None:
    names = {field.name for field in fields(Settings)}
    assert [key for key in CONTEXT if key not in names and not key.startswith("@aws-cdk")] == []


@pytest.mark.parametrize(
    ("key", "given", "expected"),
    [
        ("hit_lifetime_s", "3600", 3600),
        ("hit_lifetime_s", 3600, 3600),
        ("retain_data", "false", False),
        ("retain_data", True, True),
        ("log_level", "DEBUG", "DEBUG"),
    ],
)
def test_a_setting_may_be_text_as_the_command_line_gives_it(key: str, given: Any, expected: Any) -> None:
    assert getattr(Settings.from_context({key: given}.get), key) == expected


@pytest.mark.parametrize(
    ("key", "given"),
    [
        ("hit_lifetime_s", "soon"),
        ("hit_lifetime_s", 59),
        ("hit_lifetime_s", True),
        ("crowd_budget_cents", -1),
        ("free_searches", -1),
        ("search_price_cents", -1),
        ("crowd_budget_cents", 10**9 + 1),
        ("free_searches", "1" * 40),
        ("workplace_fee_percent", 101),
        ("audit_percent", -1),
        ("audit_percent", 101),
        ("throttle_rate", 0),
        ("key_throttle_rate", 0),
        ("key_throttle_burst", 0),
        ("workplace_throttle_burst", 0),
        ("worker_rate", -1),
        ("sign_in_mail_sender", "nobody"),
        ("sign_in_mail_sender", "a@b.org, c@d.org"),
        ("sign_in_provider", "http://issuer.example"),
        ("sign_in_provider", "https://issuer.example"),
        ("sign_in_provider", "google"),
        ("sign_in_provider_secret", "a-secret"),
        ("sign_in_domains", "example.org"),
        ("retain_data", "yes"),
        ("search_bundle", "../elsewhere"),
        ("search_bundle", ""),
        ("vector_engine", "faiss"),
        ("keep_vector_bucket", "perhaps"),
        ("search_recall", 0.4),
        ("search_recall", "most"),
        ("search_recall", True),
        ("search_memory_mb", 512),
        ("search_memory_mb", 10_241),
        ("log_level", "LOUD"),
        ("architecture", "riscv"),
        ("mturk_endpoint_url", "https://mturk.example.com"),
        ("mturk_credentials_secret", "turk"),
    ],
)
def test_a_wrong_setting_is_refused_by_its_name(key: str, given: Any) -> None:
    with pytest.raises(ValueError, match=key):
        Settings.from_context({key: given}.get)
