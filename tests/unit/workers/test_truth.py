import json
from pathlib import Path

import pytest

from local.workers.truth import PHOTOGRAPHS, Truth, normalize

HERE = "http://127.0.0.1:9000"


def test_a_known_picture_shows_what_is_listed_and_nothing_else(truth: Truth) -> None:
    assert truth.contains(f"{HERE}/cat.jpg", "cat")
    assert truth.contains(f"{HERE}/some/folder/cat.jpg?size=small", " A  CAT ")
    assert truth.contains(f"{HERE}/dogs.jpg", "dogs")
    assert not truth.contains(f"{HERE}/cat.jpg", "dog")


@pytest.mark.parametrize(
    ("label", "compared"),
    [
        (" The  Dogs", "dog"),
        ("a glass", "glass"),
        ("ÉTÉ", "été"),
        ("an", "an"),
        ("coffee cups", "coffee cup"),
        ("", ""),
    ],
)
def test_labels_are_compared_without_case_articles_and_plurals(label: str, compared: str) -> None:
    assert normalize(label) == compared


def test_how_alike_two_known_pictures_are_does_not_depend_on_their_order(truth: Truth) -> None:
    assert truth.similarity(f"{HERE}/dahlia.jpg", f"{HERE}/dahlia-crop.jpg") == 0.75
    assert truth.similarity(f"{HERE}/dahlia-crop.jpg", f"{HERE}/dahlia.jpg") == 0.75
    assert truth.similarity(f"{HERE}/cat.jpg", "http://elsewhere.example/cat.jpg") == 1.0
    assert truth.similarity(f"{HERE}/stream.jpg", f"{HERE}/pagoda.jpg") == 0.25  # they share labels
    assert truth.similarity(f"{HERE}/stream.jpg", f"{HERE}/coffee.jpg") == 0.0


def test_unknown_pictures_have_one_made_up_truth_for_everybody(truth: Truth) -> None:
    others = Truth({}, {})
    urls = [f"https://www.example.com/{number}.jpg" for number in range(200)]
    shown = [truth.contains(url, "Dog") for url in urls]
    assert shown == [others.contains(url, " a dog") for url in urls]
    assert 60 < sum(shown) < 140
    grades = {truth.similarity(urls[0], url) for url in urls}
    assert grades == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert truth.similarity(urls[3], urls[4]) == others.similarity(urls[4], urls[3])


def test_a_similarity_outside_0_to_1_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(json.dumps({"similarity": [["a", "b", 2]]}))
    with pytest.raises(ValueError, match="between 0 and 1"):
        Truth.read(path)


def test_every_photograph_has_a_source_a_truth_and_a_modest_size(truth: Truth) -> None:
    files = sorted(path.name for path in PHOTOGRAPHS.glob("*.jpg"))
    sources = (PHOTOGRAPHS / "SOURCES.md").read_text(encoding="utf-8")
    rows = [row for row in sources.splitlines() if row.startswith("| `")]
    assert files == sorted(truth.labels) == sorted(row.split("`")[1] for row in rows)
    assert all("public domain" in row or "CC0" in row or "CC BY" in row for row in rows)
    assert all((PHOTOGRAPHS / name).stat().st_size <= 80 * 1024 for name in files)
    assert {name for pair in truth.likeness for name in pair} <= set(files)


def test_no_photograph_carries_metadata() -> None:
    for path in PHOTOGRAPHS.glob("*.jpg"):
        content = path.read_bytes()
        assert b"Exif" not in content and b"http://ns.adobe.com" not in content and b"ICC_PROFILE" not in content, path
