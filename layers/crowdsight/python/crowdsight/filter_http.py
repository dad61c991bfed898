"""The filter of a search, as requests say it: a label, times, and ids of images."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from crowdsight.models.coco import CATEGORIES
from crowdsight.search.image_filter import ImageFilter

MOST_IDS = 1000
ID = r"[0-9a-f]{32}"
_HOURS_MINUTES = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
TIME = rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}T{_HOURS_MINUTES}:[0-5][0-9])(?:\.([0-9]{{1,9}}))?(Z|[+-]{_HOURS_MINUTES})"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(text: Any) -> int:
    """An RFC 3339 time in whole milliseconds since 1970, of two the later one, and 0 at least. Raises ValueError.

    A time of whole milliseconds is before such a time exactly if it is before these milliseconds.
    """
    found = re.fullmatch(TIME, text) if isinstance(text, str) else None
    try:
        if found is None:
            raise ValueError
        whole = datetime.fromisoformat(found[1] + found[3]) - _EPOCH
    except ValueError:
        raise ValueError("a time with its zone is needed, such as 2026-01-31T00:00:00Z") from None
    nanoseconds = int((found[2] or "").ljust(9, "0"))
    return max(0, (whole.days * 86_400 + whole.seconds) * 1000 - (-nanoseconds // 1_000_000))


def _known_label(name: Any) -> str:
    if not isinstance(name, str) or name not in CATEGORIES:
        raise ValueError("one of COCO's 80 classes is needed, such as dog; /openapi.json has them all")
    return name


def _distinct_ids(ids: Any) -> frozenset[str]:
    if not isinstance(ids, Sequence) or isinstance(ids, str | bytes) or not 1 <= len(ids) <= MOST_IDS:
        raise ValueError(f"1 to {MOST_IDS:,} ids of images are needed")
    for at, id in enumerate(ids):
        if not isinstance(id, str) or not re.fullmatch(ID, id):
            raise ValueError(f"an id has 32 digits of 0-9 a-f, and the one at place {at + 1} has not")
    return frozenset(ids)


LABEL_SCHEMA = {"type": "string", "enum": list(CATEGORIES)}
TIME_SCHEMA = {"type": "string", "format": "date-time", "pattern": f"^{TIME}$"}
IDS_SCHEMA = {
    "type": "array",
    "items": {"type": "string", "pattern": f"^{ID}$"},
    "minItems": 1,
    "maxItems": MOST_IDS,
}

Score = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
LabelName = Annotated[str, BeforeValidator(_known_label), WithJsonSchema(LABEL_SCHEMA)]
Time = Annotated[int, BeforeValidator(milliseconds), WithJsonSchema(TIME_SCHEMA)]
ImageIds = Annotated[frozenset[str], BeforeValidator(_distinct_ids), WithJsonSchema(IDS_SCHEMA)]


class Filtered(BaseModel):
    """What a search may be limited to. `saved_after` is inclusive, `saved_before` exclusive."""

    model_config = ConfigDict(frozen=True)

    label: LabelName | None = None
    min_label_score: Score | None = None
    saved_after: Time | None = None
    saved_before: Time | None = None
    ids: ImageIds | None = None

    @model_validator(mode="after")
    def _score_of_a_label(self) -> Self:
        if self.min_label_score is not None and self.label is None:
            raise ValueError("min_label_score is that of a label: give a label")
        return self

    @property
    def images(self) -> ImageFilter:
        """Which images are meant."""
        return ImageFilter(self.label, self.min_label_score or 0.0, self.saved_after, self.saved_before, self.ids)


class FilterBody(Filtered):
    """The field `filter` of `POST /`. `saved_after` is inclusive, `saved_before` exclusive."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
