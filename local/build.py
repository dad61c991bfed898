"""`python -m local build`: synthesize what `up` and `demo` run, ahead of time."""

import argparse
import sys

HELP = "make what `up` and `demo` need, if it is not there"
DESCRIPTION = "Builds the layers, the templates and the container image, unless nothing has changed since."


def add_options(parser: argparse.ArgumentParser) -> None:
    """None: another setting is synthesized when a stack with it starts."""


def run(arguments: argparse.Namespace) -> int:
    """Returns 0, or 1 when the CDK app or the container image failed."""
    from local.children import Children
    from local.container_image import ImageError, image_maker
    from local.deployment import make_images
    from local.synthesis import ASSEMBLIES, SynthesisError, synthesize

    children = Children()
    try:
        make_images(synthesize(ASSEMBLIES, {}, children), image_maker(children))
    except (SynthesisError, ImageError) as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        children.stop()
    return 0
