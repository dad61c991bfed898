"""What image search answered, kept with its pictures: all that the page and the contact sheet show."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from local.demo.image_search import Label, Match, Picture
from local.demo.queries import DemoQuery

SHOWN_LABELS = 3


@dataclass(frozen=True)
class StoredPhotograph:
    """A saved photograph, and the image that it finds first when it is asked for by its URL. `thumbnail`: of that."""

    name: str
    url: str
    first: Match | None = None
    thumbnail: Picture | None = None

    @property
    def finds_itself(self) -> bool:
        return self.first is not None and self.first.url == self.url


@dataclass(frozen=True)
class Result:
    """An image that a query found. `name`: of the photograph that was saved at its address."""

    name: str
    match: Match
    picture: Picture

    @property
    def labels(self) -> Sequence[Label]:
        return self.match.labels or ()

    @property
    def size(self) -> tuple[int, int]:
        """Of what the labels' boxes are in."""
        return (self.match.width, self.match.height) if self.match.width else self.picture.size


@dataclass(frozen=True)
class Answer:
    """What a query found, most similar first. `picture`: the picture that was asked about; None for words."""

    query: DemoQuery
    results: Sequence[Result]
    took_s: float
    picture: Picture | None = None

    @property
    def holds(self) -> bool:
        """Whether what had to come first came first."""
        return bool(self.results) and self.results[0].name in map(_plain, self.query.first)


@dataclass
class Exhibition:
    """All of it."""

    stored: list[StoredPhotograph] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)

    @property
    def failures(self) -> list[str]:
        """In words, what did not come first that had to."""
        strangers = [f"{one.name} does not find itself first" for one in self.stored if not one.finds_itself]
        return strangers + [_missed(answer.query) for answer in self.answers if not answer.holds]


def in_words(labels: Sequence[Label]) -> str:
    """The best of an image's labels with their scores."""
    best = sorted(labels, key=lambda label: -label.score)
    more = f" and {len(best) - SHOWN_LABELS} more" if len(best) > SHOWN_LABELS else ""
    return ", ".join(f"{label.name} {label.score:.2f}" for label in best[:SHOWN_LABELS]) + more


def _missed(query: DemoQuery) -> str:
    return f"{query.kind.value} {query.name} does not find {' or '.join(map(_plain, query.first))} first"


def _plain(photograph: str) -> str:
    return photograph.removesuffix(".jpg")
