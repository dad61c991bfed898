from collections.abc import Iterable
from pathlib import Path

import pytest

from client.sources import Folder, Picture, UnreadablePicture, UnusableSource, open_sources
from crowdsight.errors import UnfetchableImage
from crowdsight.images.decoding import MAX_FILE_BYTES


def fetch(url: str) -> bytes:
    """The web: it has what ends in .png."""
    if not url.endswith(".png"):
        raise UnfetchableImage("nothing there")
    return b"from the web"


def pictures_of(*names: Path | str) -> list[Picture]:
    return [picture for source in open_sources([str(name) for name in names], None, fetch) for picture in source]


def names_of(pictures: Iterable[Picture], folder: Path) -> list[str]:
    return [picture.source.removeprefix(f"{folder}/") for picture in pictures]


def write(path: Path, content: str = "a picture") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_a_folder_is_gone_through_with_all_below_it_by_name(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.png", "c/d/e.webp", "c/a.jpg"):
        write(tmp_path / name, name)
    found = pictures_of(tmp_path)
    assert names_of(found, tmp_path) == ["a.png", "b.jpg", "c/a.jpg", "c/d/e.webp"]
    assert [picture.read().decode() for picture in found] == names_of(found, tmp_path)
    assert names_of(Folder(tmp_path), tmp_path) == names_of(Folder(tmp_path), tmp_path)


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    for name in (".hidden.jpg", ".git/a.jpg", "c/.d/e.jpg", "c/seen.jpg"):
        write(tmp_path / name)
    assert names_of(pictures_of(tmp_path), tmp_path) == ["c/seen.jpg"]


def test_files_whose_names_say_that_they_are_something_else_are_left_out_and_all_others_are_tried(
    tmp_path: Path,
) -> None:
    for name in ("README.md", "truth.json", "film.mp4", "a.txt", "a.jpg.gz", "no-suffix", "raw.cr2", "a.heic", "A.JPG"):
        write(tmp_path / name)
    assert names_of(pictures_of(tmp_path), tmp_path) == ["A.JPG", "a.heic", "no-suffix", "raw.cr2"]


def test_links_are_followed_within_a_folder_and_not_out_of_it(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "secret.jpg")
    folder = tmp_path / "folder"
    inside = write(folder / "inside.jpg")
    (folder / "link-in.jpg").symlink_to(inside)
    (folder / "link-out.jpg").symlink_to(outside)
    (folder / "folder-out").symlink_to(outside.parent)
    (folder / "loop").symlink_to(folder)
    (folder / "broken.jpg").symlink_to(tmp_path / "nothing")
    assert names_of(pictures_of(folder), folder) == ["inside.jpg", "link-in.jpg"]
    (tmp_path / "to-folder").symlink_to(folder)
    assert len(pictures_of(tmp_path / "to-folder")) == 2


def test_a_name_that_is_not_text_is_shown_with_replacements(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.jpg"
    path.write_bytes(b"x")
    [picture] = pictures_of(tmp_path)
    assert picture.source == f"{tmp_path}/caf\ufffd.jpg"
    assert picture.read() == b"x"


def test_a_csv_file_has_urls_and_paths_that_start_from_it(tmp_path: Path) -> None:
    write(tmp_path / "pictures" / "a.jpg", "a file")
    listing = write(
        tmp_path / "list.csv", "label,URL,Path\r\ncat,https://x.org/a.png,\r\ndog,,pictures/a.jpg\r\n,,\r\n"
    )
    found = pictures_of(listing)
    assert [picture.source for picture in found] == ["https://x.org/a.png", f"{tmp_path}/pictures/a.jpg"]
    assert [picture.read() for picture in found] == [b"from the web", b"a file"]


def test_a_row_with_both_counts_by_its_url(tmp_path: Path) -> None:
    listing = write(tmp_path / "list.csv", "path,url\na.jpg,https://x.org/a.png\n")
    assert [picture.source for picture in pictures_of(listing)] == ["https://x.org/a.png"]


def test_without_a_header_the_first_column_counts_from_the_first_row_on(tmp_path: Path) -> None:
    listing = write(tmp_path / "list.csv", "\ufeffhttps://x.org/a.png,cat\nb.jpg,dog\n\n,\n")
    assert [picture.source for picture in pictures_of(listing)] == ["https://x.org/a.png", f"{tmp_path}/b.jpg"]


def test_what_a_csv_file_names_and_is_not_there_is_one_bad_picture(tmp_path: Path) -> None:
    gone, folder, url, odd = pictures_of(write(tmp_path / "list.csv", "gone.jpg\n.\nhttp://x.org/a\na\0b\n"))
    for picture in (gone, folder):
        with pytest.raises(UnreadablePicture, match="no such file"):
            picture.read()
    with pytest.raises(UnfetchableImage):
        url.read()
    with pytest.raises(UnreadablePicture):
        odd.read()


def test_a_csv_file_that_is_not_text_is_refused_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"url\n\xff\xfe\n")
    with pytest.raises(UnusableSource, match=r"list\.csv .*UTF-8"):
        pictures_of(path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)
    [picture] = pictures_of(path)
    with pytest.raises(UnreadablePicture, match=str(MAX_FILE_BYTES)):
        picture.read()


@pytest.mark.parametrize("name", ["nothing-there", "s3://", "https://x.org/a.png"])
def test_what_is_no_source_is_refused_before_anything_is_read(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnusableSource, match=name):
        pictures_of(tmp_path, name)
