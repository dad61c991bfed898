"""The API against its own description."""

import subprocess
import sys
from pathlib import Path

from openapi_spec_validator import validate

from tests.stack.raw_http import Api, assert_is_enveloped_error, assert_is_error
from tests.stack.running_stack import RunningStack

BUDGET_S = 25
"""How long schemathesis looks for a contradiction."""

REQUESTS_A_SECOND = 40
"""Below what the API throttles at."""

IMPOSSIBLE_CHECK = "positive_data_acceptance"
"""No schema can say that a name is taken with another input, or that a label has 200 characters after trimming."""

VERBS = {"get", "put", "delete", "post", "patch", "head", "options", "trace"}


def test_the_document_is_served_without_a_key_and_is_valid_openapi(api: Api) -> None:
    reply = api.request("GET", "/openapi.json", api_key=None)
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")
    validate(reply.document)


def test_every_described_path_takes_the_verbs_that_are_described_and_no_other(api: Api, running: RunningStack) -> None:
    document = api.request("GET", "/openapi.json").document
    for path, item in document["paths"].items():
        target = path.replace("{account}", running["account_id"]).replace("{task}", "described")
        refused = api.request("PATCH", target.replace("{file}", "described.jpg"))
        if path == "/":
            assert_is_enveloped_error(refused, 405)
        else:
            assert_is_error(refused, 405, "MethodNotAllowed")
        assert refused.headers["allow"] == ", ".join(sorted(verb.upper() for verb in item if verb in VERBS))


def test_no_request_that_schemathesis_thinks_of_is_answered_otherwise_than_described(
    running: RunningStack, tmp_path: Path
) -> None:
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.account" = "{running["account_id"]}"\n', encoding="utf-8")
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run",
        f"{running['api_url']}/openapi.json", "--header", f"x-api-key: {running['api_key']}",
        "--checks", "all", "--exclude-checks", IMPOSSIBLE_CHECK,
        "--max-time", str(BUDGET_S), "--rate-limit", f"{REQUESTS_A_SECOND}/s", "--seed", "20170117",
        "--generation-database", "none", "--warnings", "off", "--no-color",
    ]  # fmt: skip
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=BUDGET_S + 120)
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-2_000:]
