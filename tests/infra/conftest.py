"""The app, synthesized once for all tests here, as `python app.py` does it."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.infra.template import ROOT, Assembly, Synthesize


@pytest.fixture(scope="session")
def synthesize(tmp_path_factory: pytest.TempPathFactory) -> Synthesize:
    """Synthesizes with the settings given, without any Node of the machine. Raises CalledProcessError."""

    def run(**settings: Any) -> Assembly:
        folder = tmp_path_factory.mktemp("cdk.out")
        environment = {name: value for name, value in os.environ.items() if name not in ("JSII_NODE", "CDK_OUTDIR")}
        environment |= {"PATH": "/nowhere", "CDK_OUTDIR": str(folder), "CDK_CONTEXT_JSON": json.dumps(settings)}
        subprocess.run(
            [sys.executable, str(ROOT / "app.py")],
            cwd=folder,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Assembly(folder)

    return run


@pytest.fixture(scope="session")
def assembly(synthesize: Synthesize) -> Assembly:
    """With the settings that `cdk.json` has."""
    return synthesize()


@pytest.fixture(scope="session")
def other_assembly(synthesize: Synthesize) -> Assembly:
    """With other settings than `cdk.json` has."""
    return synthesize(
        retain_data=False,
        throttle_rate=7,
        throttle_burst=9,
        key_throttle_rate=3,
        key_throttle_burst=4,
        workplace_throttle_rate=70,
        workplace_throttle_burst=90,
    )


@pytest.fixture(scope="session")
def sign_in_assembly(synthesize: Synthesize) -> Assembly:
    """With mail and a user pool to sign in by."""
    return synthesize(sign_in_mail_sender="work@example.org", sign_in_provider="cognito", sign_in_groups="annotators")


@pytest.fixture(scope="session")
def s3_vectors_assembly(synthesize: Synthesize) -> Assembly:
    """With vectors in Amazon S3 Vectors."""
    return synthesize(vector_engine="s3vectors")
