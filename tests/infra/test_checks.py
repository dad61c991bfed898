"""The templates pass cdk-nag's AwsSolutions rules, CDK's own and cfn-lint's."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.infra.template import ROOT, Assembly, Synthesize

UNSAFE_APP = """
import app
from aws_cdk import App, Stack, aws_sqs

unsafe = App()
aws_sqs.Queue(Stack(unsafe, "unsafe"), "Queue")
app.check(unsafe)
unsafe.synth()
"""


@pytest.fixture(params=["assembly", "s3_vectors_assembly", "sign_in_assembly"])
def checked(request: pytest.FixtureRequest) -> Assembly:
    """The app with each engine of image search, and with each way to sign in."""
    assembly: Assembly = request.getfixturevalue(request.param)
    return assembly


def test_synthesis_finds_nothing_to_report(checked: Assembly) -> None:
    assert checked.report["pluginReports"] == []


def test_synthesis_fails_for_an_app_that_breaks_a_rule(tmp_path: Path) -> None:
    environment = {**os.environ, "CDK_OUTDIR": str(tmp_path)}
    failing = subprocess.run(
        [sys.executable, "-c", UNSAFE_APP], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert failing.returncode != 0
    assert "AwsSolutions-SQS3" in failing.stdout + failing.stderr


def test_cfn_lint_finds_nothing(checked: Assembly) -> None:
    templates = [str(template.path) for template in checked.templates.values()]
    lint = subprocess.run(
        [str(Path(sys.executable).parent / "cfn-lint"), "--", *templates],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert (lint.returncode, lint.stdout, lint.stderr) == (0, "", "")


def test_another_endpoint_needs_no_workplace_of_its_own(synthesize: Synthesize) -> None:
    assembly = synthesize(mturk_endpoint_url="https://mturk.example.com", mturk_credentials_secret="turk")
    assert set(assembly.templates) == {"crowdsight"}
    assert assembly.report["pluginReports"] == []
    environment = assembly.service.lambdas()["create_hit"]["Properties"]["Environment"]["Variables"]
    assert environment["MTURK_ENDPOINT_URL"] == "https://mturk.example.com"


def test_synthesis_fails_for_a_wrong_setting_and_names_it(synthesize: Synthesize) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failing:
        synthesize(hit_lifetime_s=5)
    assert "ValueError: hit_lifetime_s must be" in failing.value.stdout
