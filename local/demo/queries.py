"""What the demonstration asks image search."""

import enum
from dataclasses import dataclass

VARIANTS = ("cat-small.jpg", "dahlia-crop.jpg", "peaks-mirrored.jpg")
"""Photographs that are asked about and not saved: variants of others, which they should find."""

RESULTS = 4


class Kind(enum.Enum):
    """How image search is asked; the value is how people would say it."""

    FIND = "GET /image/find"
    URL = "POST / url"
    PICTURE = "POST / image"
    WORDS = "POST / text"

    @property
    def short(self) -> str:
        return self.value.replace("/", " ").split()[-1]


@dataclass(frozen=True)
class DemoQuery:
    """One query by a photograph, or by `words`.

    `about`: what is asked, for people. `first`: photographs of which one has to be the most similar. `by_own_address`:
    the photograph is a saved one, and named by the address that it got. `with_labels`: ask for objects as well.
    """

    kind: Kind
    about: str
    first: tuple[str, ...]
    photograph: str = ""
    words: str = ""
    by_own_address: bool = False
    with_labels: bool = False

    @property
    def name(self) -> str:
        """The photograph or the words, as people write them."""
        return f"“{self.words}”" if self.words else self.photograph.removesuffix(".jpg")


QUERIES = (
    DemoQuery(Kind.FIND, "a mirrored photograph, by its URL", ("peaks.jpg",), "peaks-mirrored.jpg"),
    DemoQuery(Kind.URL, "a part of a photograph, by its URL", ("dahlia.jpg",), "dahlia-crop.jpg"),
    DemoQuery(
        Kind.URL,
        "a saved photograph, by its own address, with labels",
        ("photographer.jpg",),
        "photographer.jpg",
        by_own_address=True,
        with_labels=True,
    ),
    DemoQuery(
        Kind.PICTURE,
        "a small copy, by its bytes in base64, with labels",
        ("cat.jpg",),
        "cat-small.jpg",
        with_labels=True,
    ),
    DemoQuery(Kind.WORDS, "words, with labels", ("dogs.jpg",), words="a dog", with_labels=True),
    DemoQuery(Kind.WORDS, "words", ("coffee.jpg",), words="a cup of coffee"),
    DemoQuery(Kind.WORDS, "words", ("peaks.jpg", "meadow.jpg"), words="snowy mountains"),
)
"""Every kind of query. The words are of what the models know: they are small, and of much else they know little."""
