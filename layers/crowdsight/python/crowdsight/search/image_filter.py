"""Which of an account's stored images a search is about."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageFilter:
    """What is None does not matter; what is not holds together with the others.

    `label`: it was detected in the image, with a score of `min_label_score` or more; of more than 32 labels the surest
    count. `saved_since_ms`, `saved_before_ms`: saved_since_ms <= when it was saved < saved_before_ms, in milliseconds
    since 1970. `image_ids`: the image is one of these; ids of other accounts' images are as good as ids of none.
    """

    label: str | None = None
    min_label_score: float = 0.0
    saved_since_ms: int | None = None
    saved_before_ms: int | None = None
    image_ids: frozenset[str] | None = None


ALL_IMAGES = ImageFilter()
