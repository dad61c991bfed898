"""Where the name of a box goes, and in which colour, on the page and on the contact sheet alike."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from local.demo.image_search import Label

COLOURS = ("#ffd166", "#4cc9f0", "#80ed99", "#ff9fb2", "#c8b6ff", "#ffb26b")
"""Bright ones, on which black letters are read."""

FRAME_RATIO = 4 / 3
"""Width by height of the frame that every picture is shown in."""

LETTER_WIDTH, NAME_PADDING, NAME_HEIGHT = 0.036, 0.045, 0.115
"""What a name takes of the frame's width and height."""


@dataclass(frozen=True)
class PlacedLabel:
    """A label in fractions of its image, 0 to 1. The name is over the box's upper edge (`is_above`), or else in its
    corner: the upper left one, or one further to the right (`is_right`) or lower (`is_low`).
    """

    label: Label
    left: float
    top: float
    right: float
    bottom: float
    colour: str
    is_above: bool = False
    is_right: bool = False
    is_low: bool = False


@dataclass(frozen=True)
class _Name:
    left: float
    top: float
    width: float
    height: float

    @property
    def is_inside(self) -> bool:
        return self.left >= 0 and self.top >= 0 and self.left + self.width <= 1 and self.top + self.height <= 1

    def covers(self, other: "_Name") -> bool:
        return (
            self.left < other.left + other.width
            and other.left < self.left + self.width
            and self.top < other.top + other.height
            and other.top < self.top + self.height
        )


def place(labels: Sequence[Label], size: tuple[int, int]) -> list[PlacedLabel]:
    """The boxes in an image of that width and height, each with its name at the first place that is free.

    Names neither cover each other, as those of two boxes that are nearly the same would, nor leave the image, as long
    as there is room.
    """
    width, height = size
    ratio = width / height
    names: list[_Name] = []
    placed = []
    for label in labels:
        left, right = (min(1.0, max(0.0, x / width)) for x in (label.box[0], label.box[2]))
        top, bottom = (min(1.0, max(0.0, y / height)) for y in (label.box[1], label.box[3]))
        colour = COLOURS[label.category_id % len(COLOURS)]
        name_width = (NAME_PADDING + LETTER_WIDTH * len(label.name)) * max(1.0, FRAME_RATIO / ratio)
        name_height = NAME_HEIGHT * max(1.0, ratio / FRAME_RATIO)
        choices = []
        for is_above, is_low in ((True, False), (False, False), (False, True)):
            for is_right in (False, True):
                at_y = top - name_height if is_above else bottom - name_height if is_low else top
                name = _Name(right - name_width if is_right else left, at_y, name_width, name_height)
                choices.append((name, PlacedLabel(label, left, top, right, bottom, colour, is_above, is_right, is_low)))
        name, at = next(_free(choices, names), choices[2])
        names.append(name)
        placed.append(at)
    return placed


def _free(choices: Sequence[tuple[_Name, PlacedLabel]], names: Sequence[_Name]) -> Iterator[tuple[_Name, PlacedLabel]]:
    return (choice for choice in choices if choice[0].is_inside and not any(map(choice[0].covers, names)))
