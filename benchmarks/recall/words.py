"""Which words are asked for, which pictures are relevant to them, and what chance would find."""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

from benchmarks.recall.pictures import Picture

IMAGENET_NAMES = Path(__file__).parent / "imagenet_names.txt"

Words = tuple[str, ...]
"""A text as its words, in small letters."""

Relevance = Mapping[str, frozenset[int]]
"""For each word asked for, by number, the pictures that are relevant; never none."""


def words_of(text: str) -> Words:
    """Runs of letters: `T-Shirt_01r` has `t`, `shirt` and `r`."""
    return tuple(re.findall(r"[^\W\d_]+", text.lower()))


def has_phrase(words: Words, phrase: Words) -> bool:
    """Whether the words of a phrase follow one another in `words`."""
    length = len(phrase)
    return length > 0 and any(words[start : start + length] == phrase for start in range(len(words) - length + 1))


def imagenet_names() -> list[str]:
    """The names of the classes, each once."""
    lines = IMAGENET_NAMES.read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def everyday_names(categories: Path) -> list[str]:
    """A JSON array of names, without those that are names of ImageNet's classes."""
    return _without(json.loads(categories.read_bytes()), imagenet_names())


def folder_names(pictures: Sequence[Picture]) -> list[str]:
    """The folders' names as words, each once, without those that are names of ImageNet's classes."""
    names = {" ".join(words_of(folder)) for picture in pictures for folder in picture.folders}
    return _without(sorted(name for name in names if name), imagenet_names())


def relevant_by_file(texts: Iterable[str], pictures: Sequence[Picture]) -> Relevance:
    """The pictures whose file's name has the text in it, for each text that has any."""
    named = [words_of(picture.path.stem) for picture in pictures]
    return _found({text: [has_phrase(words, words_of(text)) for words in named] for text in texts})


def relevant_by_folder(texts: Iterable[str], pictures: Sequence[Picture]) -> Relevance:
    """The pictures that lie in or below a folder of this name, for each text that has any."""
    folders = [{words_of(folder) for folder in picture.folders} for picture in pictures]
    return _found({text: [words_of(text) in names for names in folders] for text in texts})


def chance(relevance: Relevance, pictures: int) -> float:
    """The expected share of words with a relevant picture first, if every order of the pictures is as likely."""
    if not relevance:
        return 0.0
    return float(sum(Fraction(len(relevant), pictures) for relevant in relevance.values()) / len(relevance))


def _found(is_relevant: Mapping[str, Sequence[bool]]) -> Relevance:
    return {
        text: frozenset(number for number, relevant in enumerate(flags) if relevant)
        for text, flags in is_relevant.items()
        if any(flags)
    }


def _without(names: Iterable[str], excluded: Collection[str]) -> list[str]:
    excluded_words = {words_of(name) for name in excluded}
    return [name for name in names if words_of(name) not in excluded_words]
