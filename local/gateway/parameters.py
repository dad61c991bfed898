"""What templates and header mappings give, as far as they are made of text and `$context` values."""

import re
from collections.abc import Mapping

from local.deployment import refuse
from local.gateway.calls import media_type
from local.template import Resource

CONTEXT_VALUE = re.compile(r"\$context\.([A-Za-z0-9_.]*[A-Za-z0-9_])")
OTHER_LANGUAGE = re.compile(r"\$(?!context\.)|^\s*#", re.MULTILINE)


def check_templates(resource: Resource, templates: Mapping[str, str]) -> dict[str, str]:
    """Templates by media type. Raises DeploymentError for one that says more than text and `$context` values."""
    for template in templates.values():
        if OTHER_LANGUAGE.search(template):
            refuse(resource, f"the mapping template {template!r}")
    return dict(templates)


def check_headers(resource: Resource, mappings: Mapping[str, str], prefix: str) -> list[tuple[str, str]]:
    """Response headers, each with its source. Raises DeploymentError for a source but `'text'` and `context.value`."""
    for target, source in mappings.items():
        if not target.startswith(prefix) or not source.startswith(("'", "context.")):
            refuse(resource, f"the parameter mapping from {source} to {target}")
    return [(target.removeprefix(prefix), source) for target, source in mappings.items()]


def fill_in(template: str, values: Mapping[str, str]) -> str:
    """A template with its `$context` values; `-` for one that there is not."""
    return CONTEXT_VALUE.sub(lambda found: values.get(found[1], "-"), template)


def read_source(source: str, values: Mapping[str, str]) -> str:
    """What a mapping's source gives."""
    return source.strip("'") if source.startswith("'") else values.get(source.removeprefix("context."), "")


def choose_template(templates: Mapping[str, str], accept: str) -> tuple[str, str]:
    """The media type and template that suit the caller best; the first one where none does."""
    for wanted in accept.split(","):
        for type, template in templates.items():
            if type == media_type(wanted):
                return type, template
    return next(iter(templates.items()), ("application/json", ""))
