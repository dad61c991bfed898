"""FormattedContent of question forms: HTML from strangers, cut down to what is harmless."""

import nh3
from markupsafe import Markup

_TAGS = nh3.ALLOWED_TAGS | {"big", "font"}
_ATTRIBUTES = nh3.ALLOWED_ATTRIBUTES | {"font": {"color", "size"}}


def sanitize(html: str) -> Markup:
    """The HTML with only harmless elements and attributes; links open a page of their own, images come by https."""
    return Markup(
        nh3.clean(
            html,
            tags=_TAGS,
            attributes=_ATTRIBUTES,
            attribute_filter=_only_https_images,
            url_schemes={"http", "https", "mailto"},
            link_rel="noopener noreferrer",
            set_tag_attribute_values={"a": {"target": "_blank"}},
        )
    )


def _only_https_images(tag: str, attribute: str, value: str) -> str | None:
    return None if (tag, attribute) == ("img", "src") and not value.startswith("https://") else value
