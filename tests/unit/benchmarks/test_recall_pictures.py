from pathlib import Path

import pytest
from PIL import Image

from benchmarks.recall.__main__ import main
from benchmarks.recall.pictures import Picture, PicturesMissing, list_pictures, select, take_turns


def save(path: Path, colour: tuple[int, int, int], size: tuple[int, int] = (8, 8)) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path)
    return path


def in_folders(*folders: str) -> list[Picture]:
    return [Picture(Path(folder) / f"{number}.png", (folder,)) for number, folder in enumerate(folders)]


def test_pictures_are_found_at_any_depth_and_know_their_folders(tmp_path: Path) -> None:
    deep = save(tmp_path / "food" / "fruit" / "lemon.png", (255, 255, 0))
    high = save(tmp_path / "cat.JPG", (0, 0, 0))
    (tmp_path / "SOURCES.md").write_text("no picture")
    assert list_pictures([tmp_path]) == [Picture(high, ()), Picture(deep, ("food", "fruit"))]


@pytest.mark.parametrize("name", ["not-there", "."])
def test_missing_pictures_are_told_with_the_command_that_installs_them(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PicturesMissing, match="apt-get install openclipart-png"):
        list_pictures([tmp_path / name])
    assert main(["--pictures", str(tmp_path / name)]) == 2
    written = capsys.readouterr()
    assert "apt-get install openclipart-png" in written.err and not written.out


def test_every_folder_has_its_turn_before_one_has_another() -> None:
    pictures = in_folders(*"aaaaaabbc")
    order = take_turns(pictures, seed=1)
    assert sorted(order, key=str) == sorted(pictures, key=str)
    assert {each.folders for each in order[:3]} == {("a",), ("b",), ("c",)}
    assert {each.folders for each in order[3:5]} == {("a",), ("b",)}


def test_the_seed_decides_the_order_whatever_order_the_files_came_in() -> None:
    pictures = in_folders(*"aaaaaabbbbbbcccccc")
    assert take_turns(pictures, seed=1) == take_turns(pictures[::-1], seed=1)
    assert take_turns(pictures, seed=1) != take_turns(pictures, seed=2)


def test_only_equal_pixels_are_duplicates(tmp_path: Path) -> None:
    red = save(tmp_path / "red.png", (255, 0, 0))
    save(tmp_path / "red.gif", (255, 0, 0))
    larger = save(tmp_path / "larger.png", (255, 0, 0), (9, 9))
    darker = save(tmp_path / "darker.png", (254, 0, 0))
    (tmp_path / "broken.png").write_bytes(red.read_bytes()[:40])
    told: list[int] = []
    selection = select(list_pictures([tmp_path]), 10, seed=0, on_taken=lambda: told.append(1))
    taken = {picture.path for picture in selection.taken}
    assert {larger, darker} < taken and len(taken) == 3 == len(told)
    assert (selection.duplicates, selection.undecodable) == (1, 1)


def test_no_more_pictures_are_taken_than_asked_for(tmp_path: Path) -> None:
    for shade in range(5):
        save(tmp_path / f"{shade}.png", (shade, 0, 0))
    assert len(select(list_pictures([tmp_path]), 3, seed=0).taken) == 3
