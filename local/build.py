"""`python -m local build`: synthesize what `up` and `demo` run, ahead of time."""

import argparse
import sys

HELP = "make what `up` and `demo` need, if it is not there"
DESCRIPTION = "Builds the layers and synthesizes the templates, unless nothing has changed since."


def add_options(parser: argparse.ArgumentParser) -> None:
    """None: another setting is synthesized when a stack with it starts."""


def run(arguments: argparse.Namespace) -> int:
    """Returns 0, or 1 when the CDK app failed."""
    from local.children import Children
    from local.synthesis import ASSEMBLIES, SynthesisError, synthesize

    children = Children()
    try:
        synthesize(ASSEMBLIES, {}, children)
    except SynthesisError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        children.stop()
    return 0
