import json
from itertools import permutations
from pathlib import Path

import pytest

from benchmarks.recall.pictures import Picture
from benchmarks.recall.words import (
    chance,
    everyday_names,
    folder_names,
    has_phrase,
    imagenet_names,
    relevant_by_file,
    relevant_by_folder,
    words_of,
)

LEMON, T_SHIRT, DUCK = (
    Picture(Path("root/food/fruit/lemon_tree_01.png"), ("food", "fruit")),
    Picture(Path("root/people/T-Shirt_01r.png"), ("people",)),
    Picture(Path("root/animals/big_cats/rubber-duck2.png"), ("animals", "big_cats")),
)
PICTURES = [LEMON, T_SHIRT, DUCK]


@pytest.mark.parametrize(
    "text, words",
    [
        ("T-Shirt_01r", ("t", "shirt", "r")),
        ("rubber_duck1_ganson", ("rubber", "duck", "ganson")),
        ("jack-o'-lantern", ("jack", "o", "lantern")),
        ("Äpfel", ("äpfel",)),
        ("01", ()),
    ],
)
def test_what_is_no_letter_separates_words(text: str, words: tuple[str, ...]) -> None:
    assert words_of(text) == words


@pytest.mark.parametrize(
    "name, phrase, has",
    [
        ("hot_dog_bw", "hot dog", True),
        ("dog_hot", "hot dog", False),
        ("hot_corn_dog", "hot dog", False),
        ("catalogue", "cat", False),
        ("cat", "cat", True),
        ("cat", "cat tree", False),
        ("cat", "", False),
    ],
)
def test_a_phrase_is_whole_words_in_a_row(name: str, phrase: str, has: bool) -> None:
    assert has_phrase(words_of(name), words_of(phrase)) is has


def test_a_picture_is_relevant_if_its_files_name_has_the_word() -> None:
    assert relevant_by_file(["lemon", "t-shirt", "duck", "fruit", "zebra"], PICTURES) == {
        "lemon": {0},
        "t-shirt": {1},
        "duck": {2},
    }


def test_a_picture_is_relevant_to_every_folder_it_lies_in() -> None:
    assert relevant_by_folder(["food", "fruit", "big cats", "cats"], PICTURES) == {
        "food": {0},
        "fruit": {0},
        "big cats": {2},
    }


def test_the_folders_names_are_asked_for_as_words() -> None:
    orange = Picture(Path("root/orange/1.png"), ("orange", "01"))
    assert folder_names([*PICTURES, orange]) == ["animals", "big cats", "food", "fruit", "people"]


def test_everyday_names_are_none_of_imagenets(tmp_path: Path) -> None:
    categories = tmp_path / "names.json"
    categories.write_text(json.dumps(["person", "umbrella", "Traffic Light", "dog"]))
    assert everyday_names(categories) == ["person", "dog"]


def test_imagenets_names_are_there_each_once() -> None:
    names = imagenet_names()
    # Of 1000 classes, two share the name `missile` and two `sunglasses`.
    assert len(names) == len(set(names)) == 998
    assert {"goldfish", "T-shirt", "toilet paper"} <= set(names)
    assert all(words_of(name) for name in names)


def test_chance_is_the_share_over_all_orders_of_the_pictures() -> None:
    relevance = {"a": frozenset({0}), "b": frozenset({1, 3}), "c": frozenset({0, 1, 2})}
    orders = list(permutations(range(4)))
    right = sum(order[0] in relevant for order in orders for relevant in relevance.values())
    assert chance(relevance, 4) == pytest.approx(right / len(orders) / len(relevance), abs=1e-12)
    assert chance({}, 4) == 0
