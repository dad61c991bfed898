"""What the pictures really show, so that simulated Workers can be right or wrong about it."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

PHOTOGRAPHS = Path(__file__).parent.parent / "photographs"

_ARTICLE = re.compile(r"^(a|an|the|any|some) ")


@dataclass(frozen=True)
class Truth:
    """Labels by picture, and the likeness (0 to 1) of pairs. A picture is named by its URL or by its file name.

    Of a known picture everything that it is not said to show is absent. About an unknown picture there is a made-up
    truth: always the same for the same question, so that Workers who try agree.
    """

    labels: Mapping[str, frozenset[str]]
    likeness: Mapping[frozenset[str], float]

    @classmethod
    def read(cls, path: Path) -> "Truth":
        """The truth in a file like `local/photographs/truth.json`. Raises OSError, ValueError."""
        document = json.loads(path.read_text(encoding="utf-8"))
        labels = {name: normalized(found) for name, found in document.get("photographs", {}).items()}
        likeness = {frozenset((one, other)): float(alike) for one, other, alike in document.get("similarity", [])}
        if not all(0 <= alike <= 1 for alike in likeness.values()):
            raise ValueError(f"{path}: a similarity is not between 0 and 1")
        return cls(labels, likeness)

    def contains(self, image_url: str, label: str) -> bool:
        """Whether the picture shows what the label names."""
        known = self._known(image_url)
        if known is None:
            return made_up("image-contains", image_url, normalize(label)) < 0.5
        return normalize(label) in self.labels[known]

    def similarity(self, image1_url: str, image2_url: str) -> float:
        """How alike two pictures are, from 0 to 1, in quarters unless a file says otherwise."""
        if image1_url == image2_url:
            return 1.0
        names = [self._known(url) or url for url in (image1_url, image2_url)]
        pair = frozenset(names)
        if len(pair) == 1:
            return 1.0
        if pair in self.likeness:
            return self.likeness[pair]
        if all(name in self.labels for name in names):
            return 0.25 if self.labels[names[0]] & self.labels[names[1]] else 0.0
        return int(made_up("image-similarity", *sorted(names)) * 5) / 4

    def _known(self, url: str) -> str | None:
        if url in self.labels:
            return url
        name = PurePosixPath(unquote(urlsplit(url).path)).name
        return name if name in self.labels else None


def normalize(label: str) -> str:
    """A label as compared: case, outer and repeated spaces, an article and a plural's s apart."""
    words = _ARTICLE.sub("", " ".join(label.casefold().split()))
    return words[:-1] if words.endswith("s") and not words.endswith("ss") else words


def normalized(labels: Iterable[str]) -> frozenset[str]:
    return frozenset(normalize(label) for label in labels)


def made_up(*question: str) -> float:
    """A number from 0 to below 1 that depends on the question alone."""
    digest = hashlib.sha256("\0".join(question).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / 2**48
